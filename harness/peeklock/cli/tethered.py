"""`python -m peeklock.cli.tethered …` — `peeklock …`, which ends at once when its standard input does."""

from __future__ import annotations

import os
import signal
import sys
import threading

from peeklock.cli import main


def _end_with_input(descriptor: int) -> None:
    while os.read(descriptor, 4096):
        pass
    os.kill(os.getpid(), signal.SIGKILL)  # the supervisor sees it, and ends whatever this process has started


if __name__ == "__main__":
    tether = os.dup(0)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # no child of this process holds it
    threading.Thread(target=_end_with_input, args=(tether,), name="tether", daemon=True).start()
    sys.argv[0] = "peeklock"
    main()
