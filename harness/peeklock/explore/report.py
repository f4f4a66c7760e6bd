"""What is told on the console while a case is explored, and at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from peeklock.durations import format_duration
from peeklock.explore.events import REPEATED, Deeper, Event, Explored, Finding, Recorded, Tried
from peeklock.explore.judge import Difference
from peeklock.explore.moments import MessageMoment, RequestMoment
from peeklock.scenario.errors import shorten

_SHOWN = 4
_PADDING = " " * 11
_RESTART = 1.0
"""Seconds that a disturbance is likely to take besides the case itself."""


@dataclass
class ConsoleReport:
    """A handler of the search's events. `show` prints a line, `progress` one that the next may take the place of."""

    show: Callable[[str], None]
    progress: Callable[[str], None]

    def __call__(self, event: Event) -> None:
        match event:
            case Recorded():
                self._recorded(event)
            case Tried():
                self.progress(f"{event.number}/{event.of}  {event.trial.verdict:<11}  {event.disturbance.text}")
            case Finding():
                self._lines(_finding(event))
            case Deeper():
                self.show(f"  {event.pairs} pairs of what was borne alone")

    def _recorded(self, event: Recorded) -> None:
        total = len(event.disturbances)
        messages = [each for each in event.moments if isinstance(each, MessageMoment)]
        operations = Counter(each.operation for each in messages)
        sent, delivered = operations.pop("send", 0), operations.pop("deliver", 0)
        requests = sum(isinstance(each, RequestMoment) for each in event.moments)
        commits = len(event.moments) - len(messages) - requests
        told = f"{sent} sends, {delivered} deliveries, {operations.total()} settlements, {requests} requests, {commits} commits"
        self.show(f"  recorded {len(event.moments)} moments in {event.seconds:.1f} s: {told}")
        about = format_duration(round(total * (event.seconds / 2 + _RESTART)))
        self.show(f"  {total} disturbances of them, about {about}")
        self.show(f"  not tried: {', '.join(event.untried)}")
        for place in event.unsteady:
            self.show(f"  not judged: {place}, which undisturbed runs leave behind in different ways")

    def end(self, explored: Explored, seed: int) -> None:
        """Tell of all of it in a few lines."""
        self._lines(_summary(explored, seed))

    def _lines(self, lines: Iterator[str]) -> None:
        for line in lines:
            self.show(line)


def accepting(differences: Sequence[Difference]) -> str:
    """Return the line with which a user accepts fields that have changed; empty where there is more than that."""
    if any(not each.fields for each in differences):
        return ""
    patterns = sorted({f'"{each.place}.{name}"' for each in differences for name in each.fields})
    return f"explore: {{ignore: [{', '.join(patterns)}]}}"


def _finding(event: Finding) -> Iterator[str]:
    differences = event.trial.differences
    yield ""
    yield f"{headline(differences):<10} {event.disturbance.text}"
    yield from (f"{_PADDING}{each}" for each in differences[:_SHOWN])
    if len(differences) > _SHOWN:
        yield f"{_PADDING}and {len(differences) - _SHOWN} more"
    if event.shrunk is None:
        yield f"{_PADDING}flaky: it came out so {event.repeated} of {REPEATED} times"
        return
    kept = f"{len(event.shrunk.kept)} of {event.shrunk.of} steps"
    count = len(event.disturbance.steps)
    many = f"{count} disturbance{'s' if count > 1 else ''}"
    yield f"{_PADDING}shrunk to {many}, {kept}; again: {event.repeated} of {REPEATED} times"
    if event.file is not None:
        yield f"{_PADDING}written: {shorten(event.file)}  (fails until it is mended)"
    elif not event.shrunk.asked:
        yield f"{_PADDING}not written: no verb can ask for what is right there"
    if accepted := accepting(differences):
        yield f"{_PADDING}if it may be so: {accepted}"


def _summary(explored: Explored, seed: int) -> Iterator[str]:
    yield ""
    alike = Counter(each.trial.signature for each in explored.tried if each.trial.verdict == "different")
    for finding in explored.findings:
        if (more := alike[finding.trial.signature] - 1) > 0:
            yield f"  {more} more that end like this one: {finding.disturbance.text}"
    unjudged = [each for each in explored.tried if each.trial.verdict == "could_not"]
    for reason, count in Counter(each.trial.reason for each in unjudged).most_common(_SHOWN):
        yield f"  {count} could not be judged: {reason}"
    verdicts = Counter(each.trial.verdict for each in explored.tried)
    sure = sum(not each.flaky for each in explored.findings)
    parts = [f"{verdicts['same']} of {len(explored.tried)} the same as undisturbed"]
    parts += [f"{verdicts['not_reached']} whose moment did not come again"] if verdicts["not_reached"] else []
    parts += [f"{len(unjudged)} not judged"] if unjudged else []
    parts += [f"{explored.left} not tried"] if explored.left else []
    parts += [f"{sure} finding{'' if sure == 1 else 's'}"]
    parts += [f"{len(explored.findings) - sure} flaky"] if sure < len(explored.findings) else []
    yield f"  {' · '.join(parts)} · {explored.seconds:.0f} s · seed {seed}"


def headline(differences: Sequence[Difference]) -> str:
    """Return the one word for what is wrong."""
    kinds = {each.what for each in differences}
    if "doubled" in kinds:
        return "DOUBLED"
    return "LOST" if "lost" in kinds else "DIFFERENT"
