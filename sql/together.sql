-- together_create --
-- The stage of several files: the bars that they write, with the number of each one's file, and whether it changes a
-- stored one.
CREATE TEMPORARY TABLE mdload_together (file bigint, changed boolean, @defined)

-- together_index --
-- So that the bars of one file are found at once.
CREATE INDEX ON pg_temp.mdload_together (file, changed)

-- together_began --
-- The moment $1 seconds ago, by the clock of the server.
SELECT clock_timestamp() - make_interval(secs => CAST($1 AS double precision)) AS began

-- together_drop --
-- Takes the stage away.
DROP TABLE IF EXISTS pg_temp.mdload_together

-- together_given --
-- What together_book or together_book_same is to commit: $1 JSON array of objects. Each of them plans its statement once,
-- which takes longer than to run it, and the plan does not depend on the file.
SELECT set_config('mdload.given', $1, false), set_config('mdload.booked', '[]', false),
       set_config('plan_cache_mode', 'force_generic_plan', false)

-- together_ids --
-- The ids of the rows in the ledger that it has made, JSON array in the order of the files. Takes together_given back, to
-- what session_setup sets.
SELECT current_setting('mdload.booked') AS ids, set_config('mdload.given', '', false),
       set_config('plan_cache_mode', 'auto', false)

-- together_book --
-- Commits files of the stage, all of them good, one after the other. Each writes its bars and their revisions, its row in
-- the ledger, the spellings of its symbols, the counts of the run and the load, as revisions_keep, bars_upsert, file_begin,
-- file_end, spellings_keep and job_run_add_counts do. It ends at a file of which not all new bars were inserted, or not all
-- others changed a stored one, or a symbol has another spelling too, or if the run has ended: of that file it keeps nothing.
-- The symbols of the run come from the ledger when it ends, and those that the ledger does not list from
-- job_run_add_counts. The load comes last, after all that may wait for other writers. A deferred commit is answered
-- before it is on disk.
DO $$
DECLARE
    booking json;
    ended record;
