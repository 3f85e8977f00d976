-- undo_session --
-- For this transaction: joins of whole tables, which a session that loads does without.
SELECT set_config(name, setting, true)
  FROM (VALUES ('enable_seqscan', 'on'), ('enable_bitmapscan', 'on'), ('work_mem', '256MB')) AS wanted (name, setting)

-- undo_loads --
-- The loads to be undone: those of run $1; or written at $2 or later; or those that the state known by $3 and loads up to
-- $4 does not have. Gives id, run, folded, and bars inserted, updated and deleted.
SELECT id, run_id, folded, inserted, updated, deleted
  FROM bars_loads
 WHERE CASE WHEN CAST($1 AS bigint) IS NOT NULL THEN run_id = CAST($1 AS bigint)
            WHEN CAST($2 AS timestamptz) IS NOT NULL THEN stamped_at >= CAST($2 AS timestamptz)
            ELSE NOT (known_at <= CAST($3 AS timestamptz) AND id <= CAST($4 AS bigint)) END
 ORDER BY id

-- undo_is_last --
-- Whether no load that is not among the wanted ones (see undo_later) came after the first of them.
SELECT NOT EXISTS (
       SELECT FROM bars_loads l
        WHERE l.id > (SELECT min(CAST(w.id AS bigint))
                        FROM json_array_elements_text(current_setting('mdload.wanted')::json -> 'loads') AS w(id))
          AND l.id NOT IN (SELECT CAST(w.id AS bigint)
                             FROM json_array_elements_text(current_setting('mdload.wanted')::json -> 'loads') AS w(id)))

-- undo_later --
-- Where loads that are not among the wanted ones changed the same bars later: by run and kind of load, how many bars, and
-- the first of them. What they superseded cannot be taken back without them. Wanted is a JSON object: `loads`, the ids of
-- all loads to be undone, and `core`, those of them whose bars are meant; the others come to nothing together.
WITH undone AS MATERIALIZED (
    SELECT l.id, l.xact_at FROM bars_loads l
      JOIN json_array_elements_text(current_setting('mdload.wanted')::json -> 'loads') AS w(id) ON l.id = CAST(w.id AS bigint)
), core AS MATERIALIZED (
    SELECT l.xact_at FROM bars_loads l
      JOIN json_array_elements_text(current_setting('mdload.wanted')::json -> 'core') AS w(id) ON l.id = CAST(w.id AS bigint)
), later AS MATERIALIZED (
    SELECT l.id, l.xact_at, l.run_id, l.kind FROM bars_loads l
     WHERE l.id > (SELECT min(id) FROM undone) AND NOT EXISTS (SELECT FROM undone u WHERE u.id = l.id)
), theirs AS (
    -- The wanted load's values, replaced or taken away by a later load.
    SELECT r.provider, r.symbol, r."interval", r.ts, l.run_id, l.kind
      FROM later l
      JOIN bars_ohlcv_revisions r ON r.revised_at = l.xact_at
      JOIN undone o ON o.xact_at = r.old_updated_at
     UNION ALL
    -- Taken away by the wanted load, and there again by a later one.
    SELECT r.provider, r.symbol, r."interval", r.ts, l.run_id, l.kind
      FROM undone u
      JOIN bars_ohlcv_revisions r ON r.revised_at = u.xact_at AND r.op = 'delete'
      JOIN bars_ohlcv b ON @same_key(b., r.)
      JOIN later l ON l.xact_at = b.updated_at
     UNION ALL
    -- Likewise, and taken away once more.
    SELECT r.provider, r.symbol, r."interval", r.ts, l.run_id, l.kind
      FROM undone u
      JOIN bars_ohlcv_revisions r ON r.revised_at = u.xact_at AND r.op = 'delete'
      JOIN bars_ohlcv_revisions s ON @same_key(s., r.)
      JOIN later l ON l.xact_at = s.revised_at AND l.id > u.id
     WHERE s.op = 'delete'
), standing AS (
    SELECT DISTINCT t.provider, t.symbol, t."interval", t.ts, t.run_id, t.kind
      FROM theirs t
     WHERE NOT EXISTS (
           SELECT FROM bars_ohlcv b JOIN undone u ON u.xact_at = b.updated_at
            WHERE @same_key(b., t.))
       AND EXISTS (
           SELECT FROM bars_ohlcv_revisions r JOIN core c ON c.xact_at IN (r.revised_at, r.old_updated_at)
            WHERE @same_key(r., t.))
)
SELECT run_id, kind, count(*) AS bars, min(ts) AS first, max(ts) AS last,
       (array_agg(DISTINCT symbol || ' ' || "interval"))[1:5] AS series,
       (SELECT count(*) FROM (SELECT DISTINCT provider, symbol, "interval", ts FROM standing) AS s) AS all_bars
  FROM standing
 GROUP BY run_id, kind
 ORDER BY bars DESC, run_id

