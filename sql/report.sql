-- bars_about --
-- About how many bars are stored, by the statistics of the table and its partitions; NULL where it was never analyzed.
SELECT CAST(nullif(sum(greatest(reltuples, 0)), 0) AS bigint) AS bars
  FROM pg_class
 WHERE oid = to_regclass('bars_ohlcv') OR oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = to_regclass('bars_ohlcv'))

-- cell_counts --
-- How many bars each of the wanted stretches (sid, provider, symbol, interval, lo, hi; both ends included) has in each
-- cell of time: cells are `step` long, counted from `origin`. An index range each. No stretch reaches beyond $1 and $2.
SELECT w.sid, c.cell, c.bars
  FROM json_to_recordset(@wanted)
       AS w(sid integer, provider text, symbol text, "interval" text, lo timestamptz, hi timestamptz,
            origin timestamptz, step interval)
 CROSS JOIN LATERAL (
       SELECT date_bin(w.step, s.ts, w.origin) AS cell, count(*) AS bars FROM bars_ohlcv s
        WHERE s.provider = w.provider AND s.symbol = w.symbol AND s."interval" = w."interval"
          AND s.ts >= w.lo AND s.ts <= w.hi AND s.ts BETWEEN $1 AND $2@in_shard(s.)
        GROUP BY 1) c

-- revisions_within --
-- How many revisions there are, of provider $1, symbols $2 (JSON array), interval $3, known from $4 on, where these are
-- not NULL, and the first and last ts of their bars.
SELECT count(*) AS revisions, min(r.ts) AS first, max(r.ts) AS last,
       min(coalesce(n.known_at, r.revised_at)) AS known_first, max(coalesce(n.known_at, r.revised_at)) AS known_last
  FROM bars_ohlcv_revisions r
  LEFT JOIN bars_loads n ON n.xact_at = r.revised_at
 WHERE (CAST($1 AS text) IS NULL OR r.provider = $1)
   AND (CAST($2 AS text) IS NULL OR r.symbol = ANY (ARRAY(
        SELECT jsonb_array_elements_text(CAST(CAST($2 AS text) AS jsonb)))))
   AND (CAST($3 AS text) IS NULL OR r."interval" = $3)
   AND (CAST($4 AS timestamptz) IS NULL OR coalesce(n.known_at, r.revised_at) >= CAST($4 AS timestamptz))

-- revisions_binned --
-- The same revisions ($1 to $4), by series, load and stretch of their bars' time ($6 seconds long, counted from $5): how
-- many bars, how many of them taken away, the lowest and the highest change of a close in basis points, the largest
-- change of any price, and the lowest and highest factor of the closes.
SELECT r.provider, r.symbol, r."interval", coalesce(r.run_id, n.run_id) AS run_id,
       coalesce(n.known_at, r.revised_at) AS known_at,
       date_bin(make_interval(secs => CAST($6 AS double precision)), r.ts, CAST($5 AS timestamptz)) AS bin,
       count(*) AS bars, count(*) FILTER (WHERE r.op = 'delete') AS deleted,
       min(r.ts) AS first, max(r.ts) AS last,
       10000 * (min(r.new_close / nullif(r.old_close, 0)) - 1) AS low,
       10000 * (max(r.new_close / nullif(r.old_close, 0)) - 1) AS high,
       10000 * max(greatest(abs(r.new_open / nullif(r.old_open, 0) - 1), abs(r.new_high / nullif(r.old_high, 0) - 1),
                            abs(r.new_low / nullif(r.old_low, 0) - 1),
                            abs(r.new_close / nullif(r.old_close, 0) - 1))) AS bps
  FROM bars_ohlcv_revisions r
  LEFT JOIN bars_loads n ON n.xact_at = r.revised_at
 WHERE (CAST($1 AS text) IS NULL OR r.provider = $1)
   AND (CAST($2 AS text) IS NULL OR r.symbol = ANY (ARRAY(
        SELECT jsonb_array_elements_text(CAST(CAST($2 AS text) AS jsonb)))))
   AND (CAST($3 AS text) IS NULL OR r."interval" = $3)
   AND (CAST($4 AS timestamptz) IS NULL OR coalesce(n.known_at, r.revised_at) >= CAST($4 AS timestamptz))
 GROUP BY 1, 2, 3, 4, 5, 6

-- report_runs --
-- The newest runs, at most $2, that started at $1 or later (NULL: ever), without their symbols; `silent_ms` is the time
-- since the last sign of life of one that is running, and `of` says how many there are.
SELECT id, job_name, provider, mode, status, started_at, completed_at, elapsed_ms, rows_read, rows_inserted,
       rows_updated, rows_unchanged, rows_duplicate, rows_skipped, rows_failed, min_ts, max_ts, error_message,
       CASE WHEN status = 'running' THEN CAST(1000 * extract(epoch FROM statement_timestamp() - coalesce(
            CASE WHEN metadata ->> 'last_heartbeat' ~ '^\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-][\d:]+)$'
                 THEN CAST(metadata ->> 'last_heartbeat' AS timestamptz) END, started_at)) AS bigint) END AS silent_ms,
       count(*) OVER () AS "of"
  FROM job_runs
 WHERE CAST($1 AS timestamptz) IS NULL OR started_at >= CAST($1 AS timestamptz)
 ORDER BY started_at DESC, id DESC
 LIMIT CAST($2 AS bigint)

