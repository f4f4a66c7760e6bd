"""Calls functions in their process, which is started at the first call and again when a function has ended it."""

from __future__ import annotations

import base64
import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from peeklock.engine.failure import VerbFailed
from peeklock.redaction import redact
from peeklock.stack.names.names import Names
from peeklock.stack.names.variables import led
from peeklock.supervision.commands import Commands, Conversation

ANSWER_LIMIT = 64 << 20
"""The longest JSON that a function may return, in bytes."""
_HOST = Path(__file__).with_name("host.py")


class Functions:
    """The functions that the steps of one environment call. Safe to use from several threads, one call at a time."""

    def __init__(self, commands: Commands, root: Path, log: Path, names: Callable[[], Names | None]) -> None:
        """`root`: the working directory, whose modules can be imported; `log`: the file that gets what functions print; `names`:
        what leads them as it leads services."""
        self._commands, self._root, self._log, self._names = commands, root, log, names
        self._lock = threading.Lock()
        self._host: Conversation | None = None

    def call(self, file: Path, function: str, inputs: dict[str, Any], seconds: float) -> Any:
        """Return what `function(**inputs)` of a file returns, as JSON holds it. Raises `VerbFailed`."""
        request = {"file": str(file), "function": function, "inputs": inputs}
        try:
            line = json.dumps(request, default=_plain).encode()
        except (ValueError, RecursionError) as error:
            raise VerbFailed(f"{function}: its inputs are not JSON: {error}", path=("with",)) from None
        with self._lock:
            answer = self._ask(line, function, seconds)
        if "error" not in answer:
            return answer["value"]
        raise VerbFailed(redact(_sentence(answer["error"], answer["text"], file, function)), path=("python",))

    def _ask(self, line: bytes, function: str, seconds: float) -> dict[str, Any]:
        if self._host is None:
            command = [sys.executable, "-X", "utf8", str(_HOST), str(self._root)]
            environment = led(self._names(), self._log.parent, os.environ)
            self._host = self._commands.converse(command, environment, self._root, self._log)
        try:
            answer = self._host.ask(line, seconds, ANSWER_LIMIT)
        except TimeoutError:
            self.close()
            raise VerbFailed(f"{function} took longer than {seconds:.3g} s, and was ended", path=("python",)) from None
        except OverflowError:
            self.close()
            text = f"{function} returned more than {ANSWER_LIMIT >> 20} MiB"
            raise VerbFailed(text, path=("python",)) from None
        except BaseException:
            self.close()
            raise
        if answer is None:
            self.close()
            raise VerbFailed(f"{function} ended its process; what it printed is in {self._log}", path=("python",))
        found: dict[str, Any] = json.loads(answer)
        return found

    def close(self) -> None:
        """End the process of the functions."""
        if self._host is not None:
            self._host.close()
            self._host = None


def _plain(value: Any) -> Any:
    """Return what JSON holds for a value that it does not know; bytes arrive as bytes."""
    return {"$bytes": base64.b64encode(value).decode()} if isinstance(value, bytes) else str(value)


def _sentence(kind: str, text: str, file: Path, function: str) -> str:
    match kind:
        case "load":
            return f"{file.name} cannot be loaded: {text}"
        case "missing":
            return f"{file.name} has no function {function}; it has {text or 'none'}"
        case "assertion":
            return f"{function}: {text}"
        case "exit":
            return f"{function} called {text}: a function returns, or raises AssertionError"
        case "value":
            return f"{function} returned what JSON cannot hold: {text}"
        case _:
            return f"{function} raised {text}"
