"""Commands that end within a time and leave nothing behind: children of a supervisor, with pipes to whoever runs them."""

from __future__ import annotations

import contextlib
import os
import selectors
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from peeklock.supervision.client import SupervisorClient
from peeklock.supervision.errors import SupervisionError, cannot_start
from peeklock.supervision.reaper import reaped

OUTPUT_LIMIT = 16 << 20
"""Bytes that are kept of each of a command's two outputs."""


@dataclass(frozen=True, slots=True)
class Output:
    """What a command wrote to one of its outputs: the first `OUTPUT_LIMIT` bytes, and how many more there were."""

    content: bytes
    dropped: int

    @property
    def text(self) -> str:
        """The content as UTF-8; what is none becomes U+FFFD."""
        return self.content.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Done:
    """A command that has ended: its exit status (negative for a signal) and its outputs."""

    code: int
    stdout: Output
    stderr: Output


class Commands:
    """Runs commands below a supervisor. Thread-safe."""

    def __init__(self, supervisor: SupervisorClient) -> None:
        self._supervisor = supervisor

    def run(self, argv: Sequence[str], env: Mapping[str, str], cwd: Path, seconds: float) -> Done:
        """Run a command to its end. `argv[0]` is a full path.

        Raises `TimeoutError` after `seconds`, and `SupervisionError` when it cannot be started. Whatever it has started has
        ended by then, too.
        """
        with Channels(self._supervisor, readers=(1, 2)) as channels:
            name = self._start(argv, env, cwd, channels)
            outputs = {number: _Collector(channels.take(number)) for number in (1, 2)}
            try:
                code = int(self._supervisor.call("wait", timeout=seconds, name=name)["code"])
            finally:
                self._end(name)
            return Done(code, outputs[1].result(), outputs[2].result())

    def converse(self, argv: Sequence[str], env: Mapping[str, str], cwd: Path, log: Path) -> Conversation:
        """Start a program that reads requests from descriptor 3 and answers on descriptor 4, a line each.

        What it prints goes to the file `log`. Raises `SupervisionError` when it cannot be started.
        """
        channels = Channels(self._supervisor, readers=(4,), writers=(3,))
        try:
            name = self._start(argv, env, cwd, channels, log=str(log))
        except BaseException:
            channels.close()
            raise
        return Conversation(channels, lambda: self._end(name))

    def _start(
        self, argv: Sequence[str], env: Mapping[str, str], cwd: Path, channels: Channels, **options: object
    ) -> str:
        name = f"command.{uuid.uuid4().hex}"  # no service, and not taken for one
        if not os.access(argv[0], os.X_OK):
            raise cannot_start(name, argv[0], PermissionError(13, os.strerror(13)))
        self._supervisor.spawn(
            name, reaped(list(argv)), env, cwd, stdio=channels.paths, scratch=channels.folder, bound=True, **options
        )
        return name

    def _end(self, name: str) -> None:
        with contextlib.suppress(SupervisionError):  # then its end has come with the supervisor's
            self._supervisor.call("kill", name=name)
            self._supervisor.call("forget", name=name)


class Channels:
    """Named pipes between this process and a child of the supervisor, by the child's descriptor numbers."""

    def __init__(self, supervisor: SupervisorClient, *, readers: Sequence[int], writers: Sequence[int] = ()) -> None:
        """`readers` are what this process reads from, `writers` what it writes to."""
        self._supervisor = supervisor
        self.folder = tempfile.mkdtemp(prefix="peeklock-")
        supervisor.call("register", path=self.folder)
        self._open: dict[int, int] = {}
        self.paths: dict[str, tuple[str, str]] = {}
        """What the supervisor is told: path and mode (the child's) by descriptor number."""
        for number in (*readers, *writers):
            path = str(Path(self.folder, str(number)))
            os.mkfifo(path, 0o600)
            reading = number in readers
            self.paths[str(number)] = (path, "w" if reading else "r")
            # a pipe that this process only wrote to could not be opened before the child reads from it
            self._open[number] = os.open(path, (os.O_RDONLY | os.O_NONBLOCK if reading else os.O_RDWR) | os.O_CLOEXEC)

    def take(self, number: int) -> int:
        """Return the descriptor of a pipe whose child runs; the caller closes it."""
        descriptor = self._open.pop(number)
        os.set_blocking(descriptor, True)
        return descriptor

    def close(self) -> None:
        """Close what nobody has taken, and remove the pipes."""
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()
        with contextlib.suppress(SupervisionError):
            self._supervisor.call("remove", path=self.folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Collector:
    """Reads a pipe to its end in a thread of its own, so that neither output can hold up the other."""

    def __init__(self, descriptor: int) -> None:
        self._content, self._dropped = bytearray(), 0
        self._thread = threading.Thread(target=self._read, args=(descriptor,), name="output", daemon=True)
        self._thread.start()

    def _read(self, descriptor: int) -> None:
        with open(descriptor, "rb", buffering=0) as pipe:
            while chunk := pipe.read(1 << 16):
                room = OUTPUT_LIMIT - len(self._content)
                self._content += chunk[:room]
                self._dropped += max(0, len(chunk) - room)

    def result(self) -> Output:
        """Return what was read; the pipe is at its end when all that could write to it has ended."""
        self._thread.join()
        return Output(bytes(self._content), self._dropped)


class Conversation:
    """A program that answers requests, a line for a line; one request at a time."""

    def __init__(self, channels: Channels, end: Callable[[], None]) -> None:
        self._channels, self._end = channels, end
        self._requests, self._answers = channels.take(3), channels.take(4)
        os.set_blocking(self._requests, False)
        os.set_blocking(self._answers, False)
        self._asking, self._closing = threading.Lock(), threading.Lock()
        self._closed = False

    def ask(self, line: bytes, seconds: float, limit: int) -> bytes | None:
        """Send a line and return the line that answers it; None when the program has ended instead.

        Raises `TimeoutError` after `seconds`, and `OverflowError` for an answer of more than `limit` bytes: the program is
        then in the middle of something, so that the conversation is to be closed.
        """
        with self._asking:
            return None if self._closed else self._ask(line, seconds, limit)

    def _ask(self, line: bytes, seconds: float, limit: int) -> bytes | None:
        end = time.monotonic() + seconds
        unsent, answer = memoryview(line + b"\n"), bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(self._answers, selectors.EVENT_READ)
            selector.register(self._requests, selectors.EVENT_WRITE)
            while not answer.endswith(b"\n"):
                ready = [key.fd for key, _ in selector.select(max(0.0, end - time.monotonic()))]
                if not ready:
                    raise TimeoutError
                if self._requests in ready:
                    unsent = unsent[os.write(self._requests, unsent) :]
                    if not unsent:
                        selector.unregister(self._requests)
                if self._answers in ready:
                    chunk = os.read(self._answers, 1 << 16)
                    if not chunk:
                        return None
                    answer += chunk
                    if len(answer) > limit:
                        raise OverflowError
        return bytes(answer)

    def close(self) -> None:
        """End the program and whatever it has started; who is asking it meanwhile hears that it has ended. Once is enough."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            self._end()
            with self._asking:  # until then the descriptors are in use, and their numbers must not be anybody else's
                os.close(self._requests)
                os.close(self._answers)
            self._channels.close()
