"""One sample: what it must say and leave behind, and how it is run."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

GROUP = "samples"
"""What they are called among the groups of `make conformance`."""
LONGEST = 900.0
"""Seconds that a sample may take; `auto_lock_renew_async` takes 490."""


@dataclass(frozen=True)
class Sample:
    """It has passed when it exits with 0, has said what it must, in this order, and left what it must."""

    says: tuple[str, ...] = ()
    quiet: str = ""
    """What the asynchronous one does not say."""
    given: tuple[str, ...] = ()
    """Entities that hold ten messages, each of a session of its own where there are any, before it begins."""
    leaves: Mapping[str, int] = field(default_factory=dict)
    """How many messages there are afterwards, by queue or subscription."""
    endless: bool = False
    """It receives for ever, and is ended when it has said everything."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Besides those of all samples, or instead."""
    past_the_door: str = ""
    """Why it reaches its account at Azurite itself."""
    cannot: str = ""
    """Why it cannot run; it is not tried then."""

    def asynchronous(self) -> Sample:
        """Return what the asynchronous one must do."""
        return replace(self, says=tuple(part for part in self.says if part != self.quiet))


def play(path: Path, sample: Sample, variables: Mapping[str, str], folder: Path) -> tuple[str, str]:
    """Run a program in a folder; return why it has failed, or "", and what it wrote."""
    process = subprocess.Popen(
        [sys.executable, "-u", str(path)], cwd=folder, env={**variables, **sample.variables}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    watchdog = threading.Timer(LONGEST, process.kill)
    watchdog.start()
    written, unsaid = "", list(sample.says)
    try:
        assert process.stdout is not None
        for line in process.stdout:
            written += line
            unsaid = _unsaid(sample, written)
            if sample.endless and not unsaid:
                process.terminate()
                break
        code = process.wait()
    finally:
        watchdog.cancel()
        process.kill()
    if unsaid:
        return f"exited with {code} and never said {unsaid[0]!r}: {written[-300:]}", written
    if code and not sample.endless:
        return f"exited with {code}: {written[-300:]}", written
    return "", written


def _unsaid(sample: Sample, written: str) -> list[str]:
    """Return what it has not said yet, after all that comes before."""
    at = 0
    for number, part in enumerate(sample.says):
        found = written.find(part, at)
        if found < 0:
            return list(sample.says[number:])
        at = found + len(part)
    return []
