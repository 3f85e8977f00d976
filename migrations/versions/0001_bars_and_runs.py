"""Bars, their revisions and rejects, job runs and files, and original spellings of symbols.

The SQL here is frozen: later changes are later migrations. Names are unqualified on purpose:
objects go to the connection's current schema, the first of its search_path.
"""

from alembic import op

revision = "0001"
down_revision = None

# Keys collate "C": it is the byte order of a sorted frame, it avoids strcoll per index comparison,
# and an upgrade of the operating system's locales cannot corrupt the primary key.
BARS = """
CREATE TABLE bars_ohlcv (
    provider    text COLLATE "C" NOT NULL,
    symbol      text COLLATE "C" NOT NULL,
    interval    text COLLATE "C" NOT NULL,
    ts          timestamptz NOT NULL,
    open        double precision NOT NULL,
    high        double precision NOT NULL,
    low         double precision NOT NULL,
    close       double precision NOT NULL,
    volume      double precision,
    vwap        double precision,
    trade_count bigint,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT bars_ohlcv_pk PRIMARY KEY (provider, symbol, interval, ts),
    CONSTRAINT bars_ohlcv_symbol_check CHECK (symbol = upper(symbol))
);
COMMENT ON TABLE bars_ohlcv IS 'OHLCV bars; ts is the start of the bar';

CREATE FUNCTION mdload_touch_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at = now();
    RETURN NEW;
END
$$;

CREATE TRIGGER bars_ohlcv_updated_at BEFORE UPDATE ON bars_ohlcv
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*)
    EXECUTE FUNCTION mdload_touch_updated_at()
"""

# The server decides at run time, so that the printed SQL behaves the same. The migration never
# creates the extension: that needs preloading and privileges, and is the database owner's choice.
# Since 2.18 compression is called the columnstore, and the old policy functions are deprecated.
TIMESCALE = """
DO $$
DECLARE
    extension_schema text;
    version int[];
    policy text;
BEGIN
    SELECT nspname, string_to_array(substring(extversion FROM '^[0-9]+[.][0-9]+'), '.')::int[]
    INTO extension_schema, version
    FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace
    WHERE extname = 'timescaledb';
    IF NOT FOUND THEN
        RETURN;
    END IF;
    EXECUTE format(
        'SELECT %1$I.create_hypertable($1, %1$I.by_range(''ts'', interval ''7 days''),'
        ' create_default_indexes => false)',
        extension_schema) USING 'bars_ohlcv'::regclass;
    BEGIN
        IF version >= '{2,18}' THEN
            ALTER TABLE bars_ohlcv SET (
                timescaledb.enable_columnstore,
                timescaledb.segmentby = 'provider, symbol, interval',
                timescaledb.orderby = 'ts'
            );
            policy := 'CALL %I.add_columnstore_policy($1, after => interval ''90 days'')';
        ELSE
            ALTER TABLE bars_ohlcv SET (
                timescaledb.compress,
                timescaledb.compress_segmentby = 'provider, symbol, interval',
                timescaledb.compress_orderby = 'ts'
            );
            policy :=
                'SELECT %I.add_compression_policy($1, compress_after => interval ''90 days'')';
        END IF;
        BEGIN
            EXECUTE format(policy, extension_schema) USING 'bars_ohlcv'::regclass;
        EXCEPTION WHEN invalid_authorization_specification THEN  -- whom no worker can be
            RAISE NOTICE 'no policy compresses bars_ohlcv, because its owner may not log in: %',
                SQLERRM;
        END;
    EXCEPTION WHEN feature_not_supported THEN  -- the Apache licence
        RAISE NOTICE 'bars_ohlcv is a hypertable without compression: %', SQLERRM;
    END;
END
$$
"""

