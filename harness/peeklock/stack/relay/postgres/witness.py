"""Who a connection to Postgres is of, and what is told of its transactions."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection

from peeklock.stack.relay.postgres.conversation import Conversation
from peeklock.stack.relay.postgres.transaction import Transaction

_APPLICATION = re.compile(r"env\d+:(?P<service>.+?)(?P<replica>\.\d+)?")
"""As processes of services are told to call themselves (`PGAPPNAME`)."""


class Witness:
    """Reads one connection. `saw(who, transaction)` hears of each that has changed something, `unread(who, why)` once when it can
    be read no more; `who` is a service or one replica of it."""

    def __init__(
        self,
        door: str,
        services: Collection[str],
        saw: Callable[[str, Transaction], None],
        unread: Callable[[str, str], None],
    ) -> None:
        """`door`: the service whose door it came by; empty: everybody's, where it is known by the name that the client tells."""
        self._door, self._services, self._saw, self._unread = door, services, saw, unread
        self.conversation = Conversation(time.time, self._ended, self._stopped)

    @property
    def service(self) -> str:
        """Whose it is; empty where that is not known."""
        return self._door or self._named()[0]

    @property
    def who(self) -> str:
        """The service, or the replica where that is known."""
        service, replica = self._named()
        return f"{service}{replica}" if service == self.service else self.service

    def close(self) -> None:
        """The connection is over."""
        self.conversation.close()

    def _named(self) -> tuple[str, str]:
        found = _APPLICATION.fullmatch(self.conversation.application)
        if found is None or found["service"] not in self._services:
            return "", ""
        return found["service"], found["replica"] or ""

    def _ended(self, transaction: Transaction) -> None:
        if transaction.changes:
            self._saw(self.who, transaction)

    def _stopped(self, why: str) -> None:
        self._unread(self.who, why)
