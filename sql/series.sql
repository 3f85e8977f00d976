-- series_all --
-- Every series stored between $1 and $2, in key order, and its first and last ts between $3 and $4 (NULL if it has no
-- bar there). The index finds the next series from each one, so the cost is three probes per series, however many bars
-- there are. $1 and $2 are the ends of all time or of chunks: they help the planner and do not bound the result.
WITH RECURSIVE @every_series
SELECT s.provider, s.symbol, s."interval",
       (SELECT min(b.ts) FROM bars_ohlcv b
         WHERE b.provider = s.provider AND b.symbol = s.symbol AND b."interval" = s."interval"
           AND b.ts BETWEEN $3 AND $4) AS first,
       (SELECT max(b.ts) FROM bars_ohlcv b
         WHERE b.provider = s.provider AND b.symbol = s.symbol AND b."interval" = s."interval"
           AND b.ts BETWEEN $3 AND $4) AS last
  FROM series s

-- series_of_symbols --
-- As series_all, for the wanted symbols (JSON array of text): a probe per provider, one per provider and symbol, and
-- three per series.
WITH RECURSIVE @every_provider, series AS (
    SELECT p.provider, w.symbol, n."interval"
      FROM providers p
     CROSS JOIN json_array_elements_text(@wanted) AS w(symbol)
     CROSS JOIN LATERAL (
           SELECT b."interval" FROM bars_ohlcv b
            WHERE b.provider = p.provider AND b.symbol = w.symbol AND b.ts BETWEEN $1 AND $2@in_shard(b.)
            ORDER BY b."interval" LIMIT 1) n
    UNION ALL
    SELECT s.provider, s.symbol, n."interval" FROM series s
     CROSS JOIN LATERAL (
           SELECT b."interval" FROM bars_ohlcv b
            WHERE b.provider = s.provider AND b.symbol = s.symbol AND b."interval" > s."interval"
              AND b.ts BETWEEN $1 AND $2@in_shard(b.)
            ORDER BY b."interval" LIMIT 1) n)
SELECT s.provider, s.symbol, s."interval",
       (SELECT min(b.ts) FROM bars_ohlcv b
         WHERE b.provider = s.provider AND b.symbol = s.symbol AND b."interval" = s."interval"
           AND b.ts BETWEEN $3 AND $4@in_shard(b.)) AS first,
       (SELECT max(b.ts) FROM bars_ohlcv b
         WHERE b.provider = s.provider AND b.symbol = s.symbol AND b."interval" = s."interval"
           AND b.ts BETWEEN $3 AND $4@in_shard(b.)) AS last
  FROM series s

-- series_between --
-- Every series with bars between $1 and $2, its first and last ts there, and how many bars. For compressed chunks, where
-- a probe costs more than reading the metadata of every batch (for whole chunks its bounds and counts are enough), and
-- for chunks that have few bars of each series.
SELECT provider, symbol, "interval", min(ts) AS first, max(ts) AS last, count(*) AS bars
  FROM bars_ohlcv
 WHERE ts BETWEEN $1 AND $2
 GROUP BY provider, symbol, "interval"

-- series_between_of --
-- As series_between, of the wanted symbols (JSON array of text): an index search for each in a chunk.
SELECT provider, symbol, "interval", min(ts) AS first, max(ts) AS last, count(*) AS bars
  FROM bars_ohlcv
 WHERE ts BETWEEN $1 AND $2 AND symbol = ANY (ARRAY(SELECT json_array_elements_text(@wanted)))
 GROUP BY provider, symbol, "interval"

-- bars_first --
-- The first ts between $1 and $2, of provider $3 and interval $4 (NULL: of all).
SELECT ts FROM bars_ohlcv
 WHERE ts BETWEEN CAST($1 AS timestamptz) AND CAST($2 AS timestamptz)
   AND (CAST($3 AS text) IS NULL OR provider = $3) AND (CAST($4 AS text) IS NULL OR "interval" = $4)
 ORDER BY ts LIMIT 1

-- bars_last --
-- The last one.
SELECT ts FROM bars_ohlcv
 WHERE ts BETWEEN CAST($1 AS timestamptz) AND CAST($2 AS timestamptz)
   AND (CAST($3 AS text) IS NULL OR provider = $3) AND (CAST($4 AS text) IS NULL OR "interval" = $4)
 ORDER BY ts DESC LIMIT 1

-- coverage_walk --
-- Samples the times at which the wanted series (sid, provider, symbol, interval) have bars from first to last. From each
-- bar found, the index finds the first one after its slice of time (slices are `slice` long, counted from `origin`) and
-- after its own `length`: a probe per slice, however many bars it holds. No series reaches beyond $1 and $2, so that the
-- planner can leave chunks out.
SELECT w.sid, stops.ts
  FROM json_to_recordset(@wanted)
       AS w(sid integer, provider text, symbol text, "interval" text, first timestamptz, last timestamptz,
            origin timestamptz, slice interval, length interval)
 CROSS JOIN LATERAL (
       WITH RECURSIVE walk AS (
           SELECT w.first AS ts
           UNION ALL
           SELECT (SELECT min(b.ts) FROM bars_ohlcv b
                    WHERE b.provider = w.provider AND b.symbol = w.symbol AND b."interval" = w."interval"
                      AND b.ts >= greatest(date_bin(w.slice, walk.ts, w.origin) + w.slice,
                                           walk.ts + w.length)
                      AND b.ts <= w.last AND b.ts BETWEEN $1 AND $2@in_shard(b.))
             FROM walk
            WHERE walk.ts IS NOT NULL)
       SELECT ts FROM walk WHERE ts IS NOT NULL) AS stops

-- stretch_counts --
-- The number of bars in the wanted stretches (sid, provider, symbol, interval, lo, hi), both ends included, added up by
-- sid: an index range each. No stretch reaches beyond $1 and $2.
SELECT w.sid, CAST(sum(b.bars) AS bigint) AS bars
  FROM json_to_recordset(@wanted)
       AS w(sid integer, provider text, symbol text, "interval" text, lo timestamptz, hi timestamptz)
 CROSS JOIN LATERAL (
       SELECT count(*) AS bars FROM bars_ohlcv s
        WHERE s.provider = w.provider AND s.symbol = w.symbol AND s."interval" = w."interval"
          AND s.ts >= w.lo AND s.ts <= w.hi AND s.ts BETWEEN $1 AND $2@in_shard(s.)) b
 GROUP BY w.sid

-- stored_times --
-- The ts of all bars in the wanted stretches (sid, provider, symbol, interval, lo, hi), both ends included: one row per
-- stretch with its times packed as in stored_bars. No stretch reaches beyond $1 and $2. Reads only the index, each range
-- once.
SELECT w.sid, b.ts
  FROM json_to_recordset(@wanted)
       AS w(sid integer, provider text, symbol text, "interval" text, lo timestamptz, hi timestamptz)
 CROSS JOIN LATERAL (
       SELECT string_agg(timestamptz_send(s.ts), NULL) AS ts FROM bars_ohlcv s
        WHERE s.provider = w.provider AND s.symbol = w.symbol AND s."interval" = w."interval"
          AND s.ts >= w.lo AND s.ts <= w.hi AND s.ts BETWEEN $1 AND $2@in_shard(s.)) b
 WHERE b.ts IS NOT NULL

-- session_of_moments --
-- From the next transaction on, all queries of a transaction in this session see one snapshot.
SELECT set_config('default_transaction_isolation', 'repeatable read', false)
