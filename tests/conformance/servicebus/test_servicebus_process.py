"""`python -m peeklock.servicebus`: the ready line, the control API, a clean stop, and errors with exit code 2."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import httpx
import pytest

from peeklock.servicebus import Client, OutgoingMessage, ServiceBusError

from .control import TOKEN, call, process, text


@pytest.fixture(scope="module")
def control():
    with process("--no-default-namespace") as (_, ready):
        yield ready["control_port"]


def test_ready_line_and_clean_stop():
    """The contract: one JSON line when listening, JSON logs on stderr without secrets, SIGTERM ends with 0."""
    with process("--port", "0") as (child, ready):
        assert ready["event"] == "servicebus.ready"
        assert ready["pid"] == child.pid
        assert ready["amqp_port"]
        client = Client(text(ready["amqp_port"], key="not-the-key-at-all"))
        with pytest.raises(ServiceBusError, match="invalid signature"):
            client.send("q", [OutgoingMessage(b"x")])
        client.close()
        child.send_signal(signal.SIGTERM)
        out, logs = child.communicate(timeout=10)
        assert child.returncode == 0
        assert out == ""
        events = [json.loads(line)["event"] for line in logs.splitlines()]
        assert events[0] == "namespace.listening"
        assert events[-1] == "servicebus.stopped"
        assert "token.refused" in events
        assert not any(secret in logs for secret in ("sig=", "SAS_KEY", "not-the-key", TOKEN))


def test_beyond_loopback_only_when_told():
    """Another address than loopback is taken as it is given, as in a container, and the log warns of it."""
    with process("--port", "0", "--host", "0.0.0.0") as (child, ready):
        with Client(text(ready["amqp_port"])) as client, pytest.raises(ServiceBusError, match="could not be found"):
            client.peek("q")
        child.send_signal(signal.SIGTERM)
        _, logs = child.communicate(timeout=10)
        assert [
            line["level"] for line in map(json.loads, logs.splitlines()) if line["event"] == "servicebus.reachable"
        ] == ["warning"]


def test_config_file(tmp_path):
    """--config takes the official Config.json; the default rule is that of the official emulator."""
    path = tmp_path / "Config.json"
    queues = [{"Name": "from.config", "Properties": {"MaxDeliveryCount": 2}}]
    document = {"UserConfig": {"Namespaces": [{"Name": "sbemulatorns", "Queues": queues, "Topics": []}]}}
    path.write_text("// mine\n" + json.dumps(document))
    with process("--config", str(path), "--port", "0") as (_, ready), Client(text(ready["amqp_port"])) as client:
        client.send("from.config", [OutgoingMessage(b"x", message_id="m")])
        assert client.receive("from.config")[0].message_id == "m"


@pytest.mark.parametrize("inline", [True, False])
def test_config_from_the_environment(tmp_path, inline):
    """PEEKLOCK_SERVICEBUS_CONFIG is JSON, or a path: many namespaces, each on a port of its own, are in the ready line."""
    source = json.dumps({"namespaces": {"one": {"queues": {"a": {}}}, "two": {"queues": {"b": {}}}}})
    if not inline:
        path = tmp_path / "bus.json"
        path.write_text(source)
        source = str(path)
    with process("--port", "0", PEEKLOCK_SERVICEBUS_CONFIG=source) as (_, ready):
        ports = ready["namespaces"]
        assert list(ports) == ["one", "two"]
        assert ports["one"] == ready["amqp_port"] != ports["two"]
        for name, queue, other in (("one", "a", "b"), ("two", "b", "a")):
            with Client(text(ports[name])) as client:
                client.send(queue, [OutgoingMessage(b"x")])
                with pytest.raises(ServiceBusError):
                    client.send(other, [OutgoingMessage(b"x")])
        health = httpx.get(f"http://127.0.0.1:{ready['control_port']}/health").json()
        assert health["namespaces"] == ports


@pytest.mark.parametrize(
    ("arguments", "token", "words"),
    [
        (["--config", "no-such-file.json"], TOKEN, "cannot be read"),
        (["--host", "203.0.113.7"], TOKEN, "cannot listen"),
        (["--no-default-namespace"], "", "PEEKLOCK_CONTROL_TOKEN"),
        (["--prot", "1"], TOKEN, "unrecognized arguments"),
    ],
)
def test_bad_command_lines_exit_with_two(arguments, token, words):
    """Exit code 2, with what is wrong and how to fix it, for a bad command line or configuration."""
    command = [sys.executable, "-m", "peeklock.servicebus", *arguments]
    environment = {**os.environ, "PEEKLOCK_CONTROL_TOKEN": token}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=10)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stdout == ""


def test_a_namespace_s_life(control):
    """PUT, 409 on a second, use, entities, ledger, purge, reset, DELETE: the whole contract in one life."""
    queues = {"images": {"max_delivery_count": 3, "lock_duration": 5.0}}
    rules = [{"name": "app", "key": "app-key", "rights": ["Send", "Listen"], "entity": "images"}]
    status, made = call(control, "PUT", "/namespaces/a", {"queues": queues, "access_rules": rules})
    assert (status, made["name"]) == (200, "a")
    assert call(control, "PUT", "/namespaces/a", {})[0] == 409
    with Client(text(made["port"], "app", "app-key")) as client:
        client.send("images", [OutgoingMessage(b"\x00body", message_id="m1", application_properties={"k": 1})])
        (message,) = client.receive("images")
        _, state = call(control, "GET", "/namespaces/a/entities")
        (queue,) = state["queues"]
        assert (queue["active"], queue["locked"], queue["dead_letter"]) == (0, 1, 0)
        assert queue["receivers"][0]["container_id"].startswith("peeklock-")
        client.dead_letter(message, "why", "words")
        _, ledger = call(control, "GET", "/namespaces/a/ledger?after=0&wait=5")
        events = [(e["entity"], e["event"], e["delivery"]) for e in ledger["entries"]]
        assert events == [
            ("images", "enqueued", 1),
            ("images", "delivered", 1),
            ("images", "dead_lettered", 1),
            ("images/$deadletterqueue", "enqueued", 1),
        ]
        sent = ledger["entries"][0]["message"]
        assert sent["body_base64"] == "AGJvZHk="
        assert sent["application_properties"] == {"k": 1}
        assert [e["details"] for e in ledger["entries"]][2:] == [
            {"reason": "why", "description": "words"},
            {"dead_letter_source": 1},
        ]
        assert ledger["cursor"] == 4
        assert call(control, "POST", "/namespaces/a/queues/images/$DeadLetterQueue/purge")[1] == {"purged": 1}
        client.send("images", [OutgoingMessage(b"x")])
        _, reset = call(control, "POST", "/namespaces/a/reset")
        _, after = call(control, "GET", f"/namespaces/a/ledger?after={reset['cursor']}")
        assert after["entries"] == []
    assert call(control, "DELETE", "/namespaces/a") == (204, None)
    assert call(control, "GET", "/namespaces/a/entities")[0] == 404
    with pytest.raises(OSError, match="refused"):
        Client(text(made["port"])).peek("images")


def test_the_ledger_waits_for_news(control):
    """The long poll answers at once when there is something, when something arrives, or when the wait is over."""
    _, made = call(control, "PUT", "/namespaces/b", {"queues": {"q": {}}})
    assert call(control, "GET", "/namespaces/b/ledger?after=0&wait=0.01")[1]["entries"] == []
    import threading

    seen = []
    waiting = threading.Thread(target=lambda: seen.append(call(control, "GET", "/namespaces/b/ledger?after=0&wait=30")))
    waiting.start()
    with Client(text(made["port"])) as client:
        client.send("q", [OutgoingMessage(b"x")])
    waiting.join(10)
    assert [e["event"] for e in seen[0][1]["entries"]] == ["enqueued"]
    assert len(call(control, "GET", "/namespaces/b/ledger?after=0&limit=1")[1]["entries"]) == 1
    call(control, "DELETE", "/namespaces/b")


def test_moving_the_clock(control):
    """POST /clock moves the time of all namespaces: locks run out at once."""
    _, made = call(control, "PUT", "/namespaces/c", {"queues": {"q": {"lock_duration": 60}}})
    with Client(text(made["port"])) as client:
        client.send("q", [OutgoingMessage(b"x")])
        client.receive("q")
        assert call(control, "POST", "/clock", {"advance": 61})[0] == 200
        assert client.receive("q")[0].delivery_count == 1
    call(control, "DELETE", "/namespaces/c")


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "/namespaces/x", {"queues": {"q": {"lock": 1}}}, 400),
        ("PUT", "/namespaces/x", {"topics": {"t": {"lock_duration": 1.0}}}, 400),
        ("GET", "/namespaces/none/ledger", None, 404),
        ("GET", "/nowhere", None, 404),
        ("POST", "/clock", {}, 400),
    ],
)
def test_control_errors_say_how_to_fix(control, method, path, body, status):
    """Errors are {"error", "fix"} with a fitting status."""
    answer = call(control, method, path, body)
    assert answer[0] == status
    assert answer[1]["error"]
    assert answer[1]["fix"]


def test_the_process_can_be_an_issuer_too(tmp_path):
    """--issuer-port and --identity: a token of that identity is worth what the namespace's roles say."""
    config = tmp_path / "config.json"
    roles = [{"principal": "api", "role": "Sender", "scope": "q"}]
    config.write_text(json.dumps({"namespaces": {"n": {"queues": {"q": {}}, "identity": {"roles": roles}}}}))
    with process("--config", str(config), "--port", "0", "--issuer-port", "0", "--identity", "api") as (_, ready):
        imds = f"http://127.0.0.1:{ready['issuer_port']}/api/metadata/identity/oauth2/token"
        query = {"api-version": "2018-02-01", "resource": "https://servicebus.azure.net/"}
        token = httpx.get(imds, params=query, headers={"Metadata": "true"}).json()["access_token"]
        queue = f"http://127.0.0.1:{ready['amqp_port']}/q/messages"
        headers = {"Authorization": f"Bearer {token}"}
        assert httpx.post(queue, headers=headers, content=b"x").status_code == 201
        assert httpx.delete(f"{queue}/head", headers=headers).status_code == 401
        assert httpx.post(queue, headers={"Authorization": f"Bearer {token}x"}).status_code == 401


