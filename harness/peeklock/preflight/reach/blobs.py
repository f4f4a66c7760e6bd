"""Looks at a storage account: which containers are there, and what its clock shows."""

from __future__ import annotations

import time
from collections.abc import Iterable
from email.utils import parsedate_to_datetime
from typing import Any

from azure.core.exceptions import AzureError, HttpResponseError
from azure.storage.blob import BlobServiceClient

from peeklock.preflight.facts import Clock, FoundAccount, Unreached

_WHY = {401: "the account refuses the key or signature", 403: "the account refuses the key or signature"}


def look_at_account(
    connection_string: str, containers: Iterable[str], seconds: float = 5.0
) -> FoundAccount | Unreached:
    """Return which of the containers are there. `connection_string` may be the account's URL with a SAS."""
    clocks: list[Clock] = []
    asked_at = time.time()

    def note(response: Any) -> None:
        date = response.http_response.headers.get("Date")
        if date:
            now = time.time()
            shown = parsedate_to_datetime(date).timestamp() + 0.5  # it tells whole seconds
            clocks.append(Clock(shown, (asked_at + now) / 2, 0.5 + (now - asked_at) / 2))

    options: dict[str, Any] = {"connection_timeout": seconds, "read_timeout": seconds, "retry_total": 0}
    try:
        if "://" in connection_string.partition("=")[0]:
            service = BlobServiceClient(connection_string, **options)
        else:
            service = BlobServiceClient.from_connection_string(connection_string, **options)
        found: dict[str, bool | None] = {}
        with service:
            names = list(containers)
            if not names:
                _ask(lambda: service.get_account_information(raw_response_hook=note))
            for name in names:
                asked_at = time.time()
                client = service.get_container_client(name)
                try:
                    client.get_container_properties(raw_response_hook=note)
                    found[name] = True
                except HttpResponseError as error:
                    if error.status_code == 404:
                        found[name] = False
                    elif error.status_code == 403 and found:
                        found[name] = None
                    else:
                        raise
        return FoundAccount(found, clocks[-1] if clocks else None)
    except HttpResponseError as error:
        refused = error.status_code in _WHY
        return Unreached(_WHY.get(error.status_code or 0, f"the account answered {error.status_code}"), refused)
    except (AzureError, ValueError, OSError) as error:
        return _unreached(error)


def _ask(act: Any) -> None:
    try:
        act()
    except HttpResponseError as error:
        if error.status_code != 403:  # a SAS for blobs alone may not ask for this, and is no fault
            raise


def _unreached(error: Exception) -> Unreached:
    text = str(error)
    for word, why in (
        ("Connection refused", "nothing listens there"),
        ("Name or service not known", "there is no host of that name"),
        ("Failed to resolve", "there is no host of that name"),
        ("timed out", "there was no answer in time"),
        ("CERTIFICATE", "its certificate is not accepted"),
    ):
        if word in text:
            return Unreached(why)
    return Unreached(f"the connection failed ({type(error).__name__})")
