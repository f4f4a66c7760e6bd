"""`python -m tests.chaos [--seconds N] [--seed N] [--only PART]`: everything at once would hide who hurt whom, so one after the other."""

from __future__ import annotations

import argparse
import collections
import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.chaos import emulator_kills, evil_services, hostile_peers, run_kills, spoilt_files

KILLS = 150
RUNS = 40
FILES = 1_000
MOST_MEMORY = 700
"""Megabytes that hostile peers may make the emulator use."""
WORSE = 3.0
"""How many times as long a round trip may take beside them, at the 99th percentile."""

Part = Callable[[float, Path, int], list[str]]


def kills(seconds: float, folder: Path, seed: int) -> list[str]:
    """Kill the emulator under its clients."""
    found = emulator_kills.run(KILLS, seconds, folder, seed)
    print(f"  {found.kills} kills of the emulator: {found.lost} messages lost, {found.doubled} doubled")
    return [f"{name} {count}" for name, count in (("lost", found.lost), ("doubled", found.doubled)) if count]


def runs(seconds: float, folder: Path, seed: int) -> list[str]:
    """Kill runs."""
    found = run_kills.run(RUNS, seconds, folder, seed)
    print(f"  {found.kills} kills of runs: {found.orphans} processes left, {found.files} files left")
    return [f"{name} {count}" for name, count in (("orphans", found.orphans), ("files", found.files)) if count]


def peers(seconds: float, folder: Path, _seed: int) -> list[str]:
    """Meet hostile peers."""
    wrong = []
    for felt in hostile_peers.run(seconds, folder):
        ratio = felt.during / felt.before if felt.before else 0.0
        print(
            f"  {felt.kind:<26} peak {felt.peak:>5} MB, p99 {felt.before:6.1f} → {felt.during:7.1f} ms ({ratio:.1f} ×), "
            f"{felt.failed} not answered"
        )
        if felt.peak > MOST_MEMORY or ratio > WORSE or felt.failed:
            wrong.append(felt.kind)
    return wrong


def services(_seconds: float, folder: Path, _seed: int) -> list[str]:
    """Run services that hurt."""
    found = evil_services.run(folder)
    print(f"  {found.passed} of {found.cases} cases over evil services passed; peak {found.peak} MB, {found.left} left")
    return ["evil services"] if found.left or found.passed < found.cases else []


def files(_seconds: float, folder: Path, seed: int) -> list[str]:
    """Read spoilt scenario files."""
    wrong, counted = [], collections.Counter[str]()
    for number, told in spoilt_files.spoil_and_read(FILES, seed, spoilt_files.copy_of_the_project(folder)):
        counted[told if told in ("taken", "refused") else "wrong"] += 1
        if told not in ("taken", "refused"):
            wrong.append(f"file {number}: {told}")
    print("  spoilt scenario files: " + ", ".join(f"{count} {told}" for told, count in sorted(counted.items())))
    return wrong


PARTS: dict[str, tuple[Part, float]] = {
    "files": (files, 0.2),
    "services": (services, 0.1),
    "peers": (peers, 0.2),
    "runs": (runs, 0.2),
    "kills": (kills, 0.3),
}
"""Each with its share of the time."""


def main() -> int:
    """Print what was found; return 1 when anything was lost, doubled, left or unbounded."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600, help="for all of it (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--only", choices=PARTS, help="this part alone, with the time of all")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}")
    wrong: list[str] = []
    for name, (part, share) in PARTS.items():
        if arguments.only in (None, name):
            print(f"{name}: {part.__doc__}", flush=True)
            with tempfile.TemporaryDirectory(prefix="peeklock-chaos-") as folder:
                wrong += part(arguments.seconds * (1 if arguments.only else share), Path(folder), arguments.seed)
    print("nothing lost, doubled, left or unbounded" if not wrong else "WRONG: " + "; ".join(wrong[:20]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
