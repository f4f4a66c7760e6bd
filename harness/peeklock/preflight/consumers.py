"""Does somebody listen at every queue, and nobody else?"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from peeklock.preflight.expected import Expected
from peeklock.preflight.findings import Finding, Report


def judge(expected: Expected, listening: Mapping[str, Collection[str]], running: Collection[str]) -> Report:
    """Judge who has asked for messages (`listening`, by entity) by the `consumers` of the file; services that do not run, as
    those scaled to none, are not missed."""
    findings, checked = [], []
    for entity, services in expected.consumers.items():
        checked.append(f"who receives from {entity}")
        there = listening.get(entity, frozenset())
        elsewhere = [name for name in listening if name != entity]
        for service in services:
            if service in running and service not in there:
                others = ", ".join(name for name in elsewhere if service in listening[name])
                findings.append(
                    Finding(
                        "consumer-missing",
                        f"{service} runs, and does not receive from {entity}",
                        expected.entities.get(entity, ""),
                        expected=f"{service} receives from {entity}",
                        actual=f"it receives from {others}" if others else "it receives from no queue",
                        fix=f"check which queue {service} is told to use, or correct `consumers`",
                    )
                )
    return Report(tuple(findings), tuple(checked))
