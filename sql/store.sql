-- store_session --
-- Plans the client's own statements once per session: planning them for each batch would cost more than executing
-- them, and each of them goes through the key whatever the batch is. On a hypertable that has chunks, a plan for the
-- batch's own chunks costs less than one for all chunks; and Citus needs the values to find the shards.
SELECT set_config('plan_cache_mode', CASE
       WHEN EXISTS (SELECT FROM pg_inherits WHERE inhparent = to_regclass('bars_ohlcv'))
            OR to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL
       THEN 'force_custom_plan' ELSE 'force_generic_plan' END, false)

-- bars_add --
-- The first part of bars_merge, for a batch that is likely to be new: inserts the bars that are not stored. $1 and $2 the
-- first and last ts, from $3 on the columns, as there. Returns rows inserted, and the number of the transaction.
WITH given AS (
    SELECT @unnested(3)
), added AS (
    INSERT INTO bars_ohlcv (@columns)
    SELECT @columns(g.)
      FROM given g
      LEFT JOIN LATERAL (
           SELECT true AS stored
             FROM bars_ohlcv t
            WHERE @same_key(t., g.) AND t.ts BETWEEN CAST($1 AS timestamptz) AND CAST($2 AS timestamptz)
           OFFSET 0) b ON true
     WHERE b.stored IS NULL
    RETURNING 1)
SELECT count(*), CAST(pg_current_xact_id_if_assigned() AS text) FROM added

-- bars_merge --
-- Merges a small batch in one statement. Bars that are not stored are inserted. Of the others, those that differ are
-- locked, compared again, kept as revisions and updated; an identical bar is only read. $1 run; $2 and $3 the first and
-- last ts of the bars, for chunks to be left out; from $4 on an array for each column of the bars, one per key, in key
-- order, in which they are written and locked. Returns rows inserted, updated, kept as revisions and unchanged, which do
-- not add up if another writer got in between; and the number of the transaction, as transaction_id does.
-- OFFSET 0 keeps one index probe per row from becoming a join over the whole table.
WITH given AS (
    SELECT @unnested(4)
), beside AS MATERIALIZED (
    SELECT g.*, b.stored, @differ(b., g.) AS differs
      FROM given g
      LEFT JOIN LATERAL (
           SELECT true AS stored, @values(t.)
             FROM bars_ohlcv t
            WHERE @same_key(t., g.) AND t.ts BETWEEN CAST($2 AS timestamptz) AND CAST($3 AS timestamptz)
           OFFSET 0) b ON true
), added AS (
    INSERT INTO bars_ohlcv (@columns)
    SELECT @columns
      FROM beside
     WHERE stored IS NULL
    RETURNING 1
), locked AS MATERIALIZED (
    SELECT @columns(m.), @values(b., old_), b.created_at AS old_created_at, b.updated_at AS old_updated_at,
           @differ(b., m.) AS differs
      FROM (SELECT * FROM beside WHERE stored AND differs) m
     CROSS JOIN LATERAL (
           SELECT t.* FROM bars_ohlcv t
            WHERE @same_key(t., m.) AND t.ts BETWEEN CAST($2 AS timestamptz) AND CAST($3 AS timestamptz)
              FOR UPDATE) b
), kept AS (
    INSERT INTO bars_ohlcv_revisions (@key, @values(old_), @values(new_), run_id, old_created_at, old_updated_at)
    SELECT @key, @values(old_), @values, CAST($1 AS bigint), old_created_at, old_updated_at
      FROM locked
     WHERE differs
    RETURNING 1
), updated AS (
    INSERT INTO bars_ohlcv AS b (@columns)
    SELECT @columns
      FROM locked
     WHERE differs
        ON CONFLICT (@key) DO UPDATE SET @set(EXCLUDED.)
    RETURNING 1)
SELECT (SELECT count(*) FROM added),
       (SELECT count(*) FROM updated),
       (SELECT count(*) FROM kept),
       (SELECT count(*) FROM beside WHERE stored AND NOT differs)
       + (SELECT count(*) FROM locked WHERE NOT differs),
       CAST(pg_current_xact_id_if_assigned() AS text)

-- transaction_id --
-- The number of the current transaction, as text; NULL where it has written nothing.
SELECT CAST(pg_current_xact_id_if_assigned() AS text)

-- transaction_status --
-- The outcome of transaction $1: committed, aborted, in progress, or NULL if it was long ago.
SELECT pg_xact_status(CAST(CAST($1 AS text) AS xid8))
