"""The environment variables by which names lead to an environment, in the services that have them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from peeklock.stack.names.bundle import BUNDLES

_HOOK = Path(__file__).parent / "hook"
_WARNINGS = "ignore::peeklock_names.LoadsNames"
_VIRTUAL = "127.99.{}.{}"


def name_variables(
    targets: Mapping[str, tuple[str, int]], bundle: Path, own: Mapping[str, str], hook: Path = _HOOK
) -> dict[str, str]:
    """Return what a Python or Node.js program needs for `targets` (host and port by name) and for the certificates in `bundle`.

    `own`: the environment that the program has else; what it says of the same variables is kept, and joined. `hook`: the
    folder of the two hooks, where the program sees it.
    """
    table = {
        name.lower(): {"address": _VIRTUAL.format(number // 254, number % 254 + 1), "to": list(target)}
        for number, (name, target) in enumerate(sorted(targets.items()))
    }
    return {
        "PEEKLOCK_NAMES": json.dumps(table),
        "PEEKLOCK_NAMES_CA": str(bundle),
        "PYTHONPATH": _joined(os.pathsep, str(hook), own.get("PYTHONPATH")),
        "PYTHONWARNINGS": _joined(",", _WARNINGS, own.get("PYTHONWARNINGS")),
        "NODE_OPTIONS": _joined(" ", own.get("NODE_OPTIONS"), f'--require "{hook / "peeklock_names.cjs"}"'),
        **dict.fromkeys(BUNDLES, str(bundle)),
    }


def _joined(separator: str, *parts: str | None) -> str:
    return separator.join(part for part in parts if part)
