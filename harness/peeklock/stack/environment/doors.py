"""The doors of an environment: what stands before its dependencies, with TLS."""

from __future__ import annotations

from peeklock.scenario.topology import Stack

BLOBS, OPENAI, LOGIN = "blobs", "openai", "login"


def wanted_doors(stack: Stack) -> list[str]:
    """Return the doors that a stack needs; each has a port of its own."""
    wanted = {
        BLOBS: stack.has_blob_door,
        OPENAI: stack.openai is not None and stack.openai.name is not None,
        LOGIN: bool(stack.identities),
    }
    wanted |= {name: standin.tls or standin.host is not None for name, standin in stack.http.items()}
    return [door for door, needed in wanted.items() if needed]
