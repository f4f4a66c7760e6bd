"""Do services reach their databases, and the same one?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

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
    """Judge what variables name (`found` by their `dsn`) together with what is known of open connections (`seen`)."""
    findings, reached = [], list(seen)
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
    return merged(
        [
            Report(tuple(findings), tuple(f"{each.service} reaches {each.shown}" for each in reached)),
            sameness.judge("database", "databases", reached),
        ]
    )
