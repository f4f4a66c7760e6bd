"""What tokens allow: claims, and how long they hold (S-23, S-24)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType

from peeklock.errors import PeeklockError


class TokenRefused(PeeklockError):
    """A put-token that fails: the status code and description of its reply (S-22). `reason` tells the owner of the emulator
    more than its clients are told; there are no secrets in it."""

    def __init__(self, status: int, description: str, reason: str = "") -> None:
        super().__init__(description)
        self.status = status
        self.description = description
        self.reason = reason or description


def path_of(address: str) -> str:
    """Return the entity path of an address, which may be a URI with whatever host the client believes in."""
    if "://" in address:
        address = address.split("://", 1)[1]
        address = address.partition("/")[2]
    path = address.partition("?")[0]
    if "%" in path or "+" in path:
        from urllib.parse import unquote_plus

        path = unquote_plus(path)
    return path.strip("/")


def covers(scope: str, path: str) -> bool:
    """True when `scope` (lower case, "" for the namespace) is `path` or one of its parents."""
    return not scope or path == scope or path.startswith(scope + "/")


class Claim:
    """What one token allows: `rights` on everything below `scope`, until `expires` (epoch seconds). `principal` is the access rule
    that has signed it, or whose Entra token it is; `roles`: the role that gives it each right, where roles do."""

    __slots__ = ("expires", "principal", "rights", "roles", "scope")

    def __init__(
        self,
        scope: str,
        rights: Iterable[str],
        expires: float,
        principal: str,
        roles: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.principal = principal
        self.roles = roles
        self.scope = scope
        granted = set(rights)
        if "Manage" in granted:
            granted |= {"Send", "Listen"}
        self.rights = frozenset(granted)
        self.expires = expires

    def named(self, right: str) -> str:
        """Return the principal as the ledger tells of it: with the role by which it uses a right, as in `api (ROLE)`."""
        role = self.roles.get(right)
        return self.principal if role is None else f"{self.principal} ({role})"


class Claims:
    """The claims that one connection has shown tokens for. `now` tells epoch seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._claims: list[Claim] = []

    def __bool__(self) -> bool:
        return bool(self._claims)

    def __iter__(self) -> Iterator[Claim]:
        return iter(self._claims)

    def principal(self, path: str, right: str) -> str | None:
        """Return by whose token there is `right` on the entity at `path`, as `Claim.named`; None where there is none."""
        now = self._now()
        lowered = path.lower()
        for claim in self._claims:
            if right in claim.rights and claim.expires > now and covers(claim.scope, lowered):
                return claim.named(right)
        return None

    def shown_for(self, path: str) -> str:
        """Return whose token was shown for the entity at `path`, whatever it is worth; "" for nobody's."""
        lowered = path.lower()
        return next((claim.principal for claim in self._claims if covers(claim.scope, lowered)), "")

    def allows(self, path: str, right: str) -> bool:
        """True when a token that still holds gives `right` on the entity at `path`."""
        return self.principal(path, right) is not None

    def authorized_until(self, path: str, right: str) -> float:
        """Return when the last token that gives `right` on the entity at `path` expires (epoch seconds; 0.0: there is none)."""
        lowered = path.lower()
        return max((c.expires for c in self._claims if right in c.rights and covers(c.scope, lowered)), default=0.0)

    def add(self, claim: Claim) -> bool:
        """Keep a claim in place of an earlier one for the same scope; return whether there was one."""
        others = [other for other in self._claims if other.scope != claim.scope]
        renewed = len(others) < len(self._claims)
        self._claims = [*others, claim]
        return renewed

    def drop_expired(self) -> bool:
        """Forget claims that have expired; return whether there were any."""
        now = self._now()
        kept = [claim for claim in self._claims if claim.expires > now]
        dropped = len(kept) < len(self._claims)
        self._claims = kept
        return dropped
