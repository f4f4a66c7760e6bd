"""The root of everything that Peeklock raises on purpose."""

from __future__ import annotations

from collections.abc import Sequence


class PeeklockError(Exception):
    """Something that cannot be done: what the problem is, where, what was expected and found, and how to fix it.

    Catch it at a boundary (a step, a request, a command) and say it in that boundary's own form. `str()` is the whole
    text for people, one fact a line; `problem` is its first sentence alone. Whoever raises it keeps secrets out of it.
    """

    def __init__(
        self,
        problem: str,
        *,
        where: str = "",
        expected: str = "",
        actual: str = "",
        checked: Sequence[str] = (),
        fix: str = "",
        log: Sequence[str] = (),
    ) -> None:
        """`where` is a file, address or place in a file; `checked` lists what was looked at; `log` holds the last lines
        of whatever failed."""
        super().__init__(problem)
        self.problem = problem
        self.where = where
        self.expected = expected
        self.actual = actual
        self.checked = tuple(checked)
        self.fix = fix
        self.log = tuple(log)

    def __str__(self) -> str:
        facts = (("where", self.where), ("expected", self.expected), ("actual", self.actual))
        lines = [self.problem, *(f"  {label}: {text}" for label, text in facts if text)]
        if self.checked:
            lines += ["  checked:", *(f"    - {line}" for line in self.checked)]
        if self.fix:
            lines.append(f"  how to fix: {self.fix}")
        if self.log:
            lines += ["  last log lines:", *(f"    | {line}" for line in self.log)]
        return "\n".join(lines)
