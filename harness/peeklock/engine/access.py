"""What identities of a case were refused, and which role they lack."""

from __future__ import annotations

from collections.abc import Iterator

from peeklock.engine.context import CaseContext
from peeklock.scenario.model import Scenario
from peeklock.servicebus.ledger import EventKind, Principal

_NEEDED = {
    "Send": "Azure Service Bus Data Sender",
    "Listen": "Azure Service Bus Data Receiver",
    "Manage": "Azure Service Bus Data Owner",
}


def refused_access(context: CaseContext) -> str:
    """Return in a sentence what was refused first for want of an identity or a role, and the remedy; empty for nothing."""
    identities, scenario = context.environment.identities, context.scenario
    if identities is None:
        return ""
    for refusal in identities.refusals():
        service = refusal.service.partition(".")[0]
        if service in scenario.header.services:
            return (
                f"{refusal.service} asked for a token, and has no such identity ({refusal.reason}): "
                f"say `identity:` at the service, {scenario.place(('services', service))}"
            )
    declared = scenario.header.stack.identities
    return next((_sentence(scenario, *found) for found in _lacking(context) if found[0] in declared), "")


def _lacking(context: CaseContext) -> Iterator[tuple[str, str, str]]:
    """Yield the identity, what it tried, and the role that it lacks."""
    for entry in context.ledger.entries:
        if entry.event is EventKind.ACCESS_REFUSED:
            right = entry.details["right"]
            identity = Principal.read(f"{entry.details['principal']} ({_NEEDED[right]})").identity
            yield identity, f"{right} on {entry.entity}", f"{{role: {_NEEDED[right]}, on: {entry.entity}}}"
    for name, standin in context.environment.standins.items():
        for view in (request.view for request in standin.journal.entries()):
            identity = (view.get("sent_as") or {}).get("identity", "")
            if lacks := view.get("lacks"):
                on = view.get("container")
                role = f"{{role: {lacks}, on: {on}}}" if on else str(lacks)
                yield identity, f"{view['method']} {view['path']}".rstrip(), role
            elif view.get("error") == "PermissionDenied":
                yield (
                    identity,
                    f"ask {name}",
                    "Cognitive Services OpenAI User" if name == "openai" else "AzureML Data Scientist",
                )


def _sentence(scenario: Scenario, identity: str, what: str, role: str) -> str:
    place = scenario.place(("stack", "identities", identity))
    return f"the identity {identity} may not {what}: it lacks {role}; grant it in stack.identities.{identity}, {place}"
