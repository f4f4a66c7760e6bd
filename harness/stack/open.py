"""`open_stack`: the warm stack when there is one, else one of our own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

from harness.stack.backend import Stack
from harness.stack.embedded.tools import Progress, silent
from harness.stack.errors import StackError

BACKENDS = ("embedded",)
Warm = Literal["use-if-up", "never"]


def open_stack(
    root: Path,
    backend: str = "auto",
    warm: Warm = "use-if-up",
    kinds: Iterable[str] = (),
    progress: Progress = silent,
    ports: Mapping[str, int] | None = None,
) -> Stack:
    """A stack for scenario files of the project `root`. Raises `StackError`.

    `kinds`: of `postgres`, `blobs`, `servicebus`, those that the scenario files need: they begin to start at once, in parallel,
    and this returns without waiting for them; `environment` waits. `warm="never"` leaves a warm stack alone.
    """
    if backend not in ("auto", *BACKENDS):
        raise StackError.unknown_backend(backend, ("auto", *BACKENDS))
    from harness.stack.embedded.stack import EmbeddedStack

    if warm == "use-if-up" and not ports:
        found = EmbeddedStack.find(root, progress)
        if found is not None:
            return found
    return EmbeddedStack.start(root, kinds, progress, ports)