BEGIN
    FOREACH booking IN ARRAY ARRAY(SELECT json_array_elements(CAST(current_setting('mdload.given') AS json))) LOOP
        WITH given AS MATERIALIZED (
            SELECT * FROM json_to_record(booking) AS g (
                   file bigint, run_id bigint, path text, size_bytes bigint, content_hash text, fingerprint text,
                   began timestamptz, dialect text, provider text, "interval" text, symbols text[], are_listed boolean,
                   spellings json, rows bigint,
                   inserted bigint, updated bigint, skipped bigint, inserted_between bigint, series jsonb, min_ts timestamptz,
                   max_ts timestamptz, deferred boolean, notes text[])
        ), opened AS (
            INSERT INTO job_run_files (run_id, path, size_bytes, content_hash, config_fingerprint, state, started_at, dialect,
                                       provider, "interval", rows_read, rows_written, rows_inserted, rows_updated, rows_unchanged,
                                       rows_skipped, rows_resumable, rejected, notes, min_ts, max_ts, symbols, bars_changed,
                                       bars_inserted_between, series, findings, completed_at)
            SELECT run_id, path, size_bytes, content_hash, fingerprint, 'loaded', began, dialect,
                   provider, "interval", rows, inserted + updated, inserted, updated, rows - skipped - inserted - updated, skipped, rows,
                   '{}', notes, min_ts, max_ts, CASE WHEN are_listed THEN symbols END, updated,
                   inserted_between, series, '[]', greatest(clock_timestamp(), began)
              FROM given
            RETURNING id
        ), written AS (
            INSERT INTO bars_ohlcv (@columns)
            SELECT @columns(s.)
              FROM given
             CROSS JOIN pg_temp.mdload_together s
             WHERE s.file = given.file AND NOT s.changed
            RETURNING 1
        ), kept AS (
            INSERT INTO @revisions (@key, @values(old_), @values(new_), run_id, file_id, old_created_at, old_updated_at)
            SELECT @key(s.), @values(b.), @values(s.), given.run_id, opened.id, b.created_at, b.updated_at
              FROM given
             CROSS JOIN opened
             CROSS JOIN LATERAL (
                   SELECT * FROM pg_temp.mdload_together c WHERE c.file = given.file AND c.changed ORDER BY @key) s
             CROSS JOIN LATERAL (SELECT t.* FROM bars_ohlcv t WHERE @same_key(t., s.) FOR UPDATE) b
             WHERE given.updated > 0 AND @differ(b., s.) AND (SELECT count(*) FROM written) = given.inserted
            RETURNING 1
        ), restated AS (
            INSERT INTO bars_ohlcv AS b (@columns)
            SELECT @columns(s.)
              FROM given
             CROSS JOIN pg_temp.mdload_together s
             WHERE given.updated > 0 AND s.file = given.file AND s.changed AND (SELECT count(*) FROM kept) = given.updated
                ON CONFLICT (@key) DO UPDATE SET @set(EXCLUDED.), updated_at = EXCLUDED.updated_at
                            WHERE @differ(b., EXCLUDED.)
            RETURNING b.xmax = 0 AS inserted
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
                   rows_written = r.rows_written + given.inserted + given.updated,
                   rows_inserted = r.rows_inserted + given.inserted,
                   rows_updated = r.rows_updated + given.updated,
                   rows_unchanged = r.rows_unchanged + given.rows - given.skipped - given.inserted - given.updated,
                   rows_skipped = r.rows_skipped + given.skipped,
                   min_ts = least(r.min_ts, given.min_ts),
                   max_ts = greatest(r.max_ts, given.max_ts),
                   metadata = r.metadata || jsonb_build_object('last_heartbeat',
                       to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
              FROM given
             WHERE r.id = given.run_id AND r.status = 'running'
               AND (SELECT count(*) FROM written) = given.inserted
               AND (SELECT count(*) FROM restated WHERE NOT inserted) = given.updated
               AND NOT EXISTS (SELECT FROM json_to_recordset(given.spellings) AS w(provider text, source_symbol text, symbol text)
                                 JOIN provider_symbols p ON p.provider = w.provider AND p.symbol = w.symbol
                                WHERE p.source_symbol <> w.source_symbol)
            RETURNING r.id, r.mode, given.inserted, given.updated
        ), held AS MATERIALIZED (
            SELECT pg_advisory_xact_lock_shared(120278083395941), id, mode, inserted, updated
              FROM counted WHERE inserted + updated > 0
        ), loaded AS (
            INSERT INTO bars_loads (known_at, inserted, updated, deleted, run_id, file_id, kind)
            SELECT greatest(clock_timestamp(), (SELECT max(known_at) + interval '1 microsecond' FROM bars_loads)),
                   held.inserted, held.updated, 0, held.id, opened.id, CASE WHEN held.mode = 'live' THEN 'live' ELSE 'load' END
              FROM held
             CROSS JOIN opened
        )
        SELECT 1 / (SELECT count(*) FROM counted),
               set_config('mdload.booked', CAST(CAST(current_setting('mdload.booked') AS jsonb) || to_jsonb(opened.id) AS text), false),
               CASE WHEN given.deferred THEN set_config('synchronous_commit', 'off', true) END
          INTO ended
          FROM opened
         CROSS JOIN given;
        COMMIT;
    END LOOP;
END $$

-- together_book_same --
-- As together_book, for files that write no bars: each line is one of it. It needs no stage, and takes the server a fifth
-- less.
DO $$
DECLARE
    booking json;
    ended record;
BEGIN
    FOREACH booking IN ARRAY ARRAY(SELECT json_array_elements(CAST(current_setting('mdload.given') AS json))) LOOP
        WITH given AS MATERIALIZED (
            SELECT * FROM json_to_record(booking) AS g (
                   file bigint, run_id bigint, path text, size_bytes bigint, content_hash text, fingerprint text,
                   began timestamptz, dialect text, provider text, "interval" text, symbols text[], are_listed boolean,
                   spellings json, rows bigint,
                   inserted bigint, updated bigint, skipped bigint, inserted_between bigint, series jsonb, min_ts timestamptz,
                   max_ts timestamptz, deferred boolean, notes text[])
        ), opened AS (
            INSERT INTO job_run_files (run_id, path, size_bytes, content_hash, config_fingerprint, state, started_at, dialect,
                                       provider, "interval", rows_read, rows_written, rows_inserted, rows_updated, rows_unchanged,
                                       rows_skipped, rows_resumable, rejected, notes, min_ts, max_ts, symbols, bars_changed,
                                       bars_inserted_between, series, findings, completed_at)
            SELECT run_id, path, size_bytes, content_hash, fingerprint, 'loaded', began, dialect,
                   provider, "interval", rows, inserted + updated, inserted, updated, rows - skipped - inserted - updated, skipped, rows,
                   '{}', notes, min_ts, max_ts, CASE WHEN are_listed THEN symbols END, updated,
                   inserted_between, series, '[]', greatest(clock_timestamp(), began)
              FROM given
            RETURNING id
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
                   rows_written = r.rows_written + given.inserted + given.updated,
                   rows_inserted = r.rows_inserted + given.inserted,
                   rows_updated = r.rows_updated + given.updated,
                   rows_unchanged = r.rows_unchanged + given.rows - given.skipped - given.inserted - given.updated,
                   rows_skipped = r.rows_skipped + given.skipped,
                   min_ts = least(r.min_ts, given.min_ts),
                   max_ts = greatest(r.max_ts, given.max_ts),
                   metadata = r.metadata || jsonb_build_object('last_heartbeat',
                       to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
              FROM given
             WHERE r.id = given.run_id AND r.status = 'running'
               AND NOT EXISTS (SELECT FROM json_to_recordset(given.spellings) AS w(provider text, source_symbol text, symbol text)
                                 JOIN provider_symbols p ON p.provider = w.provider AND p.symbol = w.symbol
                                WHERE p.source_symbol <> w.source_symbol)
            RETURNING r.id, r.mode, given.inserted, given.updated
        )
        SELECT 1 / (SELECT count(*) FROM counted),
               set_config('mdload.booked', CAST(CAST(current_setting('mdload.booked') AS jsonb) || to_jsonb(opened.id) AS text), false),
               CASE WHEN given.deferred THEN set_config('synchronous_commit', 'off', true) END
          INTO ended
          FROM opened
         CROSS JOIN given;
        COMMIT;
    END LOOP;
END $$

-- together_booked --
-- The files of run $1 in the ledger with one of the paths $2 (JSON array) that began at $3: path and id.
SELECT path, id FROM job_run_files
 WHERE run_id = CAST($1 AS bigint) AND state = 'loaded' AND started_at = CAST($3 AS timestamptz)
   AND path IN (SELECT jsonb_array_elements_text(CAST(CAST($2 AS text) AS jsonb)))
