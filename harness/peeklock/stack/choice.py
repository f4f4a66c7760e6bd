"""Which backend `auto` means on this machine, and why."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from peeklock.stack.containers import discovery
from peeklock.stack.containers.engine import EngineError
from peeklock.stack.errors import StackError
from peeklock.stack.local import warm_state

BACKENDS = ("embedded", "containers", "azure")
VARIABLE = "PEEKLOCK_BACKEND"
"""The environment variable that says what `auto` means, whatever the machine has."""


def choose_backend(wanted: str, root: Path | None = None) -> tuple[str, str]:
    """Return the backend and the reason, for the first line of a report. Raises `StackError` for one that is not there.

    `root`: of the project, whose warm stack is what `auto` means when there is one. Else that is containers where an engine
    answers and has the images, else embedded; a millisecond where there is no engine.
    """
    if wanted == "auto" and (named := os.environ.get(VARIABLE)):
        return choose_backend(named)[0], f"{VARIABLE} says so"
    if wanted == "auto":
        return _warm(root) or _found()
    if wanted not in BACKENDS:
        raise StackError(
            f"there is no backend {wanted!r}", expected=f"one of auto, {', '.join(BACKENDS)}", fix="correct --backend"
        )
    return wanted, "asked for"


def _warm(root: Path | None) -> tuple[str, str] | None:
    found = warm_state(root) if root is not None else None
    if found is None:
        return None
    supervisor, state = found
    supervisor.close()
    return str(state["backend"]), "the stack of `peeklock up`"


def _found() -> tuple[str, str]:
    try:
        engine = discovery.find_engine()
    except StackError:
        return "embedded", "no container engine answers; embedded needs none"
    if importlib.util.find_spec("testcontainers") is None:
        return (
            "embedded",
            f"{engine} answers, but testcontainers is not installed: pip install 'peeklock[containers]'",
        )
    # Late: 30 ms that a machine without an engine need not pay.
    from peeklock.stack.containers.images import wanted_images

    try:
        missing = [image for image in wanted_images().values() if not engine.has_image(image)]
    except StackError as error:
        return "embedded", f"{engine} answers, but {error.problem}"
    except EngineError as error:
        return "embedded", f"{engine} refuses: {error.text}"
    if missing:
        return "embedded", f"{engine} has no image {missing[0]}: `make images` builds it"
    return "containers", f"{engine} has the images"
