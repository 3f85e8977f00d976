-- files_known --
-- The ledger's newest word on each content under its configuration, and what has happened since that makes it worth
-- another load: another content came under the same path, or a later load changed a bar of its symbols within its
-- span; and whether bars that are stored within its span were absent from it, and stayed. $1 JSON array of
-- (content_hash, fingerprint, path); the rows have their numbers in it. A load that was under way together with it counts
-- as later. OFFSET 0 keeps the search for revisions an index probe per symbol, and that for other contents one by path:
-- on a table without statistics the index of contents would be read whole for each file.
SELECT w.n, f.state, f.rows_resumable, f.run_id, f.provider, f.interval, to_json(f.symbols)::text AS symbols,
       CASE WHEN f.rows_inserted + f.rows_updated + f.rows_unchanged > 0 THEN f.min_ts END AS min_ts, f.max_ts,
       f.bars_gone > f.bars_deleted AS lacks,
       (SELECT o.run_id
          FROM (SELECT * FROM job_run_files WHERE path = w.path OFFSET 0) o
         WHERE o.id > f.id AND o.state IN ('loaded', 'partial') AND o.content_hash IS DISTINCT FROM w.content_hash
         ORDER BY o.id DESC LIMIT 1) AS replaced_by,
       (SELECT n.id
          FROM unnest(coalesce(f.symbols, ARRAY[NULL])) AS s (symbol)
         CROSS JOIN LATERAL (
               SELECT r.revised_at FROM bars_ohlcv_revisions r
                WHERE (f.provider IS NULL OR r.provider = f.provider)
                  AND (s.symbol IS NULL OR r.symbol = s.symbol)
                  AND (f.interval IS NULL OR r.interval = f.interval)
                  AND r.ts BETWEEN f.min_ts AND f.max_ts
               OFFSET 0) r
          JOIN bars_loads n ON n.xact_at = r.revised_at
         WHERE n.stamped_at > f.started_at AND n.file_id IS DISTINCT FROM f.id
         LIMIT 1) AS changed_by
  FROM ROWS FROM (json_to_recordset(CAST(CAST($1 AS text) AS json))
                  AS (content_hash text, fingerprint text, path text)) WITH ORDINALITY
       AS w (content_hash, fingerprint, path, n)
 CROSS JOIN LATERAL (
       SELECT * FROM job_run_files
        WHERE content_hash = w.content_hash AND config_fingerprint = w.fingerprint AND state IN ('loaded', 'partial')
        ORDER BY id DESC
        LIMIT 1) f

-- files_whole --
-- How many of the first files of $1 have their first and last bar in the store, or have no bars: JSON array of (provider,
-- interval, symbols, min_ts, max_ts).
SELECT count(*)
  FROM (SELECT bool_and(w.min_ts IS NULL OR w.max_ts IS NULL
                        OR coalesce(w.provider IS NOT NULL AND w.interval IS NOT NULL AND w.symbols IS NOT NULL
                           AND EXISTS (SELECT 1 FROM bars_ohlcv b
                                        WHERE b.provider = w.provider AND b."interval" = w.interval AND b.ts = w.min_ts
                                          AND b.symbol = ANY (w.symbols))
                           AND EXISTS (SELECT 1 FROM bars_ohlcv b
                                        WHERE b.provider = w.provider AND b."interval" = w.interval AND b.ts = w.max_ts
                                          AND b.symbol = ANY (w.symbols)), false)) OVER (ORDER BY w.n) AS whole
          FROM ROWS FROM (json_to_recordset(CAST(CAST($1 AS text) AS json))
                          AS (provider text, interval text, symbols text[], min_ts timestamptz, max_ts timestamptz))
               WITH ORDINALITY AS w (provider, interval, symbols, min_ts, max_ts, n)) AS ends
 WHERE whole

-- file_ends --
-- Whether the first and the last bar of a file are stored: one of provider $1, interval $2 and symbols $3 (JSON array) at
-- $4, and at $5. As parameters, the times leave few chunks and partitions to plan for.
SELECT EXISTS (SELECT 1 FROM bars_ohlcv
                WHERE provider = $1 AND "interval" = $2 AND ts = CAST($4 AS timestamptz)
                  AND symbol = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST($3 AS text) AS jsonb))))) AS first,
       EXISTS (SELECT 1 FROM bars_ohlcv
                WHERE provider = $1 AND "interval" = $2 AND ts = CAST($5 AS timestamptz)
                  AND symbol = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST($3 AS text) AS jsonb))))) AS last

