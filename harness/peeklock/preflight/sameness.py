"""Do services that work together reach the same database, namespace, account and queues?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from peeklock.preflight.findings import Finding, Report
from peeklock.preflight.places import words

_GENERIC = frozenset(
    [
        "AZURE",
        "SERVICE",
        "BUS",
        "SERVICEBUS",
        "SB",
        "QUEUE",
        "TOPIC",
        "SUBSCRIPTION",
        "CONTAINER",
        "NAME",
        "STORAGE",
        "BLOB",
        "INPUT",
        "OUTPUT",
        "IN",
        "OUT",
        "SOURCE",
        "TARGET",
    ]
)
"""Words of variables that say nothing of what a name is for: every service has its own `QUEUE_NAME`."""


@dataclass(frozen=True, slots=True)
class Reached:
    """What one service reaches, by one of its variables or by its own connection."""

    service: str
    by: str
    """The variable; or how it is known."""
    where: str
    identity: object
    """The same for the same thing."""
    shown: str
    """For people."""


def judge(kind: str, plural: str, reached: Sequence[Reached], *, common: bool = True, specific: bool = False) -> Report:
    """Return `different-<plural>` where services reach different ones.

    `common`: any two services need one in common, if only through others. `specific`: a variable that several services
    have counts only when its name says what it is for.
    """
    services = list(dict.fromkeys(each.service for each in reached))
    if len(services) < 2:
        return Report()
    checked = (f"{_all(services)} reach the same {kind if len({r.identity for r in reached}) == 1 else plural}",)
    groups = _groups(reached) if common else [set(services)]
    if len(groups) > 1:
        return Report((_finding(kind, plural, reached, services),), checked)
    found = []
    for variable in dict.fromkeys(each.by for each in reached):
        same = [each for each in reached if each.by == variable]
        if len({each.identity for each in same}) > 1 and len({each.service for each in same}) > 1:
            if specific and not set(words(variable)) - _GENERIC:
                continue
            found.append(_finding(kind, plural, same, list(dict.fromkeys(each.service for each in same))))
    return Report(tuple(found), checked)


def _finding(kind: str, plural: str, reached: Sequence[Reached], services: Sequence[str]) -> Finding:
    return Finding(
        f"different-{plural}",
        f"{_all(services)} reach different {plural}",
        ", ".join(dict.fromkeys(each.where for each in reached if each.where)),
        expected=f"one {kind} that they share",
        actual="; ".join(dict.fromkeys(f"{each.service} reaches {each.shown} ({each.by})" for each in reached)),
        fix=f"let their variables name the same {kind}, or leave out a service that has one of its own",
    )


def _groups(reached: Iterable[Reached]) -> list[set[str]]:
    """Return services in groups that reach something in common, directly or through others."""
    groups: list[tuple[set[str], set[object]]] = []
    for each in reached:
        touching = [group for group in groups if each.service in group[0] or each.identity in group[1]]
        joined: tuple[set[str], set[object]] = ({each.service}, {each.identity})
        for group in touching:
            joined[0].update(group[0])
            joined[1].update(group[1])
            groups.remove(group)
        groups.append(joined)
    return [services for services, _ in groups]


def _all(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
