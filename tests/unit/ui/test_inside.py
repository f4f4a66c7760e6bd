"""What a namespace's own port tells of its inside."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from typing import Any

import pytest

from peeklock.connection_strings import parts_of
from peeklock.servicebus import AccessRule, Client, Emulator, OutgoingMessage, Queue, Topology
from peeklock.servicebus.auth import make_token

RULES = (AccessRule("all", "k1", ("Manage", "Send", "Listen")), AccessRule("app", "k2", ("Send", "Listen")))


def get(bus: Emulator, path: str, rule: str, key: str) -> Any:
    url = parts_of(bus.connection_string())["Endpoint"].replace("sb://", "http://").rstrip("/")
    token = make_token(url, rule, key, int(time.time()) + 60)
    request = urllib.request.Request(f"{url}/$peeklock{path}", headers={"authorization": token})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def test_it_is_told_to_who_may_manage_and_to_nobody_else() -> None:
    with Emulator(Topology(queues={"q": Queue()}, access_rules=RULES)) as bus:
        assert get(bus, "/entities", "all", "k1")["queues"][0]["name"] == "q"
        for rule, key in (("app", "k2"), ("all", "wrong")):
            with pytest.raises(urllib.error.HTTPError, match="401"):
                get(bus, "/entities", rule, key)


def test_the_ledger_is_asked_about_one_message() -> None:
    """By its id, in its queue and in the dead-letter queue."""
    with Emulator(Topology(queues={"q": Queue()}, access_rules=RULES)) as bus:
        with Client(bus.connection_string("all")) as client:
            client.send("q", [OutgoingMessage(b"", "a"), OutgoingMessage(b"", "b")])
            client.dead_letter(client.receive("q")[0])
        found = get(bus, "/ledger?message_id=a", "all", "k1")["entries"]
    assert {each["message_id"] for each in found} == {"a"}
    assert [each["event"] for each in found] == ["enqueued", "delivered", "dead_lettered", "enqueued"]
