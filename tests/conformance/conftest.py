"""What every conformance test needs of the Azure SDK."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="session", autouse=True)
def _sdk_closes_its_sockets() -> Iterator[None]:
    """Close a socket that azure-servicebus loses, when its transport is collected.

    The SDK forgets the socket of a connection that the peer cut. It would warn in whichever test collects it.
    """
    from azure.servicebus._pyamqp._transport import _AbstractTransport

    connect = _AbstractTransport.connect

    def remembered(self: Any) -> None:
        connect(self)
        if self.sock is not None:
            weakref.finalize(self, self.sock.close)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_AbstractTransport, "connect", remembered)
        yield
