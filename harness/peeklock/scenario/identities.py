"""Managed identities of a scenario: which service has which, and whether their roles can be given."""

from __future__ import annotations

from collections.abc import Mapping

from peeklock.scenario.document import DataPath, Document
from peeklock.scenario.errors import Problem, suggestion
from peeklock.scenario.roles import ADMINISTRATIVE, ROLES, part_of
from peeklock.scenario.services import Service, ServiceIdentity
from peeklock.scenario.topology import Assignment, Stack

_PARTS = {"servicebus": "Service Bus", "blobs": "Blob Storage", "openai": "Azure OpenAI", "azure_ml": "Azure ML"}
_ADDED = {"azure_ml": "say kind: azure_ml at a stand-in of stack.http"}
_HOSTS = {"servicebus": "servicebus.windows.net", "blobs": "blob.core.windows.net"}


def identity_of(name: str, service: Service, stack: Stack) -> ServiceIdentity | None:
    """Return the identities that a service has: those it says, else the one of its own name."""
    if service.identity is not None:
        return service.identity
    return ServiceIdentity(of=[name]) if name in stack.identities else None


def scopes(stack: Stack, part: str) -> list[str]:
    """Return what a role on a part of a stack may be `on`."""
    if part == "servicebus" and stack.servicebus is not None:
        return [*stack.servicebus.topics, *stack.servicebus.receivable()]
    return list(stack.blobs.containers) if part == "blobs" and stack.blobs is not None else []


def assignment_complaint(assignment: Assignment, stack: Stack) -> tuple[str, str, str, str] | None:
    """Return what is wrong with a role: the key, what, what was expected, and a fix; None for nothing."""
    role, part = assignment.role, part_of(assignment.role)
    if part is None:
        if role in ADMINISTRATIVE:
            text = f'"{role}" gives no access to data: it allows to manage the resource'
        else:
            text = f'"{role}" is none of the roles that give access to data'
        every = [name for roles in ROLES.values() for name in roles]
        return "role", text, "one of " + ", ".join(every), suggestion(role, every)
    found = getattr(stack, part)
    if found is None:
        return "role", f'"{role}" is a role on {_PARTS[part]}, which the stack has not', "", f"add stack.{part}"
    if part in _HOSTS and found.name is None:
        text = f"{_PARTS[part]} takes tokens under its production name only, and it has none"
        return "role", text, "", f"add stack.{part}.name, as in production: NAME.{_HOSTS[part]}"
    if assignment.on is None:
        return None
    known = scopes(stack, part)
    if part in ("openai", "azure_ml"):
        return "on", f"a role on {_PARTS[part]} holds for all of its deployments", "", "leave `on` out"
    if assignment.on.lower() in {name.lower() for name in known}:
        return None
    kind = "queue, topic or subscription" if part == "servicebus" else "container"
    expected = "one of " + ", ".join(known) if known else f"the file declares no {kind}"
    fix = suggestion(assignment.on, known) or f"declare it in stack.{part}"
    return "on", f'there is no {kind} "{assignment.on}"', expected, fix


def identity_problems(stack: Stack, services: Mapping[str, Service], document: Document) -> list[Problem]:
    """Return what is wrong with the identities of a file."""
    problems: list[Problem] = []
    used: set[str] = set()
    for name, service in services.items():
        used |= (
            {rule.identity for rule in service.scale.queues if rule.identity} if service.scale is not None else set()
        )
        has = identity_of(name, service, stack)
        for each in has.of if has is not None else ():
            used.add(each)
            if each not in stack.identities:
                expected = "one of " + ", ".join(stack.identities) if stack.identities else "the file declares none"
                fix = suggestion(each, stack.identities) or f"add it to stack.identities: {{{each}: [ROLE, …]}}"
                text = f'service "{name}" has an identity "{each}" that is not declared'
                problems.append(document.problem(("services", name, "identity"), text, expected=expected, fix=fix))
    for name, assignments in stack.identities.items():
        path: DataPath = ("stack", "identities", name)
        if name not in used:
            fix = suggestion(name, services) or f"say `identity: {name}` at a service"
            text = f'no service has the identity "{name}"'
            expected = "a service of its name, or one that says so"
            problems.append(document.problem(path, text, expected=expected, fix=fix, at_key=True))
        for index, assignment in enumerate(assignments):
            wrong = assignment_complaint(assignment, stack)
            if wrong is not None:
                key, text, expected, fix = wrong
                written = document.data["stack"]["identities"][name][index]
                at = (*path, index, key) if isinstance(written, dict) else (*path, index)
                problems.append(document.problem(at, text, expected=expected, fix=fix))
    return problems
