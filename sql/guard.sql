-- spans_around --
-- First and last stored ts of each wanted series (sid, provider, symbol, interval, lo, hi) from lo to hi. No series
-- reaches beyond $1 and $2, so that the planner can leave chunks out.
SELECT w.sid,
       (SELECT min(b.ts) FROM bars_ohlcv b
         WHERE b.provider = w.provider AND b.symbol = w.symbol AND b."interval" = w."interval"
           AND b.ts BETWEEN w.lo AND w.hi AND b.ts BETWEEN $1 AND $2@in_shard(b.)) AS stored_lo,
       (SELECT max(b.ts) FROM bars_ohlcv b
         WHERE b.provider = w.provider AND b.symbol = w.symbol AND b."interval" = w."interval"
           AND b.ts BETWEEN w.lo AND w.hi AND b.ts BETWEEN $1 AND $2@in_shard(b.)) AS stored_hi
  FROM json_to_recordset(@wanted)
       AS w(sid integer, provider text, symbol text, "interval" text, lo timestamptz, hi timestamptz)

-- stored_within --
-- The number of bars in the wanted stretches (sid, provider, symbol, interval, lo, hi), both ends included, by sid; of each
-- `most` at most (null: all). No stretch reaches beyond $1 and $2.
SELECT w.sid, b.bars
  FROM json_to_recordset(@wanted)
       AS w(sid integer, provider text, symbol text, "interval" text, lo timestamptz, hi timestamptz, most bigint)
 CROSS JOIN LATERAL (
       SELECT count(*) AS bars
         FROM (SELECT FROM bars_ohlcv s
                WHERE s.provider = w.provider AND s.symbol = w.symbol AND s."interval" = w."interval"
                  AND s.ts BETWEEN w.lo AND w.hi AND s.ts BETWEEN $1 AND $2@in_shard(s.)
                LIMIT w.most) s) b

-- gone_keys --
-- Keys of the bars of a file, to find those that are stored and not among them. Gone with the transaction.
CREATE TEMPORARY TABLE mdload_keys (provider text COLLATE "C" NOT NULL, symbol text COLLATE "C" NOT NULL,
                                    "interval" text COLLATE "C" NOT NULL, ts timestamptz NOT NULL) ON COMMIT DROP

-- gone_analyze --
-- Without it the planner takes the keys to be few.
ANALYZE pg_temp.mdload_keys

-- gone_delete --
-- Takes the bars of the wanted series (provider, symbol, interval, lo, hi) away that are not in mdload_keys, and keeps
-- them as revisions. $1 run, $2 file. Returns how many.
WITH gone AS (
    DELETE FROM bars_ohlcv b
     USING json_to_recordset(@wanted)
           AS w(provider text, symbol text, "interval" text, lo timestamptz, hi timestamptz)
     WHERE b.provider = w.provider AND b.symbol = w.symbol AND b."interval" = w."interval"
       AND b.ts BETWEEN w.lo AND w.hi
       AND NOT EXISTS (SELECT FROM pg_temp.mdload_keys k WHERE @same_key(k., b.))
    RETURNING b.*
), kept AS (
    INSERT INTO bars_ohlcv_revisions (@key, @values(old_), run_id, file_id, old_created_at, old_updated_at, op)
    SELECT @key, @values, CAST($1 AS bigint), CAST($2 AS bigint), created_at, updated_at, 'delete'
      FROM gone
    RETURNING 1)
SELECT count(*) FROM kept

-- alike_series --
-- Other series that have the wanted bars (provider, symbol, interval, ts, open, high, low, close), all of which are of one
-- series, at the same times with the same prices: how many each. No time is beyond $1 and $2. The index finds the next
-- series from each one, as in series_all.
WITH RECURSIVE @every_series, wanted AS MATERIALIZED (
    SELECT * FROM json_to_recordset(@wanted)
        AS w(provider text, symbol text, "interval" text, ts timestamptz, @prices_typed))
SELECT s.provider, s.symbol, count(*) AS bars
  FROM series s
  JOIN wanted w ON w."interval" = s."interval" AND (w.provider, w.symbol) <> (s.provider, s.symbol)
 CROSS JOIN LATERAL (
       SELECT @prices(b.) FROM bars_ohlcv b
        WHERE b.provider = s.provider AND b.symbol = s.symbol AND b."interval" = s."interval"
          AND b.ts = w.ts AND b.ts BETWEEN $1 AND $2
       OFFSET 0) b
 WHERE (@prices(b.)) = (@prices(w.))
 GROUP BY s.provider, s.symbol

-- alike_bars --
-- The same for the series that the wanted bars name (other_provider, other_symbol).
SELECT w.other_provider AS provider, w.other_symbol AS symbol, count(*) AS bars
  FROM json_to_recordset(@wanted)
       AS w(other_provider text, other_symbol text, "interval" text, ts timestamptz, @prices_typed)
 CROSS JOIN LATERAL (
       SELECT @prices(b.) FROM bars_ohlcv b
        WHERE b.provider = w.other_provider AND b.symbol = w.other_symbol AND b."interval" = w."interval"
          AND b.ts = w.ts AND b.ts BETWEEN $1 AND $2@in_shard(b.)
       OFFSET 0) b
 WHERE (@prices(b.)) = (@prices(w.))
 GROUP BY w.other_provider, w.other_symbol

-- alike_providers --
-- Other providers that have the wanted bars of their own symbols, as in alike_series: how many each.
WITH RECURSIVE @every_provider, wanted AS MATERIALIZED (
    SELECT * FROM json_to_recordset(@wanted)
        AS w(provider text, symbol text, "interval" text, ts timestamptz, @prices_typed))
SELECT p.provider, CAST(NULL AS text) AS symbol, count(*) AS bars
  FROM providers p
  JOIN wanted w ON w.provider <> p.provider
 CROSS JOIN LATERAL (
       SELECT @prices(b.) FROM bars_ohlcv b
        WHERE b.provider = p.provider AND b.symbol = w.symbol AND b."interval" = w."interval"
          AND b.ts = w.ts AND b.ts BETWEEN $1 AND $2@in_shard(b.)
       OFFSET 0) b
 WHERE (@prices(b.)) = (@prices(w.))
 GROUP BY p.provider
