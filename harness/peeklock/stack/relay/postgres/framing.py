"""Messages of the Postgres protocol (version 3), cut out of bytes in whatever pieces these come."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

LONGEST = 1 << 30
"""Bytes of a message: the server takes no longer one."""
_LONGEST_STARTUP = 10_000
_TLS_HANDSHAKE = 0x16


class NotUnderstood(Exception):
    """What has come is nothing that can be read."""


class Message(NamedTuple):
    """One message that has come to its end."""

    kind: int
    """Its letter; 0 for one without."""
    body: bytes
    """As much of it as was asked for."""
    end: int
    """Of its last byte, in the piece that was fed last."""


class Frames:
    """Bytes that one end sends. `kept`: letters of messages that matter, and how many bytes of such a body are of use; `passed`:
    letters of those that do not."""

    def __init__(self, kept: Mapping[str, int], passed: str) -> None:
        self._kept = {ord(letter): size for letter, size in kept.items()}
        self._passed = frozenset(passed.encode())
        self.typed = True
        """Whether messages have a letter: the first ones of a client have not."""
        self.lone = 0
        """Bytes that come before the next message, each an answer of its own."""
        self._head = bytearray()
        self._kind = 0
        self._left = 0
        self._wanted = 0
        self._body = bytearray()

    def feed(self, data: bytes) -> Iterator[Message]:
        """Yield the messages that matter and end in a piece. Raises `NotUnderstood`."""
        at, size = 0, len(data)
        while at < size:
            # rows of a result come by the thousand, most of them whole
            if not (self._left or self._head or self.lone) and self.typed and data[at] in self._passed:
                end = at + 1 + int.from_bytes(data[at + 1 : at + 5])
                if at + 5 <= end <= size:
                    at = end
                    continue
            if self._left:
                taken = min(self._left, size - at)
                if self._wanted > 0:
                    self._body += data[at : at + min(taken, self._wanted)]
                    self._wanted -= taken
                at += taken
                self._left -= taken
            elif self.lone:
                self.lone -= 1
                at += 1
                yield Message(0, data[at - 1 : at], at)
                continue
            else:
                length = 5 if self.typed else 4
                taken = min(length - len(self._head), size - at)
                self._head += data[at : at + taken]
                at += taken
                if len(self._head) < length:
                    return
                self._begin()
            if not self._left:
                body = bytes(self._body)
                self._body.clear()
                if self._kind not in self._passed:
                    yield Message(self._kind, body, at)

    def _begin(self) -> None:
        head = self._head
        self._kind = head[0] if self.typed else 0
        length = int.from_bytes(head[-4:]) - 4
        if not self.typed:
            if head[0] == _TLS_HANDSHAKE:
                raise NotUnderstood("it speaks TLS")
            if not 4 <= length <= _LONGEST_STARTUP:
                raise NotUnderstood("it does not begin as a connection to Postgres does")
            self._wanted = length
        elif (self._kind not in self._kept and self._kind not in self._passed) or not 0 <= length <= LONGEST:
            raise NotUnderstood("what goes over it is not the protocol of Postgres, version 3")
        else:
            self._wanted = min(self._kept.get(self._kind, 0), length)
        self._left = length
        head.clear()
