"""How an item moves on in Postgres, as the orchestrator moves it."""

from __future__ import annotations

from services.opal.messages import ItemKey
from services.opal.tenancy import as_tenant
from services.shared.database import Pool, Row

ROLE = "opal_orchestrator"


class ItemProgress:
    """queued → processing → completed or failed. What has failed is begun anew when its message is resubmitted."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def claim(self, key: ItemKey) -> Row | None:
        """Begin an attempt: return the item, now processing; as it is when it is completed; None when there is none."""
        async with as_tenant(self._pool, key.tenant_id) as connection:
            cursor = await connection.execute(
                """
                UPDATE item SET status = 'processing', attempts = attempts + 1, error = NULL
                FROM job
                WHERE item.id = %s AND job.id = item.job_id AND job.id = %s
                  AND status IN ('created', 'queued', 'processing', 'failed')
                RETURNING status, attempts, filename, brand_profile_id
                """,
                (key.item_id, key.job_id),
            )
            item = await cursor.fetchone()
            if item is None:
                cursor = await connection.execute(
                    "SELECT status FROM item WHERE id = %s AND job_id = %s", (key.item_id, key.job_id)
                )
                item = await cursor.fetchone()
            return item

    async def complete(self, key: ItemKey, output_blob: str) -> bool:
        """End the work on the item; False when another orchestrator was first."""
        async with as_tenant(self._pool, key.tenant_id) as connection:
            cursor = await connection.execute(
                """
                UPDATE item SET status = 'completed', output_blob = %s, completed_at = now()
                WHERE id = %s AND status = 'processing'
                """,
                (output_blob, key.item_id),
            )
            return cursor.rowcount == 1

    async def fail(self, key: ItemKey, error: str) -> bool:
        """End the item without a picture; False, and no change, when it is completed."""
        async with as_tenant(self._pool, key.tenant_id) as connection:
            cursor = await connection.execute(
                "UPDATE item SET status = 'failed', error = %s WHERE id = %s AND status = 'processing'",
                (error[:2000], key.item_id),
            )
            return cursor.rowcount == 1
