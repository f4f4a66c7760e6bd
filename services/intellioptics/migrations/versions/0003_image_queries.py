"""Where image queries and their results live.

``detector_id`` refers to nothing: a result may come for a query that a client sent straight to the queue, and is kept.
"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS image_queries (
            id             TEXT PRIMARY KEY,
            detector_id    TEXT,
            blob_name      TEXT,
            status         TEXT NOT NULL CHECK (status IN ('PENDING', 'QUEUED', 'DONE')),
            answer         TEXT CHECK (answer IN ('YES', 'NO', 'UNCLEAR', 'COUNT')),
            confidence     DOUBLE PRECISION,
            count          INTEGER,
            reason         TEXT,
            model_version  TEXT,
            latency_ms     INTEGER,
            correlation_id TEXT,
            created_at     TIMESTAMPTZ NOT NULL DEFAULT now(),
            completed_at   TIMESTAMPTZ,
            CHECK ((status = 'DONE') = (answer IS NOT NULL))
        )
        """
    )
    op.execute("CREATE INDEX IF NOT EXISTS image_queries_by_detector ON image_queries (detector_id, created_at DESC)")


def downgrade() -> None:
    op.execute("DROP TABLE IF EXISTS image_queries")
