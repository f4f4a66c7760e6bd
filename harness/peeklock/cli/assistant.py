"""What `peeklock mcp` offers to an assistant: a few tools over one project. Nothing in an answer is a secret, no path leads out."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from itertools import islice
from pathlib import Path
from typing import Any

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

from peeklock import __version__, servicebus
from peeklock.cli import namespace
from peeklock.cli.check import DEFAULT
from peeklock.cli.dlq import facts
from peeklock.cli.plan import warnings
from peeklock.engine.plan import load_all
from peeklock.engine.session import case_id
from peeklock.errors import PeeklockError
from peeklock.redaction import redact
from peeklock.reports.html.record import recorded_folder
from peeklock.reports.stored_case import find_case
from peeklock.scenario.errors import ScenarioInvalid, suggestion
from peeklock.scenario.matchers import MATCHERS
from peeklock.scenario.schema import scenario_schema
from peeklock.servicebus.paths import DEAD_LETTER_SUFFIX
from peeklock.stack.project.root import stack_root
from peeklock.verbs import VOCABULARY

LONGEST_RUN = 1800
"""Seconds that one call may run cases."""
LONGEST_LINE = 64 << 20
_MOST = 500
_INSTRUCTIONS = (
    "Peeklock runs end-to-end scenarios (YAML) of systems on Azure Service Bus, Blob Storage and Postgres, on this machine. "
    "run_cases tells which cases failed and the likely cause; show_case has the story of one. reference has the language."
)


class Project:
    """The tools, for the project around the working directory. Every path is as seen from there."""

    def __init__(self) -> None:
        self._root = stack_root()

    def list_scenarios(self, paths: list[str] | None = None) -> dict[str, Any]:
        """List scenario files and their cases, with tags and acceptance criteria. Default: the folder `scenarios`."""
        return _answer(
            {
                "scenarios": [
                    {
                        "title": scenario.header.scenario,
                        "description": scenario.header.description,
                        "cases": [
                            {
                                "case": case_id(scenario, case),
                                "tags": list(scenario.tags(case)),
                                "covers": list(scenario.covers(case)),
                            }
                            for case in scenario.cases
                        ],
                    }
                    for scenario in _told(lambda: load_all(self._inside(paths), VOCABULARY))
                ]
            }
        )

    def check_scenarios(self, paths: list[str] | None = None) -> dict[str, Any]:
        """Check scenario files without starting anything: problems with file, line, what was expected and how to fix it."""
        inside = self._inside(paths)
        try:
            scenarios = load_all(inside, VOCABULARY)
        except ScenarioInvalid as invalid:
            return _answer({"well_written": False, "problems": [each.render() for each in invalid.problems]})
        told = [text for scenario in scenarios for text in warnings(scenario)]
        return _answer({"well_written": True, "cases": sum(len(each.cases) for each in scenarios), "warnings": told})

    async def run_cases(
        self, targets: list[str] | None = None, keyword: str = "", seconds: int = 300, workers: int = 1
    ) -> dict[str, Any]:
        """Run cases and tell the outcome of each, with the cause of what failed.

        targets: files, folders or `file.yaml::case`; default: the folder `scenarios`. keyword: only cases whose name, tags or
        criteria match, as in `sas and not expired`. seconds: after so long the run is ended, at most 1800. workers: files side by
        side.
        """
        if not 1 <= seconds <= LONGEST_RUN:
            raise ToolError(f"seconds is {seconds}, expected 1 to {LONGEST_RUN}")
        if not 1 <= workers <= 16:
            raise ToolError(f"workers is {workers}, expected 1 to 16")
        self._inside([target.partition("::")[0] for target in targets or []])
        options = ["--json", "-n", str(workers), *(["-k", keyword] if keyword else [])]
        told: dict[str, Any] = {"ended": "by itself", "cases": []}
        async with _child(["run", *options, "--", *(targets or [])]) as child:
            try:
                async with asyncio.timeout(seconds):
                    assert child.stdout is not None
                    async for line in child.stdout:
                        _note(told, json.loads(line))
                    told["exit_code"] = await child.wait()
            except TimeoutError:
                told["ended"] = f"after {seconds} s: cases that had not ended by then are not told of"
            except ValueError:
                raise ToolError(
                    "the run told something that is no event: look at it with `peeklock run --json`"
                ) from None
        if child.said and "run" not in told:
            told["error"] = child.said
        return _answer(told)

    def show_case(self, case: str, run: str = "", entity: str = "", most: int = 100) -> dict[str, Any]:
        """Tell one case of a run: failure, cause, steps, timeline, ledger, log.

        case: its name, `file.yaml::case`, or a part that no other has. run: as `run-7`; default: the last one. entity: only this
        queue's or topic's ledger entries. most: so many rows of the timeline, the ledger and the log at most, those at the end.
        """
        if not (run == "" or run.removeprefix("run-").isdigit()):
            raise ToolError(f"run is {run!r}, expected a number, as in run-7")
        if not 1 <= most <= _MOST:
            raise ToolError(f"most is {most}, expected 1 to {_MOST}")
        told = _told(lambda: find_case(recorded_folder(self._root, run), case)).as_json()
        told["ledger"] = [each for each in told["ledger"] if entity in ("", each["entity"])]
        for key in ("timeline", "ledger", "log"):
            if left := len(told[key]) - most:
                told["left_out"] = [*told["left_out"], *([f"{left} of the first rows of {key}"] if left > 0 else [])]
            told[key] = told[key][-most:]
        return _answer(told)

    async def peek_queue(
        self, queue: str, dead_letter: bool = False, environment: str = "", most: int = 20
    ) -> dict[str, Any]:
        """Look at the messages that are in a queue now, without taking any: id, properties, deliveries, body, dead-letter reason.

        queue: also a subscription, as `TOPIC/Subscriptions/NAME`. environment: the scenario file's name without .yaml, where several
        stand (`peeklock up`, `peeklock run --keep`).
        """
        if not 1 <= most <= _MOST:
            raise ToolError(f"most is {most}, expected 1 to {_MOST}")
        path = queue + (DEAD_LETTER_SUFFIX if dead_letter else "")

        def look() -> list[dict[str, Any]]:
            with servicebus.Client(_connection_string(environment)) as client:
                return [facts(message) for message in islice(servicebus.every_message(client, path), most)]

        return _answer({"queue": path, "messages": await asyncio.to_thread(lambda: _told(look))})

    def reference(self, word: str = "") -> dict[str, Any]:
        """The scenario language. Without a word: the keys of a file, verbs, matchers, an example; with one: its JSON Schema."""
        schema = scenario_schema(VOCABULARY)
        step, definitions = schema["$defs"]["Step"]["properties"], schema["$defs"]
        if not word:
            return {
                "file": {key: each.get("description", "") for key, each in schema["properties"].items()},
                "step": {key: each.get("description", "") for key, each in step.items()},
                "matchers": list(MATCHERS),
                "example": (Path(__file__).parent / "first.yaml").read_text(encoding="utf-8"),
            }
        known = {**definitions, **schema["properties"], **step}
        if word not in known:
            raise ToolError(
                f"the language has no word {word!r}. {suggestion(word, known)} There are: {', '.join(sorted(known))}"
            )
        return {"word": word, "schema": known[word], "definitions": _named_in(known[word], definitions)}

    def _inside(self, paths: list[str] | None) -> list[Path]:
        found = [Path(path) for path in paths or [str(DEFAULT)]]
        for path in found:
            if not path.resolve().is_relative_to(self._root):
                raise ToolError(f"{path} is outside of the project\n  expected: a path below {self._root}")
        return found


def server() -> MCPServer[Any]:
    """Return the server with its tools."""
    project = Project()
    made = MCPServer("peeklock", version=__version__, instructions=_INSTRUCTIONS, log_level="WARNING")
    for tool in (
        project.list_scenarios,
        project.check_scenarios,
        project.run_cases,
        project.show_case,
        project.peek_queue,
        project.reference,
    ):
        made.tool()(tool)
    return made


class _Child:
    """A `peeklock` of its own, which ends when its standard input does: with this process, however that ends."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._told: list[bytes] = []
        self.stdout = process.stdout
        self._reading = asyncio.create_task(self._read())

    @property
    def said(self) -> str:
        """What it has told people, the last of it."""
        return redact(b"".join(self._told).decode(errors="replace"))[-4000:]

    async def wait(self) -> int:
        await self._reading
        return await self._process.wait()

    async def _read(self) -> None:
        assert self._process.stderr is not None
        while part := await self._process.stderr.read(4096):
            self._told = [*self._told[-16:], part]