-- undo_has_prior --
-- Whether any bar that the wanted loads (see undo_later) changed or took away was something before.
WITH undone AS MATERIALIZED (
    SELECT l.xact_at FROM bars_loads l
      JOIN json_array_elements_text(current_setting('mdload.wanted')::json -> 'loads') AS w(id) ON l.id = CAST(w.id AS bigint)
)
SELECT EXISTS (
       SELECT FROM undone u
         JOIN bars_ohlcv_revisions r ON r.revised_at = u.xact_at
        WHERE NOT EXISTS (SELECT FROM undone o WHERE o.xact_at = r.old_updated_at))

-- undo_new_bars --
-- Takes away the bars that the wanted loads (see undo_later) wrote, none of which was anything before, and keeps them as
-- revisions. $1 run. Returns how many.
WITH undone AS MATERIALIZED (
    SELECT l.xact_at FROM bars_loads l
      JOIN json_array_elements_text(current_setting('mdload.wanted')::json -> 'loads') AS w(id) ON l.id = CAST(w.id AS bigint)
), gone AS (
    DELETE FROM bars_ohlcv b USING undone u WHERE b.updated_at = u.xact_at
    RETURNING b.*
), kept AS (
    INSERT INTO bars_ohlcv_revisions (
        provider, symbol, "interval", ts,
        @values(old_),
        run_id, old_created_at, old_updated_at, op)
    SELECT provider, symbol, "interval", ts, @values,
           CAST($1 AS bigint), created_at, updated_at, 'delete'
      FROM gone
    RETURNING 1)
SELECT count(*) FROM kept

-- undo_bars --
-- Takes away the bars that the wanted loads (see undo_later) wrote, and keeps them as revisions: those that were
-- something else before become it (`undo_restore` writes them), the others are gone. A bar that would become what it is
-- stays. NOT IN keeps the bars in the order of the table, so that the revisions' index grows in order. $1 run. Gives how many became
-- something else, and how many are gone. A bar that another writer has changed in between stays as that made it.
WITH undone AS MATERIALIZED (
    SELECT l.id, l.xact_at FROM bars_loads l
      JOIN json_array_elements_text(current_setting('mdload.wanted')::json -> 'loads') AS w(id) ON l.id = CAST(w.id AS bigint)
), prior AS MATERIALIZED (
    SELECT * FROM (
        SELECT DISTINCT ON (r.provider, r.symbol, r."interval", r.ts) r.*, u.id AS load_id
          FROM undone u
          JOIN bars_ohlcv_revisions r ON r.revised_at = u.xact_at
         WHERE NOT EXISTS (SELECT FROM undone o WHERE o.xact_at = r.old_updated_at)
         ORDER BY r.provider, r.symbol, r."interval", r.ts, u.id DESC, r.id DESC) AS newest
     WHERE NOT EXISTS (
           SELECT FROM bars_ohlcv_revisions s JOIN bars_loads n ON n.xact_at = s.revised_at
            WHERE @same_key(s., newest.)
              AND s.op = 'delete' AND n.id > newest.load_id
              AND NOT EXISTS (SELECT FROM undone u WHERE u.id = n.id))
), same AS MATERIALIZED (
    SELECT p.provider, p.symbol, p."interval", p.ts
      FROM prior p
      JOIN bars_ohlcv b ON @same_key(b., p.)
     WHERE (@values(p.old_))
           IS NOT DISTINCT FROM (@values(b.))
), gone AS (
    DELETE FROM bars_ohlcv b USING undone u
     WHERE b.updated_at = u.xact_at
       AND (b.provider, b.symbol, b."interval", b.ts) NOT IN (SELECT provider, symbol, "interval", ts FROM same)
    RETURNING b.*
), kept AS (
    INSERT INTO bars_ohlcv_revisions (
        provider, symbol, "interval", ts,
        @values(old_),
        @values(new_),
        run_id, old_created_at, old_updated_at, op)
    SELECT g.provider, g.symbol, g."interval", g.ts, @values(g.),
           @values(p.old_),
           CAST($1 AS bigint), g.created_at, g.updated_at, CASE WHEN p.id IS NULL THEN 'delete' ELSE 'update' END
      FROM gone g
      LEFT JOIN prior p ON @same_key(p., g.)
    RETURNING op)
SELECT count(*) FILTER (WHERE op = 'update'), count(*) FILTER (WHERE op = 'delete') FROM kept

