"""`peeklock …` as a user types it, timed from outside, in a copy of the repository's services and scenarios."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PEEKLOCK = Path(sys.executable).with_name("peeklock")
FIRST = "scenarios/intellioptics/pipeline.yaml::happy_path"
_YARDSTICK = "import fastapi, azure.servicebus, azure.storage.blob, onnxruntime"


class CannotMeasureError(Exception):
    """What was to be timed did not succeed."""


@dataclass(frozen=True)
class Timed:
    """One `peeklock run`, in seconds."""

    green: float
    """From the start of the command until its first case had passed."""
    whole: float
    """Until the command had ended."""
    phases: Mapping[str, float]
    """Where the time went: the command's own start, bringing up, the first case, the rest of the cases, the end."""
    cases: Mapping[str, float]
    """Of all cases: set-up, waiting, working."""
    each: tuple[float, ...]
    """What each case took of these, in the order in which they ended."""


def copy_project(to: Path) -> Path:
    """Copy services, scenarios and fixtures into the new folder `to`."""
    for part in ("services", "scenarios", "fixtures"):
        shutil.copytree(ROOT / part, to / part)
    shutil.copy2(ROOT / "pyproject.toml", to)
    return to


def peeklock(project: Path, *arguments: str) -> str:
    """Run the command and return its output. Raises `CannotMeasureError` when it does not succeed."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PEEKLOCK_WARM", "GITHUB_"))
    }
    done = subprocess.run(
        [PEEKLOCK, *arguments],
        cwd=project,
        env=kept
        | {
            "PYTHONPATH": f"{project}{os.pathsep}{ROOT}",
            "COLUMNS": "200",
            "NO_COLOR": "1",
            "PEEKLOCK_BACKEND": "embedded",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        last = "\n".join((done.stdout + done.stderr).splitlines()[-30:])
        raise CannotMeasureError(f"peeklock {' '.join(arguments)} ended with {done.returncode}\n{last}")
    return done.stdout


def run(project: Path, *arguments: str) -> Timed:
    """Time one `peeklock run`. Raises `CannotMeasureError`."""
    began = time.time()
    peeklock(project, "run", *arguments)
    ended = time.time()
    newest = max((project / ".peeklock").glob("run-*"), key=lambda path: int(path.name.removeprefix("run-")))
    lines = (newest / "events.ndjson").read_text(encoding="utf-8").splitlines()
    events: list[dict[str, Any]] = [json.loads(line) for line in lines]

    def at(kind: str, last: bool = False) -> float:
        moments = [float(event["at"]) for event in events if event["event"] == kind]
        return moments[-1 if last else 0]

    started, up, green, over = at("RunStarted"), at("CaseStarted"), at("CaseFinished"), at("CaseFinished", last=True)
    durations = [event["durations"] for event in events if event["event"] == "CaseFinished"]
    return Timed(
        green - began,
        ended - began,
        {
            "command": started - began,
            "stack and services": up - started,
            "first case": green - up,
            "other cases": over - green,
            "end": ended - over,
        },
        {key: sum(each[key] for each in durations) for key in ("setup", "waiting", "working")},
        tuple(sum(each[key] for key in ("setup", "waiting", "working")) for each in durations),
    )


def middle(runs: Sequence[Timed]) -> Timed:
    """Return the run whose first case was green at the median moment."""
    return sorted(runs, key=lambda each: each.green)[len(runs) // 2]


def yardstick() -> float:
    """Return the seconds that a Python takes to import what the services are made of: how fast this machine is now."""
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", _YARDSTICK], check=True, capture_output=True)
    return time.monotonic() - began


def median(values: Sequence[float]) -> float:
    """Return the median."""
    return statistics.median(values)
