"""What is seen of transactions in the bytes of a connection to Postgres, however these are cut."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peeklock.stack.relay.postgres.conversation import Conversation
from peeklock.stack.relay.postgres.transaction import Transaction

from .wire import SYNC, code, done, error, executed, extended, message, query, ready, startup

Turn = tuple[str, bytes]
LOGIN: list[Turn] = [
    (">", startup(user="me", application_name="worker")),
    ("<", message("R", b"\0\0\0\0") + message("S", b"a\0b\0") + ready()),
]


class Talk:
    """A conversation and what became of it."""

    def __init__(self, turns: Iterable[Turn] = ()) -> None:
        self.ended: list[Transaction] = []
        self.points: list[tuple[str, str]] = []
        times = itertools.count(1)
        self.unread = ""
        self.conversation = Conversation(lambda: float(next(times)), self.ended.append, self._stopped)
        for way, data in turns:
            self.say(way, data)

    def say(self, way: str, data: bytes) -> bytes:
        """One of both sends; what goes on."""
        parts = (self.conversation.requests if way == ">" else self.conversation.answers)(data)
        self.points += [(way, " + ".join(each.changes)) for _, met in parts for each in met]
        return b"".join(part for part, _ in parts)

    def _stopped(self, why: str) -> None:
        assert not self.unread
        self.unread = why

    @property
    def told(self) -> list[tuple[str, str]]:
        return [(" + ".join(each.changes), str(each.end)) for each in self.ended if each.changes]


def test_a_transaction_of_simple_queries_is_seen_before_and_after_its_commit() -> None:
    talk = Talk([
        *LOGIN, (">", query("BEGIN")), ("<", done("BEGIN") + ready("T")),
        (">", query("INSERT INTO result VALUES (1)")), ("<", done("INSERT 0 1") + ready("T")),
        (">", query("UPDATE job SET a = 1")), ("<", done("UPDATE 1") + ready("T")),
    ])  # fmt: skip
    assert talk.points == []
    talk.say(">", query("COMMIT"))
    assert talk.points == [(">", "INSERT result + UPDATE job")]
    assert talk.told == []
    talk.say("<", done("COMMIT") + ready())
    assert talk.points[1:] == [("<", "INSERT result + UPDATE job")]
    assert talk.told == [("INSERT result + UPDATE job", "committed")]
    assert talk.ended[0].texts == {"INSERT result": 1, "UPDATE job": 1}
    assert talk.conversation.application == "worker"


def test_a_statement_by_itself_commits_with_its_sync() -> None:
    talk = Talk([*LOGIN, (">", executed("INSERT INTO orders VALUES ($1)"))])
    assert talk.points == []
    talk.say(">", SYNC)
    assert talk.points == [(">", "INSERT orders")]
    talk.say("<", extended("INSERT 0 1"))
    assert talk.told == []
    talk.say("<", ready())
    assert talk.told == [("INSERT orders", "committed")]


def test_the_bytes_of_a_commit_wait_behind_all_that_came_before_them() -> None:
    talk = Talk([*LOGIN, (">", query("BEGIN")), ("<", done("BEGIN") + ready("T"))])
    before, commit = query("DELETE FROM a"), query("COMMIT")
    parts = talk.conversation.requests(before + commit + query("SELECT 1"))
    assert [(data, len(met)) for data, met in parts] == [(before, 0), (commit, 1), (query("SELECT 1"), 0)]


def test_a_pipeline_of_one_sync_is_seen_though_nothing_was_answered_yet() -> None:
    talk = Talk(LOGIN)
    talk.say(">", executed("BEGIN") + executed("INSERT INTO a VALUES (1)") + executed("COMMIT") + SYNC)
    assert talk.points == [(">", "INSERT a")]
    talk.say("<", extended("BEGIN") + extended("INSERT 0 1") + extended("COMMIT") + ready())
    assert talk.told == [("INSERT a", "committed")]


def test_an_error_in_a_pipeline_leaves_the_transaction_open_until_it_is_rolled_back() -> None:
    talk = Talk(LOGIN)
    talk.say(
        ">",
        executed("BEGIN")
        + executed("INSERT INTO a VALUES (1)")
        + executed("DELETE FROM b")
        + executed("COMMIT")
        + SYNC,
    )
    talk.say("<", extended("BEGIN") + extended("INSERT 0 1") + error("23503") + ready("E"))
    assert talk.told == []
    talk.say(">", query("ROLLBACK"))
    talk.say("<", done("ROLLBACK") + ready())
    assert talk.told == [("INSERT a", "rolled back")]
    assert talk.ended[0].error == "23503"
    talk.say(">", query("INSERT INTO c VALUES (1)"))
    talk.say("<", done("INSERT 0 1") + ready())
    assert talk.told[1:] == [("INSERT c", "committed")]


def test_a_commit_that_the_server_refuses_has_failed() -> None:
    talk = Talk([
        *LOGIN, (">", query("BEGIN; INSERT INTO a VALUES (1)")), ("<", done("BEGIN", "INSERT 0 1") + ready("T")),
        (">", query("COMMIT")), ("<", error("23503") + ready()),
    ])  # fmt: skip
    assert talk.told == [("INSERT a", "failed")]
    assert talk.points == [(">", "INSERT a")]


def test_a_commit_after_an_error_is_none() -> None:
    talk = Talk([
        *LOGIN, (">", query("BEGIN; INSERT INTO a VALUES (1)")), ("<", done("BEGIN", "INSERT 0 1") + ready("T")),
        (">", query("SELECT broken")), ("<", error("42703") + ready("E")),
        (">", query("COMMIT")), ("<", done("ROLLBACK") + ready()),
    ])  # fmt: skip
    assert (talk.told, talk.points) == ([("INSERT a", "failed")], [])


def test_after_a_savepoint_it_goes_on() -> None:
    talk = Talk([
        *LOGIN, (">", query("BEGIN; INSERT INTO a VALUES (1); SAVEPOINT s")), ("<", done("BEGIN", "INSERT 0 1", "SAVEPOINT") + ready("T")),
        (">", query("INSERT INTO b VALUES (1)")), ("<", error("23505") + ready("E")),
        (">", query("ROLLBACK TO s")), ("<", done("ROLLBACK") + ready("T")),
        (">", query("COMMIT")), ("<", done("COMMIT") + ready()),
    ])  # fmt: skip
    assert talk.told == [("INSERT a", "committed")]


def test_what_changes_no_row_is_no_change() -> None:
    talk = Talk([*LOGIN, (">", query("UPDATE jobs SET a = 1")), ("<", done("UPDATE 0") + ready())])
    assert talk.told == []
    talk.say(">", query("SELECT 1"))
    talk.say("<", message("T", b"\0\0") + message("D", b"\0\0") + done("SELECT 1") + ready())
    assert talk.told == []


def test_a_prepared_statement_is_known_by_its_name() -> None:
    talk = Talk(
        [*LOGIN, (">", message("P", b"s1\0INSERT INTO a VALUES ($1)\0\0\0") + SYNC), ("<", message("1") + ready())]
    )
    for _ in range(2):
        talk.say(">", message("B", b"\0s1\0\0\0\0\0\0\0") + message("E", b"\0\0\0\0\0") + SYNC)
        talk.say("<", message("2") + done("INSERT 0 1") + ready())
    assert talk.told == [("INSERT a", "committed")] * 2


def test_a_copy_with_its_early_sync_is_one_transaction() -> None:
    talk = Talk([
        *LOGIN, (">", executed("COPY a FROM STDIN") + SYNC), ("<", message("1") + message("2") + message("n") + message("G", b"\0\0\0")),
        (">", message("d", b"1\n" * 5) + message("c") + SYNC), ("<", done("COPY 5") + ready()),
    ])  # fmt: skip
    assert talk.told == [("COPY a", "committed")]
    assert talk.points == [(">", "COPY a"), ("<", "COPY a")]


def test_a_connection_that_breaks_tells_what_was_open() -> None:
    talk = Talk(
        [*LOGIN, (">", query("BEGIN; INSERT INTO a VALUES (1)")), ("<", done("BEGIN", "INSERT 0 1") + ready("T"))]
    )
    talk.conversation.close()
    assert talk.told == [("INSERT a", "connection lost")]


def test_a_refused_offer_of_tls_is_passed_on_and_an_accepted_one_ends_the_reading() -> None:
    refused = Talk([(">", code(80877104)), ("<", b"N"), (">", code(80877103)), ("<", b"N"), *LOGIN])
    assert refused.conversation.reading
    refused.say(">", query("INSERT INTO a VALUES (1)"))
    assert refused.points == [(">", "INSERT a")]
    accepted = Talk([(">", code(80877103)), ("<", b"S")])
    assert accepted.unread == "it speaks TLS"
    assert accepted.say(">", b"\x16\x03\x01") == b"\x16\x03\x01"
    assert Talk([(">", b"\x16\x03\x01\x02\x00\x01")]).unread == "it speaks TLS"


def test_a_request_to_cancel_is_nothing_to_speak_of() -> None:
    talk = Talk([(">", (16).to_bytes(4) + (80877102).to_bytes(4) + bytes(8))])
    assert (talk.conversation.reading, talk.unread) == (False, "")


def test_a_long_text_is_not_kept() -> None:
    talk = Talk(LOGIN)
    text = "INSERT INTO a VALUES ('" + "x" * 3_000_000 + "')"
    assert talk.say(">", query(text)) == query(text)
    talk.say("<", done("INSERT 0 1") + ready())
    assert talk.told == [("INSERT a", "committed")]


WHOLE: list[Turn] = [
    *LOGIN,
    (">", query("BEGIN")), ("<", done("BEGIN") + ready("T")),
    (">", executed("INSERT INTO a VALUES ($1)", "s") + SYNC), ("<", extended("INSERT 0 1") + ready("T")),
    (">", query("COMMIT")), ("<", done("COMMIT") + ready()),
    (">", executed("BEGIN") + executed("DELETE FROM b") + executed("COMMIT") + SYNC),
    ("<", extended("BEGIN") + extended("DELETE 3") + extended("COMMIT") + ready()),
    (">", query("UPDATE c SET d = 'x'; SELECT 1")), ("<", done("UPDATE 1") + message("D", b"x" * 300) + done("SELECT 1") + ready()),
    (">", query("INSERT INTO a VALUES (1)")), ("<", error("23505") + ready()),
    (">", message("X")),
]  # fmt: skip
EXPECTED = [("INSERT a", "committed"), ("DELETE b", "committed"), ("UPDATE c", "committed")]
POINTS = [
    (">", "INSERT a"), ("<", "INSERT a"), (">", "DELETE b"), ("<", "DELETE b"), (">", "UPDATE c"), ("<", "UPDATE c"), (">", "INSERT a"),
]  # fmt: skip


@given(st.data())
def test_the_same_is_seen_however_the_bytes_are_cut(data: st.DataObject) -> None:
    talk = Talk()
    for way, whole in WHOLE:
        cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
        pieces = [whole[one:other] for one, other in itertools.pairwise([0, *cuts, len(whole)])]
        assert b"".join(talk.say(way, piece) for piece in pieces) == whole
    assert (talk.told, talk.points, talk.conversation.reading) == (EXPECTED, POINTS, True)


def test_the_same_is_seen_byte_by_byte() -> None:
    talk = Talk()
    for way, whole in WHOLE:
        for byte in whole:
            assert talk.say(way, bytes([byte])) == bytes([byte])
    assert (talk.told, talk.points) == (EXPECTED, POINTS)


@given(st.lists(st.tuples(st.sampled_from("<>"), st.binary(max_size=80))), st.booleans())
def test_garbage_goes_through_as_it_is(turns: list[Turn], logged_in: bool) -> None:
    talk = Talk(LOGIN if logged_in else [])
    for way, data in turns:
        assert talk.say(way, data) == data
    talk.conversation.close()
    assert not talk.unread.startswith("the reader gave up")


@given(
    st.lists(
        st.tuples(st.sampled_from("<>"), st.sampled_from("QPBECSFXcfDHdpZIsGWTRKNA123ntvV"), st.binary(max_size=30))
    )
)
def test_messages_in_a_wild_order_go_through_as_they_are(turns: list[tuple[str, str, bytes]]) -> None:
    talk = Talk(LOGIN)
    for way, letter, body in turns:
        assert talk.say(way, message(letter, body)) == message(letter, body)
    talk.conversation.close()
    assert not talk.unread.startswith("the reader gave up")


@pytest.mark.parametrize("way", ["<", ">"])
def test_what_is_not_understood_is_said_once_and_bytes_flow_on(way: str) -> None:
    talk = Talk(LOGIN)
    assert talk.say(way, b"?????") == b"?????"
    assert talk.unread == "what goes over it is not the protocol of Postgres, version 3"
    assert talk.say(">", query("INSERT INTO a VALUES (1)")) == query("INSERT INTO a VALUES (1)")
    assert talk.points == []
