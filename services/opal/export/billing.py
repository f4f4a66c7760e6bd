"""The client of the billing service."""

from __future__ import annotations

from dataclasses import dataclass

import httpx

from services.opal.contracts import USAGE
from services.opal.messages import ItemKey
from services.shared.correlation import HEADER, current_correlation_id
from services.shared.outcomes import PermanentFailure, TransientFailure


@dataclass(frozen=True, slots=True)
class Billing:
    """Says what was used, at ``PUT /v1/usage/{item_id}``: as often as need be, for it counts once."""

    client: httpx.AsyncClient

    async def record(self, key: ItemKey, variants: int) -> None:
        """Have the item billed. Raises ``TransientFailure``; ``PermanentFailure`` when the item is refused."""
        usage = USAGE.check({"tenant_id": key.tenant_id, "job_id": key.job_id, "variants": variants})
        correlation_id = current_correlation_id()
        headers = {HEADER: correlation_id} if correlation_id else None
        try:
            answer = await self.client.put(f"/v1/usage/{key.item_id}", json=usage, headers=headers)
        except httpx.TransportError as error:
            raise TransientFailure(f"the billing service cannot be reached ({type(error).__name__})") from error
        if answer.status_code in (409, 422):
            raise PermanentFailure("BillingRefused", f"the billing service answered {answer.status_code}")
        if not answer.is_success:
            raise TransientFailure(f"the billing service answered {answer.status_code}")