def test_identities_need_an_issuer():
    """--identity alone is refused with the remedy."""
    command = [sys.executable, "-m", "peeklock.servicebus", "--identity", "api"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, "fix: add --issuer-port 0" in done.stderr) == (2, True)


def test_faults_are_begun_listed_and_cleared(control):
    """POST gives an id, GET tells how often each has struck, DELETE clears; 404 and 400 say how to go on."""
    port = call(control, "PUT", "/namespaces/faulty", {"queues": {"q": {}}})[1]["port"]
    path = "/namespaces/faulty/faults"
    status, begun = call(control, "POST", path, {"fault": "server_busy", "entity": "q", "operations": "send"})
    assert (status, begun["struck"]) == (200, 0)
    with Client(text(port)) as client:
        with pytest.raises(ServiceBusError, match="server-busy"):
            client.send("q", [OutgoingMessage(b"x")])
        client.send("q", [OutgoingMessage(b"x")])
        client.receive("q")
        status, ended = call(control, "POST", path, {"fault": "expire_lock"})
        assert (status, ended["struck"]) == (200, 1)
    (first, second) = call(control, "GET", path)[1]["faults"]
    assert first == {
        "id": begun["id"],
        "fault": "server_busy",
        "entity": "q",
        "struck": 1,
        "left": None,
        "active": False,
    }
    assert call(control, "DELETE", f"{path}/{second['id']}") == (204, None)
    assert call(control, "DELETE", f"{path}/{second['id']}")[0] == 404
    assert call(control, "POST", path, {"fault": "gremlin"})[0] == 400
    assert call(control, "POST", path, {"fault": "detach", "entity": "nope"})[0] == 404
    assert call(control, "DELETE", path) == (204, None)
    assert call(control, "GET", path)[1] == {"faults": []}
    call(control, "DELETE", "/namespaces/faulty")


