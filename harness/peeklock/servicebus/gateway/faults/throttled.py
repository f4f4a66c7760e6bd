"""The error of a service that throttles."""

from __future__ import annotations

from peeklock.servicebus.broker import BrokerError


class Throttled(BrokerError):
    """The operation is to be tried again later (S-30, S-76)."""

    condition = "com.microsoft:server-busy"
    status = 503
