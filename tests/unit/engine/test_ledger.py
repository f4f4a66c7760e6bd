"""Folding entries into the history of messages."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from peeklock.engine.ledger import OPEN, Ledger
from peeklock.engine.timeline import timeline
from tests.unit.engine.fake import FakeEnvironment


def fold(environment: FakeEnvironment, after: int = 0) -> Ledger:
    ledger = Ledger(environment.ledger, after)
    ledger.refresh()
    return ledger


def views(ledger: Ledger, queue: str = "jobs") -> list[dict[str, Any]]:
    return [message.view() for message in ledger.messages(queue)]


def test_one_message_from_send_to_complete() -> None:
    world = FakeEnvironment()
    world.happen("enqueued", message_id="m1", body={"id": 1}, correlation_id="c")
    world.happen("delivered", delivery=1)
    world.happen("renewed")
    world.happen("completed")
    (view,) = views(fold(world))
    assert view["message_id"] == "m1"
    assert view["correlation_id"] == "c"
    assert view["body"] == {"id": 1}
    assert (view["deliveries"], view["outcome"]) == (1, "completed")
    assert view["history"] == ["enqueued", "delivered", "renewed", "completed"]
    assert "dead_letter_reason" not in view


def test_deliveries_count_from_one() -> None:
    world = FakeEnvironment()
    world.happen("enqueued", message_id="m")
    for delivery in (1, 2):
        world.happen("delivered", delivery=delivery)
        world.happen("abandoned")
    (view,) = views(fold(world))
    assert (view["deliveries"], view["outcome"]) == (2, "active")


def test_a_release_is_no_delivery() -> None:
    """S-42: the service does not count it, and nobody has seen the message; its history tells."""
    world = FakeEnvironment()
    world.happen("enqueued", message_id="m")
    for _ in range(3):
        world.happen("delivered", delivery=1)
        world.happen("released")
    world.happen("delivered", delivery=1)
    world.happen("completed")
    (view,) = views(fold(world))
    assert (view["deliveries"], view["outcome"], view["history"].count("released")) == (1, "completed", 3)


def test_duplicates_are_messages_of_their_own() -> None:
    world = FakeEnvironment()
    world.happen("enqueued", message_id="m")
    world.happen("duplicate_dropped", sequence=0, message_id="m")
    world.happen("duplicate_dropped", sequence=0, message_id="m")
    assert [view["outcome"] for view in views(fold(world))] == [
        "active",
        "dropped_as_duplicate",
        "dropped_as_duplicate",
    ]


def test_a_dead_letter_knows_its_past() -> None:
    world = FakeEnvironment()
    world.happen("enqueued", sequence=7, message_id="m", body=1)
    world.happen("delivered", sequence=7, delivery=1)
    world.happen("dead_lettered", sequence=7, reason="Bad", description="no id")
    world.happen("enqueued", queue="jobs/$deadletterqueue", sequence=1, message_id="m", body=1, dead_letter_source=7)
    ledger = fold(world)
    (original,), (dead,) = views(ledger), views(ledger, "jobs/$deadletterqueue")
    assert (original["outcome"], original["dead_letter_reason"]) == ("dead_lettered", "Bad")
    assert (dead["outcome"], dead["dead_letter_reason"], dead["dead_letter_description"]) == ("active", "Bad", "no id")
    assert dead["deliveries"] == 1


def test_bodies_are_json_or_text_or_base64() -> None:
    world = FakeEnvironment()
    world.happen("enqueued", sequence=1, body={"a": 1})
    world.happen("enqueued", sequence=2, raw=b"<xml/>")
    world.happen("enqueued", sequence=3, raw=b"\xff\xd8\xff")
    assert [view["body"] for view in views(fold(world))] == [{"a": 1}, "<xml/>", {"base64": "/9j/"}]


def test_it_begins_at_its_cursor() -> None:
    world = FakeEnvironment()
    world.happen("enqueued", message_id="of the case before")
    assert views(fold(world, after=1)) == []


def test_receivers_are_remembered() -> None:
    world = FakeEnvironment()
    world.happen("enqueued")
    world.happen("delivered", delivery=1, consumer="service-worker@c/l")
    assert fold(world).receivers("jobs") == {"worker"}


def test_a_scheduled_message_stays_one_message_when_it_is_activated() -> None:
    """S-54: it gets a new sequence number then."""
    world = FakeEnvironment()
    world.happen("scheduled", sequence=1, message_id="m", body=1)
    world.happen("activated", sequence=2, scheduled_sequence=1, message_id="m")
    (view,) = views(fold(world))
    assert (view["sequence"], view["outcome"], view["body"]) == (2, "active", 1)
    assert view["history"] == ["scheduled", "activated"]


EVENTS = (
    "delivered",
    "abandoned",
    "renewed",
    "deferred",
    "completed",
    "dead_lettered",
    "cancelled",
    "activated",
    "purged",
)


@given(
    st.lists(st.tuples(st.sampled_from(["jobs", "exports"]), st.integers(1, 4), st.sampled_from(EVENTS)), max_size=40),
    st.integers(1, 40),
)
def test_whatever_happens_the_open_ones_are_told(happened: list[tuple[str, int, str]], seen: int) -> None:
    """As one finds them by looking at every message; also of a ledger that is read in two parts."""
    world = FakeEnvironment()
    for queue in ("jobs", "exports"):
        for sequence in (1, 2):
            world.happen("enqueued", queue, sequence, message_id=f"m{sequence}")
            world.happen("scheduled", queue, sequence + 2, message_id=f"m{sequence + 2}")
    entries = world.entries
    for number, (queue, sequence, event) in enumerate(happened, 5):
        facts = {"scheduled_sequence": sequence} if event == "activated" else {}
        world.happen(event, queue, number if facts else sequence, **facts)
    pending = entries[:seen]
    ledger = Ledger(lambda after: ([each for each in pending if each.number > after], len(pending)), 0)
    for part in (pending, entries):
        pending = part
        ledger.refresh()
        for queue in ("jobs", "exports"):
            found = [message for message in ledger.all() if message.queue == queue]
            assert list(ledger.messages(queue)) == found
            assert ledger.open(queue) == [message for message in found if message.outcome in OPEN]


def test_sessions_are_no_messages() -> None:
    world = FakeEnvironment()
    world.happen("session_accepted", sequence=0, session_id="s")
    world.happen("enqueued", message_id="m")
    world.happen("session_released", sequence=0, session_id="s")
    world.happen("deleted")
    ledger = fold(world)
    assert [view["outcome"] for view in views(ledger)] == ["deleted"]
    assert len(ledger.entries) == 4


def test_a_new_token_is_in_the_timeline_but_no_message() -> None:
    world = FakeEnvironment()
    world.happen("token_renewed", sequence=0, principal="service-worker", connection=7)
    ledger = fold(world)
    assert views(ledger) == []
    assert [moment.text for moment in timeline((), ledger.entries, (), ())] == [
        "token renewed by service-worker on connection 7"
    ]


def test_a_fault_is_in_the_timeline_but_no_message() -> None:
    """What a test does to the broker is told beside the messages, and makes none of its own."""
    world = FakeEnvironment()
    world.happen("fault", sequence=0, fault="drop_settlement", phase="begin")
    world.happen("enqueued", sequence=4, message_id="m")
    world.happen("fault", sequence=4, fault="drop_settlement", phase="strike")
    ledger = fold(world)
    (view,) = views(ledger)
    assert view["history"] == ["enqueued"]
    texts = [moment.text for moment in timeline((), ledger.entries, (), ())]
    assert texts == ["fault drop_settlement begin", "enqueued seq 4", "fault drop_settlement strike seq 4"]
