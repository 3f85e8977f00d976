-- reconcile_rows --
-- Two sides of the bars by symbol and ts, in that order: values of A (a_…) and of B (b_…), NULL where a side has no bar.
-- mdload.wanted is a JSON object: a and b, each with provider, interval, and unit and seconds of the bars to be made of
-- its bars (NULL: as they are); symbols (array or NULL), since, until. Only symbols that both have, from the later of
-- their first bars to the earlier of their last. A longer bar is made as a rollup makes it, with UTC's days.
WITH asked AS MATERIALIZED (
    SELECT side, said ->> 'provider' AS provider, said ->> 'interval' AS "interval", said ->> 'unit' AS unit,
           CAST(said ->> 'seconds' AS double precision) AS seconds, all_of.w AS every
      FROM (SELECT CAST(current_setting('mdload.wanted') AS jsonb) AS w) AS all_of
     CROSS JOIN LATERAL (VALUES ('a', all_of.w -> 'a'), ('b', all_of.w -> 'b')) AS sides (side, said)
), raw AS (
    SELECT s.side, b.symbol, s.unit, s.seconds, b.ts AS at,
           CASE WHEN s.unit IS NOT NULL THEN date_trunc(s.unit, b.ts, 'UTC')
                WHEN s.seconds IS NOT NULL THEN date_bin(make_interval(secs => s.seconds), b.ts, '1970-01-01Z')
                ELSE b.ts END AS ts,
           @values(b.)
      FROM asked s
      JOIN bars_ohlcv b ON b.provider = s.provider AND b."interval" = s."interval"
     WHERE (jsonb_typeof(s.every -> 'symbols') <> 'array' OR s.every -> 'symbols' @> to_jsonb(CAST(b.symbol AS text)))
       AND (s.every ->> 'since' IS NULL OR b.ts >= CAST(s.every ->> 'since' AS timestamptz))
       AND (s.every ->> 'until' IS NULL OR b.ts <= CAST(s.every ->> 'until' AS timestamptz))
), made AS MATERIALIZED (
    SELECT side, symbol, ts, @values FROM raw WHERE unit IS NULL AND seconds IS NULL
     UNION ALL
    SELECT side, symbol, ts, (array_agg(open ORDER BY at))[1], max(high), min(low), (array_agg(close ORDER BY at DESC))[1],
           sum(volume), sum(vwap * volume) / nullif(sum(volume) FILTER (WHERE vwap IS NOT NULL), 0),
           CAST(sum(trade_count) AS bigint)
      FROM raw WHERE unit IS NOT NULL OR seconds IS NOT NULL
     GROUP BY side, symbol, ts
), spans AS (
    SELECT symbol, max(lo) AS lo, min(hi) AS hi
      FROM (SELECT side, symbol, min(ts) AS lo, max(ts) AS hi FROM made GROUP BY side, symbol) AS ends
     GROUP BY symbol
    HAVING count(*) = 2
)
SELECT symbol, ts, a.side IS NOT NULL AS in_a, b.side IS NOT NULL AS in_b,
       @values(a., a_), @values(b., b_)
  FROM (SELECT m.* FROM made m JOIN spans USING (symbol) WHERE m.side = 'a' AND m.ts BETWEEN lo AND hi) a
  FULL JOIN (SELECT m.* FROM made m JOIN spans USING (symbol) WHERE m.side = 'b' AND m.ts BETWEEN lo AND hi) b
       USING (symbol, ts)
 ORDER BY symbol, ts
