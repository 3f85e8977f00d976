-- job_run_start --
-- Records a run as running. Returns its id. $1 job name, $2 dataset name, $3 provider, $4 mode,
-- $5 config fingerprint, $6 pipeline version, $7 metadata (JSON). Times come from clock_timestamp()
-- in all of these queries: now() stands still while a transaction lasts.
INSERT INTO job_runs (job_name, dataset_name, provider, mode, config_fingerprint,
                      pipeline_version, metadata, started_at)
VALUES ($1, $2, $3, $4, $5, $6, CAST(CAST($7 AS text) AS jsonb) - 'last_heartbeat',
        clock_timestamp())
RETURNING id

-- job_run_add_counts --
-- Adds to the counts of a run, merges its symbols and span, and sends a heartbeat if $12 is true. Returns the id, the
-- job's name and the mode, or no row when the run is no longer running. $1 run, $2-$8 rows read, inserted, updated, unchanged,
-- duplicate, skipped, failed, $9 symbols (JSON array), $10 first ts, $11 last ts.
-- If $13 is a kind of load, it records the load as load_record does, in the same round trip: $14 file, $15 deleted,
-- $16 known at. Of those that changed nothing it records rollbacks alone: what they undid is undone. It locks the run's row,
-- and only then waits for readers that settle the store: run it last in its transaction.
WITH counted AS (
UPDATE job_runs
   SET rows_read = rows_read + CAST($2 AS bigint),
       rows_written = rows_written + CAST($3 AS bigint) + CAST($4 AS bigint),
       rows_inserted = rows_inserted + CAST($3 AS bigint),
       rows_updated = rows_updated + CAST($4 AS bigint),
       rows_unchanged = rows_unchanged + CAST($5 AS bigint),
       rows_duplicate = rows_duplicate + CAST($6 AS bigint),
       rows_skipped = rows_skipped + CAST($7 AS bigint),
       rows_failed = rows_failed + CAST($8 AS bigint),
       symbols = (SELECT array_agg(symbol ORDER BY symbol COLLATE "C")
                    FROM (SELECT unnest(symbols)
                           UNION
                          SELECT jsonb_array_elements_text(CAST(CAST($9 AS text) AS jsonb))
                         ) AS merged (symbol)),
       min_ts = least(min_ts, CAST($10 AS timestamptz)),
       max_ts = greatest(max_ts, CAST($11 AS timestamptz)),
       metadata = CASE WHEN CAST($12 AS boolean) THEN metadata || jsonb_build_object('last_heartbeat',
           to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
           ELSE metadata END
 WHERE id = CAST($1 AS bigint) AND status = 'running'
RETURNING id, job_name, mode
), held AS MATERIALIZED (
    SELECT pg_advisory_xact_lock_shared(120278083395941), id, mode FROM counted
     WHERE CAST($13 AS text) IS NOT NULL
       AND (CAST($3 AS bigint) + CAST($4 AS bigint) + CAST($15 AS bigint) > 0 OR $13 = 'rollback')
), loaded AS (
    INSERT INTO bars_loads (known_at, inserted, updated, deleted, run_id, file_id, kind)
    SELECT coalesce(CAST($16 AS timestamptz), greatest(clock_timestamp(),
               (SELECT max(known_at) + interval '1 microsecond' FROM bars_loads))),
           CAST($3 AS bigint), CAST($4 AS bigint), CAST($15 AS bigint), id, CAST($14 AS bigint),
           CASE WHEN $13 = 'load' AND mode = 'live' THEN 'live' ELSE $13 END
      FROM held)
SELECT id, job_name, mode FROM counted

-- job_run_labels --
-- The job's name and the mode of run $1.
SELECT job_name, mode FROM job_runs WHERE id = CAST($1 AS bigint)

-- job_run_wait --
-- Waits for every transaction that has added counts to run $1 and has not ended yet.
SELECT id FROM job_runs WHERE id = CAST($1 AS bigint) FOR NO KEY UPDATE

-- job_run_touch --
-- Writes run $1 as it is, for its commit.
UPDATE job_runs SET metadata = metadata WHERE id = CAST($1 AS bigint)

-- job_run_heartbeat --
-- Sends a heartbeat. Returns the id, or no row when run $1 is not running. If its row is locked, another session is at
-- work on it: returns no row and does not wait.
UPDATE job_runs
   SET metadata = metadata || jsonb_build_object('last_heartbeat',
           to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
 WHERE id = (SELECT id
               FROM job_runs
              WHERE id = CAST($1 AS bigint) AND status = 'running'
                FOR NO KEY UPDATE SKIP LOCKED)
RETURNING id

-- job_run_complete --
-- Ends a run. Returns its counts, or no row when it is not running. $1 run, $2 status, $3 error message.
-- A run that was given no provider gets the one that all its files have, if they agree. Files that were loaded together
-- have left their symbols in the ledger alone: they are added to the run's here.
UPDATE job_runs
   SET status = $2, error_message = $3, completed_at = greatest(clock_timestamp(), started_at),
       symbols = @run_symbols(job_runs.),
       provider = coalesce(provider, (
           SELECT min(f.provider) FROM job_run_files f
            WHERE f.run_id = job_runs.id AND (f.provider IS NOT NULL OR f.rows_read > 0)
           HAVING count(DISTINCT f.provider) = 1 AND bool_and(f.provider IS NOT NULL)))
 WHERE id = CAST($1 AS bigint) AND status = 'running'
RETURNING id, job_name, provider, mode, status, elapsed_ms, rows_read, rows_inserted, rows_updated,
          rows_unchanged, rows_duplicate, rows_skipped, rows_failed

-- job_runs_mark_failed --
-- Ends as failed those of the runs $1 that are still running and have given no sign of life for $3 minutes (see
-- job_runs_find), and gives them the symbols of their files. Returns the counts of each. $2 error message.
UPDATE job_runs
   SET status = 'failure', error_message = $2,
       symbols = @run_symbols(job_runs.),
       completed_at = greatest(clock_timestamp(), started_at)
 WHERE id = ANY (CAST($1 AS bigint[]))
   AND status = 'running'
   AND coalesce(CASE WHEN metadata ->> 'last_heartbeat' ~ '^\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-][\d:]+)$'
                     THEN CAST(metadata ->> 'last_heartbeat' AS timestamptz) END,
                started_at)
       < clock_timestamp() - make_interval(secs => 60 * CAST($3 AS double precision))
RETURNING id, job_name, provider, mode, status, elapsed_ms, rows_read, rows_inserted, rows_updated,
          rows_unchanged, rows_duplicate, rows_skipped, rows_failed

-- job_runs_find --
-- Runs, newest first; a NULL parameter does not filter. $1 id, $2 job name, $3 status, $4 started at or after,
-- $5 running without a sign of life (a heartbeat, or else its start) for this many minutes, $6 at most this many runs.
-- providers are those of its files, or else its own; as_of is the server's time.
SELECT id, job_name, dataset_name, provider, mode, status, config_fingerprint, pipeline_version,
       rows_read, rows_written, rows_inserted, rows_updated, rows_unchanged, rows_duplicate,
       rows_skipped, rows_failed, symbols, min_ts, max_ts, error_message, metadata,
       started_at, completed_at, created_at, updated_at, elapsed_ms,
       coalesce((SELECT array_agg(DISTINCT f.provider ORDER BY f.provider)
                   FROM job_run_files f WHERE f.run_id = job_runs.id AND f.provider IS NOT NULL),
                array_remove(ARRAY[provider], NULL)) AS providers,
       statement_timestamp() AS as_of
  FROM job_runs
 WHERE (CAST($1 AS bigint) IS NULL OR id = $1)
   AND (CAST($2 AS text) IS NULL OR job_name = $2)
   AND (CAST($3 AS text) IS NULL OR status = $3)
   AND (CAST($4 AS timestamptz) IS NULL OR started_at >= $4)
   AND (CAST($5 AS double precision) IS NULL
        OR status = 'running'
       AND coalesce(CASE WHEN metadata ->> 'last_heartbeat' ~ '^\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-][\d:]+)$'
                         THEN CAST(metadata ->> 'last_heartbeat' AS timestamptz) END,
                    started_at)
           < statement_timestamp() - make_interval(secs => 60 * CAST($5 AS double precision)))
 ORDER BY started_at DESC, id DESC
 LIMIT CAST($6 AS bigint)

-- job_runs_summary --
-- The runs of the last $1 hours, in the columns of the view job_runs_summary, which has 24 hours.
SELECT job_name, provider, status,
       count(*) AS run_count,
       CAST(avg(elapsed_ms) AS double precision) AS avg_duration_ms,
       CAST(sum(rows_written) AS bigint) AS total_rows,
       max(started_at) AS last_run_at,
       count(*) FILTER (WHERE status = 'failure') AS failure_count
  FROM job_runs
 WHERE started_at
       > statement_timestamp() - make_interval(secs => 3600 * CAST($1 AS double precision))
 GROUP BY job_name, provider, status
 ORDER BY job_name, provider NULLS FIRST, status

-- job_runs_expired --
-- By job, the runs that ended more than $1 days (of 24 hours) ago, and what is deleted with them: rows of
-- files, rejected rows, and those of them that were not replayed.
WITH expired AS MATERIALIZED (
    SELECT id, job_name, started_at
      FROM job_runs
     WHERE status <> 'running'
       AND coalesce(completed_at, started_at)
           < statement_timestamp() - make_interval(hours => 24 * CAST($1 AS integer))),
file_counts AS (
    SELECT f.run_id, count(*) AS files
      FROM job_run_files f JOIN expired ON expired.id = f.run_id
     GROUP BY f.run_id),
reject_counts AS (
    SELECT r.run_id, count(*) AS rejects, count(*) FILTER (WHERE r.replayed_by IS NULL) AS waiting
      FROM bars_rejected r JOIN expired ON expired.id = r.run_id
     GROUP BY r.run_id)
SELECT job_name,
       count(*) AS run_count,
       min(started_at) AS first_run_at,
       max(started_at) AS last_run_at,
       CAST(coalesce(sum(files), 0) AS bigint) AS files,
       CAST(coalesce(sum(rejects), 0) AS bigint) AS rejects,
       CAST(coalesce(sum(waiting), 0) AS bigint) AS rejects_waiting
  FROM expired
  LEFT JOIN file_counts ON file_counts.run_id = expired.id
  LEFT JOIN reject_counts ON reject_counts.run_id = expired.id
 GROUP BY job_name
 ORDER BY job_name

-- job_runs_cleanup --
-- Deletes the runs of job_runs_expired with their files and rejected rows. Returns the number of runs. $1 days.
WITH gone AS (
    DELETE FROM job_runs
     WHERE status <> 'running'
       AND coalesce(completed_at, started_at)
           < statement_timestamp() - make_interval(hours => 24 * CAST($1 AS integer))
    RETURNING id)
SELECT count(*) AS runs FROM gone

-- job_run_files --
-- The files of run $1, in the order in which they were begun.
SELECT id, run_id, path, size_bytes, content_hash, config_fingerprint, dialect, provider, interval,
       state, rows_read, rows_written, rows_inserted, rows_updated, rows_unchanged, rows_duplicate,
       rows_skipped, rows_failed, rejected, notes, min_ts, max_ts, error_message,
       bars_changed, bars_inserted_between, bars_gone, bars_deleted, series, findings,
       started_at, completed_at
  FROM job_run_files
 WHERE run_id = CAST($1 AS bigint)
 ORDER BY started_at, id

-- job_run_rejects --
-- Rejected rows of run $1 that did not come from a file, by broken rule; a row can break several.
SELECT rule, count(*) AS rows
  FROM bars_rejected
 CROSS JOIN unnest(rules) AS broken (rule)
 WHERE run_id = CAST($1 AS bigint) AND file_id IS NULL
 GROUP BY rule
 ORDER BY rows DESC, rule
