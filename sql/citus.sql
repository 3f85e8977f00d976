-- bars_spread --
-- Whether Citus has distributed the bars by symbol. Only where it is installed.
SELECT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = to_regclass('bars_ohlcv') AND partmethod = 'h')

-- shards_of --
-- The shard of each symbol of $1 (JSON array), as a JSON object.
SELECT CAST(json_object_agg(s.symbol, get_shard_id_for_distribution_column('bars_ohlcv', s.symbol)) AS text) AS shards
  FROM json_array_elements_text(CAST(CAST($1 AS text) AS json)) AS s (symbol)

-- bars_merge_rows --
-- As bars_merge, for bars that Citus has distributed: given as rows of parameters, each of them goes to its shard. $1
-- run. Returns rows inserted, updated, and kept as revisions.
WITH written AS (
    INSERT INTO bars_ohlcv AS b (@columns)
    VALUES @rows
        ON CONFLICT (@key) DO UPDATE SET @set(EXCLUDED.), updated_at = EXCLUDED.updated_at
                    WHERE @differ(b., EXCLUDED.)
    RETURNING @columns(b.), @values(old., old_), old.created_at AS old_created_at, old.updated_at AS old_updated_at,
              old.ts IS NULL AS inserted
), kept AS (
    INSERT INTO bars_ohlcv_revisions (@key, @values(old_), @values(new_), run_id, old_created_at, old_updated_at)
    SELECT @key, @values(old_), @values, CAST($1 AS bigint), old_created_at, old_updated_at
      FROM written
     WHERE NOT inserted
    RETURNING 1)
SELECT count(*) FILTER (WHERE inserted), count(*) FILTER (WHERE NOT inserted), (SELECT count(*) FROM kept)
  FROM written

-- two_phases --
-- Makes this transaction commit in two phases. Where it writes to a single shard only, Citus would commit there first, and
-- a server that is lost then would leave bars changed without their revisions and counts. Writes no row.
INSERT INTO bars_ohlcv (@key, open, high, low, close)
SELECT @key, new_open, new_high, new_low, new_close FROM bars_ohlcv_revisions WHERE false

-- of_every_shard --
-- The command that every_shard hands to each of them: the rows of the statement that takes the place of TABLE.
SELECT json_agg(t) FROM (TABLE bars_ohlcv) t

-- every_shard --
-- Runs command $1 on every shard of the bars, which is %1$s in it. Gives success and result of each.
SELECT success, result FROM run_command_on_shards('bars_ohlcv', $1)

-- spread_undo_added_keep --
-- As undo_added_keep, where Citus has distributed the bars: those that are needed come to the coordinator first. $1 run.
WITH mine AS MATERIALIZED (
    SELECT b.* FROM bars_ohlcv b JOIN pg_temp.mdload_undone u ON u.xact_at = b.updated_at
)
INSERT INTO bars_ohlcv_revisions (@key, @values(old_), run_id, old_created_at, old_updated_at, op)
SELECT @key(b.), @values(b.), CAST($1 AS bigint), b.created_at, b.updated_at, 'delete'
  FROM mine b
 WHERE NOT EXISTS (SELECT FROM pg_temp.mdload_prior p WHERE @same_key(p., b.))

-- spread_undo_added --
-- As undo_added likewise: takes away what the statement before has kept.
DELETE FROM bars_ohlcv b USING bars_ohlcv_revisions r
 WHERE r.revised_at = now() AND r.op = 'delete' AND @same_key(b., r.) AND b.updated_at = r.old_updated_at

-- spread_undo_all_keep --
-- As undo_all_keep likewise: a shard would give the revisions the time of a transaction of its own. $1 run.
WITH mine AS MATERIALIZED (
    SELECT b.* FROM bars_ohlcv b WHERE b.updated_at = ANY (ARRAY(SELECT xact_at FROM pg_temp.mdload_undone))
)
INSERT INTO bars_ohlcv_revisions (@key, @values(old_), run_id, old_created_at, old_updated_at, op)
SELECT @key(b.), @values(b.), CAST($1 AS bigint), b.created_at, b.updated_at, 'delete'
  FROM mine b

