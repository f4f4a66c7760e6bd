"""What was measured, against its bar."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One line of the table. Without a `bar` it is told and not judged."""

    what: str
    value: float
    unit: str
    """`s`, `ms`, `KB` or `x` (a ratio within this run)."""
    bar: float | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        if self.bar is None:
            return ""
        return "met" if self.value <= self.bar else "NOT MET"

    @property
    def measured(self) -> str:
        return f"{self.value:.0f} ms" if self.unit == "ms" else f"{self.value:.2f} {self.unit}"

    @property
    def limit(self) -> str:
        if self.bar is None:
            return ""
        return f"<= {self.bar:g} {self.unit}"


@dataclass(frozen=True)
class Missing:
    """Something that could not be measured, and why."""

    what: str
    why: str


def render(rows: Sequence[Row | Missing]) -> Iterator[str]:
    """Yield the lines of the table."""
    widest = max(len(row.what) for row in rows)
    yield f"{'':{widest}}  {'measured':>10}  {'bar':>10}  {'':7}"
    for row in rows:
        if isinstance(row, Missing):
            yield f"{row.what:{widest}}  {'-':>10}  {'':>10}  {'':7}  could not be measured: {row.why.splitlines()[0]}"
        else:
            yield f"{row.what:{widest}}  {row.measured:>10}  {row.limit:>10}  {row.verdict:7}  {row.note}".rstrip()
