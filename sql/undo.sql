-- undo_session --
-- For this transaction: joins of whole tables, which a session that loads does without, and single bars by their key.
-- Scans begin at a table's beginning, so that bars that lie in the order of their key become revisions in that order.
SELECT set_config(name, setting, true)
  FROM (VALUES ('enable_seqscan', 'on'), ('enable_bitmapscan', 'on'), ('work_mem', '256MB'),
               ('random_page_cost', '1.1'), ('synchronize_seqscans', 'off')) AS wanted (name, setting)

-- undo_loads --
-- The loads to be undone: those of run $1; or written at $2 or later; or those that the state known by $3 and loads up to
-- $4 does not have. Gives id, run, folded, and bars inserted, updated and deleted.
SELECT id, run_id, folded, inserted, updated, deleted
  FROM bars_loads
 WHERE CASE WHEN CAST($1 AS bigint) IS NOT NULL THEN run_id = CAST($1 AS bigint)
            WHEN CAST($2 AS timestamptz) IS NOT NULL THEN stamped_at >= CAST($2 AS timestamptz)
            ELSE NOT (known_at <= CAST($3 AS timestamptz) AND id <= CAST($4 AS bigint)) END
 ORDER BY id

-- undo_alone --
-- Waits for other commands that take bars away: two that undid one run at a time would both be on record as having done it.
SELECT pg_advisory_xact_lock(120278083395942)

-- undone_create --
-- The loads to be undone, for the queries below. `core` are those that are meant; the others come to nothing together.
CREATE TEMPORARY TABLE mdload_undone (
    id bigint NOT NULL, xact_at timestamptz NOT NULL, inserted bigint NOT NULL, changed bigint NOT NULL, core boolean NOT NULL
) ON COMMIT DROP

-- undone_fill --
-- Loads $1 (JSON array of ids), of which those in $2 are meant.
INSERT INTO pg_temp.mdload_undone (id, xact_at, inserted, changed, core)
SELECT l.id, l.xact_at, l.inserted, l.updated + l.deleted,
       l.id IN (SELECT CAST(c.id AS bigint) FROM json_array_elements_text(CAST(CAST($2 AS text) AS json)) AS c (id))
  FROM json_array_elements_text(CAST(CAST($1 AS text) AS json)) AS w (id)
  JOIN bars_loads l ON l.id = CAST(w.id AS bigint)

-- undone_analyze --
-- So that the planner knows how few they are.
ANALYZE pg_temp.mdload_undone

-- undo_pruned --
-- How many bars the loads to be undone changed or took away without a revision, which prune has removed.
SELECT CAST((SELECT coalesce(sum(changed), 0) FROM pg_temp.mdload_undone)
       - (SELECT count(*) FROM pg_temp.mdload_undone u JOIN bars_ohlcv_revisions r ON r.revised_at = u.xact_at) AS bigint)

-- undo_is_last --
-- Whether no load that is not to be undone came after the first of those that are meant.
SELECT NOT EXISTS (
       SELECT FROM bars_loads l
        WHERE l.id > (SELECT min(id) FROM pg_temp.mdload_undone WHERE core)
          AND NOT EXISTS (SELECT FROM pg_temp.mdload_undone u WHERE u.id = l.id))

