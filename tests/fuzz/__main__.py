"""`python -m tests.fuzz [--frames N] [--seed N] [--only SEED]`: hostile input, until so many frames were spoilt."""

from __future__ import annotations

import argparse
import asyncio
import gc
import itertools
import random
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.fuzz.fuzzer import Finding, Fuzzer

_APART = 1 << 32
MOST_GROWTH = 96
"""Megabytes that the process may grow by, between the first tenth of the run and its end."""


def memory() -> int:
    """Return the resident megabytes of this process."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) // 1024 for line in status.splitlines() if line.startswith("VmRSS"))


async def run(frames: int, seed: int) -> Fuzzer:
    """Play conversations until so many frames were spoilt. Raises `Finding`."""
    fuzzer, before = Fuzzer(), 0
    for number in itertools.count(seed):
        await fuzzer.play(number)
        if not before and fuzzer.spoilt >= frames / 10:
            gc.collect()
            before = memory()
        if fuzzer.spoilt >= frames:
            break
    gc.collect()
    if memory() - before > MOST_GROWTH:
        raise Finding(f"the process grew by {memory() - before} MB")
    return fuzzer


def _play(frames: int, seed: int) -> tuple[int, int, str]:
    try:
        fuzzer = asyncio.run(run(frames, seed))
    except Finding as finding:
        return 0, 0, str(finding)
    return fuzzer.frames, fuzzer.spoilt, ""


def main() -> int:
    """Print what was played; return 1 with the seed of what was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--frames", type=int, default=1_000_000, help="to be spoilt (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="of the first conversation (default: any)")
    parser.add_argument("--only", type=int, metavar="SEED", help="play that one conversation again")
    parser.add_argument("-n", dest="processes", type=int, default=2, help="at once (default: %(default)s)")
    arguments = parser.parse_args()
    if arguments.only is not None:
        asyncio.run(_once(arguments.only))
        return 0
    seed = random.SystemRandom().randrange(1 << 40) if arguments.seed is None else arguments.seed
    count = arguments.processes
    began = time.monotonic()
    with ProcessPoolExecutor(count) as pool:
        seeds = [seed + number * _APART for number in range(count)]
        print(f"from seeds {seeds}", flush=True)
        results = list(pool.map(_play, [arguments.frames // count] * count, seeds))
    for _, _, found in results:
        if found:
            print(f"FOUND {found}", file=sys.stderr)
    said, spoilt = sum(result[0] for result in results), sum(result[1] for result in results)
    print(f"{said:,} frames, {spoilt:,} of them spoilt, in {time.monotonic() - began:.0f} s")
    return 1 if any(found for _, _, found in results) else 0


async def _once(seed: int) -> None:
    await Fuzzer().play(seed)


if __name__ == "__main__":
    sys.exit(main())
