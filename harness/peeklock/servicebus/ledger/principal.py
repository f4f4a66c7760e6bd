"""By whose token somebody sends or receives, as entries tell of it."""

from __future__ import annotations

import re
from typing import NamedTuple, Self

_WITH_ROLE = re.compile(r"(?P<name>.+?)(?: as (?P<identity>.+))? \((?P<role>Azure Service Bus Data \w+)\)")


class Principal(NamedTuple):
    """An access rule, or a service with the identity and the role by which it acts; these are empty for a rule."""

    name: str
    identity: str = ""
    role: str = ""

    @classmethod
    def read(cls, text: str) -> Self:
        """Read a `sender`, or a `consumer` up to its `@`: `rule`, `identity (ROLE)` or `service as identity (ROLE)`."""
        text = text.partition("@")[0]
        found = _WITH_ROLE.fullmatch(text)
        return cls(text) if found is None else cls(found["name"], found["identity"] or found["name"], found["role"])
