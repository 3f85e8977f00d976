-- rejected_held --
-- How many rejected rows there are of run $1 and file $2, as far as differences matter: what this session has inserted
-- lately, or else a count.
SELECT CASE WHEN current_setting('track_counts') = 'on'
            THEN CAST(pg_stat_get_xact_tuples_inserted(to_regclass('bars_rejected')) AS bigint)
            ELSE (SELECT count(*) FROM bars_rejected
                   WHERE run_id IS NOT DISTINCT FROM CAST($1 AS bigint) AND file_id IS NOT DISTINCT FROM CAST($2 AS bigint)) END

-- rejected_add --
-- Keeps a few rejected rows that belong to no file. $1 JSON array of (row_number, rules, raw, provider, symbol, interval,
-- ts), $2 run, may be NULL. Gives how many.
WITH kept AS (
    INSERT INTO bars_rejected (run_id, row_number, rules, raw, provider, symbol, "interval", ts)
    SELECT CAST($2 AS bigint), row_number, rules, CAST(raw AS jsonb), provider, symbol, "interval", ts
      FROM json_to_recordset(CAST(CAST($1 AS text) AS json))
           AS w(row_number bigint, rules text[], raw text, provider text, symbol text, "interval" text, ts timestamptz)
     ORDER BY row_number
    RETURNING 1)
SELECT count(*) FROM kept

-- file_reading --
-- Keeps how file $1 was read ($2, JSON), with which its rejected rows can be read again.
UPDATE job_run_files SET reading = CAST(CAST($2 AS text) AS jsonb) WHERE id = CAST($1 AS bigint)
