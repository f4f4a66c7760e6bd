"""libfaketime: the library that gives a process into which it is preloaded another wall clock. Is it here, and does it work?

Only wall clocks move: monotonic timers run on, so that nothing times out by itself. From the package `libfaketime` (the extra
`clock`); Debian's 0.9.10 breaks `time.sleep` with EINVAL.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from peeklock.supervision.process_tree import LINUX

NAME = "libfaketime.so.1"
_PROBE = 30 * 86_400


@functools.cache
def library() -> Path | None:
    """Where the library is; None when the package is not installed."""
    found = importlib.util.find_spec("libfaketime")
    if found is None or not found.submodule_search_locations:
        return None
    path = Path(found.submodule_search_locations[0]) / "vendor" / "libfaketime" / "src" / NAME
    return path if path.is_file() else None


@functools.cache
def why_not() -> str:
    """Why no clock can be moved on this machine; empty when it can. Asked once: it starts a process, about 20 ms."""
    if not LINUX:
        return f"it needs libfaketime preloaded, which is done on Linux only, not on {sys.platform}"
    path = library()
    if path is None:
        return "the package libfaketime is not installed: pip install 'peeklock[clock]' (Linux on x86-64)"
    with tempfile.TemporaryDirectory(prefix="peeklock-clock-") as folder:
        offset = Path(folder) / "offset"
        offset.write_text(f"+{_PROBE}\n")
        environment = {"PATH": os.environ.get("PATH", os.defpath), **variables(path, offset)}
        try:
            done = subprocess.run(
                [sys.executable, "-I", "-S", "-c", "import time; print(time.time())"],
                env=environment, capture_output=True, text=True, timeout=20, check=False,
            )  # fmt: skip
            moved = float(done.stdout) - time.time()
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            return f"libfaketime does not work here: {type(error).__name__}"
        if abs(moved - _PROBE) < 60:
            return ""
        return f"libfaketime does not work here: {done.stderr.strip()[:200] or 'the time stays as it is'}"


def variables(path: Path, offset: Path) -> dict[str, str]:
    """The environment of a process whose clock is the machine's plus what the file `offset` says, as in `+1296000`."""
    return {
        "LD_PRELOAD": str(path),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        # The file is read at each call: the time is the new one from the moment that it is written.
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        # Files keep their times: Python compiles anew what seems to have changed.
        "NO_FAKE_STAT": "1",
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",
    }


LEFTOVERS = ("/dev/shm/sem.faketime_sem_{pid}", "/dev/shm/faketime_shm_{pid}")  # noqa: S108  its own names
"""What the library leaves behind of a process that was killed."""


def carried_by(pid: int, offset: Path) -> bool:
    """Whether the process goes by the clock of the file `offset`; True for one that is gone meanwhile."""
    try:
        with open(f"/proc/{pid}/maps", "rb") as maps, open(f"/proc/{pid}/environ", "rb") as environ:  # noqa: PTH123
            return NAME.encode() in maps.read() and os.fsencode(offset) in environ.read()
    except OSError:
        return True
