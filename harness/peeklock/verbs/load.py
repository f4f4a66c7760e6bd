"""`load: {users: 20, duration: 10s, acts: [{http: {…}}]}` — acts that many users do at once."""

from __future__ import annotations

import time
from collections.abc import Sequence

from peeklock.engine.context import CaseContext, Request
from peeklock.engine.events import StepProgress
from peeklock.engine.failure import VerbFailed, title
from peeklock.engine.http_defaults import default_headers, default_service
from peeklock.engine.settling import worked_queues
from peeklock.engine.verb import Found, Verb
from peeklock.load import Act, Figures, LoadFailed, Order, Swarm, ready_to_load
from peeklock.scenario.document import written_at
from peeklock.scenario.load_step import LoadArguments
from peeklock.scenario.model import Step, walk
from peeklock.stack.names.variables import led

_MOST_SAMPLES = 600
"""That a report keeps of a load; of a longer one every second, then every fourth, and so on."""
_TOLD = 3
"""Kinds of errors that are told of."""


def run_acts(arguments: LoadArguments, acts: Sequence[Step], context: CaseContext) -> Found:
    """Let users do the acts, and return what Locust counted and measured: `{requests, failures, rate, p50, …}`."""
    ready_to_load()
    left = context.deadline.left
    if arguments.duration is not None and arguments.duration >= left:
        text = f"the load takes {arguments.duration:g} s, and the case has {left:.3g} s left: raise its `timeout`"
        raise VerbFailed(text, path=("duration",))
    folder = context.environment.log_dir
    environment = led(context.environment.seen.names, folder.parent, {})
    swarm = Swarm(context.environment.commands, context.scenario.root, folder / "load.log", environment)
    samples = _Samples()
    try:
        for figures in swarm.run(_order(arguments, acts, context)):
            _take(figures, context)
            context.story.tell(samples.add(figures, context))
            if context.deadline.passed and not figures.ended:
                raise VerbFailed(f"the case has used up its time after {figures.seconds:.3g} s of the load")
    except LoadFailed as error:
        context.environment.check()
        raise VerbFailed(error.problem, notes=(error.where,)) from None
    return _found(figures, samples, context)


def _found(figures: Figures, samples: _Samples, context: CaseContext) -> Found:
    requests, failures = figures.total.requests, figures.total.failures
    if not requests:
        raise VerbFailed("no user came to the end of a request: nothing was measured")
    errors = "; ".join(f"{each['act']}: {each['error']} ({each['count']} times)" for each in figures.errors[:_TOLD])
    told = f"a load of {requests} requests in {figures.seconds:.3g} s"
    context.note("test", f"{told}, {failures} failed" if failures else told, alarming=bool(failures))
    refused = f"{failures} of {requests} requests failed: {errors}" if failures else ""
    view = figures.view()
    return Found(view, nearest=errors, shown={**view, "samples": samples.kept}, refused=refused)


def _order(arguments: LoadArguments, acts: Sequence[Step], context: CaseContext) -> Order:
    services, endpoints = context.environment.services, context.environment.endpoints
    addresses: dict[str, str] = {}
    for name in services.names():
        for number, url in enumerate(services.urls(name)):
            addresses[f"{name}.{number}"] = url
            addresses.setdefault(name, url)
    return Order(
        acts=tuple(map(_act, acts)),
        users=arguments.users,
        spawn_rate=arguments.spawn_rate or float(arguments.users),
        duration=arguments.duration,
        iterations=arguments.iterations,
        pause=arguments.pause,
        names=context.names.visible(),
        correlation_id=context.slug,
        services=addresses,
        service=default_service(context) if any(map(_needs_service, walk(acts))) else "",
        headers=default_headers(context),
        servicebus=endpoints.servicebus_connection_string or "",
        queues=endpoints.queues,
        ahead=context.environment.clock.offset,
        seed=context.id,
    )


def _needs_service(step: Step) -> bool:
    return step.verb.name == "http" and not step.arguments.get("on")


def _act(step: Step) -> Act:
    return Act(
        step.verb.name,
        title(step),
        step.arguments,
        str(step.document.path.parent),
        None if step.expect is None else written_at(step.document, step.expect_path),
        {name: capture.path for name, capture in step.capture.items()},
        tuple(map(_act, step.steps)),
        step.bindings,
        step.outputs,
    )


def _take(figures: Figures, context: CaseContext) -> None:
    """Have the case know of what happened meanwhile: requests for its budget, and messages before the ledger lets them go."""
    context.spent.requests += [
        Request(each.service, each.method, each.path, each.status, each.seconds) for each in figures.taken
    ]
    context.ledger.refresh()


class _Samples:
    """Figures as they were during a load, one a second, and fewer of a long one."""

    def __init__(self) -> None:
        self.kept: list[dict[str, float]] = []
        self._every, self._seen = 1, 0

    def add(self, figures: Figures, context: CaseContext) -> StepProgress:
        """Take one, and return it for those who watch the run."""
        total = figures.total
        worked = worked_queues(context)
        queues = [queue for queue in context.environment.queues() if queue["name"] in worked]
        waiting = sum(queue.get("active", 0) + queue.get("locked", 0) for queue in queues)
        sample = {
            "at": figures.seconds,
            "users": figures.users,
            "requests": total.requests,
            "failures": total.failures,
            "rate": figures.now,
            "p95": total.p95,
            "waiting": waiting,
        }
        if self._seen % self._every == 0 or figures.ended:
            self.kept.append(sample)
        self._seen += 1
        if len(self.kept) > _MOST_SAMPLES:
            self.kept, self._every = self.kept[::2], self._every * 2
        text = f"{figures.users} users, {total.requests} requests at {figures.now:g}/s, {total.failures} failed"
        text += f", p95 {total.p95 * 1000:.0f} ms" + (f", {waiting} messages in queues" if queues else "")
        return StepProgress(time.time(), context.id, text, sample)


VERB = Verb("load", LoadArguments, "acts that many users do at once", run_acts=run_acts)
