-- load_record --
-- Records the load that this transaction is: run it last, so that it sees what the merge waited for. $1 kind, $2 run,
-- $3 file, $4-$6 inserted, updated, deleted, $7 known at (NULL: now). It waits for who wants a settled store. Gives
-- its id.
WITH held AS MATERIALIZED (SELECT pg_advisory_xact_lock_shared(120278083395941))
INSERT INTO bars_loads (known_at, inserted, updated, deleted, run_id, file_id, kind)
SELECT coalesce(CAST($7 AS timestamptz), greatest(clock_timestamp(),
           (SELECT max(known_at) + interval '1 microsecond' FROM bars_loads))),
       CAST($4 AS bigint), CAST($5 AS bigint), CAST($6 AS bigint), CAST($2 AS bigint), CAST($3 AS bigint), $1
  FROM held
RETURNING id