JOB_RUNS = """
CREATE TABLE job_runs (
    id                 bigserial PRIMARY KEY,
    job_name           text NOT NULL,
    dataset_name       text,
    provider           text,
    mode               text NOT NULL DEFAULT 'live' CHECK (mode IN ('live', 'backfill')),
    status             text NOT NULL DEFAULT 'running'
                       CHECK (status IN ('running', 'success', 'failure', 'cancelled')),
    config_fingerprint text,
    pipeline_version   text,
    rows_read          bigint NOT NULL DEFAULT 0,
    rows_written       bigint NOT NULL DEFAULT 0,
    rows_inserted      bigint NOT NULL DEFAULT 0,
    rows_updated       bigint NOT NULL DEFAULT 0,
    rows_unchanged     bigint NOT NULL DEFAULT 0,
    rows_duplicate     bigint NOT NULL DEFAULT 0,
    rows_skipped       bigint NOT NULL DEFAULT 0,
    rows_failed        bigint NOT NULL DEFAULT 0,
    symbols            text[],
    min_ts             timestamptz,
    max_ts             timestamptz,
    error_message      text,
    metadata           jsonb NOT NULL DEFAULT '{}',
    started_at         timestamptz NOT NULL DEFAULT now(),
    completed_at       timestamptz,
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now(),
    elapsed_ms         bigint GENERATED ALWAYS AS
                       ((extract(epoch FROM completed_at - started_at) * 1000)::bigint) STORED
);
COMMENT ON TABLE job_runs IS 'one row per invocation that loads bars';

CREATE INDEX job_runs_job_name_idx ON job_runs (job_name, started_at DESC);
CREATE INDEX job_runs_status_idx ON job_runs (status, started_at DESC);
CREATE INDEX job_runs_provider_idx ON job_runs (provider, started_at DESC);
CREATE INDEX job_runs_started_at_idx ON job_runs (started_at DESC);
CREATE INDEX job_runs_metadata_idx ON job_runs USING gin (metadata);

-- No WHEN here: a BEFORE trigger cannot compare a NEW that has a generated column.
CREATE TRIGGER job_runs_updated_at BEFORE UPDATE ON job_runs
    FOR EACH ROW EXECUTE FUNCTION mdload_touch_updated_at();

CREATE VIEW job_runs_summary AS
SELECT job_name,
       provider,
       status,
       count(*) AS run_count,
       avg(elapsed_ms)::double precision AS avg_duration_ms,
       sum(rows_written)::bigint AS total_rows,
       max(started_at) AS last_run_at,
       count(*) FILTER (WHERE status = 'failure') AS failure_count
FROM job_runs
WHERE started_at > now() - interval '24 hours'
GROUP BY job_name, provider, status;
COMMENT ON VIEW job_runs_summary IS 'runs started in the last 24 hours'
"""

# The counts of a file must balance here too; an unfinished file has incomplete counts.
JOB_RUN_FILES = """
CREATE TABLE job_run_files (
    id                 bigserial PRIMARY KEY,
    run_id             bigint NOT NULL REFERENCES job_runs (id) ON DELETE CASCADE,
    path               text NOT NULL,
    size_bytes         bigint,
    content_hash       text,
    config_fingerprint text,
    dialect            text,
    provider           text,
    interval           text,
    state              text NOT NULL DEFAULT 'loading'
                       CHECK (state IN ('loading', 'loaded', 'known', 'partial', 'refused',
                                        'failed', 'cancelled')),
    rows_read          bigint NOT NULL DEFAULT 0,
    rows_written       bigint NOT NULL DEFAULT 0,
    rows_inserted      bigint NOT NULL DEFAULT 0,
    rows_updated       bigint NOT NULL DEFAULT 0,
    rows_unchanged     bigint NOT NULL DEFAULT 0,
    rows_duplicate     bigint NOT NULL DEFAULT 0,
    rows_skipped       bigint NOT NULL DEFAULT 0,
    rows_failed        bigint NOT NULL DEFAULT 0,
    rows_resumable     bigint NOT NULL DEFAULT 0,
    rejected           jsonb NOT NULL DEFAULT '{}',
    notes              text[] NOT NULL DEFAULT '{}',
    min_ts             timestamptz,
    max_ts             timestamptz,
    error_message      text,
    started_at         timestamptz NOT NULL DEFAULT now(),
    completed_at       timestamptz,
    CONSTRAINT job_run_files_written_check CHECK (rows_written = rows_inserted + rows_updated),
    CONSTRAINT job_run_files_balance_check CHECK (
        state IN ('loading', 'failed', 'cancelled')
        OR rows_read = rows_inserted + rows_updated + rows_unchanged + rows_duplicate
                       + rows_skipped + rows_failed)
);
COMMENT ON TABLE job_run_files IS 'one row per source file of a run';

CREATE INDEX job_run_files_run_id_idx ON job_run_files (run_id);
CREATE INDEX job_run_files_content_idx ON job_run_files (content_hash, config_fingerprint)
    WHERE state IN ('loaded', 'partial')
"""

