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

-- of_every_shard --
-- The command that every_shard hands to each of them: the rows of the statement in place of %s.
SELECT json_agg(t) FROM (%s) t

-- every_shard --
-- Runs command $1 on every shard of the bars, which is %1$s in it. Gives success and result of each.
SELECT success, result FROM run_command_on_shards('bars_ohlcv', $1)
