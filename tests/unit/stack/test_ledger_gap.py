"""What the emulator's ledger has let go is said, and never passed over."""

from __future__ import annotations

from typing import Any

import pytest

from peeklock.servicebus.ledger import Entry, EventKind, to_json
from peeklock.stack.errors import StackError
from peeklock.stack.servers.servicebus import ServiceBusServer


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> ServiceBusServer:
    """An emulator whose ledger has the entries 8 and 9, and had those before."""
    kept = [Entry(number, 1.0, "jobs", EventKind.PURGED) for number in (8, 9)]

    def ask(_self: object, _method: str, path: str, **_: Any) -> Any:
        after = int(path.partition("after=")[2].partition("&")[0])
        return {"entries": [to_json(entry) for entry in kept if entry.number > after], "cursor": 9}

    monkeypatch.setattr(ServiceBusServer, "_ask", ask)
    return ServiceBusServer.__new__(ServiceBusServer)


def test_entries_that_follow_what_was_read_are_returned(server: ServiceBusServer) -> None:
    entries, cursor = server.ledger("ns", 7, 0.0)
    assert ([entry.number for entry in entries], cursor) == ([8, 9], 9)
    assert server.ledger("ns", 9, 0.0) == ([], 9)


def test_whoever_begins_to_read_takes_what_is_there(server: ServiceBusServer) -> None:
    assert [entry.number for entry in server.ledger("ns", 0, 0.0)[0]] == [8, 9]


def test_a_gap_is_an_error_with_its_size(server: ServiceBusServer) -> None:
    with pytest.raises(StackError, match="let 4 entries go"):
        server.ledger("ns", 3, 0.0)
