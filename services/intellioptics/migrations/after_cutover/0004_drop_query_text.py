"""End the cut-over: drop ``detectors.query_text``.

Not on the way to ``head``: it may run only when no release that writes the column is left (see README.md).
"""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE detectors DROP COLUMN IF EXISTS query_text")


def downgrade() -> None:
    op.execute("ALTER TABLE detectors ADD COLUMN IF NOT EXISTS query_text TEXT")
    op.execute("UPDATE detectors SET query_text = query")
    op.execute("ALTER TABLE detectors ALTER COLUMN query_text SET NOT NULL")
