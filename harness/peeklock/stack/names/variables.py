"""The environment variables by which names lead to an environment, in the services that have them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from peeklock.stack.names.bundle import BUNDLES, write_bundle
from peeklock.stack.names.names import Names

HOOK = Path(__file__).parent / "hook"
"""The folder of what programs load. A container sees it at the same path."""
_WARNINGS = "ignore::peeklock_names.LoadsNames"
_VIRTUAL = "127.99.{}.{}"


def name_variables(ports: Mapping[str, int], bundle: Path, own: Mapping[str, str]) -> dict[str, str]:
    """Return what a Python or Node.js program needs so that names lead to `ports` of its loopback, and to trust `bundle`.

    `own`: the environment that the program has else. What it says in the same variables is kept, and joined.
    """
    table = {
        name.lower(): {"address": _VIRTUAL.format(number // 254, number % 254 + 1), "to": ["127.0.0.1", port]}
        for number, (name, port) in enumerate(sorted(ports.items()))
    }
    return {
        "PEEKLOCK_NAMES": json.dumps(table),
        "PEEKLOCK_NAMES_CA": str(bundle),
        "PYTHONPATH": _joined(os.pathsep, str(HOOK), own.get("PYTHONPATH")),
        "PYTHONWARNINGS": _joined(",", _WARNINGS, own.get("PYTHONWARNINGS")),
        "NODE_OPTIONS": _joined(" ", own.get("NODE_OPTIONS"), f'--require "{HOOK / "peeklock_names.cjs"}"'),
        **{name: _joined(",", own.get(name), *table) for name in ("NO_PROXY", "no_proxy")},
        **dict.fromkeys(BUNDLES, str(bundle)),
    }


def led(names: Names | None, folder: Path, own: Mapping[str, str]) -> dict[str, str]:
    """Return the environment `own` of a program, led by `names`, if there are any.

    `folder`: where the certificates that the program trusts are written to.
    """
    if names is None:
        return dict(own)
    return {**own, **name_variables(names.ports, write_bundle(folder, names.authority, own), own)}


def _joined(separator: str, *parts: str | None) -> str:
    return separator.join(part for part in parts if part)
