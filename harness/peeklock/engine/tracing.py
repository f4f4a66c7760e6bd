"""Whether traces hold together: `trace_unbroken` and `no_error_spans`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from peeklock.engine.context import CaseContext
from peeklock.engine.ledger import Message
from peeklock.engine.waiting import Deadline, Look, wait_until
from peeklock.servicebus.paths import DEAD_LETTER_SUFFIX
from peeklock.telemetry import Span, service_of

SPANS_WITHIN = 5.0
"""Seconds that the last spans of a case are given to arrive."""
QUIET = 0.3
"""Seconds without any telemetry after which services are taken to have exported all."""


def trace_unbroken(context: CaseContext) -> list[str]:
    """Every message that a service sends carries the trace of what caused it; who receives it works in that trace, or links to it."""

    def look() -> Look[list[str]]:
        context.ledger.refresh()
        telemetry = context.environment.telemetry
        found = breaks(context.ledger.all(), telemetry.spans() if telemetry is not None else [])
        return Look(not found, found)

    waited = wait_until(look, context.deadline.sooner(SPANS_WITHIN), context.signal)
    context.spent.waiting += waited.seconds
    return waited.last[:5]


def await_spans(context: CaseContext) -> None:
    """Let services export the last spans of a case."""
    deadline = Deadline(min(1.0, context.deadline.left))
    while not deadline.passed and context.signal.wait(context.signal.count, min(QUIET, deadline.left)):
        pass


def no_error_spans(context: CaseContext) -> list[str]:
    """No service traced an operation that failed."""
    await_spans(context)
    telemetry = context.environment.telemetry
    failed = [span for span in (telemetry.spans() if telemetry is not None else []) if span.status == "error"]
    return [f"{span.service}: {span.name}: {span_trouble(span)}" for span in failed][:5]


def span_trouble(span: Span) -> str:
    """Return what a span with the status `error` tells of it."""
    return span.status_message or str(span.attributes.get("error.type") or "status error")


def breaks(messages: Iterable[Message], spans: Iterable[Span]) -> list[str]:
    """Return a sentence for each place where a trace breaks."""
    kept = [message for message in messages if not message.queue.endswith(DEAD_LETTER_SUFFIX)]
    traces = _Traces(kept, spans)
    return list(dict.fromkeys(sentence for message in kept for sentence in traces.breaks_at(message)))


class _Traces:
    def __init__(self, messages: Iterable[Message], spans: Iterable[Span]) -> None:
        self._entered: dict[str, set[str]] = {}
        """By service, the traces of the requests and messages that came to it."""
        self._traced: dict[str, set[str]] = {}
        """By service, the traces in which it has spans, and those that these link to."""
        self._linked: dict[str, set[str]] = {}
        """By trace, those that its spans link to."""
        self._worked: dict[str, set[str]] = {}
        """By service, the traces in which it did more than settle messages."""
        self._settled: dict[str, set[tuple[str, str]]] = {}
        """By service, for each message that it settled, the message's trace and that in which it did."""
        for message in messages:
            for receiver in message.receivers:
                if message.trace_id is not None:
                    self._entered.setdefault(service_of(receiver), set()).add(message.trace_id)
        for span in spans:
            service, links = service_of(span.service), {link.trace_id for link in span.links}
            if _settles(span):
                self._settled.setdefault(service, set()).update((link, span.trace_id) for link in links)
                links = set()
            else:
                self._worked.setdefault(service, set()).add(span.trace_id)
            self._traced.setdefault(service, set()).update({span.trace_id} | links)
            self._linked.setdefault(span.trace_id, set()).update(links)
            if span.kind == "server":
                self._entered.setdefault(service, set()).add(span.trace_id)

    def breaks_at(self, message: Message) -> Iterator[str]:
        who = f"{message.queue}: {message.facts.get('message_id')}"
        if message.sender is not None:
            yield from (f"{who} from {message.sender} {why}" for why in self._sent(message, message.sender))
        if message.trace_id is None:
            return
        for service in dict.fromkeys(map(service_of, message.receivers)):
            if service in self._traced and message.trace_id not in self._traced[service]:
                yield f"{who} was received by {service}, which has no span in its trace and none that links to it"
            elif own := self._apart(message.trace_id, service):
                yield f"{who} was worked on by {service} in a trace of its own, {own}, which does not link to the message's"

    def _apart(self, trace: str, service: str) -> str | None:
        """Return the trace that `service` did other work in as it settled a message of `trace`, if the two are not linked."""
        settled = self._settled.get(service, set())
        apart = {own for of, own in settled if of == trace} & self._worked.get(service, set())
        return next((own for own in sorted(apart) if trace not in self._reached(own)), None)

    def _sent(self, message: Message, sender: str) -> Iterator[str]:
        trace = message.trace_id
        if trace is None:
            yield "carries no trace: its application properties have neither traceparent nor Diagnostic-Id"
        elif sender in self._traced and trace not in self._traced[sender]:
            yield f"carries the trace {trace}, in which {sender} has no span"
        elif (entered := self._entered.get(sender)) and not entered & self._reached(trace):
            yield f"begins a trace of its own, {trace}, which nothing that came to {sender} is in or linked to"

    def _reached(self, trace: str) -> set[str]:
        found, todo = {trace}, [trace]
        while todo:
            new = self._linked.get(todo.pop(), set()) - found
            found |= new
            todo += new
        return found


def _settles(span: Span) -> bool:
    """Tell whether a span settles a message: it links to the message's trace whatever trace the work was done in."""
    return "settle" in (span.attributes.get("messaging.operation"), span.attributes.get("messaging.operation.type"))
