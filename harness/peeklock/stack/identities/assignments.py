"""Who has which role, while a case may change it."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from peeklock.scenario.roles import part_of
from peeklock.scenario.topology import Assignment
from peeklock.servicebus.managed_identity import object_id

_CLIENTS = uuid.UUID("0b0e6a0c-6d0b-4d0c-9c0e-7f3a51c2e2e0")


@lru_cache(maxsize=256)  # asked for with each request for a blob
def client_id(identity: str) -> str:
    """Return the client id of an identity: the same for the same name, so that reports of two runs can be compared."""
    return str(uuid.uuid5(_CLIENTS, identity))


class Assigned(NamedTuple):
    """An identity has a role on an entity or container; "" is the whole resource."""

    identity: str
    role: str
    on: str = ""

    @property
    def principal(self) -> str:
        """The object id of the identity."""
        return object_id(client_id(self.identity))


class Assignments:
    """The roles of one environment. Thread-safe."""

    def __init__(self, declared: Mapping[str, Iterable[Assignment]]) -> None:
        self._declared = tuple(
            Assigned(identity, each.role, each.on or "") for identity, roles in declared.items() for each in roles
        )
        self._lock = threading.Lock()
        self._now: Sequence[Assigned] = self._declared

    @property
    def changed(self) -> bool:
        """Whether a case has changed what is declared."""
        return self._now != self._declared

    def of(self, identity: str) -> list[Assigned]:
        """Return the roles that an identity has now."""
        return [each for each in self._now if each.identity == identity]

    def on(self, part: str) -> list[Assigned]:
        """Return the roles on a part of the stack: `servicebus`, `blobs`, `openai`."""
        return [each for each in self._now if part_of(each.role) == part]

    def grant(self, wanted: Assigned) -> None:
        """Give a role, if it is not there yet."""
        with self._lock:
            if wanted not in self._now:
                self._now = (*self._now, wanted)

    def revoke(self, role: Assigned) -> int:
        """Take a role away, on everything when `on` is empty; return how many assignments that were."""
        with self._lock:
            kept = [each for each in self._now if not _means(role, each)]
            gone = len(self._now) - len(kept)
            self._now = tuple(kept)
        return gone

    def reset(self) -> None:
        """Have what is declared again."""
        self._now = self._declared


def _means(wanted: Assigned, found: Assigned) -> bool:
    same = wanted.identity == found.identity and wanted.role == found.role
    return same and wanted.on.lower() in ("", found.on.lower())