-- undo_later --
-- Bars of the loads that are meant of which the last change is that of another load, not counting those that come to
-- nothing: by run and kind of that load how many, and the first of them. They cannot be taken back without it.
WITH later AS MATERIALIZED (
    SELECT l.id, l.xact_at, l.run_id, l.kind FROM bars_loads l
     WHERE l.id > (SELECT min(id) FROM pg_temp.mdload_undone WHERE core)
       AND NOT EXISTS (SELECT FROM pg_temp.mdload_undone u WHERE u.id = l.id)
), since AS MATERIALIZED (
    SELECT xact_at FROM later UNION ALL SELECT xact_at FROM pg_temp.mdload_undone
)@stored_cte, meant AS MATERIALIZED (
    SELECT @key, max(id) AS last
      FROM (SELECT @key(r.), c.id
              FROM pg_temp.mdload_undone c
              JOIN bars_ohlcv_revisions r ON r.revised_at = c.xact_at
             WHERE c.core
             UNION ALL
            SELECT @key(r.), c.id
              FROM since s
              JOIN bars_ohlcv_revisions r ON r.revised_at = s.xact_at
              JOIN pg_temp.mdload_undone c ON c.xact_at = r.old_updated_at
             WHERE c.core) AS changes
     GROUP BY @key
), theirs AS (
    -- Replaced or taken away by a later load.
    SELECT @key(r.), l.id, l.run_id, l.kind
      FROM later l
      JOIN bars_ohlcv_revisions r ON r.revised_at = l.xact_at
     UNION ALL
    -- Taken away by a load that is meant or comes to nothing, and there again by a later one.
    SELECT @key(r.), l.id, l.run_id, l.kind
      FROM pg_temp.mdload_undone u
      JOIN bars_ohlcv_revisions r ON r.revised_at = u.xact_at AND r.op = 'delete'
      JOIN @stored b ON @same_key(b., r.)
      JOIN later l ON l.xact_at = b.updated_at
     UNION ALL
    -- Likewise, and replaced or taken away once more.
    SELECT @key(r.), l.id, l.run_id, l.kind
      FROM pg_temp.mdload_undone u
      JOIN bars_ohlcv_revisions r ON r.revised_at = u.xact_at AND r.op = 'delete'
      JOIN bars_ohlcv_revisions s ON @same_key(s., r.)
      JOIN later l ON l.xact_at = s.old_updated_at
), standing AS (
    SELECT DISTINCT @key(t.), t.run_id, t.kind
      FROM theirs t
      JOIN meant m ON @same_key(m., t.)
     WHERE t.id > m.last
       AND NOT EXISTS (
           SELECT FROM @stored b JOIN pg_temp.mdload_undone u ON u.core AND u.xact_at = b.updated_at
            WHERE @same_key(b., t.))
)
SELECT run_id, kind, count(*) AS bars, min(ts) AS first, max(ts) AS last,
       (array_agg(DISTINCT symbol || ' ' || "interval"))[1:5] AS series,
       (SELECT count(*) FROM (SELECT DISTINCT @key FROM standing) AS s) AS all_bars
  FROM standing
 GROUP BY run_id, kind
 ORDER BY bars DESC, run_id

-- prior_create --
-- What bars that the loads to be undone changed or took away were before: what the last load made of them that is not undone.
CREATE TEMPORARY TABLE mdload_prior ON COMMIT DROP AS
SELECT provider, symbol, "interval", ts, @values(old_), old_created_at, old_updated_at
  FROM (SELECT DISTINCT ON (r.provider, r.symbol, r."interval", r.ts) r.*, u.id AS load_id
          FROM pg_temp.mdload_undone u
          JOIN bars_ohlcv_revisions r ON r.revised_at = u.xact_at
         WHERE NOT EXISTS (SELECT FROM pg_temp.mdload_undone o WHERE o.xact_at = r.old_updated_at)
         ORDER BY r.provider, r.symbol, r."interval", r.ts, u.id DESC, r.id DESC) AS newest
 WHERE NOT EXISTS (
       SELECT FROM bars_ohlcv_revisions s JOIN bars_loads n ON n.xact_at = s.revised_at
        WHERE @same_key(s., newest.)
          AND s.op = 'delete' AND n.id > newest.load_id
          AND NOT EXISTS (SELECT FROM pg_temp.mdload_undone u WHERE u.id = n.id))

-- prior_analyze --
-- So that the planner goes through the bars' key where they are few.
ANALYZE pg_temp.mdload_prior

-- undo_extent --
-- How many bars were something before, their first and last ts; and whether the loads to be undone inserted any bar.
SELECT count(*), min(ts), max(ts), (SELECT coalesce(sum(inserted), 0) > 0 FROM pg_temp.mdload_undone)
  FROM pg_temp.mdload_prior

-- undo_replaced --
-- Takes away the bars of the loads to be undone that were something else before (`undo_restore` writes that), and keeps
-- them as revisions. A bar that would become what it is stays, and so does one that another writer has changed in
-- between. $1 run, $2 and $3 the first and last ts. Gives how many are gone, and how many are kept.
WITH gone AS (
    DELETE FROM bars_ohlcv b USING pg_temp.mdload_prior p, pg_temp.mdload_undone u
     WHERE @same_key(b., p.) AND b.ts BETWEEN CAST($2 AS timestamptz) AND CAST($3 AS timestamptz)
       AND b.updated_at = u.xact_at
       AND (@values(b.)) IS DISTINCT FROM (@values(p.old_))
    RETURNING @columns(b.), b.created_at, b.updated_at, @values(p.old_, new_)
), kept AS (
    INSERT INTO bars_ohlcv_revisions (@key, @values(old_), @values(new_), run_id, old_created_at, old_updated_at, op)
    SELECT @key, @values, @values(new_), CAST($1 AS bigint), created_at, updated_at, 'update'
      FROM gone
    RETURNING 1)
SELECT (SELECT count(*) FROM gone) AS gone, (SELECT count(*) FROM kept) AS kept

