"""What identities of a case were refused, and which role they lack."""

from __future__ import annotations

from collections.abc import Iterator

from peeklock.engine.context import CaseContext
from peeklock.scenario.document import DataPath
from peeklock.scenario.model import Scenario
from peeklock.servicebus.ledger import EventKind, Principal

_NEEDED = {
    "Send": "Azure Service Bus Data Sender",
    "Listen": "Azure Service Bus Data Receiver",
    "Manage": "Azure Service Bus Data Owner",
}


def refused_access(context: CaseContext) -> str:
    """Return in a sentence what was refused first for want of an identity or a role, and the remedy; empty for nothing."""
    identities = context.environment.identities
    if identities is None:
        return ""
    for refusal in identities.refusals():
        service = refusal.service.partition(".")[0]
        place = _place(context.scenario, ("services", service))
        return (
            f"{refusal.service} asked for a token of an identity that it has not ({refusal.reason}): "
            f"say `identity:` at the service, {place}"
        )
    return next(_roles(context), "")


def _roles(context: CaseContext) -> Iterator[str]:
    declared = context.scenario.header.stack.identities
    for entry in context.ledger.entries:
        if entry.event is EventKind.ACCESS_REFUSED:
            principal = Principal.read(f"{entry.details['principal']} ({_NEEDED['Send']})")
            if principal.identity in declared:
                right = entry.details["right"]
                role = f"{{role: {_NEEDED[right]}, on: {entry.entity}}}"
                yield _lacks(context.scenario, principal.identity, f"{right} on {entry.entity}", role)
    for name, standin in context.environment.standins.items():
        for request in standin.journal.entries():
            sent_as = request.view.get("sent_as") or {}
            if lacks := request.view.get("lacks"):
                on = request.view.get("container")
                role = f"{{role: {lacks}, on: {on}}}" if on else str(lacks)
                what = f"{request.view['method']} {request.view['path']}".rstrip()
                yield _lacks(context.scenario, sent_as["identity"], what, role)
            if request.view.get("error") == "PermissionDenied":
                yield _lacks(context.scenario, sent_as["identity"], f"ask {name}", "Cognitive Services OpenAI User")


def _lacks(scenario: Scenario, identity: str, what: str, role: str) -> str:
    place = _place(scenario, ("stack", "identities", identity))
    return f"the identity {identity} may not {what}: it lacks {role}; grant it in stack.identities.{identity}, {place}"


def _place(scenario: Scenario, path: DataPath) -> str:
    return f"{scenario.path.relative_to(scenario.root)}:{scenario.document.key_span(path).line}"
