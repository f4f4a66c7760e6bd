"""A stack whose clock is moved: everybody on it has the new time, at once, and nobody else."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from peeklock.scenario.services import Ready
from peeklock.servicebus import Client, OutgoingMessage
from peeklock.stack.backend import Environment
from peeklock.stack.clock import faketime
from peeklock.stack.embedded.stack import EmbeddedStack
from peeklock.stack.embedded.tools import node
from peeklock.stack.errors import StackError
from peeklock.stack.local import LocalStack
from peeklock.stack.servers.blob_http import BlobAccount
from peeklock.supervision import process_tree
from tests.conformance.servicebus.js.test_parity import modules
from tests.conformance.stack.conftest import Project

DAYS = 15 * 86_400
CLOCK_SERVICE = """
import http.server, json, os, subprocess, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        began = time.monotonic()
        time.sleep(0.05)
        child = subprocess.run([sys.executable, "-I", "-S", "-c", "import time; print(time.time())"], capture_output=True)
        self.send_response(200)
        self.end_headers()
        facts = {"time": time.time(), "slept": time.monotonic() - began, "child": float(child.stdout)}
        self.wfile.write(json.dumps(facts).encode())
    def log_message(self, *parts):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""

MOVES = int(os.environ.get("CLOCK_MOVES", "15"))
"""How often time jumps beside clients that open connections; 200 shows what 15 only make likely."""
CLIENTS = Path(__file__).parent / "clients"

pytestmark = pytest.mark.skipif(bool(faketime.why_not()), reason=faketime.why_not() or "it works")


@pytest.fixture
def spec(project: Project) -> Callable[..., Any]:
    (project.root / "clock.py").write_text(CLOCK_SERVICE)

    def make(**changes: Any) -> Any:
        run = ["python", str(project.root / "clock.py")]
        services = {"api": project.service().model_copy(update={"run": run})}
        return project.spec(
            **{"services": services, "private": True, "movable_clock": True, "name": "moved", **changes}
        )

    return make


def told(environment: Environment) -> dict[str, float]:
    """What everybody says that the time is, less the machine's."""
    with psycopg.connect(environment.endpoints.postgres_url or "") as connection:
        row = connection.execute("select extract(epoch from clock_timestamp())::float8").fetchone()
    facts = dict(p.split("=", 1) for p in (environment.endpoints.blobs_connection_string or "").strip(";").split(";"))
    port = int(facts["BlobEndpoint"].split(":")[2].split("/")[0])
    with contextlib.closing(BlobAccount(port, facts["AccountName"], facts["AccountKey"])) as account:
        blobs = account.put("images", "time", b"").timestamp()
    with urllib.request.urlopen(environment.services.url("api")) as answer:
        service = json.loads(answer.read())
    assert service["slept"] < 30, "monotonic clocks run on as ever"
    with Client(environment.endpoints.servicebus_connection_string or "") as bus:
        bus.send("jobs", [OutgoingMessage(body=b"{}")])
    entries = [e for e in environment.ledger(0)[0] if e.event == "enqueued"]
    found = {
        "postgres": float(row[0]) if row else 0.0,
        "blobs": blobs,
        "service": service["time"],
        "its child": service["child"],
        "servicebus": entries[-1].at,
        "harness": environment.clock.now().timestamp(),
    }
    now = time.time()
    return {name: at - now for name, at in found.items()}


def moved_by(seconds: float) -> Any:
    return pytest.approx(seconds, abs=20)


def test_fifteen_days_pass_for_everybody_and_a_reset_takes_them_back(
    backend: type[LocalStack], project: Project, spec: Callable[..., Any], nothing_left: Callable[[], None]
) -> None:
    with backend.start(project.root, room=2) as stack:
        environment = stack.environment(spec())
        assert {name: v for name, v in told(environment).items() if v != moved_by(0)} == {}
        now = environment.clock.advance(DAYS)
        assert now.timestamp() - time.time() == moved_by(DAYS)
        assert {name: v for name, v in told(environment).items() if v != moved_by(DAYS)} == {}
        environment.clock.advance(3600)
        assert {name: v for name, v in told(environment).items() if v != moved_by(DAYS + 3600)} == {}
        _, exits = environment.services.exits()
        environment.reset()
        assert environment.clock.offset == 0
        assert [end.expected for end in environment.services.exits(exits)[0]] == [True], "a service from the future"
        assert {name: v for name, v in told(environment).items() if v != moved_by(0)} == {}
        environment.close()


def test_a_case_can_begin_at_any_time(
    backend: type[LocalStack], project: Project, spec: Callable[..., Any], nothing_left: Callable[[], None]
) -> None:
    """Also one that has been; with services that have never seen another, unless it is nearly the same."""
    with backend.start(project.root, room=2) as stack:
        environment = stack.environment(spec())
        for year in (2001, 2031):
            at = datetime(year, 2, 28, 23, 59, tzinfo=UTC)
            _, exits = environment.services.exits()
            environment.reset(at)
            away = at.timestamp() - time.time()
            assert {name: v for name, v in told(environment).items() if v != moved_by(away)} == {}
            assert len(environment.services.exits(exits)[0]) == 1
            assert abs(environment.clock.real(environment.clock.now().timestamp()) - time.time()) < 20
            environment.reset(at)
            assert len(environment.services.exits(exits)[0]) == 1
        environment.reset()
        assert {name: v for name, v in told(environment).items() if v != moved_by(0)} == {}


