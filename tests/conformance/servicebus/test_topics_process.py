"""Topics through the process: the control API, Config.json and the REST data plane."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest

from peeklock.servicebus import Client, OutgoingMessage
from peeklock.servicebus.auth import make_token

from .control import call, process, text

TOPOLOGY = {
    "queues": {"q": {"forward_to": "t"}},
    "topics": {
        "t": {
            "subscriptions": {
                "all": {},
                "hot": {"rules": {"hot": {"sql": "degrees > 30", "action": "SET hot = TRUE"}}},
                "same": {"rules": {"same": {"correlation": {"subject": "x"}}}},
                "none": {"rules": {"none": False}},
            }
        }
    },
}


@pytest.fixture(scope="module")
def control():
    with process("--no-default-namespace") as (_, ready):
        yield ready["control_port"]


@pytest.fixture
def namespace(control):
    status, answer = call(control, "PUT", "/namespaces/topics", TOPOLOGY)
    assert (status, answer["name"]) == (200, "topics")
    yield answer["port"]
    call(control, "DELETE", "/namespaces/topics")


def topic(control):
    (found,) = call(control, "GET", "/namespaces/topics/entities")[1]["topics"]
    return found


def test_the_control_api_makes_and_counts_topics(control, namespace):
    """The contract: topics in PUT, in `entities`, in the ledger; purge and reset reach subscriptions."""
    with Client(text(namespace)) as client:
        client.send("t", [OutgoingMessage(b"1", message_id="1", application_properties={"degrees": 40})])
        client.send("q", [OutgoingMessage(b"2", message_id="2", subject="x")])
        found = topic(control)
        assert (found["name"], found["scheduled"], found["status"]) == ("t", 0, "Active")
        counts = {s["name"]: (s["active"], s["rules"]) for s in found["subscriptions"]}
        assert counts == {
            "t/Subscriptions/all": (2, ["$Default"]),
            "t/Subscriptions/hot": (1, ["hot"]),
            "t/Subscriptions/same": (1, ["same"]),
            "t/Subscriptions/none": (0, ["none"]),
        }
        entries = call(control, "GET", "/namespaces/topics/ledger")[1]["entries"]
        story = [(e["entity"], e["event"]) for e in entries if e.get("message_id") == "2"]
        assert story == [
            ("q", "enqueued"), ("q", "forwarded"), ("t", "published"),
            ("t/Subscriptions/all", "enqueued"), ("t/Subscriptions/same", "enqueued"),
        ]  # fmt: skip
        (hot,) = [e for e in entries if e["entity"] == "t/Subscriptions/hot"]
        assert hot["details"] == {"rule": "hot", "topic_sequence": 1}
        assert hot["message"]["application_properties"] == {"degrees": 40, "hot": True, "RuleName": "hot"}
        purge = "/namespaces/topics/queues/t/Subscriptions/all/purge"
        assert call(control, "POST", purge) == (200, {"purged": 2})
        call(control, "POST", "/namespaces/topics/reset")
        assert [s["active"] for s in topic(control)["subscriptions"]] == [0, 0, 0, 0]


def test_the_control_api_sets_statuses(control, namespace):
    """S-77: PUT status; a wrong status is refused, a missing entity too."""
    path = "/namespaces/topics/status/t/Subscriptions/all"
    assert call(control, "PUT", path, {"status": "Disabled"}) == (200, {"status": "Disabled"})
    assert topic(control)["subscriptions"][0]["status"] == "Disabled"
    status, answer = call(control, "PUT", path, {"status": "Off"})
    assert (status, "'Off' is not a status" in answer["error"]) == (400, True)
    assert call(control, "PUT", "/namespaces/topics/status/nope", {"status": "Active"})[0] == 404


def test_bad_rules_are_told_with_their_place(control):
    """A namespace with a wrong expression is not made."""
    broken = {"topics": {"t": {"subscriptions": {"s": {"rules": {"r": {"sql": "a = = b"}}}}}}}
    status, answer = call(control, "PUT", "/namespaces/broken", broken)
    assert status == 400
    assert "rule 'r'" in answer["error"]
    assert "line 1, column 5" in answer["error"]
    assert call(control, "DELETE", "/namespaces/broken")[0] == 404


def rest(port, method, path, body=None):
    request = urllib.request.Request(f"http://localhost:{port}/{path}", body, method=method)
    token = make_token(f"http://localhost:{port}/", "RootManageSharedAccessKey", "SAS_KEY_VALUE", 4_000_000_000)
    request.add_header("Authorization", token)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, {}, error.read()


def test_topics_over_rest(namespace):
    """S-78, S-79: post to a topic, take from a subscription; receiving from the topic or a forwarding queue is refused."""
    assert rest(namespace, "POST", "t/messages", b"hello")[0] == 201
    status, headers, body = rest(namespace, "DELETE", "t/subscriptions/all/messages/head?timeout=1")
    assert (status, body) == (200, b"hello")
    assert json.loads(headers["BrokerProperties"])["EnqueuedSequenceNumber"] == 1
    for path in ("t", "q"):
        status, _, body = rest(namespace, "DELETE", f"{path}/messages/head?timeout=1")
        assert status == 400, body
    assert rest(namespace, "POST", "t/subscriptions/all/messages", b"x")[0] == 400


def test_config_file_with_topics(tmp_path):
    """Part C: the process serves the topics of a Config.json."""
    rule = {"Name": "r", "Properties": {"FilterType": "Sql", "SqlFilter": {"SqlExpression": "sys.Label = 'go'"}}}
    topics = [{"Name": "t", "Subscriptions": [{"Name": "s", "Rules": [rule]}]}]
    document = {"UserConfig": {"Namespaces": [{"Name": "sbemulatorns", "Queues": [], "Topics": topics}]}}
    path = tmp_path / "Config.json"
    path.write_text(json.dumps(document))
    with process("--config", str(path), "--port", "0") as (_, ready), Client(text(ready["amqp_port"])) as client:
        client.send("t", [OutgoingMessage(b"1", subject="stay"), OutgoingMessage(b"2", subject="go")])
        assert [m.body for m in client.peek("t/Subscriptions/s")] == [b"2"]
