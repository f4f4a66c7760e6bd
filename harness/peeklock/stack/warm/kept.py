"""Stacks of single scenario files that `peeklock run --keep` leaves standing, as their last case has left them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from peeklock.stack.local import LocalStack, warm_state
from peeklock.stack.open import stack_class
from peeklock.stack.progress import silent
from peeklock.stack.project.folder import KEPT, ProjectFolder


def kept_stacks(root: Path) -> Iterator[tuple[str, LocalStack]]:
    """Yield each by the name of its file; the caller closes or ends it."""
    for mark in sorted(ProjectFolder(root).path.glob(f"{KEPT}*.up")):
        found = warm_state(root, mark.stem)
        if found is not None:
            supervisor, state = found
            stack = stack_class(state["backend"])(supervisor, state, silent, warm=True)
            yield mark.stem.removeprefix(KEPT), stack


def end_kept(root: Path) -> list[str]:
    """End all of them; their names."""
    ended = []
    for name, stack in kept_stacks(root):
        stack.end()
        ended.append(name)
    return ended
