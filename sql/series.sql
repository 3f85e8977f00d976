-- series_all --
-- Every series stored between $1 and $2, in key order, and its first and last ts between $3 and $4 (NULL where it has
-- no bar there): from each series the index is asked for the next, so that the cost is three probes per series, however
-- many bars there are. $1 and $2 are the ends of all time or of chunks, which the planner goes by, and no bound.
WITH RECURSIVE series AS (
    (SELECT provider, symbol, "interval" FROM bars_ohlcv
      WHERE ts BETWEEN $1 AND $2
      ORDER BY provider, symbol, "interval" LIMIT 1)
    UNION ALL
    SELECT n.* FROM series s
     CROSS JOIN LATERAL (
           SELECT b.provider, b.symbol, b."interval" FROM bars_ohlcv b
            WHERE (b.provider, b.symbol, b."interval") > (s.provider, s.symbol, s."interval")
              AND b.ts BETWEEN $1 AND $2
            ORDER BY b.provider, b.symbol, b."interval" LIMIT 1) n)
SELECT s.provider, s.symbol, s."interval",
       (SELECT min(b.ts) FROM bars_ohlcv b
         WHERE b.provider = s.provider AND b.symbol = s.symbol AND b."interval" = s."interval"
           AND b.ts BETWEEN $3 AND $4) AS first,
       (SELECT max(b.ts) FROM bars_ohlcv b
         WHERE b.provider = s.provider AND b.symbol = s.symbol AND b."interval" = s."interval"
           AND b.ts BETWEEN $3 AND $4) AS last
  FROM series s

-- series_of_symbols --
-- As series_all, of the wanted symbols (JSON array of text): a probe per provider, then one per provider and symbol,
-- then three per series.
WITH RECURSIVE providers AS (
    (SELECT provider FROM bars_ohlcv WHERE ts BETWEEN $1 AND $2 ORDER BY provider LIMIT 1)
    UNION ALL
    SELECT n.* FROM providers p
     CROSS JOIN LATERAL (
           SELECT b.provider FROM bars_ohlcv b WHERE b.provider > p.provider AND b.ts BETWEEN $1 AND $2
            ORDER BY b.provider LIMIT 1) n
), series AS (
    SELECT p.provider, w.symbol, n."interval"
      FROM providers p
     CROSS JOIN json_array_elements_text(current_setting('mdload.wanted')::json) AS w(symbol)
     CROSS JOIN LATERAL (
           SELECT b."interval" FROM bars_ohlcv b
            WHERE b.provider = p.provider AND b.symbol = w.symbol AND b.ts BETWEEN $1 AND $2
            ORDER BY b."interval" LIMIT 1) n
    UNION ALL
    SELECT s.provider, s.symbol, n."interval" FROM series s
     CROSS JOIN LATERAL (
           SELECT b."interval" FROM bars_ohlcv b
            WHERE b.provider = s.provider AND b.symbol = s.symbol AND b."interval" > s."interval"
              AND b.ts BETWEEN $1 AND $2
            ORDER BY b."interval" LIMIT 1) n)
SELECT s.provider, s.symbol, s."interval",
       (SELECT min(b.ts) FROM bars_ohlcv b
         WHERE b.provider = s.provider AND b.symbol = s.symbol AND b."interval" = s."interval"
           AND b.ts BETWEEN $3 AND $4) AS first,
       (SELECT max(b.ts) FROM bars_ohlcv b
         WHERE b.provider = s.provider AND b.symbol = s.symbol AND b."interval" = s."interval"
           AND b.ts BETWEEN $3 AND $4) AS last
  FROM series s

-- series_between --
-- Every series that has bars between $1 and $2, its first and last ts there, and how many bars. For compressed chunks,
-- where a probe costs more than a glance at every batch: of whole chunks the batches' bounds and counts tell all.
SELECT provider, symbol, "interval", min(ts) AS first, max(ts) AS last, count(*) AS bars
  FROM bars_ohlcv
 WHERE ts BETWEEN $1 AND $2
 GROUP BY provider, symbol, "interval"

-- coverage_walk --
-- Where the wanted series (sid, provider, symbol, interval) have bars between first and last, two of their bars: from
-- each bar found the index is asked for the first one after the slice of time that it is in (slices are `slice` long,
-- counted from `origin`) and after its own `length`. So a probe per slice, however many bars the slices hold. None of
-- the series reaches beyond $1 and $2, for the planner to leave chunks out.
SELECT w.sid, stops.ts
  FROM json_to_recordset(current_setting('mdload.wanted')::json)
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
                      AND b.ts <= w.last AND b.ts BETWEEN $1 AND $2)
             FROM walk
            WHERE walk.ts IS NOT NULL)
       SELECT ts FROM walk WHERE ts IS NOT NULL) AS stops

-- stretch_counts --
-- How many bars the wanted stretches (sid, provider, symbol, interval, lo, hi) hold, both ends included, none of which
-- reaches beyond $1 and $2; added up by sid: an index range each.
SELECT w.sid, CAST(sum(b.bars) AS bigint) AS bars
  FROM json_to_recordset(current_setting('mdload.wanted')::json)
       AS w(sid integer, provider text, symbol text, "interval" text, lo timestamptz, hi timestamptz)
 CROSS JOIN LATERAL (
       SELECT count(*) AS bars FROM bars_ohlcv s
        WHERE s.provider = w.provider AND s.symbol = w.symbol AND s."interval" = w."interval"
          AND s.ts >= w.lo AND s.ts <= w.hi AND s.ts BETWEEN $1 AND $2) b
 GROUP BY w.sid

-- stored_times --
-- The ts of all bars of the wanted stretches (sid, provider, symbol, interval, lo, hi), both ends included, none of
-- which reaches beyond $1 and $2: one row per stretch with its times packed as in stored_bars. The index alone is read,
-- each range once.
SELECT w.sid, b.ts
  FROM json_to_recordset(current_setting('mdload.wanted')::json)
       AS w(sid integer, provider text, symbol text, "interval" text, lo timestamptz, hi timestamptz)
 CROSS JOIN LATERAL (
       SELECT string_agg(timestamptz_send(s.ts), '') AS ts FROM bars_ohlcv s
        WHERE s.provider = w.provider AND s.symbol = w.symbol AND s."interval" = w."interval"
          AND s.ts >= w.lo AND s.ts <= w.hi AND s.ts BETWEEN $1 AND $2) b
 WHERE b.ts IS NOT NULL

-- session_of_moments --
-- From its next transaction on this session reads all of a transaction as it was at the first query.
SELECT set_config('default_transaction_isolation', 'repeatable read', false)
