"""Jobs of a tenant, their items, the variants of each, and what is billed for it."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE job (
            id               UUID PRIMARY KEY DEFAULT gen_random_uuid(),
            tenant_id        TEXT NOT NULL,
            brand_profile_id TEXT NOT NULL,
            created_at       TIMESTAMPTZ NOT NULL DEFAULT now(),
            UNIQUE (id, tenant_id)
        )
        """
    )
    # The tenant is part of each key that refers to a row, so that no row of one tenant can hang on another's.
    op.execute(
        """
        CREATE TABLE item (
            id           UUID PRIMARY KEY DEFAULT gen_random_uuid(),
            tenant_id    TEXT NOT NULL,
            job_id       UUID NOT NULL,
            position     INTEGER NOT NULL,
            filename     TEXT NOT NULL,
            status       TEXT NOT NULL DEFAULT 'created'
                         CHECK (status IN ('created', 'queued', 'processing', 'completed', 'exported', 'failed')),
            attempts     INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
            error        TEXT,
            output_blob  TEXT,
            created_at   TIMESTAMPTZ NOT NULL DEFAULT now(),
            enqueued_at  TIMESTAMPTZ,
            completed_at TIMESTAMPTZ,
            exported_at  TIMESTAMPTZ,
            UNIQUE (id, tenant_id),
            UNIQUE (job_id, position),
            FOREIGN KEY (job_id, tenant_id) REFERENCES job (id, tenant_id) ON DELETE CASCADE,
            CHECK ((status = 'failed') = (error IS NOT NULL)),
            CHECK (status NOT IN ('completed', 'exported') OR output_blob IS NOT NULL)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE variant (
            item_id      UUID NOT NULL,
            tenant_id    TEXT NOT NULL,
            name         TEXT NOT NULL,
            blob_name    TEXT NOT NULL,
            content_type TEXT NOT NULL,
            width        INTEGER NOT NULL CHECK (width > 0),
            height       INTEGER NOT NULL CHECK (height > 0),
            size         BIGINT NOT NULL CHECK (size > 0),
            sha256       TEXT NOT NULL,
            PRIMARY KEY (item_id, name),
            FOREIGN KEY (item_id, tenant_id) REFERENCES item (id, tenant_id) ON DELETE CASCADE
        )
        """
    )
    # The billing service's own: it refers to nothing, for a bill outlives what it is for.
    op.execute(
        """
        CREATE TABLE usage (
            item_id     UUID PRIMARY KEY,
            tenant_id   TEXT NOT NULL,
            job_id      UUID NOT NULL,
            variants    INTEGER NOT NULL CHECK (variants > 0),
            recorded_at TIMESTAMPTZ NOT NULL DEFAULT now()
        )
        """
    )
    op.execute("CREATE INDEX usage_of_tenant ON usage (tenant_id, recorded_at)")


def downgrade() -> None:
    for table in ("usage", "variant", "item", "job"):
        op.execute(f"DROP TABLE {table}")
