"""What the likely cause of a failure is said to be."""

from __future__ import annotations

import pytest

from peeklock.engine.diagnosis import hint, likely_cause
from peeklock.stack.backend import Exit, LogLine

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


CHAIN = """\
Traceback (most recent call last):
  File "/app/worker/model.py", line 7, in load
    raise KeyError("weights")
KeyError: 'weights'

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/app/worker/main.py", line 3, in handle
    load()
RuntimeError: cannot answer"""


def printed(text: str) -> list[LogLine]:
    """A line each, and between them those of another service."""
    other = LogLine("api", 0, 1.0, "GET /health", None)
    return [each for line in text.split("\n") for each in (LogLine("worker", 0, 1.0, line, None), other)]


@pytest.mark.parametrize("as_json", [True, False], ids=["logged as JSON", "printed line by line"])
def test_a_chained_traceback_keeps_its_first_cause(as_json: bool) -> None:
    """However it was logged, and with other services talking meanwhile."""
    record = {"event": "failed", "level": "error", "exception": CHAIN}
    logged = [LogLine("worker", 0, 1.0, "", record)] if as_json else printed(CHAIN)
    said = likely_cause((), logged, ())
    assert said.endswith(
        "RuntimeError: cannot answer at worker/main.py:3, caused by KeyError: 'weights' at worker/model.py:7"
    )


def test_a_service_that_exits_is_named_with_its_last_words() -> None:
    exits = [Exit("worker", 0, 2.0, 1, False)]
    assert likely_cause((), printed(CHAIN), exits).startswith(
        "worker exited by itself with code 1; worker logged a traceback: RuntimeError"
    )
    assert likely_cause((), (), exits) == "worker exited by itself with code 1"
