"""One redaction for the whole product: no secret, no signature and no token reaches a log, an error text or a file.

Depends on the standard library alone, so that the supervisor (which starts without site-packages) can use it too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from peeklock.errors import PeeklockError

MASK = "***"
MIN_SECRET = 4
"""Shorter secrets are left alone: masking `a` everywhere would hide the log and protect nothing."""

_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # A token first: its text contains `sig=` and `sr=`, and the whole of it must go.
    (re.compile(r"SharedAccessSignature\s+[^\s\"',;]+", re.IGNORECASE), f"SharedAccessSignature {MASK}"),
    (re.compile(r"(SharedAccess(?:Signature|Key)|AccountKey)(\s*=\s*)[^;\s\"',}\\]+", re.IGNORECASE), rf"\1\2{MASK}"),
    (
        re.compile(r"(?:(?<![A-Za-z0-9_])|(?<=%[0-9A-Fa-f]{2}))(sig)(=|%3[Dd])[^&\s\"',;}\\<>]+", re.IGNORECASE),
        rf"\1\2{MASK}",
    ),
    (re.compile(r"\b(Bearer)\s+[A-Za-z0-9._~+/=-]+", re.IGNORECASE), rf"\1 {MASK}"),
    (re.compile(r"\b(SharedKey(?:Lite)?\s+[A-Za-z0-9-]+):[A-Za-z0-9+/=]+"), rf"\1:{MASK}"),
    # user:password@host; `[^\s/@]` keeps a URL without a password, and a later @ in its path, as they are.
    (re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://[^\s:/@\"']*):[^\s/@\"']+@"), rf"\1:{MASK}@"),
)
# Every pattern needs one of these; most log lines have none, and one search is cheaper than six.
_SUSPECT = re.compile(r"shared|accountkey|sig|bearer|://", re.IGNORECASE)


class Redactor:
    """Replaces known secrets, and whatever has the shape of one, by `***`."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        # Longest first: a key that contains another one must not leave its tail behind.
        known = sorted({s for s in secrets if len(s) >= MIN_SECRET}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, text: str) -> str:
        """Return `text` without secrets. Idempotent."""
        if self._known is not None:
            text = self._known.sub(MASK, text)
        if _SUSPECT.search(text):
            for pattern, replacement in _PATTERNS:
                text = pattern.sub(replacement, text)
        return text


_shapes = Redactor()


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return `text` with every one of `secrets`, and everything that looks like a key, signature, token or password, masked.

    >>> redact("GET http://127.0.0.1/a/b?sp=r&sig=abc%2F123&se=2026")
    'GET http://127.0.0.1/a/b?sp=r&sig=***&se=2026'
    """
    known = tuple(secrets)
    return (Redactor(known) if known else _shapes)(text)


class RedactedError(PeeklockError):
    """A `PeeklockError` each of whose texts is redacted before it is kept."""

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
        secrets: Iterable[str] = (),
    ) -> None:
        """`secrets`: what must not stand in any of the texts, beside what looks like a secret."""
        clean = Redactor(secrets)
        super().__init__(
            clean(problem),
            where=clean(where),
            expected=clean(expected),
            actual=clean(actual),
            checked=[clean(line) for line in checked],
            fix=clean(fix),
            log=[clean(line) for line in log],
        )