-- report_files --
-- Files of the runs from $1 to $2 (ids): those that were refused, failed or have findings or rejects first, then the
-- newest; at most $3.
SELECT id, run_id, path, size_bytes, dialect, provider, "interval", state, rows_read, rows_inserted, rows_updated,
       rows_unchanged, rows_duplicate, rows_skipped, rows_failed, bars_changed, bars_gone, rejected, findings,
       min_ts, max_ts, error_message, started_at, completed_at, count(*) OVER () AS "of"
  FROM job_run_files
 WHERE run_id BETWEEN CAST($1 AS bigint) AND CAST($2 AS bigint)
 ORDER BY state IN ('refused', 'failed', 'partial', 'cancelled') DESC, findings <> '[]' DESC, rows_failed > 0 DESC, id DESC
 LIMIT CAST($3 AS bigint)

-- report_findings --
-- What the guard found in files of the runs from $1 to $2, newest first, at most $3.
SELECT f.run_id, f.id AS file_id, f.path, f.state, f.started_at, each.finding, count(*) OVER () AS "of"
  FROM job_run_files f
 CROSS JOIN jsonb_array_elements(f.findings) WITH ORDINALITY AS each (finding, place)
 WHERE f.run_id BETWEEN CAST($1 AS bigint) AND CAST($2 AS bigint) AND f.findings <> '[]'
 ORDER BY f.id DESC, each.place
 LIMIT CAST($3 AS bigint)

-- report_rejects --
-- Rejected rows of the runs from $1 to $2 by file and rule, as the ledger counted them, the most first; and by run and
-- rule those that did not come from a file.
SELECT f.run_id, f.id AS file_id, f.path, f.provider, counted.key AS rule, CAST(counted.value AS bigint) AS rows,
       f.started_at
  FROM job_run_files f
 CROSS JOIN jsonb_each_text(f.rejected) AS counted
 WHERE f.run_id BETWEEN CAST($1 AS bigint) AND CAST($2 AS bigint) AND f.rejected <> '{}'
 UNION ALL
SELECT r.run_id, NULL, NULL, min(r.provider), broken.rule, count(*), min(r.created_at)
  FROM bars_rejected r
 CROSS JOIN unnest(r.rules) AS broken (rule)
 WHERE r.run_id BETWEEN CAST($1 AS bigint) AND CAST($2 AS bigint) AND r.file_id IS NULL
 GROUP BY r.run_id, broken.rule
 ORDER BY rows DESC, run_id DESC, file_id, rule

-- report_places --
-- The first $2 rejected rows of each of the wanted places $1 (JSON array of run_id, file_id, rule).
SELECT w.run_id, w.file_id, w.rule, r.row_number, r.rules, left(CAST(r.raw AS text), 2000) AS raw, r.provider, r.symbol,
       r."interval", r.ts
  FROM jsonb_to_recordset(CAST(CAST($1 AS text) AS jsonb)) AS w(run_id bigint, file_id bigint, rule text)
 CROSS JOIN LATERAL (
       SELECT * FROM bars_rejected b
        WHERE b.run_id = w.run_id AND b.file_id IS NOT DISTINCT FROM w.file_id AND w.rule = ANY (b.rules)
        ORDER BY b.row_number, b.id LIMIT CAST($2 AS integer)) r
 ORDER BY w.run_id DESC, w.file_id, w.rule, r.row_number

-- report_candles --
-- The last $5 bars of a series ($1 provider, $2 symbol, $3 interval) up to $4, newest first.
SELECT b.ts, @values(b.)
  FROM bars_ohlcv b
 WHERE b.provider = $1 AND b.symbol = $2 AND b."interval" = $3 AND b.ts <= CAST($4 AS timestamptz)
 ORDER BY b.ts DESC
 LIMIT CAST($5 AS bigint)

-- report_revised --
-- The revisions of a series ($1 provider, $2 symbol, $3 interval) from $4 to $5, in the order of loads.
SELECT r.ts, r.op, coalesce(n.known_at, r.revised_at) AS known_at, coalesce(r.run_id, n.run_id) AS run_id,
       @values(r.old_), @values(r.new_)
  FROM bars_ohlcv_revisions r
  LEFT JOIN bars_loads n ON n.xact_at = r.revised_at
 WHERE r.provider = $1 AND r.symbol = $2 AND r."interval" = $3
   AND r.ts BETWEEN CAST($4 AS timestamptz) AND CAST($5 AS timestamptz)
 ORDER BY r.ts, n.id, r.id
