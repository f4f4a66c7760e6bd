"""Peeklock inside somebody else's pytest suite."""

from __future__ import annotations

import pytest

GOOD = """\
scenario: with a database
stack: {postgres: {}}
tags: [quick]
cases:
  one: {steps: [{db: "SELECT 1 AS n", expect: {first: {n: 1}}}]}
  two: {covers: [XX-1], steps: [{db: "SELECT 2 AS n", expect: {first: {n: 3}}}]}
  clouds: {requires: [docker], steps: [{set: {x: 1}}]}
"""


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("PEEKLOCK_BACKEND", "embedded")
    pytester.makepyprojecttoml("[tool.pytest.ini_options]\n")
    return pytester


@pytest.mark.slow
def test_cases_are_items(suite: pytest.Pytester) -> None:
    """A file is collected, a case is an item: it passes, fails with the whole story, or is skipped with its reason."""
    suite.makefile(".yaml", scenario=GOOD)
    done = suite.runpytest_subprocess("-v", "-rsf", "-p", "no:randomly", "--peeklock-backend", "embedded", timeout=100)
    done.assert_outcomes(passed=1, failed=1, skipped=1)
    done.stdout.fnmatch_lines(
        [
            "scenario.yaml::one PASSED*",
            "scenario.yaml::two FAILED*",
            "*scenario.yaml:6:*",
            "*first.n   expected 3*",
            "*actual   2*",
            "*the embedded backend has not the ability: docker*",
            "FAILED scenario.yaml::two - first.n: expected 3*",
        ]
    )


@pytest.mark.parametrize(("choice", "names"), [("quick and one", ["one"]), ("XX-1", ["two"]), ("nothing", [])])
def test_keywords_choose_cases(suite: pytest.Pytester, choice: str, names: list[str]) -> None:
    """By name, tag and criterion; nothing is started to find out."""
    suite.makefile(".yaml", scenario=GOOD)
    done = suite.runpytest_subprocess("--collect-only", "-q", "-k", choice)
    assert [line.split("::")[1] for line in done.outlines if "::" in line] == names


def test_a_file_that_is_not_well_written_is_an_error_with_its_place(suite: pytest.Pytester) -> None:
    """At collection, without a traceback."""
    suite.makefile(".yaml", scenario="scenario: x\ncases: {a: {steps: [{htpp: {}}]}}\n")
    done = suite.runpytest_subprocess()
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(['*scenario.yaml:2:*there is no verb "htpp"*'])
    done.stdout.no_fnmatch_line("*Traceback*")


def test_each_test_has_a_service_bus_of_its_own(suite: pytest.Pytester) -> None:
    """With the queues that it names; it is gone when the test is, threads and port with it."""
    suite.makepyfile(
        """
        import threading
        import pytest
        from peeklock.servicebus import Client, OutgoingMessage

        ports = []

        @pytest.mark.queues("jobs", results={"max_delivery_count": 3})
        @pytest.mark.parametrize("number", range(3))
        def test_one(servicebus, number):
            ports.append(servicebus.port)
            assert {queue["name"] for queue in servicebus.entities()} >= {"jobs", "results"}
            with Client(servicebus.connection_string()) as client:
                client.send("jobs", [OutgoingMessage(body=b"x")])
                assert len(client.peek("jobs")) == 1

        def test_nothing_is_left():
            import socket
            assert threading.active_count() == 1
            for port in ports:
                with pytest.raises(OSError):
                    socket.create_connection(("127.0.0.1", port), 1)
        """
    )
    suite.runpytest_subprocess("-p", "no:randomly", "-p", "no:cacheprovider").assert_outcomes(passed=4)


def test_a_suite_without_scenarios_pays_for_none(suite: pytest.Pytester) -> None:
    """YAML files of others are not collected, and the engine is not loaded."""
    suite.makefile(".yaml", other="services: {a: 1}\n")
    suite.makepyfile("import sys\ndef test_one(): assert 'peeklock.engine' not in sys.modules\n")
    suite.runpytest_subprocess("-p", "no:randomly").assert_outcomes(passed=1)
