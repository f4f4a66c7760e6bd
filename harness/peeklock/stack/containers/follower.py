"""A container as a child of the supervisor: a process that says what the container says, and ends as the container ends.

So lines, exits, log files, redaction and readiness are those of any other child. It only follows; ending, pausing and starting
again are for whoever has the engine (`ContainerChildren`). A `bare` program: standard library only.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import resource
import signal
import sys
from collections.abc import Iterator
from datetime import datetime

from peeklock.stack.containers.engine import Engine, EngineError

ENGINE_GONE = 125
"""Its exit status that means: what became of the container cannot be known."""
_HEADER = 8
_SECOND = 1_000_000_000
_TICK = _SECOND // 100


def main() -> None:
    """Its arguments: the engine's address, the container, and the end of its last life, as the engine tells it (or nothing)."""
    address, container, ended = sys.argv[1:]
    engine = Engine(address)
    try:
        for words in _said(engine, container, _seconds(ended)):
            _write(words)
        code = int(engine.request("POST", f"/containers/{container}/wait", timeout=None)["StatusCode"])
        if engine.inspect(container)["State"].get("OOMKilled"):
            _write(b"the container was killed: it needed more memory than there is\n")
    except EngineError as error:
        if error.status == 404:  # removed while it ran
            _end_by(signal.SIGKILL)
        _write(f"the container engine at {address} does not answer any more: {error.text}\n".encode())
        sys.exit(ENGINE_GONE)
    if code > 128:
        _end_by(code - 128)
    sys.exit(code)


def _seconds(text: str) -> str:
    """The end of a life, as the engine's `since` for the lines of the next, to the nanosecond.

    Podman tells it by the kernel's tick, 10 ms early at most; a container takes longer to begin.
    """
    if not text:
        return "0"
    fraction = re.search(r"\.(\d{1,9})", text)
    whole, parts = int(datetime.fromisoformat(text).timestamp()), int(f"{fraction[1] if fraction else '0':0<9}")
    return "{}.{:09}".format(*divmod(whole * _SECOND + parts + _TICK, _SECOND))


def _said(engine: Engine, container: str, since: str) -> Iterator[bytes]:
    """What it wrote since then, until it ends. Raises `EngineError`."""
    connection = engine.open(None)
    query = {"follow": 1, "stdout": 1, "stderr": 1, "since": since}
    engine.send(connection, "GET", f"/containers/{container}/logs", query)
    try:
        response = connection.getresponse()
        if response.status >= 400:
            raise EngineError(response.status, response.read().decode("utf-8", "replace"))
        while len(header := response.read(_HEADER)) == _HEADER:
            yield response.read(int.from_bytes(header[4:], "big"))
    except (OSError, http.client.HTTPException) as error:
        raise EngineError(0, f"{type(error).__name__}: {error}") from error
    finally:
        connection.close()


def _write(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]


def _end_by(number: int) -> None:
    """End as the container has: by this signal."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError, ValueError):
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
