"""A namespace: its entities, its ledger, and the moments at which they have something to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from peeklock.servicebus import entity_settings
from peeklock.servicebus.ledger import EventKind, Ledger
from peeklock.servicebus.paths import DEAD_LETTER_SUFFIX, TRANSFER_SUFFIX

from .clock import Clock
from .errors import EntityExists, EntityNotFound, QuotaExceeded
from .forwarding import local_name
from .idleness import Idleness
from .journal import Journal
from .queue import DEAD_LETTER_QUEUE, Queue, Surroundings
from .subscription import Subscription
from .timers import Timers
from .topic import Topic
from .transaction import Transactions, top_level
from .transfer import Transfer

_SUBSCRIPTIONS = "/subscriptions/"
Journals = Callable[[Queue], Journal]
"""Gives an entity the journal that follows it."""


class Namespace:
    """Queues and topics by name (case-insensitive)."""

    def __init__(
        self,
        name: str,
        queues: Mapping[str, entity_settings.EntitySettings],
        clock: Clock,
        *,
        topics: Mapping[str, entity_settings.Topic] | None = None,
        ledger_cap: int | None = None,
        max_entities: int = 10_000,
    ) -> None:
        self.name = name
        self.clock = clock
        self.ledger = Ledger() if ledger_cap is None else Ledger(ledger_cap)
        self.timers = Timers()
        self.on_gone: Callable[[list[Queue]], None] | None = None
        """Called with the entities that are no more, their dead-letter queues among them."""
        self._max_entities = max_entities
        self.admit(len(queues) + len(topics or {}))
        self._journals: Journals | None = None
        self._watched: dict[Queue, Idleness] = {}
        self._transactions: Transactions | None = None
        self._surroundings = Surroundings(clock, self.ledger, self.timers)
        self.queues = {
            queue_name.lower(): Queue(queue_name, settings, self._surroundings)
            for queue_name, settings in queues.items()
        }
        self.topics: dict[str, Topic] = {}
        for topic_name, topic_settings in (topics or {}).items():
            self._add_topic(topic_name, topic_settings)
        for entity in list(self.entities()):
            self._open(entity)

    def _add_topic(self, name: str, settings: entity_settings.Topic) -> None:
        topic = Topic(name, settings, self._surroundings)
        self.topics[name.lower()] = topic
        for subscription_name, subscription in settings.subscriptions.items():
            topic.subscribe(subscription_name, subscription)

    def _open(self, entity: Queue) -> None:
        """Give an entity its status, and the targets to which it forwards (S-67, S-68, S-77)."""
        settings, dead = entity.settings, entity.dead_letters
        for part in entity.parts():
            self._enter(part)
        if settings.status != "Active":
            entity.gate.set_status(settings.status)
        if settings.forward_to and not settings.requires_session:
            entity.forward_to(local_name(settings.forward_to), self._forward_target)
        if settings.forward_dead_lettered_messages_to and dead is not None:
            target = local_name(settings.forward_dead_lettered_messages_to)
            dead.forward_to(target, self._forward_target, entity.name)

        if (watch := self._watched.pop(entity, None)) is not None:
            watch.cancel()
        if settings.auto_delete_on_idle is not None and entity.dispatch.forward is None:
            limit = settings.auto_delete_on_idle
            self._watched[entity] = Idleness(entity, limit, self._surroundings, self._delete_idle)

    def _delete_idle(self, entity: Queue) -> None:
        details = {"reason": f"nobody used it for {entity.settings.auto_delete_on_idle:g} s"}
        self.ledger.record_entity(self.clock.now(), entity.name, EventKind.DELETED_ON_IDLE, details)
        self.remove(entity)

    def keep(self, journals: Journals) -> None:
        """Have a journal follow each entity from now on; it hears at once that the entity is there."""
        self._journals = journals
        for entity in self.entities():
            for part in entity.parts():
                self._enter(part)

    def _enter(self, part: Queue) -> None:
        if self._journals is not None:
            part.log.journal = part.log.journal or self._journals(part)
            part.log.journal.configured()

    def add_queue(self, name: str, settings: entity_settings.EntitySettings) -> Queue:
        """Make a queue while the namespace runs. Raises `EntityExists` or `QuotaExceeded`."""
        self._claim(name)
        queue = Queue(name, settings, self._surroundings)
        self.queues[name.lower()] = queue
        self._open(queue)
        return queue

    def add_topic(self, name: str, settings: entity_settings.Topic) -> Topic:
        """Make a topic, with the subscriptions of its settings, while the namespace runs. Raises as `add_queue` does."""
        self._claim(name)
        self._add_topic(name, settings)
        topic = self.topics[name.lower()]
        for entity in (topic, *topic.subscriptions.values()):
            self._open(entity)
        return topic

    def add_subscription(self, topic: Topic, name: str, settings: entity_settings.Subscription) -> Subscription:
        """Make a subscription while the namespace runs. Raises `EntityExists` or `QuotaExceeded`."""
        subscription = topic.subscribe(name, settings)
        self._open(subscription)
        return subscription

    def remove(self, entity: Queue) -> list[Queue]:
        """Take a queue, a topic or a subscription out with its messages; return all that is gone with it."""
        path = entity.name.lower()
        gone = [entity]
        if path in self.queues:
            del self.queues[path]
        elif path in self.topics:
            gone += self.topics.pop(path).subscriptions.values()
        else:
            topic_name, _, name = path.partition(_SUBSCRIPTIONS)
            self.topics[topic_name].unsubscribe(name)
        parts = [part for owner in gone for part in owner.parts()]
        for part in parts:
            part.purge()
            if part.log.journal is not None:
                part.log.journal.removed()
            if (watch := self._watched.pop(part, None)) is not None:
                watch.cancel()
        if self.on_gone is not None:
            self.on_gone(parts)
        return parts

    def reconfigure(self, entity: Queue, settings: entity_settings.EntitySettings) -> None:
        """Give an entity new settings, its status and its forwards included (S-67, S-77)."""
        entity.reconfigure(settings)
        entity.gate.touch()
        for part in entity.parts():
            part.forward_to(None, self._forward_target)
        entity.gate.set_status(settings.status)
        self._open(entity)
        entity.dispatch.pump()
        if entity.dead_letters is not None:
            entity.dead_letters.dispatch.pump()

    def _claim(self, name: str) -> None:
        if name.lower() in self.queues or name.lower() in self.topics:
            raise EntityExists(f"The messaging entity '{name}' exists already.")
        self.admit(len(self.queues) + len(self.topics) + 1)

    def admit(self, entities: int) -> None:
        """Raise `QuotaExceeded` for more queues and topics than there may be."""
        if entities > self._max_entities:
            raise QuotaExceeded(
                f"The namespace '{self.name}' can have {self._max_entities} queues and topics, and no more: {entities} are asked for."
            )

    def _forward_target(self, name: str) -> Queue:
        return self._main(name.lower(), name)

    def entities(self) -> Iterator[Queue]:
        """Yield every queue, topic and subscription; their dead-letter queues hang on them."""
        yield from self.queues.values()
        for topic in self.topics.values():
            yield topic
            yield from topic.subscriptions.values()

    def subscription(self, path: str) -> Subscription:
        """Find a subscription by its path. Raises `EntityNotFound`."""
        topic_name, _, name = path.strip("/").lower().partition(_SUBSCRIPTIONS)
        topic = self.topics.get(topic_name)
        found = topic.subscriptions.get(name) if topic is not None else None
        if found is None:
            raise self._missing(path)
        return found

    def entity(self, path: str) -> Queue:
        """Find a queue, a topic, a subscription, or one of their dead-letter queues by its path, such as `q`,
        `t/Subscriptions/s/$DeadLetterQueue` or `q/$Transfer/$DeadLetterQueue` (S-51). Raises `EntityNotFound`."""
        lowered = path.strip("/").lower()
        if lowered.endswith(DEAD_LETTER_SUFFIX):
            base = lowered[: -len(DEAD_LETTER_SUFFIX)]
            if base.endswith(TRANSFER_SUFFIX):
                return self._transfer(self._main(base[: -len(TRANSFER_SUFFIX)], path))
            dead = self._main(base, path).dead_letters
            if dead is None:
                raise self._missing(path)
            return dead
        return self._main(lowered, path)

    def _main(self, lowered: str, path: str) -> Queue:
        found: Queue | None = self.queues.get(lowered)
        if found is None and self.topics:
            found = self.topics.get(lowered)
            if found is None and _SUBSCRIPTIONS in lowered:
                return self.subscription(path if lowered == path.strip("/").lower() else lowered)
        if found is None:
            raise self._missing(path)
        return found

    def _transfer(self, owner: Queue) -> Queue:
        if owner.transfer_dead_letters is None:
            name = owner.name + TRANSFER_SUFFIX + DEAD_LETTER_SUFFIX
            inherits = None if owner.log.partitions is None else True
            owner.transfer_dead_letters = Queue(
                name, owner.settings, self._surroundings, DEAD_LETTER_QUEUE, inherits=inherits
            )
            self._enter(owner.transfer_dead_letters)
        return owner.transfer_dead_letters

    def _missing(self, path: str) -> EntityNotFound:
        return EntityNotFound(f"The messaging entity 'sb://{self.name}/{path}' could not be found.")

    @property
    def transactions(self) -> Transactions:
        """The open transactions (S-74)."""
        if self._transactions is None:
            self._transactions = Transactions(self._surroundings, self.entity)
        return self._transactions

    def transfer(self, via: Queue, destination: str) -> Transfer:
        """Return the way of messages through one entity into another. Raises `EntityNotFound`."""
        self.entity(destination)
        return Transfer(via, destination, self.entity, self._transfer, self.clock)

    def top_level(self, entity: Queue) -> Queue:
        """Return the queue or topic to which an entity belongs. Raises `EntityNotFound`."""
        return self._main(top_level(entity.name), entity.name)

    def reset(self) -> int:
        """Empty every entity, forget the duplicate histories and roll back every transaction; returns the ledger's cursor:
        later entries are new."""
        if self._transactions is not None:
            self._transactions.clear()
        for entity in self.entities():
            for part in entity.parts():
                part.purge()
        return self.ledger.cursor

    def run_due(self) -> None:
        """Do everything that the clock asks for by now."""
        self.timers.run_due(self.clock.now())

    def next_due(self) -> float | None:
        """Return the epoch second at which `run_due` is needed next, or None."""
        return self.timers.next_due()
