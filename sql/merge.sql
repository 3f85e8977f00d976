-- wal_position --
-- Where the server's write-ahead log stands, in bytes since its beginning.
SELECT CAST(pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') AS bigint)

-- stage_create --
-- The stage: bars that meet a stored one, or may. Gone with the transaction. It sorts by bytes as the bars do, so that
-- every way into them locks in one order.
CREATE TEMPORARY TABLE mdload_stage (@defined) ON COMMIT DROP

-- stage_clear --
-- Empties the stage for the next bars of the same transaction.
TRUNCATE pg_temp.mdload_stage

-- revisions_keep --
-- Locks the stored bars that the stage meets from $3 up to before $4, in key order (two loaders cannot deadlock), and
-- keeps old and new values of those that differ. $1 run, $2 file. Returns how many differ.
WITH kept AS (
    INSERT INTO @revisions (@key, @values(old_), @values(new_), run_id, file_id,
                                      old_created_at, old_updated_at)
    SELECT @key(s.), @values(b.), @values(s.), CAST($1 AS bigint), CAST($2 AS bigint), b.created_at, b.updated_at
      FROM (SELECT * FROM pg_temp.mdload_stage
             WHERE @time >= CAST($3 AS timestamptz) AND @time < CAST($4 AS timestamptz)
             ORDER BY @key) s
     CROSS JOIN LATERAL (
           SELECT t.* FROM @table t
            WHERE @same_key(t., s.) AND t.@time >= CAST($3 AS timestamptz) AND t.@time < CAST($4 AS timestamptz)
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
    INSERT INTO @table AS b (@columns)
    SELECT @columns
      FROM pg_temp.mdload_stage
     ORDER BY @key
        ON CONFLICT (@key) DO UPDATE SET @set(EXCLUDED.) WHERE @differ(b., EXCLUDED.)
    RETURNING (b.xmax = 0) AS inserted)
SELECT count(*) FILTER (WHERE inserted), count(*) FILTER (WHERE NOT inserted)
  FROM written

-- bars_partitioned --
-- Whether PostgreSQL itself partitions the table.
SELECT relkind = 'p' FROM pg_class WHERE oid = to_regclass('@table')

-- bars_upsert_parts --
-- As bars_upsert, for a partitioned table before PostgreSQL 18, of which RETURNING gives no system columns. A row is new
-- if this transaction made it, and has not changed it before.
WITH written AS (
    INSERT INTO @table AS b (@columns)
    SELECT @columns
      FROM pg_temp.mdload_stage
     ORDER BY @key
        ON CONFLICT (@key) DO UPDATE SET @set(EXCLUDED.) WHERE @differ(b., EXCLUDED.)
    RETURNING @key, created_at
), told AS (
    SELECT w.created_at = now()
           AND NOT EXISTS (SELECT 1 FROM @revisions r WHERE r.revised_at = now() AND @same_key(r., w.)) AS inserted
      FROM written w)
SELECT count(*) FILTER (WHERE inserted), count(*) FILTER (WHERE NOT inserted)
  FROM told

-- returns_old --
-- Whether RETURNING knows what a row was before (PostgreSQL 18 and newer).
SELECT CAST(current_setting('server_version_num') AS integer) >= 180000

-- bars_revise --
-- The diff-aware upsert from the stage, which keeps old and new values of what it changes in the same statement.
-- $1 run, $2 file. Returns rows inserted, rows updated, and revisions.
WITH written AS (
    INSERT INTO @table AS b (@columns)
    SELECT @columns
      FROM pg_temp.mdload_stage
     ORDER BY @key
        ON CONFLICT (@key) DO UPDATE SET @set(EXCLUDED.), updated_at = EXCLUDED.updated_at
                    WHERE @differ(b., EXCLUDED.)
    RETURNING @row(b.), @values(old., old_), old.created_at AS old_created_at,
              old.updated_at AS old_updated_at, old.@time IS NULL AS inserted
), kept AS (
    INSERT INTO @revisions (@key, @values(old_), @values(new_), run_id, file_id,
                                      old_created_at, old_updated_at)
    SELECT @key, @values(old_), @values, CAST($1 AS bigint), CAST($2 AS bigint), old_created_at, old_updated_at
      FROM written
     WHERE NOT inserted
    RETURNING 1)
SELECT count(*) FILTER (WHERE inserted), count(*) FILTER (WHERE NOT inserted), (SELECT count(*) FROM kept)
  FROM written

-- revisions_guards --
-- Triggers and rules of others that can keep a revision out, one a line.
SELECT string_agg(name, chr(10) ORDER BY name)
  FROM (SELECT CAST(t.tgname AS text) AS name
          FROM pg_trigger t
         WHERE (t.tgrelid = to_regclass('@revisions')
                OR t.tgrelid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = to_regclass('@revisions')))
           AND NOT t.tgisinternal AND t.tgenabled <> 'D' AND t.tgtype & 1 = 1 AND t.tgtype & 66 <> 0
         UNION ALL
        SELECT CAST(r.rulename AS text)
          FROM pg_rewrite r
         WHERE r.ev_class = to_regclass('@revisions')) AS guards

-- bars_hold --
-- Keeps others from altering the bars until the transaction ends.
SELECT FROM @table LIMIT 0

-- bars_state --
-- What a merge relies on: the columns of the tables of bars with their types and collations, one a line; the columns of
-- each unique key, one key a line; triggers of others that can keep a row out, one a line; and the rows that this
-- session has inserted lately, NULL if the server does not count.
SELECT (SELECT string_agg(concat(t.name, '.', a.attname, ' ', format_type(a.atttypid, a.atttypmod), ' ' || l.collname),
                          chr(10))
          FROM (VALUES ('@table'), ('@revisions')) AS t (name)
          JOIN pg_attribute a ON a.attrelid = to_regclass(t.name) AND a.attnum > 0 AND NOT a.attisdropped
          LEFT JOIN pg_collation l ON l.oid = a.attcollation) AS columns,
       (SELECT string_agg((SELECT string_agg(a.attname, ' ' ORDER BY a.attname COLLATE "C")
                             FROM pg_attribute a
                            WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)), chr(10))
          FROM pg_index i
         WHERE i.indrelid = to_regclass('@table') AND i.indisunique AND i.indisvalid AND i.indimmediate
           AND i.indpred IS NULL AND i.indexprs IS NULL) AS keys,
       (SELECT string_agg(DISTINCT CAST(t.tgname AS text), chr(10))
          FROM pg_trigger t
          JOIN pg_proc p ON p.oid = t.tgfoid
         WHERE (t.tgrelid = to_regclass('@table')
                OR t.tgrelid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = to_regclass('@table')))
           AND NOT t.tgisinternal AND t.tgenabled <> 'D' AND t.tgtype & 1 = 1 AND t.tgtype & 66 <> 0
           AND p.proname NOT LIKE 'mdload%' AND t.tgname <> 'ts_insert_blocker') AS triggers,
       CASE WHEN current_setting('track_counts') = 'on'
            THEN CAST(pg_stat_get_xact_tuples_inserted(to_regclass('@table'))
                      + (SELECT coalesce(sum(pg_stat_get_xact_tuples_inserted(inhrelid)), 0)
                           FROM pg_inherits WHERE inhparent = to_regclass('@table')) AS bigint) END AS inserted

-- stage_unmet --
-- How many bars of the stage are not stored as they are there, once it was merged.
SELECT count(*)
  FROM pg_temp.mdload_stage s
 WHERE NOT EXISTS (SELECT FROM @table b WHERE @same_key(b., s.) AND NOT (@differ(b., s.)))
