"""Messages of the Postgres protocol, as tests write them."""

from __future__ import annotations


def message(letter: str, body: bytes = b"") -> bytes:
    return letter.encode() + (len(body) + 4).to_bytes(4) + body


def startup(**said: str) -> bytes:
    body = (196608).to_bytes(4) + b"".join(f"{name}\0{value}\0".encode() for name, value in said.items()) + b"\0"
    return (len(body) + 4).to_bytes(4) + body


def code(number: int) -> bytes:
    return (8).to_bytes(4) + number.to_bytes(4)


def query(text: str) -> bytes:
    return message("Q", text.encode() + b"\0")


def executed(text: str, name: str = "") -> bytes:
    """Parse, Bind, Describe, Execute."""
    parse = message("P", f"{name}\0{text}\0".encode() + b"\0\0")
    bind = message("B", f"\0{name}\0".encode() + b"\0\0\0\0\0\0")
    return parse + bind + message("D", b"P\0") + message("E", b"\0\0\0\0\0")


SYNC = message("S")


def done(*tags: str) -> bytes:
    return b"".join(message("C", f"{tag}\0".encode()) for tag in tags)


def extended(tag: str) -> bytes:
    return message("1") + message("2") + message("n") + done(tag)


def ready(status: str = "I") -> bytes:
    return message("Z", status.encode())


def error(sqlstate: str) -> bytes:
    return message("E", f"SERROR\0VERROR\0C{sqlstate}\0Mno such thing as \x27s3cret\x27\0\0".encode())
