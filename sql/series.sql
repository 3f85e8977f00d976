-- series_all --
-- Every stored series, in key order: from each one the index is asked for the next, so that the cost is one probe
-- per series, however many bars there are.
WITH RECURSIVE series AS (
    (SELECT provider, symbol, "interval" FROM bars_ohlcv
      ORDER BY provider, symbol, "interval" LIMIT 1)
    UNION ALL
    SELECT n.* FROM series s
     CROSS JOIN LATERAL (
           SELECT b.provider, b.symbol, b."interval" FROM bars_ohlcv b
            WHERE (b.provider, b.symbol, b."interval") > (s.provider, s.symbol, s."interval")
            ORDER BY b.provider, b.symbol, b."interval" LIMIT 1) n)
SELECT provider, symbol, "interval" FROM series

-- series_of_symbols --
-- The stored series of the wanted symbols (JSON array of text): a probe per provider, then one per provider and
-- symbol, then one per series.
WITH RECURSIVE providers AS (
    (SELECT provider FROM bars_ohlcv ORDER BY provider LIMIT 1)
    UNION ALL
    SELECT n.* FROM providers p
     CROSS JOIN LATERAL (
           SELECT b.provider FROM bars_ohlcv b WHERE b.provider > p.provider
            ORDER BY b.provider LIMIT 1) n
), series AS (
    SELECT p.provider, w.symbol, n."interval"
      FROM providers p
     CROSS JOIN json_array_elements_text(current_setting('mdload.wanted')::json) AS w(symbol)
     CROSS JOIN LATERAL (
           SELECT b."interval" FROM bars_ohlcv b
            WHERE b.provider = p.provider AND b.symbol = w.symbol
            ORDER BY b."interval" LIMIT 1) n
    UNION ALL
    SELECT s.provider, s.symbol, n."interval" FROM series s
     CROSS JOIN LATERAL (
           SELECT b."interval" FROM bars_ohlcv b
            WHERE b.provider = s.provider AND b.symbol = s.symbol AND b."interval" > s."interval"
            ORDER BY b."interval" LIMIT 1) n)
SELECT provider, symbol, "interval" FROM series

-- series_spans --
-- First and last stored ts of each wanted series (sid, provider, symbol, interval) between lo and hi, both included;
-- NULL where it has no bar there. Two index probes each.
SELECT w.sid,
       (SELECT min(b.ts) FROM bars_ohlcv b
         WHERE b.provider = w.provider AND b.symbol = w.symbol AND b."interval" = w."interval"
           AND b.ts >= w.lo AND b.ts <= w.hi) AS first,
       (SELECT max(b.ts) FROM bars_ohlcv b
         WHERE b.provider = w.provider AND b.symbol = w.symbol AND b."interval" = w."interval"
           AND b.ts >= w.lo AND b.ts <= w.hi) AS last
  FROM json_to_recordset(current_setting('mdload.wanted')::json)
       AS w(sid integer, provider text, symbol text, "interval" text, lo timestamptz, hi timestamptz)

-- coverage_walk --
-- Where the wanted series (sid, provider, symbol, interval) have bars between first and last: from each bar found the
-- index is asked for the first one after the slice of time that it is in (slices are `slice` long, counted from
-- `origin`) and after its own `length`. So a probe per slice, however many bars the slices hold.
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
                      AND b.ts <= w.last)
             FROM walk
            WHERE walk.ts IS NOT NULL)
       SELECT ts FROM walk WHERE ts IS NOT NULL) AS stops

-- stretch_counts --
-- How many bars the wanted stretches (sid, provider, symbol, interval, lo, hi) hold, both ends included, added up
-- by sid: an index range each.
SELECT w.sid, CAST(sum(b.bars) AS bigint) AS bars
  FROM json_to_recordset(current_setting('mdload.wanted')::json)
       AS w(sid integer, provider text, symbol text, "interval" text, lo timestamptz, hi timestamptz)
 CROSS JOIN LATERAL (
       SELECT count(*) AS bars FROM bars_ohlcv s
        WHERE s.provider = w.provider AND s.symbol = w.symbol AND s."interval" = w."interval"
          AND s.ts >= w.lo AND s.ts <= w.hi) b
 GROUP BY w.sid

-- stored_times --
-- The ts of all bars of the wanted stretches (sid, provider, symbol, interval, lo, hi), both ends included: one row
-- per stretch with its times packed as in stored_bars. The index alone is read, each range once.
SELECT w.sid, b.ts
  FROM json_to_recordset(current_setting('mdload.wanted')::json)
       AS w(sid integer, provider text, symbol text, "interval" text, lo timestamptz, hi timestamptz)
 CROSS JOIN LATERAL (
       SELECT string_agg(timestamptz_send(s.ts), '') AS ts FROM bars_ohlcv s
        WHERE s.provider = w.provider AND s.symbol = w.symbol AND s."interval" = w."interval"
          AND s.ts >= w.lo AND s.ts <= w.hi) b
 WHERE b.ts IS NOT NULL

-- session_of_moments --
-- From its next transaction on this session reads all of a transaction as it was at the first query.
SELECT set_config('default_transaction_isolation', 'repeatable read', false)
