-- timescale_bars --
-- The hypertable of the bars and its compression policy; no row where bars_ohlcv is a plain table. Only where
-- TimescaleDB is installed.
SELECT h.compression_enabled AS compresses,
       current_setting('timescaledb.license', true) AS license,
       j.job_id AS policy, j.owner, coalesce(j.scheduled, false) AS scheduled,
       s.last_run_status AS last_status, s.last_run_started_at AS last_run,
       clock_timestamp() - s.next_start AS overdue
  FROM timescaledb_information.hypertables h
  LEFT JOIN timescaledb_information.jobs j
         ON (j.hypertable_schema, j.hypertable_name) = (h.hypertable_schema, h.hypertable_name)
        AND j.proc_name = 'policy_compression'
  LEFT JOIN timescaledb_information.job_stats s ON s.job_id = j.job_id
 WHERE h.hypertable_schema = current_schema() AND h.hypertable_name = 'bars_ohlcv'
