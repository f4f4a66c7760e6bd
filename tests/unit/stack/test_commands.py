"""How a service's command is found, and what the Service Bus is told."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from peeklock.scenario.topology import ServiceBus
from peeklock.stack.environment.launcher import resolve
from peeklock.stack.errors import StackError
from peeklock.stack.servers.servicebus import ROOT_RULE, connection_string, control_topology
from peeklock.supervision.readiness import announces


def test_python_is_the_interpreter_that_runs_peeklock(tmp_path: Path) -> None:
    assert resolve("python", "service api", tmp_path) == sys.executable


def test_a_neighbour_of_the_interpreter_comes_before_the_path(tmp_path: Path) -> None:
    assert Path(resolve("pytest", "service api", tmp_path)).parent == Path(sys.executable).parent


def test_a_relative_path_is_below_the_working_directory(tmp_path: Path) -> None:
    (tmp_path / "run.sh").write_text("")
    assert resolve("./run.sh", "service api", tmp_path) == str(tmp_path / "run.sh")


def test_a_missing_command_names_the_service_and_where_was_looked(tmp_path: Path) -> None:
    with pytest.raises(StackError) as caught:
        resolve("no-such-program", "service api", tmp_path)
    assert "'no-such-program' of service api" in str(caught.value)
    assert "- PATH" in str(caught.value)


def test_a_log_event_is_matched_by_name_and_a_plain_line_by_what_it_contains() -> None:
    match = announces("worker.ready")
    assert match('{"event": "worker.ready"}')
    assert match("INFO worker.ready now")
    assert not match('{"event": "other", "text": "worker.ready"}')


def test_a_scenarios_namespace_is_told_in_the_terms_of_the_control_api() -> None:
    spec = ServiceBus.model_validate(
        {"queues": {"q": {"max_delivery_count": 3, "lock_duration": "5s"}}, "access_rules": {"send": {"rights": ["Send"], "queue": "q"}}}
    )  # fmt: skip
    topology = control_topology(spec, {ROOT_RULE: "k1", "send": "k2"})
    assert topology["queues"]["q"]["lock_duration"] == 5.0
    assert topology["queues"]["q"]["max_delivery_count"] == 3
    assert "message_schema" not in topology["queues"]["q"]
    assert topology["access_rules"][1] == {"name": "send", "key": "k2", "rights": ["Send"], "entity": "q"}
    assert connection_string(5, "send", "k2").startswith("Endpoint=sb://127.0.0.1:5;SharedAccessKeyName=send;")