def test_a_service_that_was_some_seconds_ahead_goes_on(
    backend: type[LocalStack], project: Project, spec: Callable[..., Any], nothing_left: Callable[[], None]
) -> None:
    with backend.start(project.root, room=2) as stack:
        environment = stack.environment(spec(postgres=False, blobs=False))
        environment.clock.advance(30)
        environment.reset()
        assert environment.services.exits()[0] == []
        with urllib.request.urlopen(environment.services.url("api")) as answer:
            assert abs(json.loads(answer.read())["time"] - time.time()) < 20


def test_a_service_that_is_started_later_has_the_moved_time_too(
    backend: type[LocalStack], project: Project, spec: Callable[..., Any], nothing_left: Callable[[], None]
) -> None:
    with backend.start(project.root, room=2) as stack:
        environment = stack.environment(spec(postgres=False, blobs=False))
        environment.services.kill("api")
        environment.clock.advance(DAYS)
        environment.services.start("api")
        with urllib.request.urlopen(environment.services.url("api")) as answer:
            assert json.loads(answer.read())["time"] - time.time() == moved_by(DAYS)


def test_what_falls_due_has_happened_when_it_returns(
    backend: type[LocalStack], project: Project, spec: Callable[..., Any], nothing_left: Callable[[], None]
) -> None:
    with backend.start(project.root, room=2) as stack:
        environment = stack.environment(spec(postgres=False, blobs=False, services={}))
        with Client(environment.endpoints.servicebus_connection_string or "") as bus:
            bus.schedule("jobs", OutgoingMessage(body=b"{}"), datetime.fromtimestamp(time.time() + DAYS, UTC))
            environment.clock.advance(DAYS - 60)
            assert "activated" not in [entry.event for entry in environment.ledger(0)[0]]
            environment.clock.advance(61)
            activated = next(entry for entry in environment.ledger(0)[0] if entry.event == "activated")
        assert environment.clock.real(activated.at) - time.time() == moved_by(0)


def test_the_clock_of_the_other_environments_stays_and_cannot_be_moved(
    backend: type[LocalStack], project: Project, spec: Callable[..., Any], nothing_left: Callable[[], None]
) -> None:
    with backend.start(project.root, room=2) as stack:
        shared = stack.environment(spec(name="shared", private=False, movable_clock=False))
        moved = stack.environment(spec())
        moved.clock.advance(DAYS)
        assert {name: v for name, v in told(shared).items() if v != moved_by(0)} == {}
        with pytest.raises(StackError, match="cannot be moved"):
            shared.clock.advance(1)


def test_time_does_not_run_backwards(
    backend: type[LocalStack], project: Project, spec: Callable[..., Any], nothing_left: Callable[[], None]
) -> None:
    with backend.start(project.root, room=2) as stack:
        environment = stack.environment(spec(postgres=False, blobs=False, services={}))
        with pytest.raises(StackError, match="backwards"):
            environment.clock.advance(-1)


def test_a_service_that_does_not_follow_is_named_before_anything_moves(
    backend: type[LocalStack], project: Project, spec: Callable[..., Any], nothing_left: Callable[[], None]
) -> None:
    cleared = ["env", "-i", "sleep", "600"]
    services = {"stubborn": project.service().model_copy(update={"run": cleared, "ready": None})}
    with backend.start(project.root, room=2) as stack:
        environment = stack.environment(spec(postgres=False, blobs=False, services=services))
        with pytest.raises(StackError, match="does not follow the clock") as told_of:
            environment.clock.advance(DAYS)
        assert "stubborn" in str(told_of.value)
        assert environment.clock.offset == 0


def test_nothing_of_the_library_is_left_of_processes_that_were_killed(
    backend: type[LocalStack], project: Project, spec: Callable[..., Any], nothing_left: Callable[[], None]
) -> None:
    with backend.start(project.root, room=2) as stack:
        environment = stack.environment(spec())
        members = process_tree.descendants(os.getpid())
        left = [Path(path.format(pid=pid)) for pid in members for path in faketime.LEFTOVERS]
        assert [path for path in left if path.exists()], "the library leaves something while it is used"
        environment.services.kill("api")
        environment.close()
    assert [path for path in left if path.exists()] == []


def test_the_next_environment_with_a_clock_stands_on_the_same_servers_at_the_machine_s_time(
    backend: type[LocalStack], project: Project, spec: Callable[..., Any], nothing_left: Callable[[], None]
) -> None:
    with backend.start(project.root, room=2) as stack:
        first = stack.environment(spec())
        before = first.endpoints
        first.clock.advance(DAYS)
        first.close()
        second = stack.environment(spec())
        assert second.clock.offset == 0
        assert second.endpoints.blobs_connection_string == before.blobs_connection_string
        assert abs(second.clock.advance(60).timestamp() - time.time() - 60) < 5, "every member was asked"
        second.close()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("language", ["python", "javascript"])
def test_no_handshake_of_a_client_sees_time_jump(
    project: Project, spec: Callable[..., Any], nothing_left: Callable[[], None], language: str
) -> None:
    """Clients time their handshakes by the wall clock, and take a jump for a time-out or an expired token."""
    run = ["python", str(CLIENTS / "opens_often.py")]
    if language == "javascript":
        run = [str(node().node), str(CLIENTS / "opens_often.mjs"), str(modules())]
    service = project.service().model_copy(update={"run": run, "ready": Ready(log="it begins")})
    with EmbeddedStack.start(project.root, room=2) as stack:
        environment = stack.environment(spec(services={"opener": service}, postgres=False, blobs=False))
        changed = threading.Event()
        end = environment.on_change(changed.set)
        for number in range(MOVES):
            changed.clear()
            changed.wait(0.1 + number % 7 * 0.05)
            environment.clock.advance(7200)
        end()
        opened = [line.record for line in environment.services.logs()[0] if line.record]
        assert len(opened) > MOVES // 3
        assert [each["failure"] for each in opened if each["failure"]] == []
        environment.close()
