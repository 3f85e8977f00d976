-- rejected_create --
-- The stage of rejected rows, before their raw text becomes jsonb. Gone with the transaction.
CREATE TEMPORARY TABLE mdload_rejected (
    row_number bigint NOT NULL, rules text[] NOT NULL, raw text NOT NULL
) ON COMMIT DROP

-- rejected_keep --
-- Moves the staged rows into the quarantine. $1 run, $2 file. Returns how many.
WITH kept AS (
    INSERT INTO bars_rejected (run_id, file_id, row_number, rules, raw)
    SELECT CAST($1 AS bigint), CAST($2 AS bigint), row_number, rules, CAST(raw AS jsonb)
      FROM pg_temp.mdload_rejected
     ORDER BY row_number
    RETURNING 1)
SELECT count(*) FROM kept

-- rejected_add --
-- Keeps a few rejected rows that belong to no file. $1 JSON array of (row_number, rules, raw), $2 run, may be NULL.
-- Gives how many.
WITH kept AS (
    INSERT INTO bars_rejected (run_id, row_number, rules, raw)
    SELECT CAST($2 AS bigint), row_number, rules, CAST(raw AS jsonb)
      FROM json_to_recordset(CAST(CAST($1 AS text) AS json))
           AS w(row_number bigint, rules text[], raw text)
     ORDER BY row_number
    RETURNING 1)
SELECT count(*) FROM kept