-- spread_undo_restore --
-- As undo_restore likewise.
WITH there AS MATERIALIZED (
    SELECT @key(b.)
      FROM bars_ohlcv b JOIN pg_temp.mdload_prior p ON @same_key(b., p.)
     WHERE b.ts BETWEEN CAST($1 AS timestamptz) AND CAST($2 AS timestamptz)
), restored AS (
    INSERT INTO bars_ohlcv (@columns, created_at)
    SELECT @key(p.), @values(p.old_), coalesce(p.old_created_at, p.old_updated_at, now())
      FROM pg_temp.mdload_prior p
     WHERE NOT EXISTS (SELECT FROM there b WHERE @same_key(b., p.))
    RETURNING symbol)
SELECT CAST(coalesce(sum(bars), 0) AS bigint) AS bars, CAST(coalesce(json_agg(symbol), '[]') AS text) AS symbols
  FROM (SELECT symbol, count(*) AS bars FROM restored GROUP BY symbol) AS s

-- spread_gone_delete --
-- As gone_delete likewise. $1 run, $2 file.
WITH stored AS MATERIALIZED (
    SELECT @key(b.)
      FROM bars_ohlcv b
      JOIN json_to_recordset(@wanted) AS w(provider text, symbol text, "interval" text, lo timestamptz, hi timestamptz)
        ON b.provider = w.provider AND b.symbol = w.symbol AND b."interval" = w."interval"
       AND b.ts BETWEEN w.lo AND w.hi
), going AS MATERIALIZED (
    SELECT @key FROM stored b
     WHERE NOT EXISTS (SELECT FROM pg_temp.mdload_keys k WHERE @same_key(k., b.))
), gone AS (
    DELETE FROM bars_ohlcv b USING going g WHERE @same_key(b., g.)
    RETURNING b.*
), kept AS (
    INSERT INTO bars_ohlcv_revisions (@key, @values(old_), run_id, file_id, old_created_at, old_updated_at, op)
    SELECT @key, @values, CAST($1 AS bigint), CAST($2 AS bigint), created_at, updated_at, 'delete'
      FROM gone
    RETURNING 1)
SELECT count(*) FROM kept

-- spread_known_later --
-- As known_later likewise. $1 to $3 JSON arrays, $4 a time. A shard has a now() of its own: so that the coordinator
-- compares it.
WITH ours AS MATERIALIZED (
    SELECT b.provider, b.symbol, b."interval", b.updated_at
      FROM bars_ohlcv b
     WHERE b.provider = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST($1 AS text) AS jsonb))))
       AND b.symbol = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST($2 AS text) AS jsonb))))
       AND b."interval" = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST($3 AS text) AS jsonb))))
), known AS (
    SELECT b.provider, b.symbol, b."interval", coalesce(l.known_at, b.updated_at) AS known_at
      FROM ours b
      LEFT JOIN bars_loads l ON l.xact_at = b.updated_at
     WHERE b.updated_at <> now()
     UNION ALL
    SELECT r.provider, r.symbol, r."interval",
           greatest(coalesce(o.known_at, r.old_updated_at),
                    CASE WHEN r.revised_at <> now() THEN coalesce(n.known_at, r.revised_at) END)
      FROM bars_ohlcv_revisions r
      LEFT JOIN bars_loads o ON o.xact_at = r.old_updated_at
      LEFT JOIN bars_loads n ON n.xact_at = r.revised_at
     WHERE r.provider = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST($1 AS text) AS jsonb))))
       AND r.symbol = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST($2 AS text) AS jsonb))))
       AND r."interval" = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST($3 AS text) AS jsonb))))
)
SELECT provider, symbol, "interval", known_at
  FROM known
 WHERE known_at > CAST($4 AS timestamptz)
 ORDER BY known_at DESC
 LIMIT 1

-- spread_rename_meets --
-- As rename_meets likewise.
WITH there AS MATERIALIZED (
    SELECT t.provider, t."interval", t.ts FROM bars_ohlcv t WHERE t.symbol = $2
)
SELECT count(*), min(b.ts), max(b.ts)
  FROM bars_ohlcv b
  JOIN there t ON (t.provider, t."interval", t.ts) = (b.provider, b."interval", b.ts)
 WHERE b.symbol = $1
   AND (CAST($3 AS text) IS NULL OR b.provider = $3) AND (CAST($4 AS text) IS NULL OR b."interval" = $4)
   AND (CAST($5 AS timestamptz) IS NULL OR b.ts >= CAST($5 AS timestamptz)) AND (CAST($6 AS timestamptz) IS NULL OR b.ts <= CAST($6 AS timestamptz))