-- oldest_bar --
-- The time of the oldest bar of provider $1 and interval $2: two probes of the index for each symbol of the provider.
WITH RECURSIVE symbols AS (
    (SELECT symbol FROM bars_ohlcv WHERE provider = $1 ORDER BY symbol LIMIT 1)
    UNION ALL
    SELECT n.symbol FROM symbols s
     CROSS JOIN LATERAL (
           SELECT b.symbol FROM bars_ohlcv b WHERE b.provider = $1 AND b.symbol > s.symbol ORDER BY b.symbol LIMIT 1) n)
SELECT min((SELECT min(b.ts) FROM bars_ohlcv b
             WHERE b.provider = $1 AND b.symbol = s.symbol AND b."interval" = $2)) AS ts
  FROM symbols s

-- oldest_in_chunks --
-- The same where the bars are in chunks, which are read in order of time, until one has such a bar.
SELECT (SELECT ts FROM bars_ohlcv WHERE provider = $1 AND "interval" = $2 ORDER BY ts LIMIT 1) AS ts

-- bars_any --
-- Whether any bar is stored. The limit is for Citus, which would bring a row of every bar to the coordinator.
SELECT EXISTS (SELECT 1 FROM bars_ohlcv LIMIT 1)

-- files_before --
-- The contents of the paths $2 (JSON array) in the last 30 runs of job $1: path, content hash and run, the newest of
-- each path. Each is looked for by its path: without statistics, the server would compare each path with each file.
WITH recent AS MATERIALIZED (
    SELECT id FROM job_runs WHERE job_name = $1 ORDER BY started_at DESC LIMIT 30)
SELECT w.path, f.content_hash, f.run_id
  FROM (SELECT DISTINCT jsonb_array_elements_text(CAST(CAST($2 AS text) AS jsonb)) AS path) w
 CROSS JOIN LATERAL (
       SELECT o.content_hash, o.run_id
         FROM (SELECT * FROM job_run_files WHERE path = w.path OFFSET 0) o
        WHERE o.run_id IN (SELECT id FROM recent) AND o.state IN ('loaded', 'known')
        ORDER BY o.id DESC
        LIMIT 1) f

-- files_last_loaded --
-- The newest load of each whole file of $1 (JSON array of path, fingerprint) that has one: its number, from 1 on, run, rows,
-- and the first time of its bars. Looked up by path: many files have the same fingerprint.
SELECT w.n, f.run_id, f.rows_read, f.min_ts
  FROM ROWS FROM (json_to_recordset(CAST(CAST($1 AS text) AS json)) AS (path text, fingerprint text)) WITH ORDINALITY
       AS w (path, fingerprint, n)
 CROSS JOIN LATERAL (
       SELECT run_id, rows_read, min_ts FROM job_run_files
        WHERE path = w.path AND (config_fingerprint = w.fingerprint AND state = 'loaded') IS TRUE
        ORDER BY id + 0 DESC
        LIMIT 1) f

-- files_of_run --
-- The files of run $1: id and path.
SELECT id, path FROM job_run_files WHERE run_id = CAST($1 AS bigint)

-- file_begin --
-- Opens a file's row in the ledger. $1 run, $2 path, $3 size, $4 content hash, $5 fingerprint,
-- $6 seconds since its load began.
INSERT INTO job_run_files (run_id, path, size_bytes, content_hash, config_fingerprint, state, started_at)
VALUES (CAST($1 AS bigint), $2, CAST($3 AS bigint), $4, $5, 'loading',
        now() - make_interval(secs => CAST($6 AS double precision)))
RETURNING id

-- files_known_add --
-- Opens and closes the rows of files that are loaded already, as file_begin and file_end do, in their order. $1 run,
-- $2 JSON array of (path, size_bytes, content_hash, config_fingerprint, notes). Returns their ids.
INSERT INTO job_run_files (run_id, path, size_bytes, content_hash, config_fingerprint, state, notes, symbols, completed_at)
SELECT CAST($1 AS bigint), w.path, w.size_bytes, w.content_hash, w.config_fingerprint, 'known', w.notes, '{}',
       clock_timestamp()
  FROM ROWS FROM (json_to_recordset(CAST(CAST($2 AS text) AS json))
                  AS (path text, size_bytes bigint, content_hash text, config_fingerprint text, notes text[]))
       WITH ORDINALITY AS w (path, size_bytes, content_hash, config_fingerprint, notes, n)
 ORDER BY w.n
RETURNING id

