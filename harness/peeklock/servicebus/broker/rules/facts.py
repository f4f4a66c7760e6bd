"""What rules may know of a message, by names without case."""

from __future__ import annotations

from typing import Any, Protocol

from peeklock.servicebus.broker.message import Content

from .errors import FilterException
from .values import text


class Filterable(Content, Protocol):
    """A content whose properties can be read, with their AMQP types, and changed."""

    def properties(self) -> dict[str, Any]:
        """Return the properties by their names; absent ones are left out."""

    def typed_application_properties(self) -> dict[str, Any]:
        """Return the application properties; numbers and times keep their AMQP types."""

    def annotations(self) -> dict[str, Any]:
        """Return the sender's message annotations."""

    def revised(self, application: dict[str, Any], system: dict[str, Any]) -> Filterable:
        """Return a copy with these application properties, and with some properties, annotations and the time to live
        (`time_to_live`, in seconds) changed."""


_SECTION = {
    "contenttype": "content_type",
    "correlationid": "correlation_id",
    "label": "subject",
    "replyto": "reply_to",
    "replytosessionid": "reply_to_session_id",
    "sessionid": "session_id",
    "subject": "subject",
    "to": "to",
}
_ANNOTATIONS = {"partitionkey": "x-opt-partition-key", "viapartitionkey": "x-opt-via-partition-key"}
_STAMPS = ("deliverycount", "enqueuedsequencenumber", "enqueuedtimeutc", "expiresatutc", "messageid",
           "scheduledenqueuetimeutc", "sequencenumber", "size", "state", "timetolive")  # fmt: skip
_NEVER = ("deadlettersource", "forcepersistence", "isbodyconsumed", "lockeduntilutc", "locktoken")
SYSTEM_PROPERTIES = frozenset((*_SECTION, *_ANNOTATIONS, *_STAMPS, *_NEVER))
SETTABLE = frozenset((*_SECTION, *_ANNOTATIONS, "messageid", "timetolive", "scheduledenqueuetimeutc"))


class Facts:
    """One message on its way to the subscriptions of a topic; decoded when the first rule asks, and only once."""

    __slots__ = ("_section", "_user", "content", "enqueued_at", "sequence")

    def __init__(self, content: Any, sequence: int = 0, enqueued_at: float = 0.0) -> None:
        self.content = content
        self.sequence = sequence
        self.enqueued_at = enqueued_at
        self._section: dict[str, Any] | None = None
        self._user: dict[str, tuple[str, Any]] | None = None

    def user(self) -> dict[str, tuple[str, Any]]:
        """Return the application properties by their names in lower case, each with its name as it was sent."""
        if self._user is None:
            try:
                found = self.content.typed_application_properties()
            except ValueError as error:
                raise FilterException(f"The message's application properties cannot be read: {error}.") from None
            self._user = {str(name).lower(): (str(name), value) for name, value in found.items()}
        return self._user

    def system(self, name: str) -> Any:
        """Return a system property by its name in lower case; None when it is not set. Raises `FilterException` for one
        that does not exist (S-71)."""
        if (field := _SECTION.get(name)) is not None:
            if self._section is None:
                try:
                    self._section = self.content.properties()
                except ValueError as error:
                    raise FilterException(f"The message's properties cannot be read: {error}.") from None
            value = self._section.get(field)
            return value if value is None or isinstance(value, str) else text(value)
        content = self.content
        if name == "messageid":
            return content.message_id
        if name in _ANNOTATIONS:
            return content.annotations().get(_ANNOTATIONS[name])
        if name in _STAMPS:
            return self._stamp(name)
        if name in _NEVER:
            return None
        raise unknown_system(name)

    def _stamp(self, name: str) -> Any:
        content = self.content
        if name in ("sequencenumber", "enqueuedsequencenumber"):
            return self.sequence
        if name == "size":
            return content.size
        if name == "timetolive":
            return content.ttl
        if name == "enqueuedtimeutc":
            return int(self.enqueued_at * 1000)
        if name == "scheduledenqueuetimeutc":
            return None if content.scheduled_at is None else int(content.scheduled_at * 1000)
        if name == "expiresatutc":
            return None if content.ttl is None else int((self.enqueued_at + content.ttl) * 1000)
        return 0  # state (active) and delivery count of a message that has just come


def unknown_system(name: str) -> FilterException:
    """Tell that there is no such system property."""
    known = "ContentType, CorrelationId, Label, MessageId, ReplyTo, ReplyToSessionId, SessionId, TimeToLive, To"
    return FilterException(f"The system property 'sys.{name}' does not exist. Known are {known} and others.")
