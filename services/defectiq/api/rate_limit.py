"""How many requests a minute one address or one key may make, counted by all replicas together."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass

from services.shared.blobs import Blobs

WINDOW = 60
"""Seconds that one count lasts."""


@dataclass(frozen=True, slots=True)
class RateLimit:
    """``most`` requests in each minute of the clock, for each who.

    Counted in blob storage, where every replica sees the same count and none of them keeps any: what limits a client
    must not depend on the process that happens to answer it. The name of a counter holds a digest, never a key.
    """

    counters: Blobs
    kind: str
    most: int

    async def admit(self, who: str) -> int:
        """Count one request of ``who``; return 0, or after how many seconds to come again.

        Raises ``AzureError`` when the storage does not answer.
        """
        now = time.time()
        digest = hashlib.sha256(who.encode()).hexdigest()[:32]
        if await self.counters.count_up(f"{int(now // WINDOW)}/{self.kind}/{digest}", self.most):
            return 0
        return WINDOW - int(now % WINDOW)
