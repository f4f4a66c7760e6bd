"""What has changed since the last commit: it is noted here at each change, and looked at once, at the end of a turn."""

from __future__ import annotations

from peeklock.servicebus.broker.backlog import Backlog
from peeklock.servicebus.broker.message import Message
from peeklock.servicebus.broker.session import MessageSession


class Turn:
    """The journal of one turn (`broker.journal.Journal`). A message that comes and goes within it was never there."""

    def __init__(self) -> None:
        self.empty = True
        self.new: dict[Message, Backlog] = {}
        self.rewritten: dict[Message, Backlog] = {}
        self.touched: dict[Message, Backlog] = {}
        self.left: list[tuple[Backlog, int]] = []
        self.purged: dict[Backlog, None] = {}
        self.counted: dict[Backlog, None] = {}
        self.seen: list[tuple[Backlog, str, float]] = []
        self.states: dict[tuple[Backlog, str], MessageSession] = {}
        self.defined: dict[Backlog, None] = {}
        self.dropped: dict[Backlog, None] = {}

    def clear(self) -> None:
        """Begin a new turn: all of this one is written."""
        for noted in (self.new, self.rewritten, self.touched, self.purged, self.counted, self.states):
            noted.clear()
        for more in (self.left, self.seen, self.defined, self.dropped):
            more.clear()
        self.empty = True

    def added(self, entity: Backlog, message: Message) -> None:
        """Note a new message."""
        self.empty = False
        self.new[message] = entity
        self.counted[entity] = None

    def revised(self, entity: Backlog, message: Message) -> None:
        """Note a message with new content."""
        self.empty = False
        if message not in self.new:
            self.rewritten[message] = entity

    def moved(self, entity: Backlog, message: Message) -> None:
        """Note a message whose state, lock or count is another."""
        self.empty = False
        if message not in self.new:
            self.touched[message] = entity

    def gone(self, entity: Backlog, message: Message) -> None:
        """Note a message that is no more."""
        self.empty = False
        if self.new.pop(message, None) is None:
            self.touched.pop(message, None)
            self.rewritten.pop(message, None)
            self.left.append((entity, message.sequence))

    def emptied(self, entity: Backlog) -> None:
        """Forget what was noted of the messages of an entity: all are gone."""
        self.empty = False
        for noted in (self.new, self.rewritten, self.touched):
            for message in [message for message, owner in noted.items() if owner is entity]:
                del noted[message]
        self.left = [(owner, sequence) for owner, sequence in self.left if owner is not entity]
        self.seen = [entry for entry in self.seen if entry[0] is not entity]
        self.states = {key: session for key, session in self.states.items() if key[0] is not entity}
        self.purged[entity] = None

    def numbered(self, entity: Backlog) -> None:
        """Note that sequence numbers were used."""
        self.empty = False
        self.counted[entity] = None

    def remembered(self, entity: Backlog, key: str, at: float) -> None:
        """Note a message-id of the duplicate history."""
        self.empty = False
        self.seen.append((entity, key, at))

    def session_set(self, entity: Backlog, session: MessageSession) -> None:
        """Note that a session has another state."""
        self.empty = False
        self.states[(entity, session.id)] = session

    def configured(self, entity: Backlog) -> None:
        """Note that an entity is new, or another."""
        self.empty = False
        self.defined[entity] = None

    def removed(self, entity: Backlog) -> None:
        """Note that an entity is no more."""
        self.empty = False
        self.emptied(entity)
        for noted in (self.purged, self.counted, self.defined):
            noted.pop(entity, None)
        self.dropped[entity] = None