@contextlib.asynccontextmanager
async def _child(arguments: list[str]) -> AsyncIterator[_Child]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "peeklock.cli.tethered", *arguments,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, limit=LONGEST_LINE,
    )  # fmt: skip
    try:
        yield _Child(process)
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()  # its supervisor then ends whatever it has started
            await asyncio.shield(process.wait())


def _connection_string(environment: str) -> str:
    told = os.environ.get("AZURE_SERVICEBUS_CONNECTION_STRING", "")
    return told if told and not environment else namespace.connection_string_of(environment or None)


def _note(told: dict[str, Any], event: dict[str, Any]) -> None:
    match event["event"]:
        case "RunStarted":
            told |= {"run": event["run"], "backend": event["backend"], "planned": event["cases"]}
        case "CaseFinished":
            failure = event["failure"] or {}
            parts = {
                "reason": event["reason"],
                "headline": failure.get("headline"),
                "where": failure.get("where"),
                "mismatches": [
                    {key: each[key] for key in ("path", "expected", "actual")}
                    for each in failure.get("mismatches", ())[:5]
                ],
                "cause": failure.get("likely_cause"),
                "also": failure.get("also"),
            }
            told["cases"].append(
                {"case": event["case"], "outcome": event["outcome"]}
                | {key: each for key, each in parts.items() if each}
            )
        case "RunFinished":
            told["counts"] = {key: event[key] for key in ("passed", "failed", "skipped", "errors")}


def _named_in(schema: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    """Return the definitions that a schema refers to, and those that they do."""
    found: dict[str, Any] = {}
    waiting = [schema]
    while waiting:
        text = json.dumps(waiting.pop())
        for name, definition in definitions.items():
            if name not in found and name != "Step" and f'"#/$defs/{name}"' in text:
                found[name] = definition
                waiting.append(definition)
    return found


def _told(work: Callable[[], Any]) -> Any:
    """Return what `work` returns; what is wrong becomes a sentence for the assistant."""
    try:
        return work()
    except (PeeklockError, ValueError, OSError) as error:
        raise ToolError(redact(str(error))) from None


def _answer(data: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(redact(json.dumps(data, default=str)))
    return answer
