"""Peeklock inside somebody else's pytest suite."""

from __future__ import annotations

import re

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
    suite.makefile(".scenario.yaml", good=GOOD)
    done = suite.runpytest_subprocess("-v", "-rsf", "-p", "no:randomly", "--peeklock-backend", "embedded", timeout=100)
    done.assert_outcomes(passed=1, failed=1, skipped=1)
    done.stdout.fnmatch_lines(
        [
            "good.scenario.yaml::one PASSED*",
            "good.scenario.yaml::two FAILED*",
            "*scenario.yaml:6:*",
            "*first.n   expected 3*",
            "*actual   2*",
            "*the embedded backend has not the ability: docker*",
            "FAILED good.scenario.yaml::two - first.n: expected 3*",
        ]
    )


@pytest.mark.parametrize(("choice", "names"), [("quick and one", ["one"]), ("XX-1", ["two"]), ("nothing", [])])
def test_keywords_choose_cases(suite: pytest.Pytester, choice: str, names: list[str]) -> None:
    """By name, tag and criterion; nothing is started to find out."""
    suite.makefile(".scenario.yaml", good=GOOD)
    done = suite.runpytest_subprocess("--collect-only", "-q", "-k", choice)
    assert [line.split("::")[1] for line in done.outlines if "::" in line] == names


def test_a_file_that_is_not_well_written_is_an_error_with_its_place(suite: pytest.Pytester) -> None:
    """At collection, without a traceback."""
    suite.makefile(".scenario.yaml", bad="scenario: x\ncases: {a: {steps: [{htpp: {}}]}}\n")
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

        @pytest.mark.peeklock_queues("jobs", results={"max_delivery_count": 3})
        @pytest.mark.parametrize("number", range(3))
        def test_one(peeklock_servicebus, number):
            ports.append(peeklock_servicebus.port)
            assert {queue["name"] for queue in peeklock_servicebus.entities()} >= {"jobs", "results"}
            with Client(peeklock_servicebus.connection_string()) as client:
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


CASES = "scenario: x\ncases:\n  one: {steps: [{set: {x: 1}}]}\n"


@pytest.mark.parametrize(
    ("file", "ini", "marker", "collected"),
    [
        ("scenarios/a.yaml", "", "", False),
        ("scenarios/a.yaml", "", "peeklock.yaml", True),
        ("e2e/a.yaml", "", "peeklock.yaml", False),
        ("e2e/deep/a.yaml", 'peeklock_scenarios = ["e2e"]', "", True),
        ("e2e/a.yaml", 'peeklock_scenarios = ["*/a.yaml"]', "", True),
        ("e2e/b.yaml", 'peeklock_scenarios = ["*/a.yaml"]', "", False),
        ("anywhere/a.scenario.yaml", "", "", True),
    ],
)
def test_a_scenario_is_collected_where_a_project_asks_for_it(
    suite: pytest.Pytester, file: str, ini: str, marker: str, collected: bool
) -> None:
    suite.makepyprojecttoml(f"[tool.pytest.ini_options]\n{ini}\n")
    if marker:
        (suite.path / marker).touch()
    (suite.path / file).parent.mkdir(parents=True)
    (suite.path / file).write_text(CASES, encoding="utf-8")
    done = suite.runpytest_subprocess("--collect-only", "-q")
    assert (f"{file}::one" in done.outlines) is collected


def test_somebody_elses_suite_is_collected_as_before(suite: pytest.Pytester) -> None:
    """200 YAML files, some with `cases:` and `scenario:`, fixtures and markers of the names that come to mind."""
    for number in range(200):
        text = (CASES, "cases: [1]\n", "scenario: {\n", "services: {a: 1}\n")[number % 4]
        (suite.path / "data").mkdir(exist_ok=True)
        (suite.path / "data" / f"test_{number}.yaml").write_text(text, encoding="utf-8")
    suite.makeconftest(
        """
        import pytest

        def pytest_configure(config):
            config.addinivalue_line("markers", "queues(x): mine")

        @pytest.fixture
        def servicebus():
            return "mine"

        @pytest.fixture
        def stack():
            return "mine"
        """
    )
    suite.makepyfile(
        """
        import pytest

        @pytest.mark.queues(1)
        def test_mine(servicebus, stack):
            assert (servicebus, stack) == ("mine", "mine")
        """
    )
    with_it = suite.runpytest_subprocess("--collect-only", "-q", "--strict-markers", "data", ".")
    without = suite.runpytest_subprocess("--collect-only", "-q", "--strict-markers", "-p", "no:peeklock", "data", ".")
    assert with_it.outlines[:-1] == without.outlines[:-1]
    suite.runpytest_subprocess("-q", "--strict-markers", "-p", "no:randomly").assert_outcomes(passed=1)


@pytest.mark.slow
def test_a_thousand_tests_leave_nothing(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """No thread, no file descriptor (a port is one) and no file."""
    suite.makepyfile(
        """
        import os, threading, tempfile
        import pytest

        def held():
            return threading.active_count(), len(os.listdir("/proc/self/fd"))

        BEFORE = held()

        @pytest.mark.parametrize("number", range(1_000))
        def test_one(peeklock_servicebus, number):
            assert peeklock_servicebus.port

        def test_zz_nothing_is_left():
            assert held() == BEFORE
            assert os.listdir(tempfile.gettempdir()) == []
        """
    )
    own = suite.path / "tmp"
    own.mkdir()
    monkeypatch.setenv("TMPDIR", str(own))
    done = suite.runpytest_subprocess("-q", "-p", "no:randomly", "-p", "no:cacheprovider", timeout=110)
    done.assert_outcomes(passed=1_001)


def test_short_names_are_there_on_request(suite: pytest.Pytester) -> None:
    suite.makeconftest('pytest_plugins = ["peeklock.pytest_plugin.short_names"]\n')
    suite.makepyfile("def test_one(servicebus, peeklock_servicebus): assert servicebus is peeklock_servicebus\n")
    suite.runpytest_subprocess("-q").assert_outcomes(passed=1)


@pytest.mark.slow
def test_each_case_runs_once_under_xdist(suite: pytest.Pytester) -> None:
    suite.makefile(".scenario.yaml", good=GOOD)
    done = suite.runpytest_subprocess("-n", "2", "--peeklock-backend", "embedded", timeout=100)
    done.assert_outcomes(passed=1, failed=1, skipped=1)


@pytest.mark.slow
def test_cases_of_a_file_stay_on_one_process_of_xdist(suite: pytest.Pytester) -> None:
    """With `--dist loadfile`: they share an environment, which each process would bring up anew. Files are spread."""
    cases = "".join(f"  c{number}: {{steps: [{{set: {{x: 1}}}}]}}\n" for number in range(5))
    files = {name: f"scenario: {name}\ncases:\n{cases}" for name in "abcd"}
    suite.makefile(".scenario.yaml", **files)
    done = suite.runpytest_subprocess("-v", "-n", "2", "--dist", "loadfile", "-p", "no:randomly", timeout=100)
    done.assert_outcomes(passed=20)
    ran = re.findall(r"^\[(gw\d)\].* PASSED (\w)\.scenario\.yaml::c\d", "\n".join(done.outlines), re.MULTILINE)
    assert len(ran) == 20, done.outlines
    places = {file: {process for process, each in ran if each == file} for file in files}
    assert all(len(processes) == 1 for processes in places.values()), places
    assert len(set.union(*places.values())) == 2
