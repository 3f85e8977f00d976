-- rollup_statement --
-- Composes the statement that creates a continuous aggregate with the columns of bars. $1 its name, $2 the interval of
-- its source, $3 its own interval, $4 the bucket.
SELECT format($statement$
    CREATE MATERIALIZED VIEW %I WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
    SELECT provider, symbol, CAST(%3$L AS text) COLLATE "C" AS "interval", time_bucket(%4$L::interval, ts) AS ts,
           first(open, ts) AS open, max(high) AS high, min(low) AS low, last(close, ts) AS close,
           sum(volume) AS volume,
           sum(vwap * volume) / nullif(sum(volume) FILTER (WHERE vwap IS NOT NULL), 0) AS vwap,
           CAST(sum(trade_count) AS bigint) AS trade_count, count(*) AS bars
      FROM bars_ohlcv
     WHERE "interval" = %2$L
     GROUP BY provider, symbol, time_bucket(%4$L::interval, ts)
      WITH NO DATA
    $statement$, CAST($1 AS text), CAST($2 AS text), CAST($3 AS text), CAST($4 AS text)) AS statement

-- rollups_list --
-- The continuous aggregates of bars that mdload created.
SELECT view_name AS name
  FROM timescaledb_information.continuous_aggregates
 WHERE hypertable_schema = current_schema() AND hypertable_name = 'bars_ohlcv'
   AND view_schema = current_schema() AND view_name ~ '^bars_[0-9]+[a-z]+_of_[0-9]+[a-z]+$'
 ORDER BY view_name

-- rollup_refresh --
-- Refreshes rollup $1 from the bucket that holds $3 to the one that holds $4, or all buckets if both are NULL. $2 the
-- length of a bucket. Not within a transaction.
CALL refresh_continuous_aggregate(CAST(CAST($1 AS text) AS regclass),
                                  time_bucket(CAST($2 AS interval), CAST($3 AS timestamptz)),
                                  time_bucket(CAST($2 AS interval), CAST($4 AS timestamptz)) + CAST($2 AS interval))

-- rollup_policy --
-- Adds an hourly refresh to rollup $1, for bars that no load wrote.
SELECT add_continuous_aggregate_policy(CAST(CAST($1 AS text) AS regclass), NULL, interval '1 hour',
                                       interval '1 hour', if_not_exists => true)

-- rollup_compresses --
-- Whether the server compresses rollup $1 by itself.
SELECT EXISTS (SELECT FROM timescaledb_information.jobs
                WHERE proc_name IN ('policy_compression', 'policy_columnstore')
                  AND hypertable_schema = current_schema() AND hypertable_name = $1) AS compresses

-- rollup_columnstore --
-- Composes the statement that turns compression on for rollup $1.
SELECT format('ALTER MATERIALIZED VIEW %I SET (timescaledb.enable_columnstore)', CAST($1 AS text)) AS statement

-- rollup_columnstore_policy --
-- Adds the policy that compresses what is older than 90 days in rollup $1.
CALL add_columnstore_policy(CAST(CAST($1 AS text) AS regclass), after => interval '90 days', if_not_exists => true)

-- rollup_compression --
-- Composes that statement for versions before 2.18.
SELECT format('ALTER MATERIALIZED VIEW %I SET (timescaledb.compress = true)', CAST($1 AS text)) AS statement

-- rollup_compression_policy --
-- Adds that policy for versions before 2.18.
SELECT add_compression_policy(CAST(CAST($1 AS text) AS regclass), compress_after => interval '90 days',
                              if_not_exists => true)

-- rollup_check_statement --
-- Composes the statement that compares stored bars with a rollup, by series that both have, between its first and last
-- bar: the number of bars compared, and those that differ, the largest share first, then those that one side lacks. $1 the rollup's name, $2 the interval; $3 provider, $4 first
-- and $5 last moment, $6 symbols, each NULL for all; $7 the tolerance of prices and volume, as a share.
SELECT format($statement$
    WITH rolled AS (
        SELECT * FROM %1$I
         WHERE (%3$L IS NULL OR provider = %3$L)
           AND (%6$L IS NULL OR symbol = ANY (CAST(%6$L AS text[])))
           AND ts >= coalesce(CAST(%4$L AS timestamptz), '-infinity')
           AND ts <= coalesce(CAST(%5$L AS timestamptz), 'infinity')
    ), spans AS (
        SELECT provider, symbol, min(ts) AS lo, max(ts) AS hi FROM rolled GROUP BY provider, symbol
    ), stored AS (
        SELECT b.* FROM spans s
          JOIN bars_ohlcv b ON b.provider = s.provider AND b.symbol = s.symbol
                           AND b."interval" = %2$L AND b.ts BETWEEN s.lo AND s.hi
    ), beside AS (
        SELECT provider, symbol, ts,
               CASE WHEN s.open IS NULL THEN ARRAY['not stored']
                    WHEN r.open IS NULL THEN ARRAY['not made']
                    ELSE array_remove(ARRAY[
                         CASE WHEN abs(s.open - r.open) > %7$s * abs(s.open) THEN 'open' END,
                         CASE WHEN abs(s.high - r.high) > %7$s * abs(s.high) THEN 'high' END,
                         CASE WHEN abs(s.low - r.low) > %7$s * abs(s.low) THEN 'low' END,
                         CASE WHEN abs(s.close - r.close) > %7$s * abs(s.close) THEN 'close' END,
                         CASE WHEN abs(s.volume - r.volume) > %7$s * abs(s.volume) THEN 'volume' END
                         ], NULL) END AS differs,
               greatest(abs(s.open - r.open) / nullif(abs(s.open), 0), abs(s.high - r.high) / nullif(abs(s.high), 0),
                        abs(s.low - r.low) / nullif(abs(s.low), 0), abs(s.close - r.close) / nullif(abs(s.close), 0),
                        abs(s.volume - r.volume) / nullif(abs(s.volume), 0)) AS share,
               jsonb_build_array(s.open, s.high, s.low, s.close, s.volume) AS stored,
               jsonb_build_array(r.open, r.high, r.low, r.close, r.volume) AS made
          FROM (SELECT * FROM rolled
                 WHERE (provider, symbol) IN (SELECT DISTINCT provider, symbol FROM stored)) r
          FULL JOIN stored s USING (provider, symbol, ts)
    )
    SELECT provider, symbol, ts, differs, stored, made, count(*) OVER () AS compared FROM beside
     ORDER BY cardinality(differs) = 0, share DESC NULLS LAST, provider, symbol, ts
    $statement$, CAST($1 AS text), CAST($2 AS text), CAST($3 AS text), CAST($4 AS timestamptz),
    CAST($5 AS timestamptz), CAST($6 AS text[]), CAST($7 AS double precision)) AS statement

