"""The pytest plugin under which the SDK's tests run: an emulator of each worker's own, and stand-ins."""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .source import waits

REPORT = "PEEKLOCK_LIVE_REPORT"
SERVICE_PORTS = (5671, 443)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    """Start the emulator, and let everything trust its CA, before the tests are imported."""
    from peeklock.servicebus import Emulator
    from peeklock.servicebus.gateway.certificates import authority

    from .stand_ins import Bench, install

    Bench.ca = str(authority())
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        os.environ[name] = Bench.ca
    os.environ["SERVICEBUS_ENDPOINT_SUFFIX"] = ""
    import certifi

    certifi.where = lambda: Bench.ca  # the SDK trusts certifi's list only, unless told otherwise
    Bench.emulator = Emulator()
    Bench.emulator.__enter__()
    _stand_in_for_dns(Bench.emulator.port)
    install()


def _stand_in_for_dns(port: int) -> None:
    """Lead to this worker's emulator whoever asks for the ports of the service: they cannot be chosen everywhere, low
    ones need privileges, and there is one emulator for each worker."""
    resolve = socket.getaddrinfo

    @functools.wraps(resolve)
    def getaddrinfo(host: Any, asked: Any, *arguments: Any, **named: Any) -> Any:
        ours = host == "localhost" and str(asked) in map(str, SERVICE_PORTS)
        return resolve(host, port if ours else asked, *arguments, **named)

    socket.getaddrinfo = getaddrinfo


def pytest_unconfigure() -> None:
    """Stop the emulator."""
    from .stand_ins import Bench

    if Bench.emulator is not None:
        Bench.emulator.__exit__(None, None, None)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that wait longest, so that none of them is left alone at the end."""
    read = functools.cache(waits)
    items.sort(key=lambda item: -read(item.path).get(getattr(item, "originalname", item.name), 0))
    # xdist gives each worker two items at once: behind one that waits long there is to be a quick one
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0"))
    if 0 < 2 * workers < len(items):
        long, others, short = items[:workers], items[workers:-workers], items[-workers:]
        items[:] = [item for pair in zip(long, short, strict=True) for item in pair] + others


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Share nothing across tests of administration: they begin with deleting all that they find."""
    if "mgmt_tests" in item.path.parts:
        from .stand_ins import Preparer

        Preparer.forget()


@pytest.fixture(autouse=True)
def _sdk_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take back what a test replaces in the SDK's transport, a class that all of them share: one forgets to."""
    from azure.servicebus._transport._pyamqp_transport import PyamqpTransport

    monkeypatch.setattr(PyamqpTransport, "parse_received_message", PyamqpTransport.__dict__["parse_received_message"])


@pytest.fixture(scope="session")
def test_proxy() -> None:
    """The recorder of HTTP requests, which there is none of."""


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run coroutine functions."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Iterator[None]:
    """Tell in one line why a test did not pass."""
    outcome: Any = yield
    report = outcome.get_result()
    if report.outcome == "skipped":
        report.why = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
    elif call.excinfo is not None:
        lines = str(call.excinfo.value).strip().splitlines() or [""]
        last = call.excinfo.traceback[-1]
        report.why = f"{call.excinfo.typename}: {lines[0][:300]} ({last.path.name}:{last.lineno + 1})"


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Tell what became of a test."""
    if report.when == "call" or not report.passed:
        why = getattr(report, "why", "") or str(report.longrepr or "")
        _tell(report.nodeid, report.outcome, report.duration, why, report.longrepr)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Tell of a file that cannot be read."""
    if report.failed:
        lines = str(report.longrepr).strip().splitlines() or [""]
        _tell(report.nodeid, "failed", 0.0, f"not collected: {lines[-1]}", report.longrepr)


def _tell(test: str, outcome: str, seconds: float, why: str, details: object) -> None:
    """Write one line of JSON. Under xdist it is the controller that does."""
    path = os.environ.get(REPORT)
    if path is None or "PYTEST_XDIST_WORKER" in os.environ:
        return
    line = {"test": test, "outcome": outcome, "seconds": round(seconds, 1), "why": why, "details": str(details or "")}
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
