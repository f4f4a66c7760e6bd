"""Have identities the roles that their services need?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from peeklock.preflight.entities import entities_of
from peeklock.preflight.expected import Expected
from peeklock.preflight.findings import Finding, Report
from peeklock.preflight.places import Places
from peeklock.scenario.errors import suggestion
from peeklock.scenario.roles import ROLES

_OWNER, _RECEIVER, _SENDER = ROLES["servicebus"]
_RECEIVES = (_RECEIVER, _OWNER)
_SENDS = (_SENDER, _OWNER)
_BLOBS = tuple(role for role in ROLES["blobs"] if "Data" in role)


@dataclass(frozen=True, slots=True)
class Grants:
    """Identities and their roles now, and what of the stack each service talks to without a key."""

    identities: Mapping[str, Sequence[str]]
    """By service."""
    roles: Mapping[str, Sequence[tuple[str, str]]]
    """By identity: role and what it is on, "" for all of it."""
    parts: Mapping[str, Sequence[str]]
    """By service: `servicebus`, `blobs`, `openai`, `azure_ml`."""
    where: Mapping[str, str] = field(default_factory=dict)
    """Where each identity is declared."""


def judge(places: Places, expected: Expected, grants: Grants) -> Report:
    """Judge each service that has an identity."""
    findings: list[Finding] = []
    checked: list[str] = []
    for service, identities in grants.identities.items():
        has = [role for identity in identities for role in grants.roles.get(identity, ())]
        checked.append(f"the roles of {service}")
        if "servicebus" in grants.parts.get(service, ()):
            findings += _missing_entities(service, places, expected)
            findings += _lacks(service, identities, has, grants, _servicebus(service, has, places, expected))
        for part, roles, suggested in (
            ("blobs", _BLOBS, "Storage Blob Data Contributor"),
            ("openai", ROLES["openai"], "Cognitive Services OpenAI User"),
            ("azure_ml", ROLES["azure_ml"], ROLES["azure_ml"][0]),
        ):
            if part in grants.parts.get(service, ()) and not any(role in roles for role, _ in has):
                findings += _lacks(service, identities, has, grants, [(suggested, "")])
    return Report(tuple(findings), tuple(checked))


def _servicebus(
    service: str, has: Sequence[tuple[str, str]], places: Places, expected: Expected
) -> Iterator[tuple[str, str]]:
    """Yield each role that is missing, and on what."""
    consumed = [entity for entity, services in expected.consumers.items() if service in services]
    for entity in consumed:
        if not _has(has, _RECEIVES, entity):
            yield _RECEIVER, entity
    named = [name for name in entities_of(places, service) if name not in consumed and name in expected.entities]
    for entity in named:
        if not _has(has, (*_SENDS, _RECEIVER), entity):
            yield _SENDER, entity
    if not consumed and not named and not any(role in ROLES["servicebus"] for role, _ in has):
        others = [entity for entity in expected.entities if "/" not in entity]
        yield _SENDER, others[0] if len(others) == 1 else ""


def _has(has: Sequence[tuple[str, str]], roles: Sequence[str], entity: str) -> bool:
    whole = ("", entity.lower(), entity.lower().partition("/")[0])
    return any(role in roles and on.lower() in whole for role, on in has)


def _lacks(
    service: str,
    identities: Sequence[str],
    has: Sequence[tuple[str, str]],
    grants: Grants,
    missing: Sequence[tuple[str, str]] | Iterator[tuple[str, str]],
) -> Iterator[Finding]:
    identity = identities[0]
    for role, on in missing:
        grant = f"{{role: {role}, on: {on}}}" if on else role
        yield Finding(
            "role-missing",
            f"the identity {identity} of {service} lacks {role}{f' on {on}' if on else ''}",
            grants.where.get(identity, ""),
            expected=f"{role}{f' on {on}' if on else ''}",
            actual=", ".join(f"{each}{f' on {scope}' if scope else ''}" for each, scope in has) or "no role",
            fix=f"grant it: add {grant} to stack.identities.{identity}",
        )


def _missing_entities(service: str, places: Places, expected: Expected) -> Iterator[Finding]:
    for name, (kind, variable) in entities_of(places, service).items():
        if name not in expected.entities:
            yield Finding(
                f"{kind}-missing",
                f'there is no {kind} "{name}", which {service} is told to use',
                variable.setting.where,
                expected="one of " + ", ".join(expected.entities),
                actual="none",
                fix=suggestion(name, expected.entities) or f"declare it, or correct {variable.setting.variable}",
            )
