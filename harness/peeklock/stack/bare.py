"""Programs of Peeklock's own that start in 15 ms: Python without site-packages, and of `peeklock` only the modules that they name."""

from __future__ import annotations

import sys
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent
# Only these two names exist in such a program: the package files run, their `__init__` (which import the world) do not.
_BOOT = """
import sys, types, os, importlib
for name, path in (("peeklock", sys.argv[1]), ("peeklock.stack", os.path.join(sys.argv[1], "stack"))):
    module = types.ModuleType(name); module.__path__ = [path]; sys.modules[name] = module
importlib.import_module(sys.argv[2]).main()
"""
ARGUMENTS = 3
"""Where in `sys.argv` its own arguments begin."""


def bare(module: str, *arguments: str) -> list[str]:
    """The command that runs `main()` of a module of `peeklock.stack`, which uses the standard library alone."""
    return [sys.executable, "-I", "-S", "-c", _BOOT, str(_PACKAGE), module, *arguments]
