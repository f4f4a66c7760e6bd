"""How an item moves on in Postgres, as the export worker moves it."""

from __future__ import annotations

from collections.abc import Mapping

from services.opal.export.pictures import Variant
from services.opal.messages import ItemKey
from services.opal.tenancy import as_tenant
from services.shared.database import Pool, Row

ROLE = "opal_export"


class ExportProgress:
    """completed → exported, with the variants, all or nothing."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def find(self, key: ItemKey) -> Row | None:
        """Return the item's ``status`` and ``output_blob``, or None when its tenant has no such item."""
        async with as_tenant(self._pool, key.tenant_id) as connection:
            cursor = await connection.execute(
                "SELECT status, output_blob FROM item WHERE id = %s AND job_id = %s", (key.item_id, key.job_id)
            )
            return await cursor.fetchone()

    async def exported(self, key: ItemKey, variants: Mapping[str, Variant]) -> bool:
        """Keep the variants, by the names of their blobs; False when another worker was first."""
        async with as_tenant(self._pool, key.tenant_id) as connection:
            cursor = await connection.execute(
                "UPDATE item SET status = 'exported', exported_at = now() WHERE id = %s AND status = 'completed'",
                (key.item_id,),
            )
            if cursor.rowcount == 0:
                return False
            for blob_name, each in variants.items():
                facts = (each.name, blob_name, each.content_type, each.width, each.height, len(each.data), each.sha256)
                await connection.execute(
                    """
                    INSERT INTO variant
                        (item_id, tenant_id, name, blob_name, content_type, width, height, size, sha256)
                    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
                    """,
                    (key.item_id, key.tenant_id, *facts),
                )
            return True