-- file_end --
-- Closes it (or a part of it: counts add up). $1 id, $2 state, $3 dialect, $4 provider, $5 interval,
-- $6-$12 rows read, inserted, updated, unchanged, duplicate, skipped, failed, $13 rows resumable,
-- $14 rejected (JSON: rule to rows), $15 notes (JSON array), $16 first ts, $17 last ts, $18 error,
-- $19 symbols (JSON array, or NULL), $20-$23 bars changed, inserted between, gone, deleted, $24 series and
-- $25 findings (JSON arrays).
UPDATE job_run_files
   SET state = $2, dialect = $3, provider = $4, "interval" = $5,
       rows_read = rows_read + CAST($6 AS bigint),
       rows_written = rows_written + CAST($7 AS bigint) + CAST($8 AS bigint),
       rows_inserted = rows_inserted + CAST($7 AS bigint),
       rows_updated = rows_updated + CAST($8 AS bigint),
       rows_unchanged = rows_unchanged + CAST($9 AS bigint),
       rows_duplicate = rows_duplicate + CAST($10 AS bigint),
       rows_skipped = rows_skipped + CAST($11 AS bigint),
       rows_failed = rows_failed + CAST($12 AS bigint),
       rows_resumable = CAST($13 AS bigint),
       rejected = CAST(CAST($14 AS text) AS jsonb),
       notes = ARRAY(SELECT jsonb_array_elements_text(CAST(CAST($15 AS text) AS jsonb))),
       min_ts = CAST($16 AS timestamptz), max_ts = CAST($17 AS timestamptz),
       symbols = CASE WHEN CAST($19 AS text) IS NOT NULL
                      THEN ARRAY(SELECT jsonb_array_elements_text(CAST(CAST($19 AS text) AS jsonb))) END,
       bars_changed = CAST($20 AS bigint), bars_inserted_between = CAST($21 AS bigint),
       bars_gone = CAST($22 AS bigint), bars_deleted = CAST($23 AS bigint),
       series = CAST(CAST($24 AS text) AS jsonb), findings = CAST(CAST($25 AS text) AS jsonb),
       error_message = $18, completed_at = greatest(clock_timestamp(), started_at)
 WHERE id = CAST($1 AS bigint)
RETURNING id

-- file_committed --
-- Whether row $1 of the ledger has state $2 and $3 rows read.
SELECT state = $2 AND rows_read = CAST($3 AS bigint) FROM job_run_files WHERE id = CAST($1 AS bigint)

-- restated_from --
-- The files that had last written the bars which this transaction has changed, apart from file $1 and others of its path
-- $2: path, one of the symbols, how many bars.
SELECT f.path, min(r.symbol) AS symbol, count(*) AS bars
  FROM bars_ohlcv_revisions r
  JOIN bars_loads l ON l.xact_at = r.old_updated_at
  JOIN job_run_files f ON f.id = l.file_id
 WHERE r.revised_at = now() AND f.id <> CAST($1 AS bigint) AND f.path <> $2
 GROUP BY f.path

-- files_overtaken --
-- The files $2 of run $1 of which one of the files $3, given before them, has changed bars after they had begun, and nothing
-- has changed these bars since (their chain tells: a transaction that began first can change a bar last). JSON arrays of
-- (place, id, began, ended): the place in the order in which they were given, the id in the ledger, and when the load began
-- and ended, in steps; those that began in one step were loaded in order. Gives the place of each and of the last one of
-- the others. What a file had changed long before is not meant, also if nobody knows the step in which the other began: a
-- load takes no ten minutes from its stamp to its commit. Revisions are looked for by key, and only where both files may
-- have bars; those of a load are read whole if its file has several providers or intervals, or symbols that are not listed.
WITH late AS MATERIALIZED (
    SELECT u.place, u.began, u.ended, n.xact_at, n.stamped_at, e.min_ts, e.max_ts,
           CASE WHEN e.provider IS NULL THEN ARRAY(SELECT DISTINCT r.provider FROM bars_ohlcv_revisions r
                                                    WHERE r.revised_at = n.xact_at)
                ELSE ARRAY[e.provider] END AS providers,
           CASE WHEN e."interval" IS NULL THEN ARRAY(SELECT DISTINCT r."interval" FROM bars_ohlcv_revisions r
                                                      WHERE r.revised_at = n.xact_at)
                ELSE ARRAY[e."interval"] END AS intervals,
           CASE WHEN e.symbols IS NULL THEN ARRAY(SELECT DISTINCT r.symbol FROM bars_ohlcv_revisions r
                                                   WHERE r.revised_at = n.xact_at)
                ELSE e.symbols END AS symbols
      FROM json_to_recordset(CAST(CAST($3 AS text) AS json)) AS u (place bigint, id bigint, began bigint, ended bigint)
      JOIN job_run_files e ON e.id = u.id
      JOIN bars_loads n ON n.file_id = e.id AND n.run_id = CAST($1 AS bigint) AND n.updated + n.deleted > 0
), begun AS MATERIALIZED (
    SELECT w.place, w.began, f.started_at, f.min_ts, f.max_ts, f.provider, f."interval", f.symbols
      FROM json_to_recordset(CAST(CAST($2 AS text) AS json)) AS w (place bigint, id bigint, began bigint)
      JOIN job_run_files o ON o.id = w.id
     CROSS JOIN LATERAL (
           SELECT l.* FROM job_run_files l
            WHERE l.content_hash = o.content_hash AND l.config_fingerprint = o.config_fingerprint
              AND l.state IN ('loaded', 'partial') AND (l.id = o.id OR o.state = 'known')
            ORDER BY l.id DESC
            LIMIT 1) f)
