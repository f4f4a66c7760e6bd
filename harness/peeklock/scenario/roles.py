"""Azure's built-in roles that give access to data, by the part of a stack that they are for."""

from __future__ import annotations

from collections.abc import Mapping

ROLES: Mapping[str, tuple[str, ...]] = {
    "servicebus": (
        "Azure Service Bus Data Owner",
        "Azure Service Bus Data Receiver",
        "Azure Service Bus Data Sender",
    ),
    "blobs": (
        "Storage Blob Data Contributor",
        "Storage Blob Data Owner",
        "Storage Blob Data Reader",
        "Storage Blob Delegator",
    ),
    "openai": (
        "Cognitive Services OpenAI Contributor",
        "Cognitive Services OpenAI User",
        "Cognitive Services User",
    ),
    "azure_ml": ("AzureML Data Scientist",),
}
ADMINISTRATIVE = frozenset({
    "Owner", "Contributor", "Reader", "Storage Account Contributor", "Cognitive Services Contributor",
    "User Access Administrator",
})  # fmt: skip
"""Roles that people take for access to data: they allow to manage the resource, and nothing in it."""


def part_of(role: str) -> str | None:
    """Return the part of a stack that a role is for; None for no role on data."""
    return next((part for part, roles in ROLES.items() if role in roles), None)
