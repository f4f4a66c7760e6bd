"""What a process has used is told from outside."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import IO

import pytest

from peeklock.supervision.usage import forget_peak, usage_of, why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())

WORK = """
import sys
for line in sys.stdin:
    if line == "burn\\n":
        sum(i * i for i in range(3_000_000))
    else:
        held = bytearray(64 << 20)
        held[::4096] = bytes(len(held) // 4096)
        del held
    print("done", flush=True)
"""


class Worker:
    def __init__(self, process: subprocess.Popen[str], asked: IO[str], told: IO[str]) -> None:
        self.pid, self._asked, self._told = process.pid, asked, told

    def do(self, what: str) -> None:
        self._asked.write(f"{what}\n")
        self._asked.flush()
        assert self._told.readline() == "done\n"


@pytest.fixture
def worker() -> Iterator[Worker]:
    with subprocess.Popen([sys.executable, "-c", WORK], stdin=-1, stdout=-1, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield Worker(process, process.stdin, process.stdout)
        process.stdin.close()


def test_cpu_time_grows_with_work(worker: Worker) -> None:
    before = usage_of(worker.pid)
    worker.do("burn")
    after = usage_of(worker.pid)
    assert before is not None
    assert after is not None
    assert after.process == before.process
    assert after.cpu > before.cpu


def test_memory_that_was_given_back_is_in_the_peak_until_it_is_forgotten(worker: Worker) -> None:
    worker.do("hold")
    peak = usage_of(worker.pid)
    forget_peak(worker.pid)
    later = usage_of(worker.pid)
    assert peak is not None
    assert later is not None
    assert peak.peak > 64 << 20
    assert later.peak < 64 << 20


def test_a_process_that_is_gone_has_no_usage() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    assert usage_of(process.pid) is None
    assert usage_of(os.getpid()) is not None
