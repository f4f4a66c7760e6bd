"""`messages: {queue: jobs, where: {…}}` — the history of messages, from the ledger."""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from peeklock.engine.context import CaseContext
from peeklock.engine.ledger import OUTCOMES, VIEW_KEYS, Message
from peeklock.engine.verb import Found, Verb
from peeklock.scenario.errors import suggestion
from peeklock.scenario.fields import Model
from peeklock.scenario.matchers import Context as MatchContext
from peeklock.scenario.matchers import Mismatch, show
from peeklock.scenario.vocabulary import Complaint, Facts, undeclared
from peeklock.servicebus.paths import DEAD_LETTER_SUFFIX
from peeklock.verbs.where import check_where, compile_where


class MessagesArguments(Model):
    """Which messages: those of a queue, a topic (`published`, `scheduled`, `dropped_as_duplicate`), a subscription, or its
    dead-letter queue, that a matcher takes."""

    queue: str | None = None
    topic: str | None = None
    subscription: str | None = Field(None, description="of the topic: what it was given")
    dead_letter: bool = Field(False, description="those in the dead-letter queue")
    where: dict[str, Any] = Field({}, description="matchers; keys as in the result: message_id, body, outcome …")

    @model_validator(mode="after")
    def _one(self) -> MessagesArguments:
        if (self.queue is None) == (self.topic is None):
            raise ValueError("say exactly one of queue or topic")
        if self.subscription is not None and self.topic is None:
            raise ValueError("subscription is of a topic: say topic, or queue: TOPIC/Subscriptions/NAME")
        if self.dead_letter and self.topic is not None and self.subscription is None:
            raise ValueError("a topic has no dead-letter queue: say which subscription")
        return self

    @property
    def entity(self) -> str:
        """Its name in the ledger."""
        path = f"{self.topic}/Subscriptions/{self.subscription}" if self.subscription is not None else self.topic
        return str(path if self.queue is None else self.queue)


def run(arguments: MessagesArguments, context: CaseContext) -> Found:
    """Return the messages of this case that match, in the order in which they came, each as `Message.view` shows it."""
    context.ledger.refresh()
    name = arguments.entity + (DEAD_LETTER_SUFFIX if arguments.dead_letter else "")
    messages = list(context.ledger.messages(name))
    matcher = compile_where(arguments.where)
    matching = MatchContext(folder=context.folder)
    judged = [(message, message.view(), matcher.match(message.view(), matching, "")) for message in messages]
    hits = [view for _, view, mismatches in judged if not mismatches]
    return Found(hits, nearest=_nearest(judged) if not hits else "")


def _nearest(judged: list[tuple[Message, dict[str, Any], list[Mismatch]]]) -> str:
    """Tell of the message with the fewest mismatches what keeps it from being a hit."""
    if not judged:
        return "no message came at all"
    _, view, mismatches = min(judged, key=lambda one: len(one[2]))
    wrong = "; ".join(f"{found.path} is {found.actual}, not {found.expected}" for found in mismatches[:3])
    return f"{len(judged)} others; {show(view.get('message_id'))}: {wrong}"


def _check(raw: Any, facts: Facts) -> list[Complaint]:
    bus = facts.stack.servicebus
    declared = {**bus.receivable(), **bus.topics} if bus else {}
    topics = bus.topics if bus else {}
    complaints = undeclared("queue", raw.get("queue"), declared, ("queue",))
    complaints += undeclared("topic", raw.get("topic"), topics, ("topic",))
    if raw.get("topic") in topics:
        own = topics[raw["topic"]].subscriptions
        complaints += undeclared("subscription", raw.get("subscription"), own, ("subscription",))
    where = raw.get("where")
    if isinstance(where, dict):
        complaints += [
            Complaint(
                ("where", key),
                f'a message has no "{key}"',
                "one of " + ", ".join(VIEW_KEYS),
                suggestion(key, VIEW_KEYS) or "write body: {…} for a part of the body",
            )
            for key in where
            if not key.startswith("$") and key.removesuffix("?") not in VIEW_KEYS
        ]
        outcome = where.get("outcome")
        if isinstance(outcome, str) and outcome.isidentifier() and outcome not in OUTCOMES:
            text = f'a message never is "{outcome}"'
            expected, fix = "one of " + ", ".join(sorted(OUTCOMES)), suggestion(outcome, OUTCOMES)
            complaints.append(Complaint(("where", "outcome"), text, expected, fix))
    return complaints + check_where(raw)


VERB = Verb(
    "messages",
    MessagesArguments,
    "the history of messages",
    observes=lambda _: True,
    shape="collection",
    check=_check,
    requires=("exact_ledger",),
    run=run,
)
