"""Rejected rows by the bar that they would have been, and how their file was read.

A million rejects go straight into the table. Foreign keys would cost as much as the rows: two
look-ups for each. Triggers of a statement keep what the keys kept.
"""

from alembic import op

revision = "0005"
down_revision = "0004"

TABLES = """
ALTER TABLE bars_rejected
    ADD COLUMN provider text COLLATE "C",
    ADD COLUMN symbol   text COLLATE "C",
    ADD COLUMN interval text COLLATE "C",
    ADD COLUMN ts       timestamptz,
    DROP CONSTRAINT bars_rejected_run_id_fkey,
    DROP CONSTRAINT bars_rejected_file_id_fkey,
    DROP CONSTRAINT bars_rejected_replayed_by_fkey;
DROP INDEX bars_rejected_run_id_idx;
DROP INDEX bars_rejected_file_id_idx;
CREATE INDEX bars_rejected_run_id_idx ON bars_rejected (run_id, file_id);

ALTER TABLE job_run_files ADD COLUMN reading jsonb;
COMMENT ON COLUMN job_run_files.reading IS
    'how a file with rejected rows was read, so that mdload rejects replay reads them alike'
"""

# What has become of each reject. A bar that is stored under its key since then has taken its place.
# A function with text for its body, not a view: a view would hold on to the columns of bars_ohlcv.
STATES = """
DO $migration$
BEGIN
    EXECUTE format($f$
        CREATE FUNCTION bars_rejects() RETURNS TABLE (
            id bigint, run_id bigint, file_id bigint, path text, row_number bigint, rules text[],
            raw jsonb, provider text, symbol text, "interval" text, ts timestamptz,
            created_at timestamptz, replayed_by bigint, superseded_by bigint, state text)
        LANGUAGE sql STABLE PARALLEL SAFE ROWS 100000 AS $body$
        SELECT r.id, r.run_id, r.file_id, f.path, r.row_number, r.rules, r.raw,
               r.provider, r.symbol, r.interval, r.ts, r.created_at, r.replayed_by,
               CASE WHEN r.replayed_by IS NULL THEN l.run_id END,
               CASE WHEN r.replayed_by IS NOT NULL THEN 'replayed'
                    WHEN b.ts IS NOT NULL THEN 'superseded' ELSE 'waiting' END
          FROM %1$I.bars_rejected r
          LEFT JOIN %1$I.job_run_files f ON f.id = r.file_id
          LEFT JOIN %1$I.bars_ohlcv b
                 ON b.provider = r.provider AND b.symbol = r.symbol AND b.interval = r.interval
                AND b.ts = r.ts AND b.updated_at >= r.created_at
          LEFT JOIN %1$I.bars_loads l ON l.xact_at = b.updated_at
        $body$ $f$, current_schema());
END
$migration$;
COMMENT ON FUNCTION bars_rejects() IS 'rejected rows, and what has become of them'
"""

# The schema is named, as a trigger runs with the search_path of whoever deletes.
TRIGGERS = """
DO $migration$
BEGIN
    EXECUTE format($f$
        CREATE FUNCTION mdload_forget_rejects() RETURNS trigger LANGUAGE plpgsql AS $body$
        BEGIN
            IF TG_TABLE_NAME = 'job_run_files' THEN
                DELETE FROM %1$I.bars_rejected r USING gone
                 WHERE r.run_id = gone.run_id AND r.file_id = gone.id;
            ELSE
                DELETE FROM %1$I.bars_rejected r USING gone WHERE r.run_id = gone.id;
                UPDATE %1$I.bars_rejected r SET replayed_by = NULL
                  FROM gone WHERE r.replayed_by = gone.id;
            END IF;
            RETURN NULL;
        END
        $body$ $f$, current_schema());
END
$migration$;
CREATE TRIGGER job_runs_rejects AFTER DELETE ON job_runs
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION mdload_forget_rejects();
CREATE TRIGGER job_run_files_rejects AFTER DELETE ON job_run_files
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION mdload_forget_rejects()
"""

DOWN = """
DROP FUNCTION bars_rejects();
DROP TRIGGER job_run_files_rejects ON job_run_files;
DROP TRIGGER job_runs_rejects ON job_runs;
DROP FUNCTION mdload_forget_rejects();
ALTER TABLE job_run_files DROP COLUMN reading;
DROP INDEX bars_rejected_run_id_idx;
CREATE INDEX bars_rejected_run_id_idx ON bars_rejected (run_id);
CREATE INDEX bars_rejected_file_id_idx ON bars_rejected (file_id);
ALTER TABLE bars_rejected
    DROP COLUMN provider, DROP COLUMN symbol, DROP COLUMN interval, DROP COLUMN ts,
    ADD CONSTRAINT bars_rejected_run_id_fkey
        FOREIGN KEY (run_id) REFERENCES job_runs (id) ON DELETE CASCADE,
    ADD CONSTRAINT bars_rejected_file_id_fkey
        FOREIGN KEY (file_id) REFERENCES job_run_files (id) ON DELETE CASCADE,
    ADD CONSTRAINT bars_rejected_replayed_by_fkey
        FOREIGN KEY (replayed_by) REFERENCES job_runs (id) ON DELETE SET NULL
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(STATES)
    op.execute(TRIGGERS)


def downgrade() -> None:
    op.execute(DOWN)
