"""What the likely cause of a failure is said to be."""

from __future__ import annotations

import pytest

from peeklock.engine.diagnosis import hint

ACCOUNT = "contosoimages.blob.core.windows.net"
UNRESOLVED = [
    f"ServiceRequestError: <HTTPSConnection(host='{ACCOUNT}')>: Failed to resolve '{ACCOUNT}' ([Errno -2] Name or service not known)",
    f"Error: getaddrinfo ENOTFOUND {ACCOUNT}",
    f"Get https://{ACCOUNT}/images: dial tcp: lookup {ACCOUNT}: no such host",
    f"java.net.UnknownHostException: {ACCOUNT}: Temporary failure in name resolution",
    f"curl: (6) Could not resolve host: {ACCOUNT}",
]


@pytest.mark.parametrize("logged", UNRESOLVED)
def test_a_service_that_was_not_led_to_its_name_is_told_of(logged: str) -> None:
    """In the words of Python, Node.js, Go, Java and curl."""
    assert hint(logged).startswith(f"{ACCOUNT} was not led to this environment")


@pytest.mark.parametrize("logged", ["could not resolve postgres.local", f"PUT https://{ACCOUNT}/images/a.txt 404"])
def test_other_names_and_other_troubles_are_not(logged: str) -> None:
    assert hint(logged) == ""
