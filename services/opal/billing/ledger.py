"""What was used, in Postgres: one row for each item, whoever says it how often."""

from __future__ import annotations

from typing import Any

from services.opal.tenancy import as_tenant
from services.shared.database import Pool, Row

ROLE = "opal_billing"


class UsageConflictError(Exception):
    """The item is on the books already, with another tenant, job or number of variants."""


class Ledger:
    """Adds to the books, and reads them by tenant."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def record(self, item_id: str, usage: dict[str, Any]) -> bool:
        """Put the item on the books; False when the same is there. Raises :class:`UsageConflictError`."""
        facts = (item_id, usage["tenant_id"], usage["job_id"], usage["variants"])
        async with as_tenant(self._pool, usage["tenant_id"]) as connection:
            cursor = await connection.execute(
                """
                INSERT INTO usage (item_id, tenant_id, job_id, variants) VALUES (%s, %s, %s, %s)
                ON CONFLICT (item_id) DO NOTHING
                """,
                facts,
            )
            if cursor.rowcount == 1:
                return True
            cursor = await connection.execute(
                "SELECT item_id FROM usage WHERE (item_id, tenant_id, job_id, variants) = (%s, %s, %s, %s)", facts
            )
            if await cursor.fetchone() is None:
                raise UsageConflictError(item_id)
            return False

    async def bill(self, tenant_id: str) -> Row:
        """Return how many ``items`` and ``variants`` a tenant has used."""
        async with as_tenant(self._pool, tenant_id) as connection:
            cursor = await connection.execute(
                "SELECT count(*) AS items, coalesce(sum(variants), 0)::int AS variants FROM usage"
            )
            found = await cursor.fetchone()
            assert found is not None
            return found
