"""The same on both backends, side by side: bringing a stack up, a first scenario, the whole suite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from peeklock.stack.containers.discovery import find_engine
from peeklock.stack.containers.images import wanted_images
from peeklock.stack.errors import StackError
from peeklock.stack.servers.group import KINDS
from tests.bench import command, stack
from tests.bench.command import FIRST, CannotMeasureError, median
from tests.bench.table import Row

BACKENDS = ("embedded", "containers")


def compare(project: Path, rounds: int = 5) -> Iterator[Row]:
    """Yield embedded and containers as seconds, and their ratio. Raises `CannotMeasureError` where there is no engine."""
    try:
        engine = find_engine()
        missing = [image for image in wanted_images().values() if not engine.has_image(image)]
    except StackError as error:
        raise CannotMeasureError(error.problem) from error
    if missing:
        raise CannotMeasureError(f"the engine has no image {missing[0]}: make images")
    up: dict[str, list[float]] = {backend: [] for backend in BACKENDS}
    first: dict[str, list[float]] = {backend: [] for backend in BACKENDS}
    for _ in range(rounds):  # in turn, so that noise meets both
        for backend in BACKENDS:
            up[backend].append(stack.up(project, *KINDS, backend=backend))
            first[backend].append(command.run(project, FIRST, "--backend", backend).green)
    suite = {b: [command.run(project, "scenarios", "-n", "2", "--backend", b).whole] for b in BACKENDS}
    for what, found in (("stack up", up), ("first scenario green, cold", first), ("every scenario, own stack", suite)):
        embedded, containers = (median(found[backend]) for backend in BACKENDS)
        note = f"{embedded:.2f} s and {containers:.2f} s"
        yield Row(f"containers / embedded: {what}", containers / embedded, "x", note=note)
