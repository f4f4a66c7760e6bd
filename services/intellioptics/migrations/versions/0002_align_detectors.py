"""Give detectors the column and the identifier that API and worker agree on.

``query`` replaces ``query_text``, and ``public_id`` (``det_…``) replaces the bare id. Both old columns stay: until
``query_text`` is dropped (0004), old and new releases run side by side, and a trigger keeps the two texts equal
whichever of them a writer knows.
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE detectors ADD COLUMN IF NOT EXISTS query TEXT, ADD COLUMN IF NOT EXISTS public_id TEXT")
    # The old rows' text, unless a later revision has been here before and has taken the column away.
    op.execute(
        """
        DO $$
        BEGIN
            IF EXISTS (SELECT FROM information_schema.columns
                       WHERE table_schema = current_schema() AND table_name = 'detectors' AND column_name = 'query_text')
            THEN
                UPDATE detectors SET query = query_text WHERE query IS NULL;
            END IF;
        END $$
        """
    )
    op.execute("UPDATE detectors SET public_id = 'det_' || replace(id::text, '-', '') WHERE public_id IS NULL")
    op.execute("ALTER TABLE detectors ALTER COLUMN query SET NOT NULL, ALTER COLUMN public_id SET NOT NULL")
    op.execute("CREATE UNIQUE INDEX IF NOT EXISTS detectors_public_id_key ON detectors (public_id)")
    op.execute("CREATE INDEX IF NOT EXISTS detectors_newest_first ON detectors (created_at DESC)")
    # TEXT ids came from the old application; from here on the database makes ids of either type.
    op.execute(
        """
        DO $$
        BEGIN
            IF (SELECT data_type FROM information_schema.columns
                WHERE table_schema = current_schema() AND table_name = 'detectors' AND column_name = 'id') = 'uuid'
            THEN
                ALTER TABLE detectors ALTER COLUMN id SET DEFAULT gen_random_uuid();
            ELSE
                ALTER TABLE detectors ALTER COLUMN id SET DEFAULT gen_random_uuid()::text;
            END IF;
        END $$
        """
    )
    # A row goes through jsonb so that one function serves the table with and without query_text.
    op.execute(
        """
        CREATE OR REPLACE FUNCTION detectors_align() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            given jsonb := to_jsonb(NEW);
        BEGIN
            IF NEW.public_id IS NULL THEN
                NEW.public_id := 'det_' || replace(NEW.id::text, '-', '');
            END IF;
            IF NOT given ? 'query_text' THEN
                RETURN NEW;
            END IF;
            IF TG_OP = 'UPDATE' AND NEW.query IS NOT DISTINCT FROM OLD.query THEN
                NEW.query := coalesce(given ->> 'query_text', NEW.query);
            END IF;
            NEW.query := coalesce(NEW.query, given ->> 'query_text');
            RETURN jsonb_populate_record(NEW, jsonb_build_object('query_text', NEW.query));
        END $$
        """
    )
    op.execute("DROP TRIGGER IF EXISTS detectors_align ON detectors")
    op.execute(
        """
        CREATE TRIGGER detectors_align BEFORE INSERT OR UPDATE ON detectors
        FOR EACH ROW EXECUTE FUNCTION detectors_align()
        """
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER IF EXISTS detectors_align ON detectors")
    op.execute("DROP FUNCTION IF EXISTS detectors_align()")
    op.execute("DROP INDEX IF EXISTS detectors_newest_first")
    op.execute("ALTER TABLE detectors DROP COLUMN IF EXISTS query, DROP COLUMN IF EXISTS public_id")