SELECT w.place, max(u.place) AS by
  FROM begun w
  JOIN late u ON u.place < w.place AND u.began <> w.began AND u.ended > w.began
   AND u.stamped_at > w.started_at - interval '10 minutes' AND u.min_ts <= w.max_ts AND u.max_ts >= w.min_ts
   AND (w.provider = ANY (u.providers)) IS NOT FALSE AND (w."interval" = ANY (u.intervals)) IS NOT FALSE
   AND (w.symbols && u.symbols) IS NOT FALSE
 WHERE EXISTS (
       SELECT FROM unnest(u.symbols) AS s (symbol)
        CROSS JOIN LATERAL (
              SELECT r.* FROM bars_ohlcv_revisions r
               WHERE r.provider = ANY (u.providers) AND r.symbol = s.symbol AND r."interval" = ANY (u.intervals)
                 AND r.ts BETWEEN greatest(u.min_ts, w.min_ts) AND least(u.max_ts, w.max_ts) AND r.revised_at = u.xact_at
              OFFSET 0) r
        WHERE (s.symbol = ANY (w.symbols)) IS NOT FALSE
          AND (r.provider = w.provider) IS NOT FALSE AND (r."interval" = w."interval") IS NOT FALSE
          AND NOT EXISTS (SELECT FROM bars_ohlcv_revisions l WHERE @same_key(l., r.) AND l.old_updated_at = r.revised_at))
 GROUP BY w.place

-- files_added_to --
-- The files $1 of which one of the files $2, given before them, has added bars within their spans after they had begun:
-- they would have deleted these. As files_overtaken; files that were known delete nothing. The first and the last bar that
-- a file has added of each series are looked for by key. Where its series are not listed, spans that meet are enough.
WITH late AS MATERIALIZED (
    SELECT u.place, u.began, u.ended, a.id, a.provider, a."interval", a.symbols, a.min_ts, a.max_ts, a.completed_at,
           a.provider IS NOT NULL AND a."interval" IS NOT NULL AND a.symbols IS NOT NULL AS listed
      FROM json_to_recordset(CAST(CAST($2 AS text) AS json)) AS u (place bigint, id bigint, began bigint, ended bigint)
      JOIN job_run_files a ON a.id = u.id AND a.rows_inserted > 0
), begun AS MATERIALIZED (
    SELECT w.place, w.began, f.provider, f."interval", f.symbols, f.min_ts, f.max_ts, f.started_at
      FROM json_to_recordset(CAST(CAST($1 AS text) AS json)) AS w (place bigint, id bigint, began bigint)
      JOIN job_run_files f ON f.id = w.id AND f.state <> 'known'
), added AS MATERIALIZED (
    SELECT u.place, u.began, u.ended, u.completed_at, u.provider, u."interval", s.symbol, lo.ts AS lo, hi.ts AS hi
      FROM late u
     CROSS JOIN LATERAL unnest(u.symbols) AS s (symbol)
     CROSS JOIN LATERAL (
           SELECT b.ts FROM bars_ohlcv b
            WHERE b.provider = u.provider AND b.symbol = s.symbol AND b."interval" = u."interval"
              AND b.ts BETWEEN u.min_ts AND u.max_ts
              AND (SELECT n.file_id FROM bars_loads n WHERE n.xact_at = b.updated_at) = u.id
            ORDER BY b.ts LIMIT 1) lo
     CROSS JOIN LATERAL (
           SELECT b.ts FROM bars_ohlcv b
            WHERE b.provider = u.provider AND b.symbol = s.symbol AND b."interval" = u."interval"
              AND b.ts BETWEEN u.min_ts AND u.max_ts
              AND (SELECT n.file_id FROM bars_loads n WHERE n.xact_at = b.updated_at) = u.id
            ORDER BY b.ts DESC LIMIT 1) hi
     WHERE u.listed)
