"""What a transaction changes, as a scenario says it: `INSERT orders`, a list of such, or `true` for anything."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator

from peeklock.scenario.values import is_template

_ROWS = re.compile(
    r"(INSERT|MERGE)(?:\s+INTO)?\s+|(DELETE)(?:\s+FROM)?\s+|(UPDATE|COPY|TRUNCATE|CALL|NOTIFY|REFRESH)\s+",
    re.IGNORECASE,
)
_SCHEMA = re.compile(r"(?:CREATE|ALTER|DROP)\s+[A-Z]+(?:\s+[A-Z]+)?\s+", re.IGNORECASE)
_BARE = frozenset({"DO", "GRANT", "REVOKE", "COMMIT PREPARED"})
_NAME = re.compile(r'[^\s"+;]+')


def _change(text: Any) -> str:
    if is_template(text):
        return str(text)
    if isinstance(text, str):
        told = " ".join(text.split())
        if told.upper() in _BARE:
            return told.upper()
        found = _ROWS.match(told) or _SCHEMA.match(told)
        if found is not None and _NAME.fullmatch(told[found.end() :]):
            verb = next(filter(None, found.groups()), "") or found[0].strip()
            return f"{verb.upper()} {told[found.end() :].removeprefix('public.')}"
    raise ValueError(f"not a change: {text!r}; write a verb and a table, as report.html shows it: INSERT orders")


def _changes(value: Any) -> Any:
    if value is True:
        return ()
    if isinstance(value, list | tuple):
        return tuple(_change(each) for each in value)
    return (_change(value),)


Changes = Annotated[
    tuple[str, ...],
    BeforeValidator(_changes, json_schema_input_type=bool | str | list[str]),
]
"""Verbs with tables, all of which a transaction has to have; none: any transaction that changes something."""