-- spread_oldest_bar --
-- As oldest_bar likewise, by all shards at once: only where a known file has lost bars. $1 provider, $2 interval.
SELECT min(ts) AS ts FROM bars_ohlcv WHERE provider = $1 AND "interval" = $2

-- past_asked --
-- The instant that past_set names: a time, and the last load that counts.
CREATE TEMPORARY TABLE mdload_asked AS
SELECT known_at, load_id FROM mdload_pin(current_setting('mdload.pin', true))
 WHERE nullif(current_setting('mdload.pin', true), '') IS NOT NULL
 UNION ALL
SELECT CAST(nullif(current_setting('mdload.as_of', true), '') AS timestamptz), 9223372036854775807
 WHERE nullif(current_setting('mdload.pin', true), '') IS NULL

-- past_create --
-- A place for the bars at that instant, for the queries of this session.
CREATE TEMPORARY TABLE mdload_past (LIKE bars_ohlcv INCLUDING DEFAULTS)

-- past_stored --
-- Fills it with the bars that have not changed since: those of the shards first, and then, by past_replaced, those that
-- the revisions have. A load is there on the coordinator before it is on any shard, so that a bar which it replaces
-- meanwhile is found twice at worst, and never missing.
INSERT INTO pg_temp.mdload_past (@columns, created_at, updated_at)
SELECT @columns(b.), b.created_at, b.updated_at
  FROM bars_ohlcv b
  LEFT JOIN bars_loads l ON l.xact_at = b.updated_at
 WHERE coalesce(l.known_at, b.updated_at) <= (SELECT known_at FROM pg_temp.mdload_asked)
   AND coalesce(l.id, 0) <= (SELECT load_id FROM pg_temp.mdload_asked)

-- past_replaced --
-- Adds the bars that were changed since, but for those that past_stored has found before their change.
INSERT INTO pg_temp.mdload_past (@columns, created_at, updated_at)
SELECT @key(r.), @values(r.old_), coalesce(r.old_created_at, r.old_updated_at), r.old_updated_at
  FROM bars_ohlcv_revisions r
  CROSS JOIN pg_temp.mdload_asked a
  LEFT JOIN bars_loads o ON o.xact_at = r.old_updated_at
  LEFT JOIN bars_loads n ON n.xact_at = r.revised_at
 WHERE coalesce(o.known_at, r.old_updated_at, '-infinity') <= a.known_at
   AND coalesce(o.id, 0) <= a.load_id
   AND NOT (coalesce(n.known_at, r.revised_at) <= a.known_at AND coalesce(n.id, 0) <= a.load_id)
   AND NOT EXISTS (SELECT FROM pg_temp.mdload_past p WHERE @same_key(p., r.))

-- past_index --
-- The key, through which every query goes.
CREATE UNIQUE INDEX mdload_past_key ON pg_temp.mdload_past (@key)

-- citus_extension --
-- Citus as installed in this database, and what it needs of the server; no row without it.
SELECT e.extversion AS version,
       CAST(current_setting('server_version_num') AS integer) AS number,
       CAST(current_setting('max_prepared_transactions') AS integer) AS prepared
  FROM pg_extension e
 WHERE e.extname = 'citus'

-- citus_available --
-- The version of Citus that the server has and this database has not; NULL if it has none.
SELECT (SELECT default_version FROM pg_available_extensions WHERE name = 'citus') AS version

-- citus_state --
-- How Citus has the tables: the number of servers that take shards; whether there are bars; the column by which they are
-- distributed (NULL: they are not); books that are in its metadata, which several entry nodes would use; whether the bars
-- are a hypertable or partitioned, whether the trigger of updated_at is there, other triggers, whether the maintenance
-- daemon runs, and the other servers that cannot prepare a transaction.
SELECT (SELECT count(*) FROM pg_dist_node WHERE isactive AND noderole = 'primary' AND shouldhaveshards) AS servers,
       to_regclass('bars_ohlcv') IS NOT NULL AS bars,
       (SELECT column_to_column_name(logicalrelid, partkey) FROM pg_dist_partition
         WHERE logicalrelid = to_regclass('bars_ohlcv') AND partmethod = 'h') AS by,
       (SELECT string_agg(CAST(logicalrelid AS text), ', ' ORDER BY CAST(logicalrelid AS text)) FROM pg_dist_partition
         WHERE logicalrelid IN (to_regclass('bars_ohlcv_revisions'), to_regclass('job_runs'),
                                to_regclass('job_run_files'), to_regclass('bars_loads'), to_regclass('bars_rejected'),
                                to_regclass('bars_pins'), to_regclass('provider_symbols'))) AS books,
       (SELECT relkind = 'p' FROM pg_class WHERE oid = to_regclass('bars_ohlcv')) AS partitioned,
       EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') AS timescale,
       EXISTS (SELECT FROM pg_trigger WHERE tgrelid = to_regclass('bars_ohlcv') AND tgname = 'bars_ohlcv_updated_at') AS touches,
       (SELECT string_agg(CAST(tgname AS text), ', ') FROM pg_trigger
         WHERE tgrelid = to_regclass('bars_ohlcv') AND NOT tgisinternal AND tgname <> 'bars_ohlcv_updated_at') AS triggers,
       EXISTS (SELECT FROM pg_stat_activity
                WHERE datname = current_database() AND application_name LIKE 'Citus Maintenance Daemon%') AS maintained,
       (SELECT string_agg(concat(nodename, ':', nodeport), ', ' ORDER BY nodename, nodeport)
          FROM run_command_on_workers('SELECT current_setting(''max_prepared_transactions'')')
         WHERE success AND result = '0') AS unprepared

