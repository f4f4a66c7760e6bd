"""The container engine of this machine, for tests: skipped by name where there is none; and one that can be cut off."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
import time
from pathlib import Path

import pytest

from peeklock.stack.containers.discovery import find_engine
from peeklock.stack.containers.engine import STACK_LABEL, Engine
from peeklock.stack.containers.errors import image_missing
from peeklock.stack.containers.images import wanted_images
from peeklock.stack.containers.services import reference
from peeklock.stack.errors import StackError


def engine_or_skip(*more: str) -> Engine:
    """The engine, with the images that this version wants, and `more`. PEEKLOCK_ENGINE=required makes their absence a failure."""
    try:
        engine = find_engine()
        for image in (*wanted_images().values(), *map(reference, more)):
            if not engine.has_image(image):
                raise image_missing(image, engine.address)
    except StackError as error:
        if os.environ.get("PEEKLOCK_ENGINE") == "required":
            raise
        pytest.skip(f"{error.problem}; {error.fix}")
    return engine


def until_nothing_is_left(engine: Engine, stack: str, within: float = 10.0) -> None:
    """Return when no container, network or volume of a stack is left."""
    deadline = time.monotonic() + within
    while left := engine.labelled(f"{STACK_LABEL}={stack}"):
        assert time.monotonic() < deadline, f"left behind after {within:g} s: {left}"
        select.select([], [], [], 0.05)


class Cable:
    """A socket in front of the engine's, that can be pulled; and that can answer in the engine's place."""

    def __init__(self, engine: Engine, path: Path) -> None:
        self.address = f"unix://{path}"
        self.refusals: dict[bytes, bytes] = {}
        """What is answered, with status 500, to a request whose first line has these bytes."""
        self._engine = engine.address.removeprefix("unix://")
        self._open: set[socket.socket] = set()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=(self._listener.accept()[0],), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        far = socket.socket(socket.AF_UNIX)
        ends = {near, far}
        self._open |= ends
        with contextlib.suppress(OSError, ValueError), near, far:
            far.connect(self._engine)
            while True:
                for end in select.select([near, far], [], [])[0]:
                    data = end.recv(1 << 16)
                    if not data:
                        return
                    if end is near and (refusal := self._refusal(data)) is not None:
                        near.sendall(refusal)
                        return
                    (far if end is near else near).sendall(data)
        self._open -= ends

    def _refusal(self, data: bytes) -> bytes | None:
        line = data.partition(b"\r\n")[0]
        for words, text in self.refusals.items():
            if words in line:
                body = b'{"message": "' + text + b'"}'
                head = b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\nConnection: close\r\n"
                return head + b"Content-Length: %d\r\n\r\n" % len(body) + body
        return None

    def pull(self) -> None:
        """From now on nobody reaches the engine; what is under way breaks."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        Path(self.address.removeprefix("unix://")).unlink(missing_ok=True)
        for end in list(self._open):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
