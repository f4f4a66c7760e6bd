"""Batches: each part is a request of its own, let in or refused by itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from peeklock.stack.blob_door.refusals import Refused, bad_request
from peeklock.stack.blob_door.request import BlobRequest

LONGEST = 4 << 20
_MOST = 256
_BOUNDARY = re.compile(r'boundary="?([^";]+)"?')
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
"""Characters that Azurite may take for the end of a line."""


class Batch(NamedTuple):
    """The parts that go on, and the answers of those that do not, by the place that each has."""

    body: bytes
    kind: str
    refused: dict[int, bytes]
    passed: list[int]


def _parts(kind: str, body: bytes) -> list[bytes]:
    found = _BOUNDARY.search(kind)
    if found is None:
        raise bad_request("InvalidInput", "One of the request inputs is not valid.")
    pieces = body.split(b"--" + found[1].encode())[1:]
    return [piece.strip(b"\r\n") for piece in pieces if not piece.startswith(b"--")]


def read(kind: str, body: bytes, host: str, admit: Callable[[BlobRequest], BlobRequest], at: float) -> Batch:
    """Read a batch and decide its parts with `admit`. Raises `Refused` for what is no batch."""
    parts = _parts(kind, body)
    if not 0 < len(parts) <= _MOST:
        raise bad_request("InvalidInput", "One of the request inputs is not valid.")
    boundary = "batch_peeklock"
    passed, refused, whole = [], {}, []
    for number, part in enumerate(parts):
        _, _, inner = part.partition(b"\r\n\r\n")
        lines = inner.decode("latin-1").split("\r\n\r\n", 1)[0].split("\r\n")
        if any(_CONTROL.search(line) for line in lines):
            raise bad_request("InvalidInput", "One of the request inputs is not valid.")
        try:
            method, target, _ = lines[0].split(" ")
            pairs = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines[1:] if line)]
        except ValueError:
            raise bad_request("InvalidInput", "One of the request inputs is not valid.") from None
        try:
            request = BlobRequest.read(method, target, [*pairs, ("host", host)])
            inward = admit(request)
        except Refused as refusal:
            refused[number] = _refusal(refusal, at)
            continue
        passed.append(number)
        told = "\r\n".join(f"{name}: {value}" for name, value in inward.headers if name != "host")
        head = f"--{boundary}\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\nContent-ID: {number}"
        whole.append(f"{head}\r\n\r\n{method} {inward.target} HTTP/1.1\r\n{told}\r\n\r\n")
    text = "".join(whole) + f"--{boundary}--\r\n"
    return Batch(text.encode("latin-1"), f"multipart/mixed; boundary={boundary}", refused, passed)


def answer(batch: Batch, kind: str, body: bytes) -> tuple[bytes, str]:
    """Put Azurite's answers to the parts that went on and the refusals in their order; return the body and its type."""
    answers = dict(batch.refused)
    if batch.passed:
        for place, part in zip(batch.passed, _parts(kind, body), strict=True):
            answers[place] = part.partition(b"\r\n\r\n")[2]
    boundary = "batchresponse_peeklock"
    whole = b"".join(
        f"--{boundary}\r\nContent-Type: application/http\r\nContent-ID: {number}\r\n\r\n".encode()
        + answers[number].rstrip(b"\r\n")
        + (b"\r\n\r\n" if b"\r\n\r\n" not in answers[number].rstrip(b"\r\n") else b"\r\n")
        for number in sorted(answers)
    )
    return whole + f"--{boundary}--\r\n".encode(), f"multipart/mixed; boundary={boundary}"


def _refusal(refused: Refused, at: float) -> bytes:
    body = refused.body(at)
    told = {**refused.headers(""), "Content-Length": str(len(body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in told.items())
    return f"HTTP/1.1 {refused.status} {refused.message}\r\n{head}\r\n".encode() + body
