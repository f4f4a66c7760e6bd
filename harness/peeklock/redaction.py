"""One redaction for the whole product: no secret, no signature and no token reaches a log, an error text or a file.

Depends on the standard library alone, so that the supervisor (which starts without site-packages) can use it too.
"""

from __future__ import annotations

import json
import re
import string
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
    (re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*"), MASK),  # a JSON Web Token
    (re.compile(r"\b(SharedKey(?:Lite)?\s+[A-Za-z0-9-]+):[A-Za-z0-9+/=]+"), rf"\1:{MASK}"),
    # user:password@host; `[^\s/@]` keeps a URL without a password, and a later @ in its path, as they are. Begins with what is
    # rare: from the scheme on, a long word would be read again from each of its letters.
    (re.compile(r"(://[^\s:/@\"']*):[^\s/@\"']+@"), rf"\1:{MASK}@"),
)
# Every pattern needs one of these; most log lines have none, and one search is cheaper than six.
_SUSPECT = re.compile(r"shared|accountkey|sig|bearer|eyj|://", re.IGNORECASE)

_UNRESERVED = frozenset(string.ascii_letters + string.digits + "-._~")


class Redactor:
    """Replaces known secrets, and whatever has the shape of one, by `***`. Takes time in proportion to the text."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        # Longest first: a key that contains another one must not leave its tail behind.
        self._known = sorted({form for secret in secrets for form in _forms(secret)}, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """Return `text` without secrets. Idempotent."""
        for secret in self._known:
            if secret in text:
                text = text.replace(secret, MASK)
        if _SUSPECT.search(text):
            for pattern, replacement in _PATTERNS:
                text = pattern.sub(replacement, text)
        return text


def _forms(secret: str) -> set[str]:
    """What a secret looks like in plain text and where JSON, Python, URLs or forms have escaped it; each of its lines by itself."""
    lines = {line.strip() for line in secret.splitlines()} if "\n" in secret else {secret}
    plain = {secret, *lines}
    forms = set(plain)
    for text in plain:
        for ascii_only in (True, False):
            once = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
            forms |= {once, once.replace("/", "\\/"), json.dumps(once, ensure_ascii=ascii_only)[1:-1]}
        forms.add(repr(text)[1:-1])
        encoded = "".join(
            c if c in _UNRESERVED else "".join(f"%{b:02X}" for b in c.encode(errors="replace")) for c in text
        )
        lower = re.sub("%..", lambda found: found[0].lower(), encoded)
        forms |= {encoded, lower, encoded.replace("%2F", "/"), encoded.replace("%20", "+"), encoded.replace("%", "%25")}
    return {form for form in forms if len(form) >= MIN_SECRET}


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
