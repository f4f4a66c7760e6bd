"""What each part may see and do, held by the database.

The API acts as ``sitefit_api``: it adds jobs and reads them, those of one app when ``sitefit.app_id`` is set. The worker
acts as ``sitefit_worker``: it moves jobs on and adds results. Nobody of them deletes, or changes a result. The roles are
the cluster's, not the database's: they stay when this is taken back.
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TABLES = ("job", "result", "artifact")
_ROLES = ("sitefit_api", "sitefit_worker")
_OWN_JOB = "coalesce(current_setting('sitefit.app_id', true), '') IN ('', app_id)"
_JOB_IN_SIGHT = "EXISTS (SELECT FROM job WHERE job.id = job_id)"


def upgrade() -> None:
    for role in _ROLES:
        op.execute(
            f"""
            DO $$ BEGIN
                CREATE ROLE {role} NOLOGIN;
            EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;  -- another database of this cluster was first
            END $$
            """
        )
        op.execute(f"GRANT USAGE ON SCHEMA public TO {role}")
    for table in _TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute("GRANT SELECT ON job, result, artifact, job_with_result TO sitefit_api, sitefit_worker")
    op.execute("GRANT INSERT ON job TO sitefit_api")
    op.execute("GRANT UPDATE (enqueued_at) ON job TO sitefit_api")
    op.execute("GRANT UPDATE (status, attempts, error, started_at, ended_at) ON job TO sitefit_worker")
    op.execute("GRANT INSERT ON result, artifact TO sitefit_worker")
    op.execute(f"CREATE POLICY api_reads ON job FOR SELECT TO sitefit_api USING ({_OWN_JOB})")
    op.execute(
        "CREATE POLICY api_adds ON job FOR INSERT TO sitefit_api WITH CHECK (status = 'queued' AND attempts = 0)"
    )
    op.execute(f"CREATE POLICY api_enqueues ON job FOR UPDATE TO sitefit_api USING ({_OWN_JOB})")
    op.execute(f"CREATE POLICY api_reads ON result FOR SELECT TO sitefit_api USING ({_JOB_IN_SIGHT})")
    op.execute(f"CREATE POLICY api_reads ON artifact FOR SELECT TO sitefit_api USING ({_JOB_IN_SIGHT})")
    for table in _TABLES:
        op.execute(f"CREATE POLICY worker_reads ON {table} FOR SELECT TO sitefit_worker USING (true)")
    op.execute(
        "CREATE POLICY worker_moves ON job FOR UPDATE TO sitefit_worker USING (status IN ('queued', 'running')) WITH CHECK (true)"
    )
    op.execute(f"CREATE POLICY worker_adds ON result FOR INSERT TO sitefit_worker WITH CHECK ({_JOB_IN_SIGHT})")
    op.execute(f"CREATE POLICY worker_adds ON artifact FOR INSERT TO sitefit_worker WITH CHECK ({_JOB_IN_SIGHT})")


def downgrade() -> None:
    for table in _TABLES:
        for policy in ("api_reads", "api_adds", "api_enqueues", "worker_reads", "worker_moves", "worker_adds"):
            op.execute(f"DROP POLICY IF EXISTS {policy} ON {table}")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    for role in _ROLES:
        op.execute(f"REVOKE ALL ON job, result, artifact, job_with_result FROM {role}")
        op.execute(f"REVOKE USAGE ON SCHEMA public FROM {role}")
