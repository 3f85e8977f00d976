-- rollup_statement --
-- The statement that makes a continuous aggregate of bars, in bars' terms. $1 its name, $2 the interval that it is
-- made of, $3 the one that it has, $4 the bucket.
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
-- The continuous aggregates of the bars that mdload made.
SELECT view_name AS name
  FROM timescaledb_information.continuous_aggregates
 WHERE hypertable_schema = current_schema() AND hypertable_name = 'bars_ohlcv'
   AND view_schema = current_schema() AND view_name ~ '^bars_[0-9]+[a-z]+_of_[0-9]+[a-z]+$'
 ORDER BY view_name

-- rollup_refresh --
-- Brings a rollup up to date for the buckets ($2) from the one that has $3 to the one that has $4; NULL for both:
-- all of them. $1 its name. Not within a transaction.
CALL refresh_continuous_aggregate(CAST(CAST($1 AS text) AS regclass),
                                  time_bucket(CAST($2 AS interval), CAST($3 AS timestamptz)),
                                  time_bucket(CAST($2 AS interval), CAST($4 AS timestamptz)) + CAST($2 AS interval))

-- rollup_policy --
-- Has the server bring it up to date every hour, for what came by other ways than a load. $1 its name.
SELECT add_continuous_aggregate_policy(CAST(CAST($1 AS text) AS regclass), NULL, interval '1 hour',
                                       interval '1 hour', if_not_exists => true)
