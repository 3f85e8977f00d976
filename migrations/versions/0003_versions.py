"""Which load wrote what, when the store knew it, and the bars as they were then.

Every transaction that changes a bar leaves a row in `bars_loads`. `xact_at` is its `now()`, which
the bars that it wrote carry in `updated_at` and the revisions that it made in `revised_at`.
"""

from alembic import op

revision = "0003"
down_revision = "0002"

# A row takes 200 bytes with its share of the four indexes. `folded` says how many older loads of
# the same run prune has added to this one.
LOADS = """
CREATE TABLE bars_loads (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    xact_at    timestamptz NOT NULL DEFAULT now() CONSTRAINT bars_loads_xact_at_key UNIQUE,
    known_at   timestamptz NOT NULL,
    stamped_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    inserted   bigint NOT NULL DEFAULT 0,
    updated    bigint NOT NULL DEFAULT 0,
    deleted    bigint NOT NULL DEFAULT 0,
    run_id     bigint,
    file_id    bigint,
    folded     integer,
    kind       text NOT NULL DEFAULT 'load' CONSTRAINT bars_loads_kind_check
               CHECK (kind IN ('load', 'live', 'rollback', 'delete', 'rename', 'apply'))
);
COMMENT ON TABLE bars_loads IS 'one row per transaction that changed bars';

CREATE INDEX bars_loads_known_at_idx ON bars_loads (known_at);
CREATE INDEX bars_loads_run_id_idx ON bars_loads (run_id);

CREATE TABLE bars_pins (
    name       text COLLATE "C" PRIMARY KEY,
    known_at   timestamptz NOT NULL,
    load_id    bigint NOT NULL,
    note       text,
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL DEFAULT session_user,
    CONSTRAINT bars_pins_name_check CHECK (name <> '')
);
COMMENT ON TABLE bars_pins IS 'named instants at which the bars can be read again, unchanged'
"""

REVISIONS = """
ALTER TABLE bars_ohlcv_revisions
    ADD COLUMN op text NOT NULL DEFAULT 'update'
        CONSTRAINT bars_ohlcv_revisions_op_check CHECK (op IN ('update', 'delete')),
    ADD COLUMN old_created_at timestamptz,
    ADD COLUMN old_updated_at timestamptz,
    ALTER COLUMN new_open DROP NOT NULL,
    ALTER COLUMN new_high DROP NOT NULL,
    ALTER COLUMN new_low DROP NOT NULL,
    ALTER COLUMN new_close DROP NOT NULL,
    ADD CONSTRAINT bars_ohlcv_revisions_new_check CHECK (
        num_nulls(new_open, new_high, new_low, new_close)
        = 4 * CAST(op = 'delete' AS integer));
COMMENT ON TABLE bars_ohlcv_revisions IS 'bars before each change, and after each update'
"""

# Revisions of before: a bar's first old values were written when it was, the later ones by the
# revision before. A bar that somebody has deleted by hand and loaded again is younger than its
# revisions: when their first values were written is not known then.
FILL = """
UPDATE bars_ohlcv_revisions r
   SET old_created_at = past.created_at,
       old_updated_at = coalesce(past.revised_before, past.created_at)
  FROM (SELECT v.id,
               lag(v.revised_at) OVER (PARTITION BY v.provider, v.symbol, v.interval, v.ts
                                           ORDER BY v.id) AS revised_before,
               CASE WHEN b.created_at <= min(v.revised_at) OVER (
                             PARTITION BY v.provider, v.symbol, v.interval, v.ts)
                    THEN b.created_at END AS created_at
          FROM bars_ohlcv_revisions v
          LEFT JOIN bars_ohlcv b USING (provider, symbol, interval, ts)) AS past
 WHERE past.id = r.id;

CREATE INDEX bars_ohlcv_revisions_revised_at_idx ON bars_ohlcv_revisions (revised_at);

ALTER TABLE job_run_files ADD COLUMN symbols text[];
CREATE INDEX job_run_files_path_idx ON job_run_files (path)
"""

