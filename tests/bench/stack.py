"""How fast the stack comes up, and how fast an environment is reset: through the API of `peeklock.stack`, in this process."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from peeklock.engine.environments import environment_spec
from peeklock.engine.plan import Choice, Target, make_plan
from peeklock.stack.environment.forking import SWITCH
from peeklock.stack.open import open_stack
from peeklock.stack.project.cache import cache_dir
from peeklock.stack.servers.group import KINDS
from peeklock.verbs import VOCABULARY


def up(root: Path, *kinds: str, backend: str = "embedded") -> float:
    """Return the seconds from nothing until all of `kinds` have answered."""
    began = time.monotonic()
    stack = open_stack(root, backend, warm="never", kinds=kinds, room=4)
    try:
        stack.servers.wait(kinds)
        return time.monotonic() - began
    finally:
        stack.close()


def together_and_alone(root: Path, rounds: int) -> tuple[list[float], dict[str, list[float]]]:
    """Return the seconds of all three at once and of each alone; a round measures all four, so that noise meets all."""
    together: list[float] = []
    alone: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for _ in range(rounds):
        together.append(up(root, *KINDS))
        for kind in KINDS:
            alone[kind].append(up(root, kind))
    return together, alone


def resets(root: Path, target: str, rounds: int) -> list[float]:
    """Return the seconds of each reset of the environment of a scenario file, its services running, on the warm stack."""
    scenario, _ = make_plan([Target.parse(str(root / target))], Choice(), VOCABULARY)[0]
    stack = open_stack(root, "embedded")
    try:
        environment = stack.environment(environment_spec(scenario, cache_dir()))
        try:
            return [_timed(environment.reset) for _ in range(rounds)]
        finally:
            environment.close()
    finally:
        stack.close()


def restarts(root: Path, target: str, service: str, rounds: int) -> tuple[list[float], list[float]]:
    """Return the seconds from a start to ready, of new interpreters and of forked ones; a round measures both."""
    scenario, _ = make_plan([Target.parse(str(root / target))], Choice(), VOCABULARY)[0]
    with open_stack(root, "embedded", warm="never", room=2) as stack, pytest.MonkeyPatch.context() as patch:
        environment = stack.environment(environment_spec(scenario, cache_dir()))

        def start() -> float:
            environment.services.kill(service)
            return _timed(lambda: environment.services.start(service))

        executed, forked = [], []
        for _ in range(rounds):
            patch.setenv(SWITCH, "off")
            executed.append(start())
            patch.delenv(SWITCH)
            forked.append(start())
        return executed, forked


def _timed(do: Callable[[], object]) -> float:
    began = time.monotonic()
    do()
    return time.monotonic() - began