-- undo_restore --
-- Writes what was there before the wanted loads, where nothing is now. Gives how many bars. Raises where another writer
-- was faster.
WITH undone AS MATERIALIZED (
    SELECT l.id, l.xact_at FROM bars_loads l
      JOIN json_array_elements_text(current_setting('mdload.wanted')::json -> 'loads') AS w(id) ON l.id = CAST(w.id AS bigint)
), prior AS MATERIALIZED (
    SELECT * FROM (
        SELECT DISTINCT ON (r.provider, r.symbol, r."interval", r.ts) r.*, u.id AS load_id
          FROM undone u
          JOIN bars_ohlcv_revisions r ON r.revised_at = u.xact_at
         WHERE NOT EXISTS (SELECT FROM undone o WHERE o.xact_at = r.old_updated_at)
         ORDER BY r.provider, r.symbol, r."interval", r.ts, u.id DESC, r.id DESC) AS newest
     WHERE NOT EXISTS (
           SELECT FROM bars_ohlcv_revisions s JOIN bars_loads n ON n.xact_at = s.revised_at
            WHERE @same_key(s., newest.)
              AND s.op = 'delete' AND n.id > newest.load_id
              AND NOT EXISTS (SELECT FROM undone u WHERE u.id = n.id))
), restored AS (
    INSERT INTO bars_ohlcv (
        provider, symbol, "interval", ts, @values, created_at)
    SELECT p.provider, p.symbol, p."interval", p.ts, @values(p.old_), coalesce(p.old_created_at, p.old_updated_at, now())
      FROM prior p
     WHERE NOT EXISTS (
           SELECT FROM bars_ohlcv b
            WHERE @same_key(b., p.))
     ORDER BY p.provider, p.symbol, p."interval", p.ts
    RETURNING 1)
SELECT count(*) FROM restored

-- undo_spans --
-- What this transaction has changed so far, by its revisions and new bars: symbols (JSON array), first and last ts.
SELECT CAST(coalesce(json_agg(DISTINCT r.symbol), '[]') AS text), min(r.ts), max(r.ts)
  FROM bars_ohlcv_revisions r
 WHERE r.revised_at = now()

-- delete_bars --
-- Takes bars away and keeps them as revisions: of provider $2, symbols $3 (JSON array), interval $4, ts from $5 to $6; a
-- NULL asks nothing. $1 run. Gives how many.
WITH gone AS (
    DELETE FROM bars_ohlcv b
     WHERE (CAST($2 AS text) IS NULL OR b.provider = $2)
       AND (CAST($3 AS text) IS NULL OR b.symbol = ANY (ARRAY(
            SELECT jsonb_array_elements_text(CAST(CAST($3 AS text) AS jsonb)))))
       AND (CAST($4 AS text) IS NULL OR b."interval" = $4)
       AND (CAST($5 AS timestamptz) IS NULL OR b.ts >= CAST($5 AS timestamptz)) AND (CAST($6 AS timestamptz) IS NULL OR b.ts <= CAST($6 AS timestamptz))
    RETURNING b.*
), kept AS (
    INSERT INTO bars_ohlcv_revisions (
        provider, symbol, "interval", ts,
        @values(old_),
        run_id, old_created_at, old_updated_at, op)
    SELECT provider, symbol, "interval", ts, @values,
           CAST($1 AS bigint), created_at, updated_at, 'delete'
      FROM gone
    RETURNING 1)
SELECT count(*) FROM kept

-- rename_meets --
-- Bars that stand where a rename of symbol $1 to $2 would put others: how many, the first and last ts. Only of provider
-- $3, interval $4, ts from $5 to $6, where these are not NULL.
SELECT count(*), min(b.ts), max(b.ts)
  FROM bars_ohlcv b
  JOIN bars_ohlcv t ON (t.provider, t.symbol, t."interval", t.ts) = (b.provider, $2, b."interval", b.ts)
 WHERE b.symbol = $1
   AND (CAST($3 AS text) IS NULL OR b.provider = $3) AND (CAST($4 AS text) IS NULL OR b."interval" = $4)
   AND (CAST($5 AS timestamptz) IS NULL OR b.ts >= CAST($5 AS timestamptz)) AND (CAST($6 AS timestamptz) IS NULL OR b.ts <= CAST($6 AS timestamptz))

-- rename_bars --
-- Writes the bars that this transaction took away under symbol $1. Gives how many. Raises where a bar stands there.
WITH written AS (
    INSERT INTO bars_ohlcv (@columns)
    SELECT provider, $1, "interval", ts, @values(old_)
      FROM bars_ohlcv_revisions
     WHERE revised_at = now()
     ORDER BY provider, "interval", ts
    RETURNING 1)
SELECT count(*) FROM written

-- rollback_runs --
-- Rollbacks that undid all loads of their runs and left nothing, newest first: the run, and the runs that it undid.
SELECT id, CAST(metadata -> 'rolls_back' AS text) AS runs
  FROM job_runs
 WHERE metadata @> '{"whole": true}' AND metadata ? 'rolls_back' AND status = 'success'
 ORDER BY id DESC

-- loads_of_runs --
-- The loads of the runs $1 (JSON array).
SELECT l.id
  FROM jsonb_array_elements_text(CAST(CAST($1 AS text) AS jsonb)) AS w (run_id)
  JOIN bars_loads l ON l.run_id = CAST(w.run_id AS bigint)
