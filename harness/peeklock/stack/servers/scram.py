"""Logging in to Postgres with a password, as RFC 5802 and 7677 describe it (SCRAM-SHA-256, without channel binding)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

MECHANISM = b"SCRAM-SHA-256"


class ScramError(Exception):
    """The other side does not know the password either, or speaks something else."""


class Scram:
    """One login: `first`, `final` with the server's challenge, `verify` with its answer."""

    def __init__(self, password: str) -> None:
        self._password = password.encode()
        self._bare = f"n=,r={secrets.token_urlsafe(18)}"
        self._signature = b""

    def first(self) -> bytes:
        return f"n,,{self._bare}".encode()

    def final(self, challenge: bytes) -> bytes:
        facts = _facts(challenge)
        if not facts.get("r", "").startswith(self._bare.partition(",r=")[2]):
            raise ScramError("the server answered another client's login")
        salted = hashlib.pbkdf2_hmac("sha256", self._password, base64.b64decode(facts["s"]), int(facts["i"]))
        client = hmac.digest(salted, b"Client Key", "sha256")
        without_proof = f"c=biws,r={facts['r']}"
        signed = f"{self._bare},{challenge.decode()},{without_proof}".encode()
        signature = hmac.digest(hashlib.sha256(client).digest(), signed, "sha256")
        proof = bytes(one ^ other for one, other in zip(client, signature, strict=True))
        self._signature = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), signed, "sha256")
        return f"{without_proof},p={base64.b64encode(proof).decode()}".encode()

    def verify(self, answer: bytes) -> None:
        if not hmac.compare_digest(base64.b64decode(_facts(answer).get("v", "")), self._signature):
            raise ScramError("the server could not prove that it knows the password")


def _facts(message: bytes) -> dict[str, str]:
    return dict(part.split("=", 1) for part in message.decode().split(",") if "=" in part)
