-- together_create --
-- The stage of several files: their new bars, with the number of each one's file.
CREATE TEMPORARY TABLE mdload_together (file bigint, @defined)

-- together_index --
-- So that the bars of one file are found at once.
CREATE INDEX ON pg_temp.mdload_together (file)

-- together_began --
-- The moment $1 seconds ago, by the clock of the server.
SELECT clock_timestamp() - make_interval(secs => CAST($1 AS double precision)) AS began

-- together_drop --
-- Takes the stage away.
DROP TABLE IF EXISTS pg_temp.mdload_together

-- together_book --
-- One file of the stage, all of it good, and each of its series either new or stored as it is: writes its bars, its row in
-- the ledger, the spellings of its symbols, the counts of the run and the load, as file_begin, file_end, spellings_keep and
-- job_run_add_counts do. $1 JSON object. It fails, and keeps nothing, if not all of the bars were inserted, a symbol has
-- another spelling too, or the run has ended. The symbols of the run come from the ledger when it ends. The load comes
-- last, after all that may wait for other writers. A deferred commit is answered before it is on disk. Returns the id of
-- the file's row.
WITH given AS MATERIALIZED (
    SELECT * FROM json_to_record(CAST(CAST($1 AS text) AS json)) AS g (
           file bigint, run_id bigint, path text, size_bytes bigint, content_hash text, fingerprint text,
           began timestamptz, dialect text, provider text, "interval" text, symbols text[], spellings json, rows bigint,
           inserted bigint, skipped bigint, inserted_between bigint, series jsonb, min_ts timestamptz, max_ts timestamptz,
           deferred boolean, notes text[])
), opened AS (
    INSERT INTO job_run_files (run_id, path, size_bytes, content_hash, config_fingerprint, state, started_at, dialect,
                               provider, "interval", rows_read, rows_written, rows_inserted, rows_unchanged,
                               rows_skipped, rows_resumable, rejected, notes, min_ts, max_ts, symbols, bars_inserted_between,
                               series, findings, completed_at)
    SELECT run_id, path, size_bytes, content_hash, fingerprint, 'loaded', began, dialect,
           provider, "interval", rows, inserted, inserted, rows - skipped - inserted, skipped, rows, '{}', notes, min_ts, max_ts,
           symbols, inserted_between, series, '[]', greatest(clock_timestamp(), began)
      FROM given
    RETURNING id
), written AS (
    INSERT INTO bars_ohlcv (@columns)
    SELECT @columns(s.)
      FROM given
     CROSS JOIN pg_temp.mdload_together s
     WHERE s.file = given.file
    RETURNING 1
), spelled AS (
    INSERT INTO provider_symbols (provider, source_symbol, symbol, convention, first_run_id)
    SELECT w.provider, w.source_symbol, w.symbol, w.convention, given.run_id
      FROM given
     CROSS JOIN json_to_recordset(given.spellings) AS w(provider text, source_symbol text, symbol text, convention text)
     WHERE NOT EXISTS (SELECT FROM provider_symbols p
                        WHERE p.provider = w.provider AND p.source_symbol = w.source_symbol)
     ORDER BY 1, 2, 3
        ON CONFLICT DO NOTHING
), counted AS (
    UPDATE job_runs r
       SET rows_read = r.rows_read + given.rows,
           rows_written = r.rows_written + given.inserted,
           rows_inserted = r.rows_inserted + given.inserted,
           rows_unchanged = r.rows_unchanged + given.rows - given.skipped - given.inserted,
           rows_skipped = r.rows_skipped + given.skipped,
           min_ts = least(r.min_ts, given.min_ts),
           max_ts = greatest(r.max_ts, given.max_ts),
           metadata = r.metadata || jsonb_build_object('last_heartbeat',
               to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
      FROM given
     WHERE r.id = given.run_id AND r.status = 'running'
       AND (SELECT count(*) FROM written) = given.inserted
       AND NOT EXISTS (SELECT FROM json_to_recordset(given.spellings) AS w(provider text, source_symbol text, symbol text)
                         JOIN provider_symbols p ON p.provider = w.provider AND p.symbol = w.symbol
                        WHERE p.source_symbol <> w.source_symbol)
    RETURNING r.id, r.mode, given.inserted
), held AS MATERIALIZED (
    SELECT pg_advisory_xact_lock_shared(120278083395941), id, mode, inserted FROM counted WHERE inserted > 0
), loaded AS (
    INSERT INTO bars_loads (known_at, inserted, updated, deleted, run_id, file_id, kind)
    SELECT greatest(clock_timestamp(), (SELECT max(known_at) + interval '1 microsecond' FROM bars_loads)),
           held.inserted, 0, 0, held.id, opened.id, CASE WHEN held.mode = 'live' THEN 'live' ELSE 'load' END
      FROM held
     CROSS JOIN opened)
SELECT opened.id, 1 / (SELECT count(*) FROM counted) AS insisted,
       CASE WHEN given.deferred THEN set_config('synchronous_commit', 'off', true) END AS answered
  FROM opened
 CROSS JOIN given

-- together_booked --
-- The files of run $1 in the ledger with one of the paths $2 (JSON array): path and id.
SELECT path, id FROM job_run_files
 WHERE run_id = CAST($1 AS bigint) AND state = 'loaded'
   AND path IN (SELECT jsonb_array_elements_text(CAST(CAST($2 AS text) AS jsonb)))
