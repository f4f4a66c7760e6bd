"""Whether a case kept to its `budget`."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from fnmatch import fnmatchcase

from peeklock.engine.context import CaseContext
from peeklock.engine.tracing import await_spans
from peeklock.scenario.budget import Budget, Latency
from peeklock.scenario.sizes import format_size
from peeklock.supervision.usage import Usage
from peeklock.telemetry import service_of

_TOLD = 3
"""How many of what was too much are named."""


def begin_budget(context: CaseContext) -> None:
    """Note what services have used before the case."""
    for service in _services_of(context):
        context.spent.used[service] = context.environment.services.usage(service, anew=True)


def over_budget(context: CaseContext) -> list[str]:
    """Return a sentence for each limit that was exceeded: what was measured, the limit, and what was the most."""
    budget = context.case.header.budget
    if budget is None:
        return []
    context.ledger.refresh()
    checks = (_http, _spans, _deliveries, _messages, _requests, _services)
    return [f"budget: {sentence}" for check in checks for sentence in check(context, budget)]


def _services_of(context: CaseContext) -> list[str]:
    budget = context.case.header.budget
    return [] if budget is None else list(budget.services)


def _http(context: CaseContext, budget: Budget) -> Iterator[str]:
    for limit in budget.http:
        taken = [
            (each.seconds, f"{each.method} {each.path} → {each.status}")
            for each in context.spent.requests
            if limit.service in (None, each.service) and fnmatchcase(each.path, limit.path or "*")
        ]
        yield from _latency(" ".join(filter(None, ["http", limit.service, limit.path])), limit, taken)


def _spans(context: CaseContext, budget: Budget) -> Iterator[str]:
    if not budget.spans:
        return
    await_spans(context)
    telemetry = context.environment.telemetry
    spans = telemetry.spans() if telemetry is not None else []
    for limit in budget.spans:
        taken = [
            (span.end - span.start, f"{span.service} {span.name}")
            for span in spans
            if limit.service in (None, service_of(span.service)) and limit.name in (None, span.name)
        ]
        yield from _latency(" ".join(filter(None, ["spans", limit.service, limit.name])), limit, taken)


def _latency(what: str, limit: Latency, taken: list[tuple[float, str]]) -> Iterator[str]:
    if not taken:
        yield f"{what}: there was none, so nothing was measured"
        return
    taken.sort(reverse=True)
    p95 = taken[len(taken) - math.ceil(0.95 * len(taken))][0]
    most = ", ".join(f"{text} in {_seconds(seconds)}" for seconds, text in taken[:_TOLD])
    for word, found, allowed in (("p95", p95, limit.p95), ("max", taken[0][0], limit.max)):
        if allowed is not None and found > allowed:
            yield f"{what}: {word} was {_seconds(found)} of {len(taken)}, at most {_seconds(allowed)}; slowest: {most}"


def _deliveries(context: CaseContext, budget: Budget) -> Iterator[str]:
    for queue, most in budget.deliveries.items():
        over = [message for message in context.ledger.messages(queue) if message.deliveries > most]
        for message in sorted(over, key=lambda message: -message.deliveries)[:_TOLD]:
            history = ", ".join(message.history)
            yield (
                f"deliveries: {queue} delivered {message.facts.get('message_id')} {message.deliveries} times, at most {most}; "
                f"it was {history}"
            )


def _messages(context: CaseContext, budget: Budget) -> Iterator[str]:
    for queue, most in budget.messages.items():
        senders = Counter(message.sender or "test" for message in context.ledger.messages(queue))
        if senders.total() > most:
            yield f"messages: {queue} got {senders.total()}, at most {most}; {_by(senders)}"


def _requests(context: CaseContext, budget: Budget) -> Iterator[str]:
    for name, most in budget.requests.items():
        standin = context.environment.standins.get(name)
        entries = standin.journal.entries() if standin is not None else []
        callers = Counter(str(entry.view.get("caller") or "unknown") for entry in entries)
        if len(entries) > most:
            last = "; ".join(entry.summary for entry in entries[-_TOLD:])
            yield f"requests: {name} was asked {len(entries)} times, at most {most}; {_by(callers)}; last: {last}"


def _services(context: CaseContext, budget: Budget) -> Iterator[str]:
    for service, limit in budget.services.items():
        before = {usage.process: usage.cpu for usage in context.spent.used.get(service, ())}
        now: list[Usage] = context.environment.services.usage(service)
        if not now:
            yield f"services: {service} does not run at the end of the case, so nothing was measured"
            continue
        cpu = sum(max(0.0, usage.cpu - before.get(usage.process, 0.0)) for usage in now)
        peak = max(usage.peak for usage in now)
        if limit.cpu is not None and cpu > limit.cpu:
            yield f"services: {service} used {cpu:.2f} s of CPU, at most {limit.cpu:g} s"
        if limit.memory is not None and peak > limit.memory:
            yield f"services: {service} held {format_size(peak)} of memory, at most {format_size(limit.memory)}"


def _by(counts: Counter[str]) -> str:
    return "by " + ", ".join(f"{name} {count}" for name, count in counts.most_common())


def _seconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.2f} s"