-- reconcile_rows --
-- Two sides of the bars by symbol and ts, in that order: values of A (a_…) and of B (b_…), NULL where a side has no bar.
-- mdload.wanted is a JSON object: a and b, each with provider, interval, and unit and seconds of the bars to be made of
-- its bars (NULL: as they are); symbols (array or NULL), since, until. Only symbols that both have, from the later of
-- their first bars to the earlier of their last. A longer bar is made as a rollup makes it, with UTC's days. It is partial
-- if `until` cuts it, or if it is the first or last of more than three, and its bars begin later or end earlier within it
-- than those of all others do.
WITH asked AS MATERIALIZED (
    SELECT side, said ->> 'provider' AS provider, said ->> 'interval' AS "interval", said ->> 'unit' AS unit,
           CAST(said ->> 'seconds' AS double precision) AS seconds, all_of.w AS every
      FROM (SELECT CAST(current_setting('mdload.wanted') AS jsonb) AS w) AS all_of
     CROSS JOIN LATERAL (VALUES ('a', all_of.w -> 'a'), ('b', all_of.w -> 'b')) AS sides (side, said)
), raw AS (
    SELECT s.side, b.symbol, s.unit, s.seconds, b.ts AS at, CAST(s.every ->> 'until' AS timestamptz) AS until,
           CAST(CASE s.unit WHEN 'quarter' THEN '3 months' ELSE '1 ' || s.unit END AS interval) AS length,
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
    SELECT side, symbol, ts, @values, CAST(NULL AS interval) AS begins, CAST(NULL AS interval) AS ends, false AS is_cut
      FROM raw WHERE unit IS NULL AND seconds IS NULL
     UNION ALL
    SELECT side, symbol, ts, (array_agg(open ORDER BY at))[1], max(high), min(low), (array_agg(close ORDER BY at DESC))[1],
           sum(volume), sum(vwap * volume) / nullif(sum(volume) FILTER (WHERE vwap IS NOT NULL), 0),
           CAST(sum(trade_count) AS bigint), min(at) - ts, max(at) - ts,
           coalesce((ts AT TIME ZONE 'UTC' + coalesce(make_interval(secs => min(seconds)), min(length))) AT TIME ZONE 'UTC'
                    > min(until) + interval '1 us', false)
      FROM raw WHERE unit IS NOT NULL OR seconds IS NOT NULL
     GROUP BY side, symbol, ts
), judged AS (
    SELECT *, coalesce(is_cut
                       OR count(*) OVER every > 3
                          AND (ts = min(ts) OVER every AND begins > max(begins) OVER later
                               OR ts = max(ts) OVER every AND ends < min(ends) OVER earlier), false) AS is_partial
      FROM made
    WINDOW every AS (PARTITION BY side, symbol),
           later AS (PARTITION BY side, symbol ORDER BY ts ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING),
           earlier AS (PARTITION BY side, symbol ORDER BY ts ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
), spans AS (
    SELECT symbol, max(lo) AS lo, min(hi) AS hi
      FROM (SELECT side, symbol, min(ts) AS lo, max(ts) AS hi FROM made GROUP BY side, symbol) AS ends
     GROUP BY symbol
    HAVING count(*) = 2
)
SELECT symbol, ts, a.side IS NOT NULL AS in_a, b.side IS NOT NULL AS in_b,
       coalesce(a.is_partial, false) OR coalesce(b.is_partial, false) AS is_partial,
       @values(a., a_), @values(b., b_)
  FROM (SELECT m.* FROM judged m JOIN spans USING (symbol) WHERE m.side = 'a' AND m.ts BETWEEN lo AND hi) a
  FULL JOIN (SELECT m.* FROM judged m JOIN spans USING (symbol) WHERE m.side = 'b' AND m.ts BETWEEN lo AND hi) b
       USING (symbol, ts)
 ORDER BY symbol, ts
