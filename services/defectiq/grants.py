"""Which role an identity lacks, told by name: Azure's refusals leave that to be guessed."""

from __future__ import annotations

from collections.abc import Mapping

from azure.core.exceptions import HttpResponseError
from azure.servicebus.exceptions import ServiceBusAuthenticationError, ServiceBusAuthorizationError

from services.shared.health import Check, run_checks
from services.shared.logs import get_logger
from services.shared.publisher import PublishError
from services.shared.queues import is_missing

ACCOUNT = "the storage account"
BLOBS = "Storage Blob Data Contributor"
SENDER = "Azure Service Bus Data Sender"
RECEIVER = "Azure Service Bus Data Receiver"
OPENAI = "Cognitive Services OpenAI User"

log = get_logger()


class GrantMissingError(Exception):
    """Azure has refused this service's identity; the message says what to grant, and on what."""

    def __init__(self, role: str, on: str) -> None:
        super().__init__(f"grant {role!r} on {on} to this service's identity")


def is_refused(error: BaseException | None) -> bool:
    """Return whether Azure has answered with a refusal rather than with a failure."""
    if isinstance(error, HttpResponseError):
        return error.status_code in (401, 403)
    refusals = ServiceBusAuthenticationError | ServiceBusAuthorizationError
    return isinstance(error, refusals) and not is_missing(error)


def needs(role: str, on: str, check: Check) -> Check:
    """Return ``check``, which takes ``role`` on ``on``, so that it names both where they are missing."""

    async def told() -> None:
        try:
            await check()
        except Exception as error:
            if is_refused(error):
                raise GrantMissingError(role, on) from error
            raise

    return told


def told(error: BaseException, role: str, on: str) -> str:
    """Return what to say of an error of work that takes ``role`` on ``on``: what to grant, or what kind of error it is."""
    cause = error.__cause__ if isinstance(error, PublishError) else error
    return str(GrantMissingError(role, on)) if is_refused(cause) else type(cause).__name__


async def preflight(event: str, checks: Mapping[str, Check]) -> None:
    """Run the checks, and log as ``event`` what is missing: before work begins, not when it fails."""
    outcomes = await run_checks(checks, patience=10.0)
    missing = {name: outcome for name, outcome in outcomes.items() if outcome != "ok"}
    if missing:
        log.warning(event, missing=missing)
    else:
        log.info(event, missing={})