SELECT place, max(by) AS by
  FROM (SELECT w.place, c.place AS by
          FROM begun w
         CROSS JOIN LATERAL unnest(coalesce(w.symbols, ARRAY(SELECT DISTINCT symbol FROM added))) AS s (symbol)
          JOIN added c ON c.symbol = s.symbol AND c.place < w.place AND c.began <> w.began AND c.ended > w.began
           AND c.provider = coalesce(w.provider, c.provider) AND c."interval" = coalesce(w."interval", c."interval")
           AND c.lo <= w.max_ts AND c.hi >= w.min_ts AND c.completed_at > w.started_at - interval '10 minutes'
        UNION ALL
        SELECT w.place, u.place
          FROM begun w
          JOIN late u ON NOT u.listed AND u.place < w.place AND u.began <> w.began AND u.ended > w.began
           AND u.min_ts <= w.max_ts AND u.max_ts >= w.min_ts AND u.completed_at > w.started_at - interval '10 minutes'
           AND (w.provider = u.provider) IS NOT FALSE AND (w."interval" = u."interval") IS NOT FALSE
           AND (w.symbols && u.symbols) IS NOT FALSE) AS each
 GROUP BY place

-- files_note --
-- Adds a note to rows of the ledger. $1 JSON array of (id, text).
UPDATE job_run_files f
   SET notes = coalesce(f.notes, '{}') || w.text
  FROM json_to_recordset(CAST(CAST($1 AS text) AS json)) AS w (id bigint, text text)
 WHERE f.id = w.id

-- content_lock --
-- Waits until no other session loads the contents and settings $1 (JSON array), and keeps others from them until
-- content_unlock. All sessions take them in one order, so that no two wait for each other. Held by the session, so the
-- server gives them back with it.
SELECT pg_advisory_lock(key)
  FROM (SELECT DISTINCT hashtextextended(concat('mdload content ', current_schema(), '.', each), 0) AS key
          FROM json_array_elements_text(CAST(CAST($1 AS text) AS json)) AS each
         ORDER BY key) AS keys

-- content_unlock --
-- Gives the locks of $1 back.
SELECT pg_advisory_unlock(key)
  FROM (SELECT DISTINCT hashtextextended(concat('mdload content ', current_schema(), '.', each), 0) AS key
          FROM json_array_elements_text(CAST(CAST($1 AS text) AS json)) AS each) AS keys

-- files_made --
-- What run $1 has already made of files, if that is in the run's counts. $2 JSON array of (path, content_hash); the rows
-- have their numbers in it.
SELECT w.n, f.id, f.state, f.dialect, f.provider, f."interval", f.rows_read, f.rows_inserted, f.rows_updated,
       f.rows_unchanged, f.rows_duplicate, f.rows_skipped, f.rows_failed, f.min_ts, f.max_ts, f.symbols, f.notes,
       CAST(f.rejected AS text) AS rejected, f.bars_changed, f.bars_inserted_between, f.bars_gone, f.bars_deleted,
       CAST(f.series AS text) AS series, CAST(f.findings AS text) AS findings, f.error_message
  FROM ROWS FROM (json_to_recordset(CAST(CAST($2 AS text) AS json))
                  AS (path text, content_hash text)) WITH ORDINALITY AS w (path, content_hash, n)
 CROSS JOIN LATERAL (
       SELECT o.* FROM (SELECT * FROM job_run_files WHERE path = w.path OFFSET 0) o
        WHERE o.run_id = CAST($1 AS bigint) AND o.content_hash = w.content_hash
          AND o.state IN ('loaded', 'known', 'refused')
        ORDER BY o.id DESC
        LIMIT 1) f

-- process_marked --
-- Until this session ends, process_over waits for it: it loads files for the process $1.
SELECT pg_advisory_lock_shared(hashtextextended(concat('mdload process ', CAST($1 AS text)), 0))

-- process_over --
-- Waits until every session of the process $1 has ended, and with it whatever it was still doing.
SELECT pg_advisory_xact_lock(hashtextextended(concat('mdload process ', CAST($1 AS text)), 0))
