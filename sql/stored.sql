-- wanted_set --
-- Keeps a JSON array in this session for the next queries to read: without bound parameters their result is one binary
-- COPY, three times as fast. $1 the array, as text.
SELECT length(set_config('mdload.wanted', CAST($1 AS text), false))

-- stored_spans --
-- First and last stored ts of each wanted series: two index probes each. $1 JSON array of (sid, provider, symbol,
-- interval).
SELECT w.sid,
       (SELECT min(b.ts) FROM bars_ohlcv b
         WHERE b.provider = w.provider AND b.symbol = w.symbol AND b."interval" = w."interval"@in_shard(b.)) AS stored_lo,
       (SELECT max(b.ts) FROM bars_ohlcv b
         WHERE b.provider = w.provider AND b.symbol = w.symbol AND b."interval" = w."interval"@in_shard(b.)) AS stored_hi
  FROM json_to_recordset(@given)
       AS w(sid integer, provider text, symbol text, "interval" text)

-- stored_bars --
-- The bars in the wanted stretches (sid, provider, symbol, interval, lo, hi), both ends included. No stretch reaches
-- beyond $1 and $2, which become literals, so that the planner can leave chunks out. One row per stretch that has bars:
-- each column's values one after the other, 8 bytes each, as in the binary protocol; the four prices of a bar together,
-- which takes one call instead of four. NULLs are left out; the times of those bars are in columns of their own. Packing
-- takes the server less time than sending row by row, and reading takes a tenth. One index range per stretch: an
-- aggregate cannot be flattened.
SELECT w.sid, b.*
  FROM json_to_recordset(@wanted)
       AS w(sid integer, provider text, symbol text, "interval" text, lo timestamptz, hi timestamptz)
 CROSS JOIN LATERAL (
       SELECT @packed(s.)
         FROM bars_ohlcv s
        WHERE s.provider = w.provider AND s.symbol = w.symbol AND s."interval" = w."interval"
          AND s.ts BETWEEN w.lo AND w.hi AND s.ts BETWEEN $1 AND $2@in_shard(s.)) b
 WHERE b.ts IS NOT NULL

-- stored_bars_and_ends --
-- As stored_bars, and as stored_spans for those stretches that want the `ends` of their series: one statement where each
-- shard takes one.
SELECT w.sid, b.*, e.*
  FROM json_to_recordset(@wanted)
       AS w(sid integer, provider text, symbol text, "interval" text, lo timestamptz, hi timestamptz, ends boolean)
 CROSS JOIN LATERAL (
       SELECT @packed(s.)
         FROM bars_ohlcv s
        WHERE s.provider = w.provider AND s.symbol = w.symbol AND s."interval" = w."interval"
          AND s.ts BETWEEN w.lo AND w.hi AND s.ts BETWEEN $1 AND $2@in_shard(s.)) b
 CROSS JOIN LATERAL (
       SELECT CASE WHEN w.ends THEN (
                   SELECT min(l.ts) FROM bars_ohlcv l
                    WHERE l.provider = w.provider AND l.symbol = w.symbol AND l."interval" = w."interval"@in_shard(l.)) END AS stored_lo,
              CASE WHEN w.ends THEN (
                   SELECT max(h.ts) FROM bars_ohlcv h
                    WHERE h.provider = w.provider AND h.symbol = w.symbol AND h."interval" = w."interval"@in_shard(h.)) END AS stored_hi) e
 WHERE b.ts IS NOT NULL OR e.stored_lo IS NOT NULL

-- exported_bars --
-- As stored_bars, in order of ts, and at most the first `bars` of each stretch. The order costs the server a fifteenth.
SELECT w.sid, b.*
  FROM json_to_recordset(@wanted)
       AS w(sid integer, provider text, symbol text, "interval" text, lo timestamptz, hi timestamptz, bars integer)
 CROSS JOIN LATERAL (
       SELECT @packed(s.)
         FROM (SELECT t.ts, @values(t.) FROM bars_ohlcv t
                WHERE t.provider = w.provider AND t.symbol = w.symbol AND t."interval" = w."interval"
                  AND t.ts BETWEEN w.lo AND w.hi AND t.ts BETWEEN $1 AND $2@in_shard(t.)
                ORDER BY t.ts LIMIT w.bars) s) b
 WHERE b.ts IS NOT NULL
