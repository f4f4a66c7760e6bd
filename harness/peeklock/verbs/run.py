"""`run: {python: "checks:verify"}` — the way out: a Python function, or a command."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from peeklock.engine.context import CaseContext
from peeklock.engine.failure import VerbFailed
from peeklock.engine.verb import Found, Verb
from peeklock.redaction import redact
from peeklock.scenario.durations import Duration
from peeklock.scenario.topology import Model
from peeklock.scenario.values import is_template
from peeklock.scenario.vocabulary import Complaint, Facts


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

    A function that raises AssertionError fails the step with its message.
    """
    if arguments.python:
        return Found(_call(arguments.python, arguments.inputs, context))
    return Found(_command(arguments, context))


def _call(target: str, inputs: dict[str, Any], context: CaseContext) -> Any:
    module_name, _, function_name = target.partition(":")
    path = _module_path(context.folder, module_name)
    spec = importlib.util.spec_from_file_location(f"peeklock_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise VerbFailed(f"no such file: {path}", path=("python",))
    if str(context.scenario.root) not in sys.path:
        # so that a check may use the project's own modules, however peeklock was started
        sys.path.insert(0, str(context.scenario.root))
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        function = getattr(module, function_name)
    except AttributeError:
        raise VerbFailed(f"{path.name} has no function {function_name}", path=("python",)) from None
    except Exception as error:
        raise VerbFailed(f"{path.name} cannot be loaded: {type(error).__name__}: {error}", path=("python",)) from error
    try:
        return function(**inputs)
    except AssertionError as error:
        raise VerbFailed(f"{function_name}: {error}", path=("python",)) from None
    except Exception as error:
        raise VerbFailed(
            f"{function_name} raised {type(error).__name__}: {redact(str(error))}", path=("python",)
        ) from error


def _module_path(folder: Path, module: str) -> Path:
    return folder / (module if module.endswith(".py") else f"{module.replace('.', '/')}.py")


def _command(arguments: RunArguments, context: CaseContext) -> dict[str, Any]:
    command = list(arguments.command or [])
    beside = Path(sys.executable).with_name(command[0])
    if command[0] == "python":
        command[0] = sys.executable
    elif "/" not in command[0] and beside.exists():
        command[0] = str(beside)
    environment = os.environ | {key: str(value) for key, value in arguments.inputs.items()}
    try:
        done = subprocess.run(
            command,
            env=environment,
            cwd=context.scenario.root,
            timeout=arguments.timeout,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise VerbFailed(f"no such command: {command[0]}", path=("command",)) from None
    except subprocess.TimeoutExpired:
        raise VerbFailed(f"{command[0]} took longer than {arguments.timeout:g} s", path=("command",)) from None
    result: dict[str, Any] = {"code": done.returncode, "stdout": redact(done.stdout), "stderr": redact(done.stderr)}
    try:
        return result | {"json": json.loads(done.stdout)}
    except ValueError:
        return result


def _check(raw: Any, facts: Facts) -> list[Complaint]:  # noqa: ARG001 - the signature of checks
    target = raw.get("python")
    if isinstance(target, str) and ":" not in target and not is_template(target):
        return [Complaint(("python",), "which function?", "file:function", "write checks:verify")]
    return []


VERB = Verb("run", RunArguments, "a Python function or a command", check=_check, run=run)