BARS_REJECTED = """
CREATE TABLE bars_rejected (
    id          bigserial PRIMARY KEY,
    run_id      bigint REFERENCES job_runs (id) ON DELETE CASCADE,
    file_id     bigint REFERENCES job_run_files (id) ON DELETE CASCADE,
    row_number  bigint,
    rules       text[] NOT NULL,
    raw         jsonb NOT NULL,
    replayed_by bigint REFERENCES job_runs (id) ON DELETE SET NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE bars_rejected IS 'rows that broke a rule, as they were read';

CREATE INDEX bars_rejected_run_id_idx ON bars_rejected (run_id);
CREATE INDEX bars_rejected_file_id_idx ON bars_rejected (file_id);
CREATE INDEX bars_rejected_replayed_by_idx ON bars_rejected (replayed_by)
    WHERE replayed_by IS NOT NULL
"""

# The two tables below have no foreign keys, because they outlive `job-runs cleanup`: the run's id
# still groups their rows after the run is deleted. Ids are never reused.
REVISIONS = """
CREATE TABLE bars_ohlcv_revisions (
    id              bigserial PRIMARY KEY,
    provider        text COLLATE "C" NOT NULL,
    symbol          text COLLATE "C" NOT NULL,
    interval        text COLLATE "C" NOT NULL,
    ts              timestamptz NOT NULL,
    old_open        double precision NOT NULL,
    old_high        double precision NOT NULL,
    old_low         double precision NOT NULL,
    old_close       double precision NOT NULL,
    old_volume      double precision,
    old_vwap        double precision,
    old_trade_count bigint,
    new_open        double precision NOT NULL,
    new_high        double precision NOT NULL,
    new_low         double precision NOT NULL,
    new_close       double precision NOT NULL,
    new_volume      double precision,
    new_vwap        double precision,
    new_trade_count bigint,
    run_id          bigint,
    file_id         bigint,
    revised_at      timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE bars_ohlcv_revisions IS 'bars before and after each update that changed them';

CREATE INDEX bars_ohlcv_revisions_key_idx
    ON bars_ohlcv_revisions (provider, symbol, interval, ts)
"""

PROVIDER_SYMBOLS = """
CREATE TABLE provider_symbols (
    provider      text COLLATE "C" NOT NULL,
    source_symbol text COLLATE "C" NOT NULL,
    symbol        text COLLATE "C" NOT NULL,
    convention    text NOT NULL,
    first_seen_at timestamptz NOT NULL DEFAULT now(),
    first_run_id  bigint,
    CONSTRAINT provider_symbols_pk PRIMARY KEY (provider, source_symbol),
    CONSTRAINT provider_symbols_symbol_check CHECK (symbol = upper(symbol))
);
COMMENT ON TABLE provider_symbols IS 'every spelling of a symbol ever loaded, and what it became';

CREATE INDEX provider_symbols_symbol_idx ON provider_symbols (provider, symbol)
"""

# Never CASCADE: somebody's view on these tables stops the downgrade instead of being dropped.
DOWN = """
DROP TABLE provider_symbols;
DROP TABLE bars_ohlcv_revisions;
DROP TABLE bars_rejected;
DROP TABLE job_run_files;
DROP VIEW job_runs_summary;
DROP TABLE job_runs;
DROP TABLE bars_ohlcv;
DROP FUNCTION mdload_touch_updated_at()
"""


def upgrade() -> None:
    op.execute(BARS)
    op.execute(TIMESCALE)
    op.execute(JOB_RUNS)
    op.execute(JOB_RUN_FILES)
    op.execute(BARS_REJECTED)
    op.execute(REVISIONS)
    op.execute(PROVIDER_SYMBOLS)


def downgrade() -> None:
    op.execute(DOWN)
