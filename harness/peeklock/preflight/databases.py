"""Do services reach their databases, and the same one?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from peeklock.preflight import sameness
from peeklock.preflight.facts import FoundDatabase, Unreached
from peeklock.preflight.findings import Finding, Report, merged
from peeklock.preflight.places import Database
from peeklock.preflight.sameness import Reached


def judge(
    databases: Sequence[Database],
    found: Mapping[str, FoundDatabase | Unreached],
    seen: Iterable[Reached] = (),
) -> Report:
    """Judge what variables name (`found` by their `dsn`), and open connections (`seen`), which must lead where variables do."""
    findings: list[Finding] = []
    reached: list[Reached] = []
    for each in databases:
        there = found[each.dsn]
        if isinstance(there, Unreached):
            findings.append(
                Finding(
                    "database-unreachable",
                    f"the database of {each.setting.service} cannot be reached: {there.why}",
                    each.setting.where,
                    expected="a database that lets the service in",
                    actual=f"{each.address}: {there.why}",
                    fix=f"correct {each.setting.variable}, or let the server accept it",
                )
            )
        else:
            reached.append(
                Reached(each.setting.service, each.setting.variable, each.setting.where, there.identity, each.address)
            )
    connections = list(seen)
    findings += [found for each in connections for found in _elsewhere(each, reached)]
    checked = tuple(f"{each.service} is connected to the database that it is told" for each in connections)
    return merged(
        [
            Report(checked=checked),
            Report(tuple(findings), tuple(f"{each.service} reaches {each.shown}" for each in reached)),
            sameness.judge("database", "databases", reached),
        ]
    )


def _elsewhere(connection: Reached, told: Sequence[Reached]) -> Iterator[Finding]:
    own = [each for each in told if each.service == connection.service]
    if own and connection.identity not in {each.identity for each in own}:
        yield Finding(
            "different-databases",
            f"{connection.service} is connected to another database than the one that it is told",
            ", ".join(dict.fromkeys([connection.where, *(each.where for each in own)])),
            expected=" or ".join(f"{each.shown} ({each.by})" for each in own),
            actual=f"{connection.shown} ({connection.by})",
            fix=f"look where {connection.service} takes its address from: not from {own[0].by}",
        )
