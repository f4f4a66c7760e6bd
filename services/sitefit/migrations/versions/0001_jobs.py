"""Jobs, their results and artifacts, and one view of all three."""

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
            id             UUID PRIMARY KEY DEFAULT gen_random_uuid(),
            app_id         TEXT NOT NULL,
            definition     TEXT NOT NULL,
            version        TEXT NOT NULL,
            inputs         JSONB NOT NULL,
            inputs_hash    TEXT NOT NULL,
            status         TEXT NOT NULL DEFAULT 'queued' CHECK (status IN ('queued', 'running', 'succeeded', 'failed')),
            attempts       INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
            error          TEXT,
            correlation_id TEXT NOT NULL,
            created_at     TIMESTAMPTZ NOT NULL DEFAULT now(),
            enqueued_at    TIMESTAMPTZ,
            started_at     TIMESTAMPTZ,
            ended_at       TIMESTAMPTZ,
            CHECK ((status = 'failed') = (error IS NOT NULL)),
            CHECK ((status IN ('succeeded', 'failed')) = (ended_at IS NOT NULL))
        )
        """
    )
    op.execute("CREATE INDEX job_by_inputs ON job (app_id, definition, version, inputs_hash, created_at DESC)")
    op.execute("CREATE INDEX job_open ON job (created_at) WHERE status IN ('queued', 'running')")
    # json, not jsonb: what the solver said is kept to the letter.
    op.execute(
        """
        CREATE TABLE result (
            job_id       UUID PRIMARY KEY REFERENCES job (id) ON DELETE CASCADE,
            outputs_json JSON NOT NULL,
            score        DOUBLE PRECISION NOT NULL,
            created_at   TIMESTAMPTZ NOT NULL DEFAULT now()
        )
        """
    )
    op.execute(
        """
        CREATE TABLE artifact (
            id           UUID PRIMARY KEY DEFAULT gen_random_uuid(),
            job_id       UUID NOT NULL REFERENCES result (job_id) ON DELETE CASCADE,
            kind         TEXT NOT NULL,
            blob_name    TEXT NOT NULL,
            content_type TEXT NOT NULL,
            size         BIGINT NOT NULL CHECK (size > 0),
            sha256       TEXT NOT NULL,
            created_at   TIMESTAMPTZ NOT NULL DEFAULT now(),
            UNIQUE (job_id, kind)
        )
        """
    )
    # As whoever asks, so that the policies on the tables hold for the view, too.
    op.execute(
        """
        CREATE VIEW job_with_result WITH (security_invoker = true) AS
        SELECT job.*, result.outputs_json, result.score, result.created_at AS result_created_at
        FROM job LEFT JOIN result ON result.job_id = job.id
        """
    )


def downgrade() -> None:
    op.execute("DROP VIEW job_with_result")
    op.execute("DROP TABLE artifact")
    op.execute("DROP TABLE result")
    op.execute("DROP TABLE job")
