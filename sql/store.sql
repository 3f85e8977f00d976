-- store_session --
-- The client's own statements are planned once per session. Planned anew for each batch they would cost
-- more than they do, and every access of theirs goes through the key whatever the batch. Only on a hypertable
-- that has chunks a plan for the batch's own chunks costs less than one for all.
SELECT set_config('plan_cache_mode', CASE
       WHEN EXISTS (SELECT FROM pg_inherits WHERE inhparent = to_regclass('bars_ohlcv'))
       THEN 'force_custom_plan' ELSE 'force_generic_plan' END, false)

-- bars_merge --
-- Merges a small batch in one statement: bars that are not stored are inserted; of the others those that
-- differ are locked, looked at again, kept as revisions and updated. An identical bar is only read. $1 JSON
-- array of bars, one per key, in key order, in which they are written and locked; $2 run; $3 and $4 their first
-- and last ts, for chunks to be left out. Gives rows inserted, updated, kept as revisions, unchanged, which do not add up where another writer got in between;
-- and the number of the transaction, as transaction_id does.
-- OFFSET 0 keeps one index probe per row from becoming a join over the whole table.
WITH given AS MATERIALIZED (
    SELECT * FROM json_to_recordset(CAST(CAST($1 AS text) AS json)) AS g(
        provider text, symbol text, "interval" text, ts timestamptz,
        open double precision, high double precision, low double precision, close double precision,
        volume double precision, vwap double precision, trade_count bigint)
), beside AS MATERIALIZED (
    SELECT g.*, b.stored,
           (b.open, b.high, b.low, b.close, b.volume, b.vwap, b.trade_count) IS DISTINCT FROM
           (g.open, g.high, g.low, g.close, g.volume, g.vwap, g.trade_count) AS differs
      FROM given g
      LEFT JOIN LATERAL (
           SELECT true AS stored, t.open, t.high, t.low, t.close, t.volume, t.vwap, t.trade_count
             FROM bars_ohlcv t
            WHERE t.provider = g.provider AND t.symbol = g.symbol AND t."interval" = g."interval"
              AND t.ts = g.ts AND t.ts BETWEEN CAST($3 AS timestamptz) AND CAST($4 AS timestamptz)
           OFFSET 0) b ON true
), added AS (
    INSERT INTO bars_ohlcv (
        provider, symbol, "interval", ts, open, high, low, close, volume, vwap, trade_count)
    SELECT provider, symbol, "interval", ts, open, high, low, close, volume, vwap, trade_count
      FROM beside
     WHERE stored IS NULL
    RETURNING 1
), locked AS MATERIALIZED (
    SELECT m.provider, m.symbol, m."interval", m.ts,
           b.open AS old_open, b.high AS old_high, b.low AS old_low, b.close AS old_close,
           b.volume AS old_volume, b.vwap AS old_vwap, b.trade_count AS old_trade_count,
           b.created_at AS old_created_at, b.updated_at AS old_updated_at,
           m.open, m.high, m.low, m.close, m.volume, m.vwap, m.trade_count,
           (b.open, b.high, b.low, b.close, b.volume, b.vwap, b.trade_count) IS DISTINCT FROM
           (m.open, m.high, m.low, m.close, m.volume, m.vwap, m.trade_count) AS differs
      FROM (SELECT * FROM beside WHERE stored AND differs) m
     CROSS JOIN LATERAL (
           SELECT t.* FROM bars_ohlcv t
            WHERE t.provider = m.provider AND t.symbol = m.symbol AND t."interval" = m."interval"
              AND t.ts = m.ts AND t.ts BETWEEN CAST($3 AS timestamptz) AND CAST($4 AS timestamptz)
              FOR UPDATE) b
), kept AS (
    INSERT INTO bars_ohlcv_revisions (
        provider, symbol, "interval", ts,
        old_open, old_high, old_low, old_close, old_volume, old_vwap, old_trade_count,
        new_open, new_high, new_low, new_close, new_volume, new_vwap, new_trade_count, run_id,
        old_created_at, old_updated_at)
    SELECT provider, symbol, "interval", ts,
           old_open, old_high, old_low, old_close, old_volume, old_vwap, old_trade_count,
           open, high, low, close, volume, vwap, trade_count, CAST($2 AS bigint),
           old_created_at, old_updated_at
      FROM locked
     WHERE differs
    RETURNING 1
), updated AS (
    INSERT INTO bars_ohlcv AS b (
        provider, symbol, "interval", ts, open, high, low, close, volume, vwap, trade_count)
    SELECT provider, symbol, "interval", ts, open, high, low, close, volume, vwap, trade_count
      FROM locked
     WHERE differs
        ON CONFLICT (provider, symbol, "interval", ts) DO UPDATE
       SET open = EXCLUDED.open, high = EXCLUDED.high, low = EXCLUDED.low, close = EXCLUDED.close,
           volume = EXCLUDED.volume, vwap = EXCLUDED.vwap, trade_count = EXCLUDED.trade_count
    RETURNING 1)
SELECT (SELECT count(*) FROM added),
       (SELECT count(*) FROM updated),
       (SELECT count(*) FROM kept),
       (SELECT count(*) FROM beside WHERE stored AND NOT differs)
       + (SELECT count(*) FROM locked WHERE NOT differs),
       CAST(pg_current_xact_id_if_assigned() AS text)

-- transaction_id --
-- The number of the transaction in hand, as text; NULL where it has written nothing.
SELECT CAST(pg_current_xact_id_if_assigned() AS text)

-- transaction_status --
-- What became of transaction $1: committed, aborted, in progress, or NULL where that is long ago.
SELECT pg_xact_status(CAST(CAST($1 AS text) AS xid8))
