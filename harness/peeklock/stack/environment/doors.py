"""The doors of an environment: what stands before its dependencies, with TLS."""

from __future__ import annotations

from peeklock.scenario.topology import Stack

BLOBS, OPENAI, LOGIN, TELEMETRY = "blobs", "openai", "login", "telemetry"


def wanted_doors(stack: Stack) -> list[str]:
    """Return the doors that a stack needs; each has a port of its own."""
    wanted = {
        BLOBS: stack.has_blob_door,
        OPENAI: stack.openai is not None and stack.openai.name is not None,
        LOGIN: bool(stack.identities),
        # the client for Node.js makes https:// of every endpoint of Application Insights
        TELEMETRY: stack.telemetry is not None and "application_insights" in stack.telemetry.protocols,
    }
    wanted |= {name: standin.tls or standin.host is not None for name, standin in stack.http.items()}
    return [door for door, needed in wanted.items() if needed]
