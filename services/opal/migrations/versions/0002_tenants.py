"""Each part has a role of its own, and every role sees the rows of one tenant at a time: the one its transaction names.

A transaction that names none sees nothing. The roles are the cluster's, not the database's: they stay when this is taken
back.
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TABLES = ("job", "item", "variant", "usage")
_ROLES = ("opal_api", "opal_orchestrator", "opal_export", "opal_billing")
_OWN = "tenant_id = current_setting('opal.tenant_id', true)"
_GRANTS = (
    "SELECT, INSERT ON job, item TO opal_api",
    "SELECT ON variant TO opal_api",
    "UPDATE (status, enqueued_at) ON item TO opal_api",
    "SELECT ON job, item TO opal_orchestrator, opal_export",
    "UPDATE (status, attempts, error, output_blob, completed_at) ON item TO opal_orchestrator",
    "UPDATE (status, exported_at) ON item TO opal_export",
    "SELECT, INSERT ON variant TO opal_export",
    "SELECT, INSERT ON usage TO opal_billing",
)


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
    for grant in _GRANTS:
        op.execute(f"GRANT {grant}")
    for table in _TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY own_tenant ON {table} TO {', '.join(_ROLES)} USING ({_OWN}) WITH CHECK ({_OWN})")


def downgrade() -> None:
    for table in _TABLES:
        op.execute(f"DROP POLICY own_tenant ON {table}")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    for role in _ROLES:
        op.execute(f"REVOKE ALL ON {', '.join(_TABLES)} FROM {role}")
        op.execute(f"REVOKE USAGE ON SCHEMA public FROM {role}")
