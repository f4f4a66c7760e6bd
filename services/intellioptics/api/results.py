"""Keeps the results that come back on the results queue."""

from __future__ import annotations

from azure.servicebus import ServiceBusReceivedMessage

from services.intellioptics.api.arrivals import Arrivals
from services.intellioptics.api.query_store import QueryStore
from services.intellioptics.contracts import INFERENCE_RESULT
from services.shared.contracts import ContractViolationError
from services.shared.correlation import current_correlation_id
from services.shared.database import UNAVAILABLE
from services.shared.logs import get_logger
from services.shared.message_body import body_of
from services.shared.outcomes import PermanentFailure, TransientFailure

log = get_logger()


class ResultHandler:
    """Stores each result once, and wakes the request that waits for it."""

    def __init__(self, store: QueryStore, arrivals: Arrivals) -> None:
        self._store = store
        self._arrivals = arrivals

    async def __call__(self, message: ServiceBusReceivedMessage) -> None:
        """Handle one message of the results queue."""
        try:
            result = INFERENCE_RESULT.parse(body_of(message))
        except ContractViolationError as error:
            raise PermanentFailure("ContractViolation", str(error)) from error
        query_id = result["image_query_id"]
        try:
            is_first = await self._store.keep_result(result, current_correlation_id())
        except UNAVAILABLE as error:
            raise TransientFailure(f"the database does not answer ({type(error).__name__})") from error
        self._arrivals.announce(query_id)
        log.info("result.stored" if is_first else "result.repeated", image_query_id=query_id, answer=result["answer"])