-- citus_servers --
-- The servers that hold bars: name, port, how many shards, and their bytes with indexes.
SELECT nodename AS host, nodeport AS port, count(*) AS shards, CAST(sum(shard_size) AS bigint) AS bytes
  FROM citus_shards
 WHERE table_name = to_regclass('bars_ohlcv')
 GROUP BY nodename, nodeport
 ORDER BY nodename, nodeport

-- citus_waiting --
-- Transactions of a cluster that a server still keeps between prepare and commit.
SELECT CAST(coalesce(sum(CAST(nullif(result, '') AS bigint)), 0) AS bigint) AS waiting,
       count(*) FILTER (WHERE NOT success) AS lost
  FROM run_command_on_workers('SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database() AND prepared < now() - interval ''10 s''')

-- citus_trigger_drop --
-- Citus distributes no table with a trigger; the merge says updated_at itself.
DROP TRIGGER IF EXISTS bars_ohlcv_updated_at ON bars_ohlcv

-- citus_distribute --
-- Distributes the bars by symbol and copies them to their shards.
SELECT create_distributed_table('bars_ohlcv', 'symbol')

-- citus_truncate --
-- Gives the coordinator's copy of the bars back, which nobody reads any more.
SELECT truncate_local_data_after_distributing_table('bars_ohlcv')

-- citus_functions --
-- Statements that make the functions that read bars anew, in a language for which Citus plans each call. Those that read
-- the past hold up the commits of loads meanwhile: else they might meet a load on the coordinator and not yet on a shard.
SELECT format('CREATE OR REPLACE FUNCTION %s(%s) RETURNS %s LANGUAGE plpgsql %s ROWS 100000 AS %L',
              CAST(CAST(p.oid AS regproc) AS text), pg_get_function_identity_arguments(p.oid),
              pg_get_function_result(p.oid), CASE p.proname WHEN 'bars_rejects' THEN 'STABLE' ELSE 'VOLATILE' END,
              concat('#variable_conflict use_column', chr(10), CASE p.proname WHEN 'bars_ohlcv_at'
                     THEN format('DECLARE asked %s := mdload_pin($1)%s ', to_regclass('bars_pins'), chr(59)) END,
                     format(CASE p.proname WHEN 'bars_rejects' THEN 'BEGIN RETURN QUERY %1$s%2$s END'
                            ELSE 'BEGIN PERFORM pg_advisory_lock(120278083395941)%2$s '
                                 'BEGIN RETURN QUERY %1$s%2$s PERFORM pg_advisory_unlock(120278083395941)%2$s '
                                 'EXCEPTION WHEN OTHERS OR query_canceled OR assert_failure THEN '
                                 'PERFORM pg_advisory_unlock(120278083395941)%2$s RAISE%2$s END%2$s END' END,
                            regexp_replace(p.prosrc, '\(SELECT (\w+) FROM \S+mdload_pin\(\$1\)\)', 'asked.\1', 'g'),
                            chr(59)))) AS statement
  FROM pg_proc p
  JOIN pg_language l ON l.oid = p.prolang
 WHERE l.lanname = 'sql'
   AND p.oid IN (to_regprocedure('bars_ohlcv_as_of(timestamptz)'), to_regprocedure('bars_ohlcv_at(text)'),
                 to_regprocedure('bars_rejects()'))
