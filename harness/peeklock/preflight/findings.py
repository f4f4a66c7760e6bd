"""What a pre-flight check tells: faults by name, what was judged, and what could not be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace

from peeklock.redaction import Redactor


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault."""

    name: str
    """A short name that stays the same: `different-databases`."""
    what: str
    where: str = ""
    """File and line, service and variable."""
    expected: str = ""
    actual: str = ""
    fix: str = ""

    def text(self) -> str:
        """Return it for people, one fact a line."""
        facts = (
            ("where", self.where),
            ("expected", self.expected),
            ("actual", self.actual),
            ("how to fix", self.fix),
        )
        return "\n".join([f"{self.name}: {self.what}", *(f"  {label}: {text}" for label, text in facts if text)])

    def as_json(self) -> dict[str, str]:
        """Return every fact by its name."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Unchecked:
    """Something that could not be judged, and why."""

    what: str
    because: str

    def text(self) -> str:
        """Return it as a line for people."""
        return f"not checked: {self.what}, because {self.because}"


@dataclass(frozen=True, slots=True)
class Report:
    """What one check, or all of them, have found."""

    findings: tuple[Finding, ...] = ()
    checked: tuple[str, ...] = ()
    """What was judged, in a few words each."""
    unchecked: tuple[Unchecked, ...] = ()

    def redacted(self, redact: Redactor) -> Report:
        """Return it with no secret in any of its texts."""
        return Report(
            tuple(Finding(**{key: redact(text) for key, text in each.as_json().items()}) for each in self.findings),
            tuple(map(redact, self.checked)),
            tuple(replace(each, what=redact(each.what), because=redact(each.because)) for each in self.unchecked),
        )

    def text(self) -> str:
        """Return faults and what was not checked, for people."""
        return "\n\n".join([*(each.text() for each in self.findings), *self._unchecked_text()])

    def _unchecked_text(self) -> list[str]:
        return ["\n".join(each.text() for each in self.unchecked)] if self.unchecked else []


def merged(reports: Iterable[Report]) -> Report:
    """Return several reports as one, each thing said once."""
    every = list(reports)
    return Report(
        tuple(dict.fromkeys(each for report in every for each in report.findings)),
        tuple(dict.fromkeys(each for report in every for each in report.checked)),
        tuple(dict.fromkeys(each for report in every for each in report.unchecked)),
    )
