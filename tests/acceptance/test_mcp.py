"""`peeklock mcp`, driven by the SDK's own client."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import mcp
import pytest

from peeklock.supervision import process_tree
from tests.acceptance.conftest import PEEKLOCK, environment
from tests.acceptance.test_kill import WAITING, wait_for
from tests.acceptance.test_run import SECRET_SHAPES

MARKER = "PEEKLOCK_MCP_TEST"


class Assistant:
    """A client of a server in a project."""

    def __init__(self, client: Any) -> None:
        self._client = client

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Return what a tool answers."""
        answer = await self._client.call_tool(tool, arguments)
        text = "".join(part.text for part in answer.content)
        assert not answer.is_error, text
        assert not SECRET_SHAPES.search(text)
        told: dict[str, Any] = answer.structured_content
        return told

    async def refused(self, tool: str, **arguments: Any) -> str:
        """Return why a tool refuses."""
        answer = await self._client.call_tool(tool, arguments)
        assert answer.is_error
        return str(answer.content[0].text)


@contextlib.asynccontextmanager
async def assistant(project: Path, marker: str = "") -> AsyncIterator[Assistant]:
    server = mcp.StdioServerParameters(
        command=str(PEEKLOCK), args=["mcp", "--project", str(project)], env=environment() | {MARKER: marker}
    )
    async with mcp.Client(server) as client:
        yield Assistant(client)


def marked(marker: str) -> list[int]:
    """Return the processes with the marker in their environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if f"{MARKER}={marker}".encode() in path.read_bytes():
                found.append(int(path.parent.name))
    return found


def test_from_run_it_to_the_cause_in_four_calls(project: Path) -> None:
    """List, check, run, show: the worker's error is there, and no secret."""
    worker = project / "worker.py"
    text = worker.read_text(encoding="utf-8")
    assert "* 2" in text
    worker.write_text(text.replace("* 2", '* {}["factor"]', 1), encoding="utf-8")

    async def drive() -> dict[str, Any]:
        async with assistant(project) as it:
            listed = await it.call("list_scenarios")
            case = listed["scenarios"][0]["cases"][0]["case"]
            assert (await it.call("check_scenarios"))["well_written"]
            ran = await it.call("run_cases", targets=[case])
            assert ran["counts"]["failed"] == 1
            return await it.call("show_case", case=case, run=ran["run"], entity="jobs")

    shown = asyncio.run(drive())
    assert "KeyError: 'factor'" in shown["cause"]
    assert {entry["entity"] for entry in shown["ledger"]} == {"jobs"}
    assert shown["timeline"]


def test_bad_calls_get_a_reason(project: Path) -> None:
    """Paths that lead out, options in the place of paths, unknown names, bad files."""
    (project / "scenarios" / "bad.yaml").write_text("scenario: x\ncases: 3\n", encoding="utf-8")

    async def drive() -> None:
        async with assistant(project) as it:
            for path in ("/etc", "../..", "scenarios/../../x.yaml"):
                for tool in ("check_scenarios", "list_scenarios"):
                    assert "outside of the project" in await it.refused(tool, paths=[path])
                assert "outside of the project" in await it.refused("run_cases", targets=[f"{path}::one"])
            assert "expected a number" in await it.refused("show_case", case="x", run="../../run-1")
            assert "expected 1 to 1800" in await it.refused("run_cases", seconds=10**6)
            assert "no run with a record" in await it.refused("show_case", case="x")
            assert 'did you mean "messages"' in await it.refused("reference", word="mesages")
            assert "no environment" in await it.refused("peek_queue", queue="jobs")
            told = await it.call("check_scenarios")
            assert "bad.yaml:2" in told["problems"][0]
            assert "nothing was started" in (await it.call("run_cases"))["error"]
            assert "--keep" in (await it.call("run_cases", targets=["--keep"]))["error"]

    asyncio.run(drive())


def test_the_language_is_looked_up(project: Path) -> None:
    async def drive() -> None:
        async with assistant(project) as it:
            known = await it.call("reference")
            assert "$regex" in known["matchers"]
            for word in [*known["file"], *known["step"]]:
                assert (await it.call("reference", word=word))["schema"], word

    asyncio.run(drive())


@pytest.mark.skipif(not process_tree.LINUX, reason="processes are found in /proc")
def test_a_run_ends_with_its_time_its_call_and_its_server(project: Path) -> None:
    """Nothing of it is left: no run, no service, no database."""
    path = project / "scenarios" / "doubling.yaml"
    path.write_text(
        path.read_text(encoding="utf-8").replace("cases:\n", "cases:\n" + WAITING.format(name="waits", seconds=60), 1),
        encoding="utf-8",
    )
    path.write_text(path.read_text(encoding="utf-8").replace("timeout: 30s", "timeout: 90s"), encoding="utf-8")
    marker = uuid.uuid4().hex
    case = ["scenarios/doubling.yaml::waits"]

    def alone() -> bool:
        return len(marked(marker)) <= 1

    async def until_services_run(run: int) -> None:
        events = project / ".peeklock" / f"run-{run}" / "events.ndjson"

        def begun() -> bool:
            return events.exists() and "CaseStarted" in events.read_text(encoding="utf-8")

        await asyncio.to_thread(wait_for, begun, lambda: "no case began", 30.0)

    async def drive() -> None:
        async with assistant(project, marker) as it:
            told = await it.call("run_cases", targets=case, seconds=5)
            assert told["ended"].startswith("after 5 s")
            await asyncio.to_thread(wait_for, alone, lambda: str(marked(marker)), 5.0)

            call = asyncio.create_task(it.call("run_cases", targets=case))
            await until_services_run(2)
            assert len(marked(marker)) > 3
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
            await asyncio.to_thread(wait_for, alone, lambda: str(marked(marker)), 5.0)

            call = asyncio.create_task(it.call("run_cases", targets=case))
            await until_services_run(3)
            os.kill(min(marked(marker)), signal.SIGKILL)
            await asyncio.gather(call, return_exceptions=True)
            await asyncio.to_thread(wait_for, lambda: not marked(marker), lambda: str(marked(marker)), 5.0)

    asyncio.run(drive())


def test_without_the_extra_the_command_says_what_to_install(tmp_path: Path) -> None:
    hidden = (
        "import sys; sys.modules['mcp'] = None; sys.argv = ['peeklock', 'mcp']; from peeklock.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", hidden], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    assert "pip install 'peeklock[mcp]'" in done.stderr