-- undo_added_keep --
-- Keeps the bars of the loads to be undone that were nothing before as revisions. $1 run. Two statements
-- instead of one, without RETURNING: the server need not remember the rows between them.
INSERT INTO bars_ohlcv_revisions (@key, @values(old_), run_id, old_created_at, old_updated_at, op)
SELECT @key(b.), @values(b.), CAST($1 AS bigint), b.created_at, b.updated_at, 'delete'
  FROM bars_ohlcv b
  JOIN pg_temp.mdload_undone u ON u.xact_at = b.updated_at
 WHERE NOT EXISTS (SELECT FROM pg_temp.mdload_prior p WHERE @same_key(p., b.))

-- undo_added --
-- Takes these bars away, which are fewer if another writer has changed one in between.
DELETE FROM bars_ohlcv b USING pg_temp.mdload_undone u
 WHERE u.xact_at = b.updated_at
   AND NOT EXISTS (SELECT FROM pg_temp.mdload_prior p WHERE @same_key(p., b.))

-- undo_all_spans --
-- What these bars are where none was anything before: symbols (JSON array), first and last ts.
SELECT CAST(coalesce(json_agg(symbol), '[]') AS text), min(first), max(last)
  FROM (SELECT b.symbol, min(b.ts) AS first, max(b.ts) AS last
          FROM bars_ohlcv b
         WHERE b.updated_at = ANY (ARRAY(SELECT xact_at FROM pg_temp.mdload_undone))
         GROUP BY b.symbol) AS s

