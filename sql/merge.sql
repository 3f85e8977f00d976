-- wal_position --
-- Where the server's write-ahead log stands, in bytes since its beginning.
SELECT CAST(pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') AS bigint)

-- stage_create --
-- The stage: bars that meet a stored one, or may. Gone with the transaction. It sorts by bytes as the bars
-- do, so that every way into them locks in one order.
CREATE TEMPORARY TABLE mdload_stage (
    provider text COLLATE "C" NOT NULL, symbol text COLLATE "C" NOT NULL,
    "interval" text COLLATE "C" NOT NULL, ts timestamptz NOT NULL,
    open double precision NOT NULL, high double precision NOT NULL,
    low double precision NOT NULL, close double precision NOT NULL,
    volume double precision, vwap double precision, trade_count bigint
) ON COMMIT DROP

-- revisions_keep --
-- Locks the stored bars that the stage meets from $3 up to before $4, in key order (two loaders cannot deadlock),
-- and keeps old and new values of those that differ. $1 run, $2 file. Gives how many differ.
WITH kept AS (
    INSERT INTO bars_ohlcv_revisions (
        provider, symbol, "interval", ts,
        old_open, old_high, old_low, old_close, old_volume, old_vwap, old_trade_count,
        new_open, new_high, new_low, new_close, new_volume, new_vwap, new_trade_count, run_id, file_id,
        old_created_at, old_updated_at)
    SELECT s.provider, s.symbol, s."interval", s.ts,
           b.open, b.high, b.low, b.close, b.volume, b.vwap, b.trade_count,
           s.open, s.high, s.low, s.close, s.volume, s.vwap, s.trade_count,
           CAST($1 AS bigint), CAST($2 AS bigint), b.created_at, b.updated_at
      FROM (SELECT * FROM pg_temp.mdload_stage
             WHERE ts >= CAST($3 AS timestamptz) AND ts < CAST($4 AS timestamptz)
             ORDER BY provider, symbol, "interval", ts) s
     CROSS JOIN LATERAL (
           SELECT t.* FROM bars_ohlcv t
            WHERE t.provider = s.provider AND t.symbol = s.symbol AND t."interval" = s."interval"
              AND t.ts = s.ts AND t.ts >= CAST($3 AS timestamptz) AND t.ts < CAST($4 AS timestamptz)
              FOR UPDATE) b
     WHERE (b.open, b.high, b.low, b.close, b.volume, b.vwap, b.trade_count)
           IS DISTINCT FROM (s.open, s.high, s.low, s.close, s.volume, s.vwap, s.trade_count)
    RETURNING 1)
SELECT count(*) FROM kept

-- bars_meet --
-- What has to come before the two queries around it where bars are in compressed chunks, whose rows cannot be
-- locked: inserts bars of the stage before $1 that are not stored, and moves the batches of the others to where
-- rows are, locked in key order. Changes no bar. Gives rows inserted.
WITH added AS (
    INSERT INTO bars_ohlcv AS b (
        provider, symbol, "interval", ts, open, high, low, close, volume, vwap, trade_count)
    SELECT provider, symbol, "interval", ts, open, high, low, close, volume, vwap, trade_count
      FROM pg_temp.mdload_stage
     WHERE ts < CAST($1 AS timestamptz)
     ORDER BY provider, symbol, "interval", ts
        ON CONFLICT (provider, symbol, "interval", ts) DO UPDATE SET open = b.open WHERE false
    RETURNING 1)
SELECT count(*) FROM added

-- bars_upsert --
-- The diff-aware upsert from the stage. Gives rows inserted and rows updated.
WITH written AS (
    INSERT INTO bars_ohlcv AS b (
        provider, symbol, "interval", ts, open, high, low, close, volume, vwap, trade_count)
    SELECT provider, symbol, "interval", ts, open, high, low, close, volume, vwap, trade_count
      FROM pg_temp.mdload_stage
     ORDER BY provider, symbol, "interval", ts
        ON CONFLICT (provider, symbol, "interval", ts) DO UPDATE
       SET open = EXCLUDED.open, high = EXCLUDED.high, low = EXCLUDED.low, close = EXCLUDED.close,
           volume = EXCLUDED.volume, vwap = EXCLUDED.vwap, trade_count = EXCLUDED.trade_count
     WHERE (b.open, b.high, b.low, b.close, b.volume, b.vwap, b.trade_count)
           IS DISTINCT FROM (EXCLUDED.open, EXCLUDED.high, EXCLUDED.low, EXCLUDED.close,
                             EXCLUDED.volume, EXCLUDED.vwap, EXCLUDED.trade_count)
    RETURNING (b.xmax = 0) AS inserted)
SELECT count(*) FILTER (WHERE inserted), count(*) FILTER (WHERE NOT inserted)
  FROM written

-- returns_old --
-- Whether RETURNING knows what a row was before (PostgreSQL 18 and newer).
SELECT CAST(current_setting('server_version_num') AS integer) >= 180000

-- bars_revise --
-- The diff-aware upsert from the stage, which keeps old and new values of what it changes in the same statement.
-- $1 run, $2 file. Gives rows inserted and rows updated.
WITH written AS (
    INSERT INTO bars_ohlcv AS b (
        provider, symbol, "interval", ts, open, high, low, close, volume, vwap, trade_count)
    SELECT provider, symbol, "interval", ts, open, high, low, close, volume, vwap, trade_count
      FROM pg_temp.mdload_stage
     ORDER BY provider, symbol, "interval", ts
        ON CONFLICT (provider, symbol, "interval", ts) DO UPDATE
       SET open = EXCLUDED.open, high = EXCLUDED.high, low = EXCLUDED.low, close = EXCLUDED.close,
           volume = EXCLUDED.volume, vwap = EXCLUDED.vwap, trade_count = EXCLUDED.trade_count
     WHERE (b.open, b.high, b.low, b.close, b.volume, b.vwap, b.trade_count)
           IS DISTINCT FROM (EXCLUDED.open, EXCLUDED.high, EXCLUDED.low, EXCLUDED.close,
                             EXCLUDED.volume, EXCLUDED.vwap, EXCLUDED.trade_count)
    RETURNING b.provider, b.symbol, b."interval", b.ts, old.ts IS NULL AS inserted,
              old.open AS old_open, old.high AS old_high, old.low AS old_low, old.close AS old_close,
              old.volume AS old_volume, old.vwap AS old_vwap, old.trade_count AS old_trade_count,
              old.created_at AS old_created_at, old.updated_at AS old_updated_at,
              b.open, b.high, b.low, b.close, b.volume, b.vwap, b.trade_count
), kept AS (
    INSERT INTO bars_ohlcv_revisions (
        provider, symbol, "interval", ts,
        old_open, old_high, old_low, old_close, old_volume, old_vwap, old_trade_count,
        new_open, new_high, new_low, new_close, new_volume, new_vwap, new_trade_count, run_id, file_id,
        old_created_at, old_updated_at)
    SELECT provider, symbol, "interval", ts,
           old_open, old_high, old_low, old_close, old_volume, old_vwap, old_trade_count,
           open, high, low, close, volume, vwap, trade_count,
           CAST($1 AS bigint), CAST($2 AS bigint), old_created_at, old_updated_at
      FROM written
     WHERE NOT inserted)
SELECT count(*) FILTER (WHERE inserted), count(*) FILTER (WHERE NOT inserted)
  FROM written
