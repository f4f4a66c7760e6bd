"""Do the clocks of what services talk to agree? Tokens and signatures begin and end by them."""

from __future__ import annotations

from collections.abc import Iterable

from peeklock.preflight.facts import Clock
from peeklock.preflight.findings import Finding, Report

TOLERATED = 5.0
"""Seconds: a signature that begins now is refused by whoever is behind."""


def judge(clocks: Iterable[tuple[str, str, Clock]], offset: float = 0.0) -> Report:
    """Judge clocks: what each is of, where that is written, and what it showed. `offset`: theirs are meant to be ahead of ours."""
    findings, checked = [], []
    for of, where, clock in clocks:
        checked.append(f"the clock of {of}")
        ahead = clock.shown - clock.here - offset
        if abs(ahead) > TOLERATED + clock.accuracy:
            way = "ahead" if ahead > 0 else "behind"
            findings.append(
                Finding(
                    "clock-skew",
                    f"the clock of {of} is {abs(ahead):.0f} s {way}",
                    where,
                    expected=f"the time of this machine, to {TOLERATED:g} s",
                    actual=f"{abs(ahead):.1f} s {way}",
                    fix="let both follow a time server: SAS and tokens are refused before they begin and after they end",
                )
            )
    return Report(tuple(findings), tuple(checked))
