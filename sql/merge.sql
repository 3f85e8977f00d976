-- wal_position --
-- Where the server's write-ahead log stands, in bytes since its beginning.
SELECT CAST(pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') AS bigint)

-- stage_create --
-- The stage: bars that meet a stored one, or may. Gone with the transaction. It sorts by bytes as the bars do, so that
-- every way into them locks in one order.
CREATE TEMPORARY TABLE mdload_stage (@defined) ON COMMIT DROP

-- revisions_keep --
-- Locks the stored bars that the stage meets from $3 up to before $4, in key order (two loaders cannot deadlock), and
-- keeps old and new values of those that differ. $1 run, $2 file. Returns how many differ.
WITH kept AS (
    INSERT INTO bars_ohlcv_revisions (@key, @values(old_), @values(new_), run_id, file_id,
                                      old_created_at, old_updated_at)
    SELECT @key(s.), @values(b.), @values(s.), CAST($1 AS bigint), CAST($2 AS bigint), b.created_at, b.updated_at
      FROM (SELECT * FROM pg_temp.mdload_stage
             WHERE ts >= CAST($3 AS timestamptz) AND ts < CAST($4 AS timestamptz)
             ORDER BY @key) s
     CROSS JOIN LATERAL (
           SELECT t.* FROM bars_ohlcv t
            WHERE @same_key(t., s.) AND t.ts >= CAST($3 AS timestamptz) AND t.ts < CAST($4 AS timestamptz)
              FOR UPDATE) b
     WHERE @differ(b., s.)
    RETURNING 1)
SELECT count(*) FROM kept

-- bars_meet --
-- Prepares the two queries around it for compressed chunks, whose rows cannot be locked: inserts the bars of the stage
-- before $1 that are not stored, and moves the batches that hold the others to where rows are, locked in key order.
-- Changes no bar. Returns rows inserted.
WITH added AS (
    INSERT INTO bars_ohlcv AS b (@columns)
    SELECT @columns
      FROM pg_temp.mdload_stage
     WHERE ts < CAST($1 AS timestamptz)
     ORDER BY @key
        ON CONFLICT (@key) DO UPDATE SET open = b.open WHERE false
    RETURNING 1)
SELECT count(*) FROM added

-- bars_upsert --
-- The diff-aware upsert from the stage. Returns rows inserted and rows updated.
WITH written AS (
    INSERT INTO bars_ohlcv AS b (@columns)
    SELECT @columns
      FROM pg_temp.mdload_stage
     ORDER BY @key
        ON CONFLICT (@key) DO UPDATE SET @set(EXCLUDED.) WHERE @differ(b., EXCLUDED.)
    RETURNING (b.xmax = 0) AS inserted)
SELECT count(*) FILTER (WHERE inserted), count(*) FILTER (WHERE NOT inserted)
  FROM written

-- returns_old --
-- Whether RETURNING knows what a row was before (PostgreSQL 18 and newer).
SELECT CAST(current_setting('server_version_num') AS integer) >= 180000

-- bars_revise --
-- The diff-aware upsert from the stage, which keeps old and new values of what it changes in the same statement.
-- $1 run, $2 file. Returns rows inserted and rows updated.
WITH written AS (
    INSERT INTO bars_ohlcv AS b (@columns)
    SELECT @columns
      FROM pg_temp.mdload_stage
     ORDER BY @key
        ON CONFLICT (@key) DO UPDATE SET @set(EXCLUDED.) WHERE @differ(b., EXCLUDED.)
    RETURNING @columns(b.), @values(old., old_), old.created_at AS old_created_at,
              old.updated_at AS old_updated_at, old.ts IS NULL AS inserted
), kept AS (
    INSERT INTO bars_ohlcv_revisions (@key, @values(old_), @values(new_), run_id, file_id,
                                      old_created_at, old_updated_at)
    SELECT @key, @values(old_), @values, CAST($1 AS bigint), CAST($2 AS bigint), old_created_at, old_updated_at
      FROM written
     WHERE NOT inserted)
SELECT count(*) FILTER (WHERE inserted), count(*) FILTER (WHERE NOT inserted)
  FROM written