-- undo_many_fits --
-- Whether $1 or more bars are to be taken away, and the revisions are not many more than that (a dry run before may have
-- left as many dead ones), so that it is faster to make their key and their index again than to keep them up; and whether
-- that leaves no trace: a plain table of this role on one server, with both as the migrations make them, on which nothing
-- depends (a publication, replica identity, clustering, comments), and nobody who looks at each statement that makes them.
SELECT EXISTS (
    SELECT
      FROM pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'p'
      JOIN pg_index ki ON ki.indexrelid = k.conindid
      JOIN pg_class kx ON kx.oid = ki.indexrelid
      JOIN pg_index i ON i.indrelid = c.oid
      JOIN pg_class x ON x.oid = i.indexrelid
     CROSS JOIN (SELECT coalesce(sum(inserted), 0) AS bars FROM pg_temp.mdload_undone) AS u
     WHERE c.oid = to_regclass('bars_ohlcv_revisions')
       AND c.relkind = 'r' AND c.relpersistence = 'p' AND c.relreplident = 'd' AND NOT c.relispartition
       AND u.bars >= CAST($1 AS bigint) AND pg_relation_size(c.oid) <= 65536 + u.bars * 400
       AND pg_has_role(c.relowner, 'USAGE') AND has_schema_privilege(n.oid, 'CREATE')
       AND k.conname = 'bars_ohlcv_revisions_pkey' AND NOT k.condeferrable
       AND pg_get_constraintdef(k.oid) = 'PRIMARY KEY (revised_at, id)'
       AND x.relname = 'bars_ohlcv_revisions_key_idx'
       AND pg_get_indexdef(x.oid) LIKE 'CREATE INDEX % USING btree (provider, symbol, "interval", ts)'
       AND i.indisvalid AND ki.indisvalid AND NOT (i.indisclustered OR ki.indisclustered OR ki.indisreplident)
       AND x.reloptions IS NULL AND kx.reloptions IS NULL
       AND x.reltablespace = 0 AND kx.reltablespace = 0 AND current_setting('default_tablespace') = ''
       AND NOT EXISTS (SELECT FROM pg_inherits h WHERE h.inhparent = c.oid OR h.inhrelid = c.oid)
       AND NOT EXISTS (SELECT FROM pg_publication_tables p
                        WHERE p.schemaname = n.nspname AND p.tablename = c.relname)
       AND NOT EXISTS (SELECT FROM pg_depend d
                        WHERE (d.refclassid = CAST('pg_constraint' AS regclass) AND d.refobjid = k.oid AND d.deptype <> 'i')
                           OR (d.refclassid = CAST('pg_class' AS regclass) AND d.refobjid IN (x.oid, kx.oid)))
       AND NOT EXISTS (SELECT FROM pg_event_trigger e WHERE e.evtenabled <> 'D')
       AND NOT EXISTS (SELECT FROM pg_description d WHERE d.objoid IN (k.oid, x.oid, kx.oid))
       AND NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus'))

-- undo_many_session --
-- For this transaction: the memory $1 for making an index.
SELECT set_config('maintenance_work_mem', $1, true)

-- undo_many_hold --
-- Takes the revisions for this transaction alone; does not wait for them.
LOCK TABLE bars_ohlcv_revisions IN ACCESS EXCLUSIVE MODE NOWAIT

-- undo_many_key_drop --
-- Drops the key of the revisions until undo_many_key_make.
ALTER TABLE bars_ohlcv_revisions DROP CONSTRAINT bars_ohlcv_revisions_pkey

-- undo_many_index_drop --
-- Drops the index of the revisions' bars until undo_many_index_make.
DROP INDEX bars_ohlcv_revisions_key_idx

-- undo_many_key_make --
-- Makes the key again.
ALTER TABLE bars_ohlcv_revisions ADD CONSTRAINT bars_ohlcv_revisions_pkey PRIMARY KEY (revised_at, id)

-- undo_many_index_make --
-- Makes the index again.
CREATE INDEX bars_ohlcv_revisions_key_idx ON bars_ohlcv_revisions (@key)

-- undo_all_keep --
-- `undo_added_keep` where no bar was anything before: without a look for each whether it was. $1 run.
INSERT INTO bars_ohlcv_revisions (@key, @values(old_), run_id, old_created_at, old_updated_at, op)
SELECT @key(b.), @values(b.), CAST($1 AS bigint), b.created_at, b.updated_at, 'delete'
  FROM bars_ohlcv b
 WHERE b.updated_at = ANY (ARRAY(SELECT xact_at FROM pg_temp.mdload_undone))

-- undo_all --
-- `undo_added` likewise.
DELETE FROM bars_ohlcv b
 WHERE b.updated_at = ANY (ARRAY(SELECT xact_at FROM pg_temp.mdload_undone))

-- undo_restore --
-- Writes what was there before the loads to be undone, where nothing is now. $1 and $2 its first and last ts. Gives how
-- many bars, and their symbols (JSON array). Raises where another writer was faster.
WITH restored AS (
    INSERT INTO bars_ohlcv (@columns, created_at)
    SELECT @key(p.), @values(p.old_), coalesce(p.old_created_at, p.old_updated_at, now())
      FROM pg_temp.mdload_prior p
     WHERE NOT EXISTS (
           SELECT FROM bars_ohlcv b
            WHERE @same_key(b., p.) AND b.ts BETWEEN CAST($1 AS timestamptz) AND CAST($2 AS timestamptz))
     ORDER BY @key(p.)
    RETURNING symbol)
SELECT CAST(coalesce(sum(bars), 0) AS bigint) AS bars, CAST(coalesce(json_agg(symbol), '[]') AS text) AS symbols
  FROM (SELECT symbol, count(*) AS bars FROM restored GROUP BY symbol) AS s

-- undo_remember --
-- Notes in the metadata of run $1 which runs it undid ($2, JSON array), whether it undid them whole, so that together they
-- come to nothing ($3), and that of those runs it means loads up to $4: a run that goes on has later ones.
UPDATE job_runs
   SET metadata = metadata || jsonb_build_object(
       'rolls_back', CAST(CAST($2 AS text) AS jsonb), 'whole', CAST(CAST($3 AS text) AS boolean), 'up_to', CAST($4 AS bigint))
 WHERE id = CAST($1 AS bigint)

-- undo_spans --
-- What this transaction has taken away so far, by its revisions: symbols (JSON array), first and last ts.
SELECT CAST(coalesce(json_agg(symbol), '[]') AS text), min(first), max(last)
  FROM (SELECT r.symbol, min(r.ts) AS first, max(r.ts) AS last
          FROM bars_ohlcv_revisions r
         WHERE r.revised_at = now()
         GROUP BY r.symbol) AS s

-- delete_bars --
-- Takes bars away and keeps them as revisions: of provider $2, symbols $3 (JSON array), interval $4, ts from $5 to $6; a
-- NULL asks nothing. $1 run. Gives how many are gone, and how many are kept.
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
SELECT (SELECT count(*) FROM gone) AS gone, (SELECT count(*) FROM kept) AS kept

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
-- Rollbacks that undid all loads of their runs and left nothing, newest first: the run, the runs that it undid (JSON array),
-- and up to which load. A run that was killed after its commit counts as well.
SELECT r.id, CAST(r.metadata -> 'rolls_back' AS text) AS runs, coalesce(CAST(r.metadata ->> 'up_to' AS bigint), l.id) AS up_to
  FROM job_runs r
  JOIN (SELECT run_id, max(id) AS id FROM bars_loads WHERE kind = 'rollback' GROUP BY run_id) l ON l.run_id = r.id
 WHERE r.metadata @> '{"whole": true}' AND r.metadata ? 'rolls_back'
 ORDER BY l.id DESC

-- loads_of_runs --
-- The loads of runs up to one of each: $1 is a JSON array of pairs of them.
SELECT l.id
  FROM json_array_elements(CAST(CAST($1 AS text) AS json)) AS w (pair)
  JOIN bars_loads l ON l.run_id = CAST(w.pair ->> 0 AS bigint) AND l.id <= CAST(w.pair ->> 1 AS bigint)
