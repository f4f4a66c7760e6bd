"""The bytes that a connection has for its peer."""

from __future__ import annotations

from . import frames

MIN_MAX_FRAME_SIZE = 512


class Output:
    """Collects what is to be sent; consecutive dispositions with the same outcome become one range."""

    __slots__ = ("_parts", "_pending", "max_frame_size", "writes")

    def __init__(self) -> None:
        self.max_frame_size = MIN_MAX_FRAME_SIZE
        """How many bytes the peer takes in one frame."""
        self.writes = 0
        """How many writes there were so far."""
        self._parts: list[bytes] = []
        self._pending: tuple[int, bool, int, int, bytes, bool] | None = None

    def write(self, raw: bytes, payload: bytes = b"") -> None:
        """Queue bytes for the peer."""
        self._parts.append(raw)
        if payload:
            self._parts.append(payload)
        self.writes += 1

    def take(self) -> bytes:
        """Return everything that is queued, and forget it."""
        if self._pending is not None:
            self.flush_dispositions()
        if len(self._parts) == 1:
            return self._parts.pop()
        raw = b"".join(self._parts)
        self._parts.clear()
        return raw

    def disposition(self, channel: int, receiver: bool, delivery_id: int, state: bytes, settled: bool) -> None:
        """Queue a disposition; it extends the previous one when that ends just before it with the same outcome."""
        pending = self._pending
        if pending is not None:
            if (
                pending[3] + 1 == delivery_id
                and pending[4] == state
                and pending[0] == channel
                and pending[1] == receiver
                and pending[5] == settled
            ):
                self._pending = (channel, receiver, pending[2], delivery_id, state, settled)
                return
            self.flush_dispositions()
        self._pending = (channel, receiver, delivery_id, delivery_id, state, settled)

    def flush_dispositions(self) -> None:
        """Write the range of dispositions that is being extended."""
        if self._pending is not None:
            channel, receiver, first, last, state, settled = self._pending
            self._pending = None
            self.write(frames.disposition(channel, receiver, first, last, settled, state))
