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
-- Stored bars of the wanted stretches (sid, provider, symbol, interval, lo, hi), both ends included. OFFSET 0
-- keeps the planner from turning one index range per stretch into a join over the whole table.
SELECT w.sid, b.ts, b.open, b.high, b.low, b.close, b.volume, b.vwap, b.trade_count
  FROM json_to_recordset(current_setting('mdload.wanted')::json)
       AS w(sid integer, provider text, symbol text, "interval" text, lo timestamptz, hi timestamptz)
 CROSS JOIN LATERAL (
       SELECT s.* FROM bars_ohlcv s
        WHERE s.provider = w.provider AND s.symbol = w.symbol AND s."interval" = w."interval"
          AND s.ts BETWEEN w.lo AND w.hi
       OFFSET 0) b
