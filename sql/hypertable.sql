-- timescale_extension --
-- TimescaleDB in this database: version, schema, licence. No row if it is not installed.
SELECT extversion AS version, nspname AS schema,
       coalesce(current_setting('timescaledb.license', true), 'timescale') AS licence
  FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace
 WHERE extname = 'timescaledb'

-- timescale_available --
-- The version that the server could install, NULL if it has none.
SELECT (SELECT default_version FROM pg_available_extensions WHERE name = 'timescaledb') AS version

-- timescale_reach --
-- Lets this session call the functions of TimescaleDB by their bare names. $1 their schema.
SELECT set_config('search_path', current_setting('search_path') || ', ' || quote_ident($1), false)

-- bars_size --
-- The bars as a plain table: approximate rows (as last analyzed, or by size), and bytes including the index.
SELECT CAST(CASE WHEN reltuples >= 0 THEN reltuples ELSE pg_table_size(oid) / 120 END AS bigint) AS rows,
       pg_total_relation_size(oid) AS bytes
  FROM pg_class WHERE oid = to_regclass('bars_ohlcv')

-- bars_hypertable --
-- The bars as a hypertable; no row if they are a plain table. Chunks, how many are compressed, whether it compresses,
-- and its policy: the job, after which time it compresses, its last run, for how long it is overdue (negative if it is
-- not due yet). TimescaleDB uses -infinity for a run that has not happened, and for the next one during a run.
SELECT h.num_chunks AS chunks, h.compression_enabled AS compresses, d.time_interval AS width,
       (SELECT count(*) FROM timescaledb_information.chunks c
         WHERE c.hypertable_schema = h.hypertable_schema AND c.hypertable_name = h.hypertable_name
           AND c.is_compressed) AS compressed,
       j.job_id AS policy, CAST(j.config ->> 'compress_after' AS interval) AS after,
       coalesce(j.scheduled, false) AS scheduled, s.last_run, s.last_run_status AS last_status, s.next_run,
       clock_timestamp() - s.next_run AS overdue
  FROM timescaledb_information.hypertables h
  JOIN timescaledb_information.dimensions d USING (hypertable_schema, hypertable_name)
  LEFT JOIN timescaledb_information.jobs j
         ON (j.hypertable_schema, j.hypertable_name) = (h.hypertable_schema, h.hypertable_name)
        AND j.proc_name = 'policy_compression'
  LEFT JOIN (SELECT job_id, last_run_status,
                    CASE WHEN isfinite(last_run_started_at) THEN last_run_started_at END AS last_run,
                    CASE WHEN isfinite(next_start) THEN next_start END AS next_run
               FROM timescaledb_information.job_stats) s ON s.job_id = j.job_id
 WHERE h.hypertable_schema = current_schema() AND h.hypertable_name = 'bars_ohlcv'

-- hypertable_bytes --
-- Bytes on disk, and bytes of the compressed chunks before and after compression; NULL if there are none.
SELECT (SELECT hypertable_size('bars_ohlcv')) AS bytes,
       before_compression_total_bytes AS before, after_compression_total_bytes AS after
  FROM hypertable_compression_stats('bars_ohlcv')

-- hypertable_make --
-- Converts bars_ohlcv to a hypertable and moves its rows into chunks.
SELECT created FROM create_hypertable('bars_ohlcv', by_range('ts', interval '7 days'),
                                      create_default_indexes => false, migrate_data => true)

-- columnstore_make --
-- Turns compression on as migrations do, for versions from 2.18 on.
ALTER TABLE bars_ohlcv SET (timescaledb.enable_columnstore, timescaledb.segmentby = 'provider, symbol, interval',
                            timescaledb.orderby = 'ts')

-- columnstore_policy --
-- Adds the policy that compresses chunks older than 90 days.
CALL add_columnstore_policy('bars_ohlcv', after => interval '90 days', if_not_exists => true)

-- compression_make --
-- Turns compression on for older versions.
ALTER TABLE bars_ohlcv SET (timescaledb.compress, timescaledb.compress_segmentby = 'provider, symbol, interval',
                            timescaledb.compress_orderby = 'ts')

-- compression_policy --
-- Adds that policy for older versions.
SELECT add_compression_policy('bars_ohlcv', compress_after => interval '90 days', if_not_exists => true)
