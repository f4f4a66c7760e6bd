"""What ends a long command early: Ctrl-C, and the SIGTERM with which a pipeline ends a job."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interruptible() -> Iterator[None]:
    """Have both raise `KeyboardInterrupt` in the main thread.

    Also where this process was started with SIGINT ignored, as shells start what a script has in the background: else a
    pipeline could not end it and learn what is known.
    """
    previous = {number: signal.signal(number, _interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
