"""Noise: what differs between undisturbed runs is found by comparing them, and nothing else is passed over."""

from __future__ import annotations

import itertools
import uuid
from typing import Any

import pytest

from peeklock.engine.snapshot import Fact
from peeklock.explore.judge import LOCK_LOST, Asked, Difference, Judge

NUMBERS = itertools.count(10)


def end(orders: int = 1, **invoice: Any) -> list[Fact]:
    """Orders, an invoice for each, and a message that tells of it: ids and times are others in each run."""
    facts = []
    for number in range(orders):
        order, made = f"order-{uuid.uuid4()}", f"2026-11-27T10:00:00.{next(NUMBERS)}Z"
        row = {"id": str(uuid.uuid4()), "order_id": order, "amount": 17 + number, "made_at": made, **invoice}
        facts += [
            Fact("table orders", {"id": order, "status": "DONE", "attempts": 1}),
            Fact("table invoices", row),
            Fact("queue invoiced", {"outcome": "completed", "body": {"order": order, "ms": next(NUMBERS)}}),
        ]
    return facts


def told(judge: Judge, facts: list[Fact]) -> list[str]:
    return [str(each) for each in judge.differences(facts)]


def test_other_ids_times_and_latencies_are_no_difference() -> None:
    judge = Judge([end(2), end(2), end(2)])
    assert judge.unsteady == []
    assert told(judge, end(2)) == []


def test_the_order_of_rows_is_no_difference() -> None:
    assert told(Judge([end(3), end(3)]), end(3)[::-1]) == []


def test_a_second_row_is_doubled_and_one_that_is_missing_lost() -> None:
    judge, facts = Judge([end(), end()]), end()
    assert told(judge, [*facts, facts[1]]) == ["table invoices: doubled, 2 instead of 1: amount 17"]
    (lost,) = told(judge, facts[:2])
    assert lost.startswith('queue invoiced: lost, 0 instead of 1: outcome "completed"')


def test_a_field_that_never_differs_is_compared_as_it_is() -> None:
    judge = Judge([end(), end()])
    (found,) = judge.differences(end(amount=18))
    assert str(found) == "table invoices: amount 18, undisturbed 17"
    assert found.signature == "table invoices changed amount"


def test_an_id_is_known_by_what_stands_with_it() -> None:
    """The right number of rows, and one that belongs to the wrong order."""
    judge, facts = Judge([end(2), end(2)]), end(2)
    wrong = {**facts[4].value, "order_id": facts[1].value["order_id"]}
    mixed = [*facts[:4], Fact("table invoices", wrong), facts[5]]
    assert "mixed up" in " ".join(told(judge, mixed))


def test_what_the_user_ignores_is_not_compared() -> None:
    again = [
        Fact("table orders", {**each.value, "attempts": 2}) if "attempts" in each.value else each for each in end()
    ]
    assert told(Judge([end(), end()]), again) == ["table orders: attempts 2, undisturbed 1"]
    assert told(Judge([end(), end()], ["table orders.attempts"]), again) == []
    assert told(Judge([end(), end()], ["table orders"]), again[1:]) == []


def test_a_place_that_undisturbed_runs_leave_differently_is_told_and_not_judged() -> None:
    ticks = [Fact("table ticks", {"n": 1})] * 3
    judge = Judge([end(), [*end(), *ticks], end()])
    assert judge.unsteady == ["table ticks"]
    assert told(judge, [*end(), *ticks[:2]]) == []


def test_more_of_what_may_come_again_is_no_difference_but_none_is() -> None:
    again = Fact("queue jobs", {"outcome": "completed"}, at_least_once=True)
    judge = Judge([[again], [again]])
    assert told(judge, [again] * 3) == []
    assert told(judge, []) == ['queue jobs: lost, 0 instead of 1: outcome "completed"']


@pytest.mark.parametrize("what", ["doubled", "new", "lost", "changed"])
def test_as_few_fields_tell_a_fact_as_suffice(what: str) -> None:
    """The written scenario asks for rows by these."""
    judge, facts = Judge([end(2), end(2)]), end(2)
    second = facts[4]
    disturbed = {
        "doubled": [*facts, second],
        "new": [*facts, Fact("table invoices", {**second.value, "amount": 99})],
        "lost": [*facts[:4], facts[5]],
        "changed": [*facts[:4], Fact("table invoices", {**second.value, "amount": 99}), facts[5]],
    }[what]
    (found,) = judge.differences(disturbed)
    assert found.what == what
    amount, expected = ("99", 0) if what == "new" else ("18", 1)
    assert judge.asked(found) == Asked("table invoices", (("amount", amount),), expected)


def test_of_a_container_all_blobs_are_asked_for_and_of_one_that_has_changed_none() -> None:
    blobs = [Fact("container images", {"name": f"{name}.jpg", "content": name}) for name in "abc"]
    judge = Judge([blobs, blobs])
    (lost,) = judge.differences(blobs[1:])
    assert judge.asked(lost) == Asked("container images", (), 3)
    (changed,) = judge.differences([*blobs[1:], Fact("container images", {"name": "a.jpg", "content": "x"})])
    assert judge.asked(changed) is None


def test_of_a_queue_dropped_duplicates_are_no_messages_and_repeated_ones_may_be_more() -> None:
    """The outcome is always asked for."""
    told = {"body": {"id": 1}, "outcome": "completed"}
    for again in (False, True):
        judge = Judge([[Fact("queue jobs", told, again)]] * 2)
        (lost,) = judge.differences([])
        assert judge.asked(lost) == Asked("queue jobs", (("outcome", '"completed"'),), 1, at_least=again)


def test_what_noise_alone_tells_cannot_be_asked_for() -> None:
    judge = Judge([[Fact("table ids", {"id": str(uuid.uuid4())})] for _ in range(2)])
    (lost,) = judge.differences([])
    assert judge.asked(lost) is None


def test_a_lock_that_was_lost_is_asked_for_by_the_history_of_messages() -> None:
    asked = Judge([[]]).asked(Difference("queue jobs", LOCK_LOST))
    assert asked == Asked("queue jobs", (("history", '{"$contains": "lock_expired"}'),), 0)