def test_control_needs_its_token(control):
    """Every path but /health is closed to callers without the token."""
    for path in ("/metrics", "/namespaces/a/ledger", "/namespaces/a/ledger?follow=true", "/namespaces/a/faults"):
        assert call(control, "GET", path, token="wrong")[0] == 401
    assert call(control, "POST", "/health", token="wrong")[0] == 401
    assert call(control, "GET", "/health", token="wrong")[1]["status"] == "ok"


def test_the_ledger_is_a_stream(control):
    """?follow=true: what was and what comes, a line of JSON each, until the client hangs up or the namespace ends."""
    port = call(control, "PUT", "/namespaces/followed", {"queues": {"q": {}}})[1]["port"]
    with Client(text(port)) as client:
        client.send("q", [OutgoingMessage(b"x", message_id="before")])
        headers = {"Authorization": f"Bearer {TOKEN}"}
        url = f"http://127.0.0.1:{control}/namespaces/followed/ledger?follow=true&after="
        with (
            httpx.stream("GET", url + "0", headers=headers, timeout=10) as all_of_it,
            httpx.stream("GET", url + "1", headers=headers, timeout=10) as later,
        ):
            assert all_of_it.headers["content-type"] == "application/x-ndjson"
            first, second = (map(json.loads, response.iter_lines()) for response in (all_of_it, later))
            assert next(first)["message_id"] == "before"
            client.send("q", [OutgoingMessage(b"x", message_id="after")])
            for lines in (first, second):
                entry = next(lines)
                assert (entry["n"], entry["message_id"], entry["message"]["body_base64"]) == (2, "after", "eA==")
            call(control, "DELETE", "/namespaces/followed")
            assert list(first) == []
            assert list(second) == []
    with httpx.stream("GET", url + "0", headers=headers, timeout=10) as gone:
        assert gone.status_code == 404


def test_starting_costs_little():
    """Cold start: none of the heavy modules is loaded, nor anything of Peeklock beyond the emulator and the root error."""
    code = (
        "import sys, peeklock.servicebus.process, peeklock.servicebus.host;"
        "print([m for m in sys.modules if m.split('.')[0] in "
        "('h11','email','jwt','cryptography','prometheus_client','urllib3','ruamel','pydantic','typer','rich','azure','httpx','hypothesis','anyio')"
        " or m.startswith('peeklock.') and not m.startswith(('peeklock.servicebus', 'peeklock.errors'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20)
    assert done.stdout.strip() == "[]"
