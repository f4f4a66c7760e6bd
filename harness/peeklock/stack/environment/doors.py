"""The doors of an environment: what stands before its dependencies, with TLS, and the production names that lead there."""

from __future__ import annotations

from peeklock.scenario.topology import Stack

BLOBS, OPENAI = "blobs", "openai"
_OPENAI_DOMAINS = ("openai.azure.com", "cognitiveservices.azure.com", "services.ai.azure.com")


def wanted_doors(stack: Stack) -> list[str]:
    """Return the doors that a stack needs; each has a port of its own."""
    wanted = {
        BLOBS: stack.has_blob_door,
        OPENAI: stack.openai is not None and stack.openai.name is not None,
    }
    return [door for door, needed in wanted.items() if needed]


def azure_names(stack: Stack) -> dict[str, str]:
    """Return by production name where it leads: a door, or `servicebus`, which speaks TLS itself."""
    found: dict[str, str] = {}
    if stack.servicebus is not None and stack.servicebus.name is not None:
        found[f"{stack.servicebus.name}.servicebus.windows.net"] = "servicebus"
    if stack.blobs is not None and stack.blobs.name is not None:
        found[f"{stack.blobs.name}.blob.core.windows.net"] = BLOBS
    if stack.openai is not None and stack.openai.name is not None:
        found |= {f"{stack.openai.name}.{domain}": OPENAI for domain in _OPENAI_DOMAINS}
    return found
