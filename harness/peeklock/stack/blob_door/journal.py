"""Every request that came to a blob door since its case began, and who made it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from peeklock.stack.blob_door.principal import Principal
from peeklock.stack.blob_door.request import BlobRequest
from peeklock.stack.servers.servicebus import SERVICE_RULE
from peeklock.standins import Entry, Journal
from peeklock.standins.active_faults import ActiveFaults
from peeklock.trace_context import trace_view


class BlobJournal:
    """Implements `StandIn`, so that `requests` observes the door as it observes what answers by itself."""

    def __init__(self, identity: Callable[[str], str]) -> None:
        """`identity` returns the name of an object id."""
        self.journal = Journal()
        self.faults: ActiveFaults[Any] = ActiveFaults()
        self._identity = identity

    def observe(
        self, request: BlobRequest, status: int, caller: Principal | None, *, role: str = "", error: str = "", lacks: str = ""
    ) -> None:  # fmt: skip
        """Keep a request and its answer. `role` let it in, `lacks` is the one that would have."""
        method, container, blob = request.method, request.container, request.blob
        operation = request.query.get("comp", "")
        view: dict[str, Any] = {"method": method, "operation": operation, "container": container, "blob": blob}
        view |= {"error": error, "lacks": lacks}
        view = {key: value for key, value in view.items() if value} | trace_view(dict(request.headers))
        view |= {"status": status, "path": f"{container}/{blob}".rstrip("/")}
        if caller is not None:
            service = caller.service.removeprefix(SERVICE_RULE).partition(".")[0]
            view["sent_as"] = {"identity": self._identity(caller.object_id), **({"role": role} if role else {})}
            view |= {"caller": service} if service else {}
        summary = f"{method} {operation} {view['path']} {status} {error}"
        self.journal.add(self.journal.life, Entry(time.time(), view, " ".join(summary.split())))

    def reset(self) -> None:
        """Begin the next case."""
        self.journal.clear()

    def close(self) -> None:
        """Nothing is held."""
