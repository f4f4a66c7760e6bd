"""The process of a load, as the runner sees it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

from peeklock.errors import PeeklockError
from peeklock.load.figures import Figures
from peeklock.load.order import Order
from peeklock.supervision.commands import Commands, Conversation

START = 60.0
"""Seconds that Locust may take to be loaded."""
PATIENCE = 30.0
"""Seconds for which a process that tells its figures every second may say nothing."""
_LONGEST_LINE = 64 << 20


class LoadFailed(PeeklockError):
    """A load that could not be run to its end."""


def ready_to_load() -> None:
    """Raise `LoadFailed` where Locust is not installed."""
    if find_spec("locust") is None:
        raise LoadFailed("a load needs Locust, which is not installed", fix="pip install 'peeklock[load]'")


class Swarm:
    """Users at work in a process of their own, which ends with this one."""

    def __init__(self, commands: Commands, root: Path, log: Path, environment: Mapping[str, str]) -> None:
        """`root`: the working directory. `log`: the file that gets what Locust prints."""
        self._commands, self._root, self._log = commands, root, log
        self._environment = {**os.environ, **environment}

    def run(self, order: Order) -> Iterator[Figures]:
        """Yield figures once a second, the last when all users have come to their end. Raises `LoadFailed`."""
        ready_to_load()
        # -P: no file of the user's that is called like a module of ours comes before it
        command = [sys.executable, "-X", "utf8", "-P", "-m", "peeklock.load.process"]
        process = self._commands.converse(command, self._environment, self._root, self._log)
        try:
            figures = self._ask(process, order.line(), START)
            yield figures
            while not figures.ended:
                figures = self._ask(process, b"next", PATIENCE)
                yield figures
        finally:
            process.close()

    def _ask(self, process: Conversation, line: bytes, seconds: float) -> Figures:
        try:
            answer = process.ask(line, seconds, _LONGEST_LINE)
        except TimeoutError:
            raise LoadFailed(f"the process of the load said nothing for {seconds:g} s", where=str(self._log)) from None
        except OverflowError:
            raise LoadFailed("the process of the load said too much at once", where=str(self._log)) from None
        if answer is None:
            raise LoadFailed("the process of the load has ended by itself", where=str(self._log))
        told = json.loads(answer)
        if "error" in told:
            raise LoadFailed(told["error"], where=str(self._log))
        return Figures.read(answer)
