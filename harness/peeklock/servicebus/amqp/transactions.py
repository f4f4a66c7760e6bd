"""Transactions on the wire: what a client asks of the coordinator, and the states that carry a transaction's id (S-74)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from . import frames
from .encode import compound, described, encode
from .errors import DecodeError
from .message import Envelope
from .types import Array, Described, ULong

CAPABILITIES = ("amqp:local-transactions", "amqp:multi-txns-per-ssn", "amqp:multi-ssns-per-txn")
COORDINATOR_NAMES = (frames.COORDINATOR, "amqp:coordinator:list")
_DECLARE = (frames.DECLARE, "amqp:declare:list")
_DISCHARGE = (frames.DISCHARGE, "amqp:discharge:list")
_VALUE = b"\x00\x53\x77"


@dataclass(frozen=True, slots=True)
class Declare:
    """A request to begin a transaction; `distributed` says that it is to be part of a global one."""

    distributed: bool = False


@dataclass(frozen=True, slots=True)
class Discharge:
    """A request to end a transaction: rolled back with `fail`, else committed."""

    id: bytes
    fail: bool


def is_coordinator(terminus: Any) -> bool:
    """True when the target of an attach is the transaction coordinator."""
    return isinstance(terminus, Described) and terminus.descriptor in COORDINATOR_NAMES


def coordinator() -> Described:
    """Build a coordinator target with all that is supported."""
    return Described(ULong(frames.COORDINATOR), [Array.symbols(*CAPABILITIES)])


def read_request(payload: bytes) -> Declare | Discharge:
    """Read a message to the coordinator. Raises `DecodeError`."""
    kind, body = Envelope(payload).body()
    request = body[0] if kind == "value" and body else None
    if isinstance(request, Described) and isinstance(request.value, list):
        fields = [*request.value, None, None]
        if request.descriptor in _DECLARE:
            return Declare(fields[0] is not None)
        if request.descriptor in _DISCHARGE and isinstance(fields[0], bytes):
            return Discharge(fields[0], bool(fields[1]))
    raise DecodeError("a message to the coordinator is a declare or a discharge, as an amqp-value")


def transaction_of(state: Any) -> bytes | None:
    """Return the id of the transaction that a delivery state names; None for any other state."""
    if isinstance(state, Described) and state.descriptor in (frames.TRANSACTIONAL, "amqp:transactional-state:list"):
        fields = state.value if isinstance(state.value, list) else []
        return bytes(fields[0]) if fields and isinstance(fields[0], bytes) else b""
    return None


def outcome_of(fields: list[Any]) -> tuple[bytes, int | None, list[Any]]:
    """Take the fields of a transactional-state apart: its transaction's id, and the code and fields of its outcome."""
    fields = [*fields, None, None]
    outcome = fields[1]
    code, values = None, []
    if isinstance(outcome, Described) and isinstance(outcome.descriptor, int):
        code, values = int(outcome.descriptor), outcome.value if isinstance(outcome.value, list) else []
    return (bytes(fields[0]) if isinstance(fields[0], bytes) else b""), code, values


def transactional(transaction: bytes, outcome: bytes) -> bytes:
    """Encode a transactional-state around an encoded outcome."""
    return bytes((0, 0x53, frames.TRANSACTIONAL)) + compound(0xC0, [encode(transaction), outcome])


def declared(transaction: bytes) -> bytes:
    """Encode the outcome of a declare."""
    return described(frames.DECLARED, transaction)


def posting(transaction: bytes) -> Described:
    """Build the state of a transfer that belongs to a transaction: the client's side."""
    return Described(ULong(frames.TRANSACTIONAL), [transaction, None])


def declare() -> bytes:
    """Encode the message that begins a transaction: the client's side."""
    return _VALUE + described(frames.DECLARE, None)


def discharge(transaction: bytes, *, fail: bool) -> bytes:
    """Encode the message that ends a transaction: the client's side."""
    return _VALUE + described(frames.DISCHARGE, transaction, fail)
