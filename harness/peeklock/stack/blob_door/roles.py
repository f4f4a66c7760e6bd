"""Azure's built-in roles for blobs, and who has them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from peeklock.errors import PeeklockError
from peeklock.stack.blob_door.operations import BLOBS, CONTAINERS, DELEGATE, Need

_READER = (f"{CONTAINERS}/read", DELEGATE, f"{BLOBS}/read")
_CONTRIBUTOR = (
    *_READER, f"{CONTAINERS}/delete", f"{CONTAINERS}/write",
    f"{BLOBS}/delete", f"{BLOBS}/write", f"{BLOBS}/move/action", f"{BLOBS}/add/action",
)  # fmt: skip
ROLES = {
    "Storage Blob Data Reader": _READER,
    "Storage Blob Data Contributor": _CONTRIBUTOR,
    "Storage Blob Data Owner": (f"{CONTAINERS}/*", DELEGATE),
    "Storage Blob Delegator": (DELEGATE,),
}
"""What each allows, below `Microsoft.Storage/storageAccounts/blobServices`."""


@dataclass(frozen=True, slots=True)
class BlobRole:
    """A role on a container; "" is the whole account."""

    role: str
    container: str = ""

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise PeeklockError(
                f"{self.role!r} is no role on blobs",
                expected=f"one of: {', '.join(ROLES)}",
                fix="write one of Azure's built-in roles in full",
            )

    def allows(self, need: Need, container: str) -> bool:
        """Tell whether it gives what is needed on a container ("" for the account)."""
        if self.container and self.container != container:
            return False
        return any(_covers(allowed, action) for allowed in ROLES[self.role] for action in need.actions)


def allowed(roles: Iterable[BlobRole], needs: Iterable[Need], container: str) -> bool:
    """Tell whether roles give everything that is needed."""
    own = list(roles)
    return all(any(role.allows(need, container) for role in own) for need in needs)


def role_for(roles: Iterable[BlobRole], needs: Sequence[Need], container: str) -> str:
    """Return the first role that gives everything that is needed; "" where it takes several, or none does."""
    return next((role.role for role in roles if allowed([role], needs, container)), "")


def least_role(needs: Sequence[Need]) -> str:
    """Return the least of Azure's roles that would give what is needed; "" for none."""
    return role_for(map(BlobRole, ROLES), needs, "")


def _covers(allowed_action: str, action: str) -> bool:
    return allowed_action == action or (allowed_action.endswith("/*") and action.startswith(allowed_action[:-1]))
