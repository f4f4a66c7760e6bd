"""Who may do what: SAS tokens, the rules that sign them, and the claims that they become (S-19 to S-26)."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .access_rule import AccessRule
from .claims import Claim, TokenRefused, covers, path_of
from .sas import SasToken

if TYPE_CHECKING:
    from .entra import Entra
    from .identity import Identity, RoleAssignment
SAS_TOKEN_TYPE = "servicebus.windows.net:sastoken"  # noqa: S105 -- the name of a type

SAS_PREFIX = "SharedAccessSignature "
_INVALID = "InvalidSignature: The token has an invalid signature."


def bare(token: str) -> str:
    """Return an Entra token without the word that stands before it in a header."""
    return token[7:].strip() if token[:7].lower() == "bearer " else token


class TokenVerifier:
    """Checks tokens against the access rules of a namespace, and Entra tokens against its `identity`; the clock is that of
    the broker."""

    def __init__(
        self,
        rules: Iterable[AccessRule],
        now: Callable[[], float],
        identity: Identity | None = None,
        *,
        any_key: bool = False,
    ) -> None:
        """`any_key`: whoever signs with whatever key has the rights of the rule that is named, or all if there is none."""
        self._any_key = any_key
        self._identity = identity
        self._entra: Entra | None = None
        self._rules: dict[str, list[AccessRule]] = {}
        for rule in rules:
            self._rules.setdefault(rule.name, []).append(rule)
        self._now = now

    def assign(self, roles: tuple[RoleAssignment, ...]) -> None:
        """Let Entra tokens that are shown from now on be worth this; what was shown before stays good until it expires."""
        if self._identity is not None:
            self._identity = replace(self._identity, roles=roles)
            self._entra = None

    def set_rules(self, entity: str, rules: Iterable[AccessRule]) -> None:
        """Give an entity these rules of its own, in the place of those that it had."""
        for name, known in list(self._rules.items()):
            self._rules[name] = [rule for rule in known if (rule.entity or "").lower() != entity.lower()]
        for rule in rules:
            self._rules.setdefault(rule.name, []).append(rule)

    def rules_of(self, entity: str) -> list[AccessRule]:
        """Return the rules of an entity's own."""
        return [
            rule for known in self._rules.values() for rule in known if (rule.entity or "").lower() == entity.lower()
        ]

    def entra(self) -> Entra:
        """Return what checks Entra tokens. Raises `TokenRefused` where none are taken."""
        if self._identity is None:
            text = f"InvalidSignature: Only SAS tokens ('{SAS_TOKEN_TYPE}') are taken: the namespace has no identity."
            raise TokenRefused(401, text)
        if self._entra is None:
            from .entra import Entra  # here, with its library: for the first client that has such a token

            self._entra = Entra(self._identity, self._now)
        return self._entra

    def preparation(self, token: str) -> Coroutine[Any, Any, None] | None:
        """Return what has to be awaited before a token can be checked; None when nothing has to be."""
        return self.entra().fetch() if self.misses_key_of(token) else None

    def misses_key_of(self, token: str) -> bool:
        """True when the issuer of an Entra token has to be asked for its keys."""
        if token.startswith(SAS_PREFIX) or self._identity is None:
            return False
        return self.entra().misses_key_of(bare(token))

    def verify(self, token: str, audience: str, uri: str | None = None) -> Claim:
        """Check a SAS token, or an Entra token, for an audience; return its claim. A token for `uri`, the path of the HTTP
        request that brings it, is as good as one for the entity. Raises `TokenRefused` in Service Bus's words."""
        path = path_of(audience).lower()
        if not token.startswith(SAS_PREFIX):
            return self.entra().verify(bare(token), path.removesuffix("/$management"))
        sas = SasToken(token)
        rules = self._signers(sas)
        if sas.expires is None:
            raise TokenRefused(401, _INVALID, "the token has no expiry ('se')")
        if sas.expires <= self._now():
            when = time.strftime("%m/%d/%Y %H:%M:%S", time.gmtime(sas.expires))
            raise TokenRefused(401, f"ExpiredToken: The token is expired. Expiration time: '{when}'.")
        scope = path_of(sas.resource).lower()
        if not covers(scope, path) and (uri is None or not covers(scope, path_of(uri).lower())):
            reason = f"the token is for '{scope[:100]}', not for '{path[:100]}'"
            raise TokenRefused(
                401, "InvalidAudience: The authorization header contains a token with a wrong audience.", reason
            )
        for rule in rules:
            if covers((rule.entity or "").lower(), path):
                return Claim(path, rule.rights, float(sas.expires), rule.name)
        raise TokenRefused(
            401,
            "Put token failed. The rule that signed the token has no rights on this entity.",
            f"the rule '{rules[0].name}' is for another entity than '{path[:100]}'",
        )

    def _signers(self, sas: SasToken) -> list[AccessRule]:
        """Return the rules whose key has signed a token. Raises `TokenRefused` when there is none."""
        known = self._rules.get(sas.rule, [])
        if self._any_key:
            return known or [AccessRule(sas.rule or "anybody")]
        if not known:
            names = ", ".join(sorted(self._rules)) or "none"
            raise TokenRefused(401, _INVALID, f"there is no access rule '{sas.rule[:50]}'; there are: {names}")
        signers = [rule for rule in known if sas.signed_with(rule.key)]
        if not signers:
            raise TokenRefused(401, _INVALID, f"the key is not that of the access rule '{sas.rule}'")
        return signers

    def password(self, user: str, password: str) -> list[Claim]:
        """Check SASL PLAIN: a rule's name and key; return the claims, none when they are wrong."""
        if self._any_key:
            rules = self._rules.get(user) or [AccessRule(user or "anybody")]
            return [Claim((rule.entity or "").lower(), rule.rights, float("inf"), rule.name) for rule in rules]
        return [
            Claim((rule.entity or "").lower(), rule.rights, float("inf"), rule.name)
            for rule in self._rules.get(user, [])
            if hmac.compare_digest(rule.key.encode(), password.encode("utf-8", "replace"))
        ]
