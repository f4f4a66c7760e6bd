"""`open_stack`: the warm stack when there is one, else one of our own."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

from peeklock.stack.choice import choose_backend
from peeklock.stack.errors import missing_tool, named_limits
from peeklock.stack.local import ROOM, LocalStack, warm_state
from peeklock.stack.progress import Progress, silent

_CLASSES = {
    "embedded": ("embedded.stack", "EmbeddedStack"),
    "containers": ("containers.stack", "ContainersStack"),
    "azure": ("azure.stack", "AzureStack"),
}
Warm = Literal["use-if-up", "never"]


def open_stack(
    root: Path,
    backend: str = "auto",
    warm: Warm = "use-if-up",
    kinds: Iterable[str] = (),
    progress: Progress = silent,
    ports: Mapping[str, int] | None = None,
    room: int = ROOM,
) -> LocalStack:
    """A stack for scenario files of the project `root`. Raises `StackError`.

    `kinds`: of `postgres`, `blobs`, `servicebus`, those that the scenario files need: they begin to start at once, in parallel,
    and this returns without waiting for them; `environment` waits. `warm="never"` leaves a warm stack alone, and so does one
    of another backend, or of other images. `room`: so many environments at once; each costs containers two hundredths of a
    second at the start.
    """
    use_warm = warm == "use-if-up" and not ports
    with named_limits():
        chosen, _ = choose_backend(backend, root if use_warm else None)
        if use_warm:
            found = find_warm(root, progress, chosen)
            if found is not None:
                return found
        return stack_class(chosen).start(root, kinds, progress, ports, room=room)


def find_warm(root: Path, progress: Progress = silent, backend: str | None = None) -> LocalStack | None:
    """The warm stack of this project, or None; of this backend, and made of what one would be made of now, if a backend is named."""
    found = warm_state(root)
    if found is None:
        return None
    supervisor, state = found
    kind = stack_class(state["backend"])
    if backend is not None and (state["backend"] != backend or not kind.is_current(state)):
        supervisor.close()
        if state["backend"] == backend:
            progress("the stack that is up is made of other images than those of now: `peeklock up` makes it anew")
        return None
    return kind(supervisor, state, progress, warm=True)


def stack_class(backend: str) -> type[LocalStack]:
    """The class of a backend; imported only here, so that no run pays for another's. Raises `StackError` where it is not installed."""
    if backend == "containers" and importlib.util.find_spec("testcontainers") is None:
        what, checked = "the Python package testcontainers", ["the packages of this Python"]
        raise missing_tool(what, "the containers backend", checked, "pip install 'peeklock[containers]'")
    module, name = _CLASSES[backend]
    found: type[LocalStack] = getattr(importlib.import_module(f"peeklock.stack.{module}"), name)
    return found
