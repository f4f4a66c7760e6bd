"""Do services read the same contract?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from peeklock.preflight.findings import Finding, Report


@dataclass(frozen=True, slots=True)
class Copy:
    """One copy of a contract file, as somebody reads it."""

    contract: str
    """What it is a copy of: the same for all copies."""
    reader: str
    """A service, or `the file`."""
    where: str
    content: str
    """The same for documents that say the same."""


def judge(copies: Iterable[Copy]) -> Report:
    """Judge copies: all of one contract must say the same, however they are laid out."""
    every = list(dict.fromkeys(copies))
    findings, checked = [], []
    for contract in dict.fromkeys(each.contract for each in every):
        own = [each for each in every if each.contract == contract]
        if len({each.where for each in own}) < 2:
            continue
        checked.append(f"{contract} is the same for {', '.join(dict.fromkeys(each.reader for each in own))}")
        if len({each.content for each in own}) > 1:
            findings.append(
                Finding(
                    "different-contracts",
                    f"{contract} is not the same for {', '.join(dict.fromkeys(each.reader for each in own))}",
                    ", ".join(dict.fromkeys(each.where for each in own)),
                    expected="copies that say the same",
                    actual=_versions(own),
                    fix="let all read one file, or bring the copies up to date",
                )
            )
    return Report(tuple(findings), tuple(checked))


def _versions(copies: list[Copy]) -> str:
    versions: dict[str, list[str]] = {}
    for each in copies:
        versions.setdefault(each.content, []).append(each.where)
    return " is not ".join(" and ".join(dict.fromkeys(places)) for places in versions.values())
