"""Which services may be started by a fork server, and what they have in common with others that are."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from peeklock.supervision import fork_server
from peeklock.supervision.process_tree import LINUX

SWITCH = "PEEKLOCK_FORK_SERVER"
"""A variable of the caller's: `off` has every service started as a new interpreter."""
_PYTHON = re.compile(r"python(3(\.\d+)?)?$")
_SHEBANG = re.compile(rb"#!\s*(/\S+)\s*\n")
_BEFORE_ANY_IMPORT = re.compile(
    "PYTHON|LD_|LC_|LANG|TZ$|MALLOC|GLIBC|FAKETIME|DONT_FAKE|NO_FAKE|OMP_|MKL_|BLAS|SSL|OPENSSL|.*_CA_(BUNDLE|CERTS)$|COV"
)
"""Variables that the interpreter, the C library or an extension module reads as it starts, unseen by Python."""


def program_of(
    argv: Sequence[str], env: Mapping[str, str], cwd: Path, leaves: Iterable[str] = ()
) -> dict[str, Any] | None:
    """Return what the supervisor must know to start a Python program by forking; None for any other command.

    `argv[0]` is a full path. `leaves`: files that a process may leave behind, with `{pid}` for its number.
    """
    found = _python_program(argv, cwd) if LINUX and os.environ.get(SWITCH) != "off" else None
    if found is None:
        return None
    interpreter, module, script, arguments = found
    named = fork_server.modules_named(arguments)
    program = {"module": module, "script": script, "named": named, "cwd": str(cwd)}
    early = {name: value for name, value in env.items() if _BEFORE_ANY_IMPORT.match(name)}
    common = json.dumps([interpreter, program, early], sort_keys=True)
    return {
        "key": hashlib.sha256(common.encode()).hexdigest(),
        "argv": [interpreter, fork_server.__file__, json.dumps(program)],
        "env": dict(env),
        "arguments": arguments,
        "leaves": list(leaves),
    }


def _python_program(argv: Sequence[str], cwd: Path) -> tuple[str, str | None, str | None, list[str]] | None:
    """Return the interpreter, the module or the script, and its arguments."""
    program, *arguments = argv
    if program == sys.executable or _PYTHON.match(Path(program).name):
        if len(arguments) >= 2 and arguments[0] == "-m":
            return program, arguments[1], None, arguments[2:]
        if arguments and arguments[0].endswith(".py") and (cwd / arguments[0]).is_file():
            return program, None, arguments[0], arguments[1:]
        return None
    try:
        with open(program, "rb") as file:  # noqa: PTH123  its first line only
            line = _SHEBANG.match(file.readline(4096))
    except OSError:
        return None
    interpreter = os.fsdecode(line[1]) if line is not None else ""
    return (interpreter, None, program, arguments) if _PYTHON.match(Path(interpreter).name) else None
