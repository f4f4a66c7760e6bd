"""Loads as they were recorded, and what a rule would have done with them."""

from __future__ import annotations

import json

import pytest

from peeklock.scaling.forecast import forecast
from peeklock.scaling.load import Load, LoadError, of_ledger, read
from peeklock.scenario.services import Job, QueueRule, Scale
from peeklock.servicebus.ledger import AboutMessage, Entry, EventKind, to_json

BURST = Load((0.0, 40.0, 100.0), (0, 100, 0))


def replicas(rule: Scale, load: Load, takes: float = 0.0) -> list[tuple[float, int]]:
    return [(row.at, row.replicas) for row in forecast(rule, [load], takes)]


def test_a_burst_scales_from_nothing_to_the_most_and_back_after_the_cooldown():
    rows = replicas(Scale(queue="jobs"), BURST)
    assert rows[:6] == [(0.0, 0), (30.0, 0), (60.0, 1), (90.0, 10), (120.0, 1), (150.0, 1)]
    assert rows[-2:] == [(360.0, 1), (390.0, 0)]  # 300 s after the look at 90 s, the last that saw work


def test_a_job_is_begun_for_each_message_until_its_executions_have_ended():
    rule = Scale(queue="jobs", messages=50, job=Job())
    assert replicas(rule, BURST, takes=45.0) == [(0.0, 0), (30.0, 0), (60.0, 2), (90.0, 2), (120.0, 0)]


def test_several_queues_are_looked_at_together_and_one_that_cannot_be_seen_starts_nothing():
    rule = Scale(rules=[QueueRule(queue="a"), QueueRule(queue="b", messages=1)])
    few = Load((0.0, 100.0), (2, 0))
    assert [row.replicas for row in forecast(rule, [BURST, few])][:4] == [1, 2, 10, 10]
    assert [row.replicas for row in forecast(rule, [BURST, few], blind=[True, True])] == [0] * 5
    first = next(forecast(rule, [BURST, few]))
    assert first.counts == (0, 2)


def test_a_ledger_is_a_load_of_what_can_be_received():
    """Scheduled messages come when their time has come; a message that is delivered counts until it is settled."""
    story = [
        (10.0, "jobs", "scheduled", 1),
        (11.0, "jobs", "enqueued", 2),
        (12.0, "jobs", "delivered", 2),
        (13.0, "others", "enqueued", 1),
        (14.0, "jobs", "activated", 3),
        (15.0, "jobs", "completed", 2),
        (16.0, "jobs", "dead_lettered", 3),
    ]
    entries = [
        Entry(number, at, queue, EventKind(event), AboutMessage(sequence, "m"))
        for number, (at, queue, event, sequence) in enumerate(story, 1)
    ]
    assert of_ledger(entries, "jobs") == Load((0.0, 3.0, 4.0, 5.0), (1, 2, 1, 0))
    assert read("\n".join(json.dumps(to_json(entry)) for entry in entries), "jobs") == of_ledger(entries, "jobs")


def test_a_load_can_be_written_by_hand():
    assert read("seconds,messages\n0,0\n12.5,40\n", "jobs") == Load((0.0, 12.5), (0, 40))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no line"),
        ("0,0\nten,1", "line 2: expected seconds,messages"),
        ("0,0\n1", "line 2"),
        ("5,0\n1,1", "line 2: times must not run backwards"),
        ("0,-1", "line 1"),
        (
            '{"n": 1, "at": 1, "entity": "others", "event": "purged", "details": {}}',
            "tells nothing of the queue 'jobs'",
        ),
        ('{"n": 1, "at": 1, "event": "purged", "details": {}}', "not a ledger: an entry without 'entity'"),
        ('{"n": 1, "at": 1, "entity": "jobs", "event": "vanished", "details": {}}', "not a ledger: .*'vanished'"),
        ("{no json", "not a ledger"),
    ],
)
def test_a_load_that_cannot_be_read_says_why(text: str, problem: str):
    with pytest.raises(LoadError, match=problem):
        read(text, "jobs")