# The functions name the schema, so that they work whatever the caller's search_path. They are
# inlined, so that a filter on the key reaches the indexes: that takes LANGUAGE sql, STABLE, no SET,
# and SETOF bars_ohlcv, whose columns keep their collation. `%1$I` is the schema.
#
# A pin is looked up by a function that raises where there is none: a name that is misspelled must
# not read as an empty store.
FUNCTIONS = """
DO $migration$
DECLARE
    place text := current_schema();
    versions text := $versions$
        SELECT b.provider, b.symbol, b.interval, b.ts, b.open, b.high, b.low, b.close, b.volume,
               b.vwap, b.trade_count, b.created_at, b.updated_at
          FROM %1$I.bars_ohlcv b
          LEFT JOIN %1$I.bars_loads l ON l.xact_at = b.updated_at
         WHERE coalesce(l.known_at, b.updated_at) <= {at}{l}
         UNION ALL
        SELECT r.provider, r.symbol, r.interval, r.ts, r.old_open, r.old_high, r.old_low,
               r.old_close, r.old_volume, r.old_vwap, r.old_trade_count,
               coalesce(r.old_created_at, r.old_updated_at), r.old_updated_at
          FROM %1$I.bars_ohlcv_revisions r
          LEFT JOIN %1$I.bars_loads o ON o.xact_at = r.old_updated_at
          LEFT JOIN %1$I.bars_loads n ON n.xact_at = r.revised_at
         WHERE coalesce(o.known_at, r.old_updated_at, '-infinity') <= {at}{o}
           AND NOT (coalesce(n.known_at, r.revised_at) <= {at}{n})
    $versions$;
    pinned text := versions;
BEGIN
    EXECUTE format($f$
        CREATE FUNCTION bars_ohlcv_as_of(at timestamptz) RETURNS SETOF bars_ohlcv
        LANGUAGE sql STABLE PARALLEL SAFE ROWS 100000 AS $body$%2$s$body$ $f$,
        place, format(replace(replace(replace(replace(versions,
            '{at}', '$1'), '{l}', ''), '{o}', ''), '{n}', ''), place));

    EXECUTE format($f$
        CREATE FUNCTION mdload_pin(pin text) RETURNS bars_pins
        LANGUAGE plpgsql STABLE PARALLEL SAFE AS $body$
        DECLARE
            found_pin %1$I.bars_pins;
        BEGIN
            SELECT * INTO found_pin FROM %1$I.bars_pins WHERE name = pin;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'there is no pin named %%', quote_literal(pin)
                    USING ERRCODE = 'undefined_object', HINT = 'see them with: mdload pins list';
            END IF;
            RETURN found_pin;
        END
        $body$ $f$, place);

    pinned := replace(pinned, '{at}', '(SELECT known_at FROM %1$I.mdload_pin($1))');
    pinned := replace(pinned, '{l}',
        E'\n           AND coalesce(l.id, 0) <= (SELECT load_id FROM %1$I.mdload_pin($1))');
    pinned := replace(pinned, '{o}',
        E'\n           AND coalesce(o.id, 0) <= (SELECT load_id FROM %1$I.mdload_pin($1))');
    pinned := replace(pinned, '{n}',
        E'\n           AND coalesce(n.id, 0) <= (SELECT load_id FROM %1$I.mdload_pin($1))');
    EXECUTE format($f$
        CREATE FUNCTION bars_ohlcv_at(pin text) RETURNS SETOF bars_ohlcv
        LANGUAGE sql STABLE PARALLEL SAFE ROWS 100000 AS $body$%2$s$body$ $f$,
        place, format(pinned, place));

    -- Waits for the commits under way, and gives the last instant that no later load can reach.
    -- A load takes the lock shared before it looks at the clock, and keeps it up to its commit.
    EXECUTE format($f$
        CREATE FUNCTION mdload_settled() RETURNS timestamptz LANGUAGE plpgsql VOLATILE AS $body$
        DECLARE
            settled timestamptz;
        BEGIN
            PERFORM pg_advisory_lock(120278083395941);
            settled := greatest(clock_timestamp() - interval '1 microsecond',
                                (SELECT max(l.known_at) FROM %1$I.bars_loads l));
            PERFORM pg_advisory_unlock(120278083395941);
            RETURN settled;
        END
        $body$ $f$, place);
END
$migration$;
COMMENT ON FUNCTION bars_ohlcv_as_of(timestamptz) IS 'the bars as the store knew them at that time';
COMMENT ON FUNCTION bars_ohlcv_at(text) IS 'the bars at a pin';
COMMENT ON FUNCTION mdload_settled() IS
    'waits for loads that are committing; bars_ohlcv_as_of() of what it returns can never change'
"""

DOWN = """
DROP FUNCTION mdload_settled();
DROP FUNCTION bars_ohlcv_at(text);
DROP FUNCTION mdload_pin(text);
DROP FUNCTION bars_ohlcv_as_of(timestamptz);
DROP INDEX job_run_files_path_idx;
ALTER TABLE job_run_files DROP COLUMN symbols;
DROP INDEX bars_ohlcv_revisions_revised_at_idx;
DELETE FROM bars_ohlcv_revisions WHERE op = 'delete';
ALTER TABLE bars_ohlcv_revisions DROP CONSTRAINT bars_ohlcv_revisions_new_check;
ALTER TABLE bars_ohlcv_revisions
    DROP COLUMN op,
    DROP COLUMN old_created_at,
    DROP COLUMN old_updated_at,
    ALTER COLUMN new_open SET NOT NULL,
    ALTER COLUMN new_high SET NOT NULL,
    ALTER COLUMN new_low SET NOT NULL,
    ALTER COLUMN new_close SET NOT NULL;
COMMENT ON TABLE bars_ohlcv_revisions IS 'bars before and after each update that changed them';
DROP TABLE bars_pins;
DROP TABLE bars_loads
"""


def upgrade() -> None:
    op.execute(LOADS)
    op.execute(REVISIONS)
    op.execute(FILL)
    op.execute(FUNCTIONS)


def downgrade() -> None:
    op.execute(DOWN)
