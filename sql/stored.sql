-- wanted_set --
-- Keeps a JSON array in this session for the next queries to read. A result that comes without bound
-- parameters is sent as one binary COPY, three times as fast. $1 the array, as text.
SELECT length(set_config('mdload.wanted', CAST($1 AS text), false))

-- stored_spans --
-- First and last stored ts of each wanted series (sid, provider, symbol, interval): two index probes each.
SELECT w.sid,
       (SELECT min(b.ts) FROM bars_ohlcv b
         WHERE b.provider = w.provider AND b.symbol = w.symbol AND b."interval" = w."interval") AS stored_lo,
       (SELECT max(b.ts) FROM bars_ohlcv b
         WHERE b.provider = w.provider AND b.symbol = w.symbol AND b."interval" = w."interval") AS stored_hi
  FROM json_to_recordset(current_setting('mdload.wanted')::json)
       AS w(sid integer, provider text, symbol text, "interval" text)

-- stored_bars --
-- Stored bars of the wanted stretches (sid, provider, symbol, interval, lo, hi), both ends included, none of which
-- reaches beyond $1 and $2. These stand in the text as literals, for the planner to leave chunks out. One row per
-- stretch that has any: each column's values one after the other, 8 bytes each, as the binary protocol has them, and
-- the four prices of a bar together, which is one call and not four. NULLs are left out, and the times of those rows
-- stand apart. The server packs bars so in less time than it takes to send them row by row, and they are read in a
-- tenth of it. One index range per stretch: an aggregate cannot be flattened.
SELECT w.sid, b.*
  FROM json_to_recordset(current_setting('mdload.wanted')::json)
       AS w(sid integer, provider text, symbol text, "interval" text, lo timestamptz, hi timestamptz)
 CROSS JOIN LATERAL (
       SELECT @packed(s.)
         FROM bars_ohlcv s
        WHERE s.provider = w.provider AND s.symbol = w.symbol AND s."interval" = w."interval"
          AND s.ts BETWEEN w.lo AND w.hi AND s.ts BETWEEN $1 AND $2) b
 WHERE b.ts IS NOT NULL

-- exported_bars --
-- As stored_bars, in order of ts, and of each stretch the first `bars` at most. To have them in order costs the server
-- a fifteenth.
SELECT w.sid, b.*
  FROM json_to_recordset(current_setting('mdload.wanted')::json)
       AS w(sid integer, provider text, symbol text, "interval" text, lo timestamptz, hi timestamptz, bars integer)
 CROSS JOIN LATERAL (
       SELECT @packed(s.)
         FROM (SELECT t.ts, @values(t.) FROM bars_ohlcv t
                WHERE t.provider = w.provider AND t.symbol = w.symbol AND t."interval" = w."interval"
                  AND t.ts BETWEEN w.lo AND w.hi AND t.ts BETWEEN $1 AND $2
                ORDER BY t.ts LIMIT w.bars) s) b
 WHERE b.ts IS NOT NULL
