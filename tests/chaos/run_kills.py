"""`peeklock run` killed at any moment: nothing of it is left."""

from __future__ import annotations

import os
import random
import select
import shutil
import signal
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from peeklock.supervision import process_tree

PEEKLOCK = Path(sys.executable).with_name("peeklock")
TOY = Path(__file__).parents[1] / "acceptance" / "toy"
MARKER = "PEEKLOCK_CHAOS"
GRACE = 8.0
"""Seconds in which everything has to be gone."""


@dataclass
class Outcome:
    """How many runs were killed, and what was left of them."""

    kills: int
    orphans: int
    files: int


def run(kills: int, seconds: float, folder: Path, seed: int) -> Outcome:
    """Kill so many runs, or for so long; each after a time of its own."""
    process_tree.prctl(process_tree.PR_SET_CHILD_SUBREAPER, 1)
    rng, deadline, done, orphans = random.Random(seed), time.monotonic() + seconds, 0, 0
    project, temporary = folder / "toy", folder / "temporary"
    shutil.copytree(TOY, project)
    temporary.mkdir()
    while done < kills and time.monotonic() < deadline:
        mark = uuid.uuid4().hex
        process = subprocess.Popen(
            [PEEKLOCK, "run", "scenarios/doubling.yaml::good", "--backend", "embedded"],
            cwd=project, env=os.environ | {MARKER: mark, "TMPDIR": str(temporary)},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        select.select([], [], [], rng.random() * 4)
        process.send_signal(rng.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM)))
        process.wait(60)
        orphans += _left(mark)
        done += 1
    _reap()
    process_tree.prctl(process_tree.PR_SET_CHILD_SUBREAPER, 0)
    return Outcome(done, orphans, len(list(temporary.iterdir())))


def _left(mark: str) -> int:
    """Wait until no process has the mark, `GRACE` at the most; return how many have it still, which are then ended."""
    deadline = time.monotonic() + GRACE
    wanted = f"{MARKER}={mark}".encode()
    while (found := [each.pid for each in process_tree.processes() if _marked(each.pid, wanted)]) and (
        time.monotonic() < deadline
    ):
        select.select([], [], [], 0.05)
    for pid in found:
        process_tree.send(pid, signal.SIGKILL)
    return len(found)


def _marked(pid: int, wanted: bytes) -> bool:
    try:
        return wanted in Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
