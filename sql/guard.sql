-- spans_around --
-- First and last stored ts of each wanted series (sid, provider, symbol, interval, lo, hi) from lo to hi. No series
-- reaches beyond $1 and $2, so that the planner can leave chunks out.
SELECT w.sid,
       (SELECT min(b.ts) FROM bars_ohlcv b
         WHERE b.provider = w.provider AND b.symbol = w.symbol AND b."interval" = w."interval"
           AND b.ts BETWEEN w.lo AND w.hi AND b.ts BETWEEN $1 AND $2) AS stored_lo,
       (SELECT max(b.ts) FROM bars_ohlcv b
         WHERE b.provider = w.provider AND b.symbol = w.symbol AND b."interval" = w."interval"
           AND b.ts BETWEEN w.lo AND w.hi AND b.ts BETWEEN $1 AND $2) AS stored_hi
  FROM json_to_recordset(current_setting('mdload.wanted')::json)
       AS w(sid integer, provider text, symbol text, "interval" text, lo timestamptz, hi timestamptz)

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
     USING json_to_recordset(current_setting('mdload.wanted')::json)
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
