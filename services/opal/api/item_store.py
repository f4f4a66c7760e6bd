"""Jobs and their items in Postgres, as the API sees them: those of one tenant at a time."""

from __future__ import annotations

from collections.abc import Sequence

from services.opal.messages import ItemKey
from services.opal.tenancy import as_tenant
from services.shared.database import Pool, Row

ROLE = "opal_api"


class ItemStore:
    """Adds jobs, reads them, and notes which items are in the queue."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def add(self, tenant_id: str, brand_profile_id: str, filenames: Sequence[str]) -> Row:
        """Add a job with an item for each of ``filenames``, all or nothing; return ``job_id`` and ``items``."""
        async with as_tenant(self._pool, tenant_id) as connection:
            cursor = await connection.execute(
                "INSERT INTO job (tenant_id, brand_profile_id) VALUES (%s, %s) RETURNING id::text AS job_id",
                (tenant_id, brand_profile_id),
            )
            job = await cursor.fetchone()
            assert job is not None
            cursor = await connection.execute(
                """
                INSERT INTO item (tenant_id, job_id, position, filename)
                SELECT %s, %s, position, filename FROM unnest(%s::text[]) WITH ORDINALITY AS given (filename, position)
                RETURNING id::text AS item_id, position, filename
                """,
                (tenant_id, job["job_id"], list(filenames)),
            )
            added = sorted(await cursor.fetchall(), key=lambda item: item["position"])
            return {**job, "items": [{"item_id": each["item_id"], "filename": each["filename"]} for each in added]}

    async def job(self, tenant_id: str, job_id: str) -> Row | None:
        """Return the tenant's job with its items, and with the variants of each, or None."""
        async with as_tenant(self._pool, tenant_id) as connection:
            cursor = await connection.execute(
                "SELECT id::text AS job_id, tenant_id, brand_profile_id, created_at FROM job WHERE id = %s", (job_id,)
            )
            job = await cursor.fetchone()
            if job is None:
                return None
            cursor = await connection.execute(
                """
                SELECT id::text AS item_id, filename, status, attempts, error, output_blob
                FROM item WHERE job_id = %s ORDER BY position
                """,
                (job_id,),
            )
            items = await cursor.fetchall()
            cursor = await connection.execute(
                """
                SELECT item_id::text AS item_id, name, blob_name, content_type, width, height, size, sha256
                FROM variant WHERE item_id = ANY(%s) ORDER BY name
                """,
                ([each["item_id"] for each in items],),
            )
            variants = await cursor.fetchall()
        for item in items:
            item["variants"] = [
                {name: value for name, value in each.items() if name != "item_id"}
                for each in variants
                if each["item_id"] == item["item_id"]
            ]
        return {**job, "items": items}

    async def item(self, key: ItemKey) -> Row | None:
        """Return the item's ``filename``, ``status`` and ``enqueued_at``, or None when its tenant has no such item."""
        async with as_tenant(self._pool, key.tenant_id) as connection:
            cursor = await connection.execute(
                "SELECT filename, status, enqueued_at FROM item WHERE id = %s AND job_id = %s",
                (key.item_id, key.job_id),
            )
            return await cursor.fetchone()

    async def queued(self, key: ItemKey) -> None:
        """Let the orchestrator have the item; one that has moved on stays as it is."""
        async with as_tenant(self._pool, key.tenant_id) as connection:
            await connection.execute(
                "UPDATE item SET status = 'queued' WHERE id = %s AND status = 'created'", (key.item_id,)
            )

    async def enqueued(self, key: ItemKey) -> None:
        """Note that the queue has confirmed the item's message."""
        async with as_tenant(self._pool, key.tenant_id) as connection:
            await connection.execute(
                "UPDATE item SET enqueued_at = now() WHERE id = %s AND enqueued_at IS NULL", (key.item_id,)
            )
