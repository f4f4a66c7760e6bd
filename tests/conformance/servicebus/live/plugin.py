"""The pytest plugin under which the SDK's live tests run: an emulator on the ports of the service, and stand-ins."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

REPORT = "PEEKLOCK_LIVE_REPORT"
TLS_PORT, HTTPS_PORT = 5671, 443


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    """Start the emulator, and let everything trust its CA, before the tests are imported."""
    from harness.servicebus import Emulator, Topology
    from harness.servicebus.gateway.certificates import authority
    from harness.servicebus.gateway.doorway import Doorway

    from .stand_ins import Bench, install

    Bench.ca = str(authority())
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        os.environ[name] = Bench.ca
    os.environ["SERVICEBUS_ENDPOINT_SUFFIX"] = f":{TLS_PORT}"
    import certifi

    certifi.where = lambda: Bench.ca  # the SDK trusts certifi's list only, unless told otherwise
    Bench.emulator = Emulator(Topology(port=TLS_PORT))
    Bench.emulator.__enter__()

    async def listen_for_websockets() -> None:
        server = Bench.emulator.server
        await server.loop.create_server(lambda: Doorway(server), "127.0.0.1", HTTPS_PORT)

    # the SDK's WebSocket port cannot be chosen: where it may not be had, its tests will say that nobody answers
    with contextlib.suppress(OSError):
        Bench.emulator.run(listen_for_websockets())
    install()


def pytest_unconfigure() -> None:
    """Stop the emulator."""
    from .stand_ins import Bench

    if Bench.emulator is not None:
        Bench.emulator.__exit__(None, None, None)


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
    """Write one line of JSON for each test: its outcome, and why."""
    outcome: Any = yield
    report = outcome.get_result()
    if report.when == "call" or (report.when == "setup" and report.outcome != "passed"):
        reason = ""
        if report.outcome == "skipped":
            reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        elif call.excinfo is not None:
            where = report.longrepr.reprcrash if hasattr(report.longrepr, "reprcrash") else ""
            lines = str(where.message if where else call.excinfo.value).splitlines() or [""]
            reason = lines[0][:300]
        line = {"test": item.nodeid, "outcome": report.outcome, "seconds": round(report.duration, 1), "why": reason}
        if path := os.environ.get(REPORT):
            with Path(path).open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
