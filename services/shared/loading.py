"""How a program is loaded: with the garbage collector out of the way, which takes a third of a start otherwise."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """Import within it what the process keeps to its end.

    Modules are hundreds of thousands of objects and hardly any garbage, which the collector would look through again and again:
    it rests meanwhile, and leaves them out of what it looks through later, the last time as the process ends.
    """
    is_outermost = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if is_outermost:
            gc.freeze()
            gc.enable()
