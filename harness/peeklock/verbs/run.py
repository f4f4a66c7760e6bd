"""`run: {python: "checks:verify"}` — the way out: a Python function, or a command."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from peeklock.engine.context import CaseContext
from peeklock.engine.failure import VerbFailed
from peeklock.engine.verb import Found, Verb
from peeklock.redaction import redact
from peeklock.scenario.durations import Duration
from peeklock.scenario.fields import Model
from peeklock.scenario.values import is_template
from peeklock.scenario.vocabulary import Complaint, Facts
from peeklock.stack.names.variables import led
from peeklock.supervision.errors import SupervisionError


class RunArguments(Model):
    """A function `file:name`, the file beside the scenario; or a command."""

    python: str | None = Field(
        None, pattern=r"^[\w./-]+:\w+$", description="`checks:verify` is verify() in checks.py beside the file"
    )
    command: list[str] | None = Field(None, min_length=1)
    inputs: dict[str, Any] = Field(
        {}, alias="with", description="the function's arguments, or the command's environment"
    )
    timeout: Duration = Field(60.0, gt=0)

    @model_validator(mode="after")
    def _one(self) -> RunArguments:
        if (self.python is None) == (self.command is None):
            raise ValueError("say exactly one of python or command")
        return self


def run(arguments: RunArguments, context: CaseContext) -> Found:
    """Return what the function returns, or `{code, stdout, stderr}` of the command, and `json` where stdout is JSON.

    A function that raises AssertionError fails the step with its message. Functions run in a process of their own; whatever
    a function or a command has started ends with it.
    """
    seconds = min(arguments.timeout, context.deadline.left)
    if arguments.python:
        module, _, function = arguments.python.partition(":")
        file = _module_path(context.folder, module)
        if not file.is_file():
            raise VerbFailed(f"no such file: {file}", path=("python",))
        return Found(context.clients.functions.call(file, function, arguments.inputs, seconds))
    return Found(_command(arguments, context, seconds))


def _module_path(folder: Path, module: str) -> Path:
    return (folder / (module if module.endswith(".py") else f"{module.replace('.', '/')}.py")).resolve()


def _command(arguments: RunArguments, context: CaseContext, seconds: float) -> dict[str, Any]:
    program, *others = arguments.command or []
    root = context.scenario.root
    own = os.environ | {key: str(value) for key, value in arguments.inputs.items()}
    environment = led(context.environment.seen.names, context.environment.log_dir.parent, own)
    try:
        done = context.environment.commands.run([_program(program, root), *others], environment, root, seconds)
    except TimeoutError:
        raise VerbFailed(f"{program} took longer than {seconds:.3g} s, and was ended", path=("command",)) from None
    except SupervisionError as error:
        context.environment.check()
        raise VerbFailed(f"{program}: {error.problem}", path=("command", 0)) from None
    dropped = {name: size for name, size in (("stdout", done.stdout.dropped), ("stderr", done.stderr.dropped)) if size}
    stdout = done.stdout.text
    result: dict[str, Any] = {"code": done.code, "stdout": redact(stdout), "stderr": redact(done.stderr.text)}
    if dropped:
        return result | {"dropped_bytes": dropped}
    try:
        return result | {"json": json.loads(stdout)}
    except (ValueError, RecursionError):
        return result


def _program(command: str, root: Path) -> str:
    """Return the full path of a command: `python` is this interpreter, its neighbours come before PATH. Raises `VerbFailed`."""
    if command == "python":
        return sys.executable
    if "/" in command:
        found: Path | str | None = root / command
        found = found if Path(str(found)).is_file() else None
    else:
        found = shutil.which(command, path=str(Path(sys.executable).parent)) or shutil.which(command)
    if found is None:
        raise VerbFailed(f"no such command: {command}", path=("command", 0))
    return str(found)


def _check(raw: Any, facts: Facts) -> list[Complaint]:  # noqa: ARG001 - the signature of checks
    target = raw.get("python")
    if isinstance(target, str) and ":" not in target and not is_template(target):
        return [Complaint(("python",), "which function?", "file:function", "write checks:verify")]
    return []


VERB = Verb("run", RunArguments, "a Python function or a command", check=_check, run=run)
