"""What has changed since the last commit: it is noted here at each change, and looked at once, at the end of a turn."""

from __future__ import annotations

from peeklock.servicebus.broker import Message, Queue


class Turn:
    """The changes of one turn. A message that comes and goes within it was never there."""

    def __init__(self) -> None:
        self.empty = True
        self.new: dict[Message, Queue] = {}
        self.rewritten: dict[Message, Queue] = {}
        self.touched: dict[Message, Queue] = {}
        self.left: list[tuple[Queue, int]] = []
        self.purged: dict[Queue, None] = {}
        self.counted: dict[Queue, None] = {}
        self.seen: list[tuple[Queue, str, float]] = []
        self.states: dict[tuple[Queue, str], tuple[bytes | None, float]] = {}
        """What sessions remember now, and since when."""
        self.defined: dict[Queue, None] = {}
        self.dropped: dict[Queue, None] = {}

    def clear(self) -> None:
        """Begin a new turn: all of this one is written."""
        for noted in (self.new, self.rewritten, self.touched, self.purged, self.counted, self.states):
            noted.clear()
        for more in (self.left, self.seen, self.defined, self.dropped):
            more.clear()
        self.empty = True

    def follow(self, entity: Queue) -> EntityJournal:
        """Note what changes in an entity."""
        return EntityJournal(self, entity)


class EntityJournal:
    """Notes the changes of one entity in the turn (`broker.journal.Journal`)."""

    __slots__ = ("_entity", "_turn")

    def __init__(self, turn: Turn, entity: Queue) -> None:
        self._turn = turn
        self._entity = entity

    def added(self, message: Message) -> None:
        """Note a new message."""
        turn = self._turn
        turn.empty = False
        turn.new[message] = self._entity
        turn.counted[self._entity] = None

    def revised(self, message: Message) -> None:
        """Note a message with new content."""
        turn = self._turn
        turn.empty = False
        if message not in turn.new:
            turn.rewritten[message] = self._entity

    def moved(self, message: Message) -> None:
        """Note a message whose state, lock or count is another."""
        turn = self._turn
        turn.empty = False
        if message not in turn.new:
            turn.touched[message] = self._entity

    def gone(self, message: Message) -> None:
        """Note a message that is no more."""
        turn = self._turn
        turn.empty = False
        if turn.new.pop(message, None) is None:
            turn.touched.pop(message, None)
            turn.rewritten.pop(message, None)
            turn.left.append((self._entity, message.sequence))

    def emptied(self) -> None:
        """Forget what was noted of the messages: all are gone."""
        turn, entity = self._turn, self._entity
        turn.empty = False
        for noted in (turn.new, turn.rewritten, turn.touched):
            for message in [message for message, owner in noted.items() if owner is entity]:
                del noted[message]
        turn.left = [(owner, sequence) for owner, sequence in turn.left if owner is not entity]
        turn.seen = [entry for entry in turn.seen if entry[0] is not entity]
        turn.states = {key: state for key, state in turn.states.items() if key[0] is not entity}
        turn.purged[entity] = None

    def numbered(self) -> None:
        """Note that sequence numbers were used."""
        self._turn.empty = False
        self._turn.counted[self._entity] = None

    def remembered(self, key: str, at: float) -> None:
        """Note a message-id of the duplicate history."""
        self._turn.empty = False
        self._turn.seen.append((self._entity, key, at))

    def session_set(self, session_id: str, state: bytes | None, at: float) -> None:
        """Note the state of a session."""
        self._turn.empty = False
        self._turn.states[(self._entity, session_id)] = (state, at)

    def configured(self) -> None:
        """Note that the entity is new, or another."""
        self._turn.empty = False
        self._turn.defined[self._entity] = None

    def removed(self) -> None:
        """Note that the entity is no more."""
        turn = self._turn
        self.emptied()
        for noted in (turn.purged, turn.counted, turn.defined):
            noted.pop(self._entity, None)
        turn.dropped[self._entity] = None
