"""Shared access rules: names, keys and rights."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_RULE = "RootManageSharedAccessKey"
DEFAULT_KEY = "SAS_KEY_VALUE"
RIGHTS = ("Manage", "Send", "Listen")


@dataclass(frozen=True, slots=True)
class AccessRule:
    """A shared access rule: `rights` out of Manage, Send, Listen; `entity` None gives them on the whole namespace."""

    name: str = DEFAULT_RULE
    key: str = DEFAULT_KEY
    rights: tuple[str, ...] = RIGHTS
    entity: str | None = None

    def __repr__(self) -> str:
        return f"AccessRule(name={self.name!r}, rights={self.rights!r}, entity={self.entity!r})"
