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

-- settled --
-- Waits for the loads that are committing, and gives the last instant that no later load can reach.
SELECT mdload_settled() AS settled

-- settle_hold --
-- Waits for the loads that are committing, and keeps others from it until settle_release.
SELECT pg_advisory_lock(120278083395941)

-- settle_release --
-- Lets loads commit again.
SELECT pg_advisory_unlock(120278083395941)

-- past_set --
-- For the next queries of this session: what bars_ohlcv_as_of and bars_ohlcv_at are asked for. $1 a time, as text, $2 a
-- pin; and scans of tables, which the joins to loads want.
SELECT set_config(name, setting, false)
  FROM (VALUES ('mdload.as_of', coalesce($1, '')), ('mdload.pin', coalesce($2, '')),
               ('enable_seqscan', 'on'), ('enable_bitmapscan', 'on')) AS wanted (name, setting)

-- pin_make --
-- Names an instant, between settle_hold and settle_release. $1 name, $2 known at, $3 note. Loads that there are now are
-- among it if they were known by then; none that comes later is, whatever the clock says.
INSERT INTO bars_pins (name, known_at, load_id, note)
SELECT $1, CAST($2 AS timestamptz), coalesce((SELECT max(id) FROM bars_loads), 0), $3
    ON CONFLICT (name) DO NOTHING
RETURNING name, known_at, load_id, note, created_at, created_by

-- pins --
-- All pins, or the one of name $1, newest instant first.
SELECT name, known_at, load_id, note, created_at, created_by
  FROM bars_pins
 WHERE CAST($1 AS text) IS NULL OR name = $1
 ORDER BY known_at DESC, name

-- pin_delete --
-- Takes the name away; the bars do not change.
DELETE FROM bars_pins WHERE name = $1 RETURNING name

-- run_loads --
-- The first and the last load of run $1, NULL where it changed nothing; no row where there is no such run.
SELECT coalesce(min(l.id), (SELECT max(o.id) + 1 FROM bars_loads o WHERE o.stamped_at <= run.started_at), 1) AS first,
       coalesce(max(l.id), (SELECT max(o.id) FROM bars_loads o WHERE o.stamped_at <= run.started_at), 0) AS last
  FROM (SELECT id, started_at FROM job_runs WHERE id = CAST($1 AS bigint)) AS run
  LEFT JOIN bars_loads l ON l.run_id = run.id
 GROUP BY run.id, run.started_at

-- loads_of_run --
-- The loads of run $1, in their order.
SELECT id, kind, known_at, stamped_at, inserted, updated, deleted, file_id, folded
  FROM bars_loads
 WHERE run_id = CAST($1 AS bigint)
 ORDER BY id

-- rollbacks_of_run --
-- The runs that rolled run $1 back, and when.
SELECT id, started_at
  FROM job_runs
 WHERE metadata @> jsonb_build_object('rolls_back', jsonb_build_array(CAST($1 AS bigint)))
   AND status = 'success'
 ORDER BY id

-- diff_rows --
-- Bars that differ between two instants, each of them what was known by a time ($1, $3) and by loads up to a number
-- ($2, $4). Only of provider $5, symbols $6 (JSON array), interval $7, ts from $8 to $9, where these are not NULL. A
-- version of a bar counts if it held at one instant and not at the other, so that one look at each is enough.
WITH asked AS MATERIALIZED (
    SELECT CAST(CAST($1 AS text) AS timestamptz) AS a_at, CAST($2 AS bigint) AS a_load,
           CAST(CAST($3 AS text) AS timestamptz) AS b_at, CAST($4 AS bigint) AS b_load
), versions AS (
    SELECT b.provider, b.symbol, b."interval", b.ts,
           @values(b.),
           coalesce(l.known_at, b.updated_at) <= a_at AND coalesce(l.id, 0) <= a_load AS a,
           coalesce(l.known_at, b.updated_at) <= b_at AND coalesce(l.id, 0) <= b_load AS b
      FROM bars_ohlcv b
      LEFT JOIN bars_loads l ON l.xact_at = b.updated_at
     CROSS JOIN asked
     WHERE (CAST($5 AS text) IS NULL OR b.provider = $5)
       AND (CAST($6 AS text) IS NULL OR b.symbol = ANY (ARRAY(
            SELECT jsonb_array_elements_text(CAST(CAST($6 AS text) AS jsonb)))))
       AND (CAST($7 AS text) IS NULL OR b."interval" = $7)
       AND (CAST($8 AS timestamptz) IS NULL OR b.ts >= CAST($8 AS timestamptz)) AND (CAST($9 AS timestamptz) IS NULL OR b.ts <= CAST($9 AS timestamptz))
     UNION ALL
    SELECT r.provider, r.symbol, r."interval", r.ts,
           @values(r.old_),
           coalesce(o.known_at, r.old_updated_at, '-infinity') <= a_at AND coalesce(o.id, 0) <= a_load
           AND NOT (coalesce(n.known_at, r.revised_at) <= a_at AND coalesce(n.id, 0) <= a_load),
           coalesce(o.known_at, r.old_updated_at, '-infinity') <= b_at AND coalesce(o.id, 0) <= b_load
           AND NOT (coalesce(n.known_at, r.revised_at) <= b_at AND coalesce(n.id, 0) <= b_load)
      FROM bars_ohlcv_revisions r
      LEFT JOIN bars_loads o ON o.xact_at = r.old_updated_at
      LEFT JOIN bars_loads n ON n.xact_at = r.revised_at
     CROSS JOIN asked
     WHERE (CAST($5 AS text) IS NULL OR r.provider = $5)
       AND (CAST($6 AS text) IS NULL OR r.symbol = ANY (ARRAY(
            SELECT jsonb_array_elements_text(CAST(CAST($6 AS text) AS jsonb)))))
       AND (CAST($7 AS text) IS NULL OR r."interval" = $7)
       AND (CAST($8 AS timestamptz) IS NULL OR r.ts >= CAST($8 AS timestamptz)) AND (CAST($9 AS timestamptz) IS NULL OR r.ts <= CAST($9 AS timestamptz))
)
SELECT provider, symbol, "interval", ts,
       @values(x., old_),
       @values(y., new_)
  FROM (SELECT * FROM versions WHERE a AND NOT b) x
  FULL JOIN (SELECT * FROM versions WHERE b AND NOT a) y USING (provider, symbol, "interval", ts)
 WHERE @differ(x., y.)
 ORDER BY provider, symbol, "interval", ts

-- revisions_found --
-- What was restated or taken away: of provider $1, symbols $2 (JSON array), interval $3, ts from $4 to $5, by run $6,
-- known from $7 to $8, by $9 basis points or more of a price; a NULL asks nothing. Largest first, at most $10; `of` says
-- how many there are.
SELECT *, count(*) OVER () AS "of"
  FROM (SELECT r.provider, r.symbol, r."interval", r.ts, r.op, coalesce(n.known_at, r.revised_at) AS known_at,
               coalesce(r.run_id, n.run_id) AS run_id, r.file_id,
               @values(r.old_),
               @values(r.new_),
               10000 * greatest(abs(r.new_open / nullif(r.old_open, 0) - 1), abs(r.new_high / nullif(r.old_high, 0) - 1),
                                abs(r.new_low / nullif(r.old_low, 0) - 1),
                                abs(r.new_close / nullif(r.old_close, 0) - 1)) AS bps
          FROM bars_ohlcv_revisions r
          LEFT JOIN bars_loads n ON n.xact_at = r.revised_at
         WHERE (CAST($1 AS text) IS NULL OR r.provider = $1)
           AND (CAST($2 AS text) IS NULL OR r.symbol = ANY (ARRAY(
                SELECT jsonb_array_elements_text(CAST(CAST($2 AS text) AS jsonb)))))
           AND (CAST($3 AS text) IS NULL OR r."interval" = $3)
           AND (CAST($4 AS timestamptz) IS NULL OR r.ts >= CAST($4 AS timestamptz)) AND (CAST($5 AS timestamptz) IS NULL OR r.ts <= CAST($5 AS timestamptz))
           AND (CAST($6 AS bigint) IS NULL OR coalesce(r.run_id, n.run_id) = CAST($6 AS bigint))
           AND (CAST($7 AS timestamptz) IS NULL OR coalesce(n.known_at, r.revised_at) >= CAST($7 AS timestamptz))
           AND (CAST($8 AS timestamptz) IS NULL OR coalesce(n.known_at, r.revised_at) <= CAST($8 AS timestamptz))) AS sized
 WHERE CAST($9 AS double precision) IS NULL OR bps >= CAST($9 AS double precision)
 ORDER BY bps DESC NULLS LAST, known_at DESC, provider, symbol, "interval", ts
 LIMIT CAST($10 AS bigint)

-- known_later --
-- Whether the store knows more since $4 of the series of providers $1, symbols $2 and intervals $3 (JSON arrays), apart
-- from what this transaction has written: the series of which it knows most, and until when; else no row.
WITH series AS MATERIALIZED (
    SELECT p.provider, s.symbol, i."interval"
      FROM jsonb_array_elements_text(CAST(CAST($1 AS text) AS jsonb)) AS p (provider)
     CROSS JOIN jsonb_array_elements_text(CAST(CAST($2 AS text) AS jsonb)) AS s (symbol)
     CROSS JOIN jsonb_array_elements_text(CAST(CAST($3 AS text) AS jsonb)) AS i ("interval")
)
SELECT s.provider, s.symbol, s."interval", k.known_at
  FROM series s
 CROSS JOIN LATERAL (
       SELECT coalesce(l.known_at, b.updated_at) AS known_at
         FROM bars_ohlcv b
         LEFT JOIN bars_loads l ON l.xact_at = b.updated_at
        WHERE b.provider = s.provider AND b.symbol = s.symbol AND b."interval" = s."interval"
          AND b.updated_at <> now()
        UNION ALL
       SELECT greatest(coalesce(o.known_at, r.old_updated_at),
                       CASE WHEN r.revised_at <> now() THEN coalesce(n.known_at, r.revised_at) END)
         FROM bars_ohlcv_revisions r
         LEFT JOIN bars_loads o ON o.xact_at = r.old_updated_at
         LEFT JOIN bars_loads n ON n.xact_at = r.revised_at
        WHERE r.provider = s.provider AND r.symbol = s.symbol AND r."interval" = s."interval") AS k
 WHERE k.known_at > CAST($4 AS timestamptz)
 ORDER BY k.known_at DESC
 LIMIT 1

-- plan_fingerprints --
-- What is stored in the wanted stretches (sid, provider, symbol, interval, lo, hi; both ends included): how many bars,
-- and the sum of a hash of each with its time and values. Nothing stored is 0 and 0.
SELECT w.sid, count(b.ts) AS bars,
       CAST(coalesce(sum(hash_record_extended(ROW(b.ts, @values(b.)), 0)), 0) AS text) AS hash
  FROM json_to_recordset(@wanted)
       AS w(sid integer, provider text, symbol text, "interval" text, lo timestamptz, hi timestamptz)
  LEFT JOIN bars_ohlcv b
         ON b.provider = w.provider AND b.symbol = w.symbol AND b."interval" = w."interval"
        AND b.ts BETWEEN w.lo AND w.hi
 GROUP BY w.sid

-- load_newest --
-- The newest load.
SELECT coalesce(max(id), 0) FROM bars_loads

-- plan_met --
-- The first of the wanted stretches in which a load after $1 changed a bar, or no row.
SELECT w.symbol, w."interval"
  FROM json_to_recordset(@wanted)
       AS w(sid integer, provider text, symbol text, "interval" text, lo timestamptz, hi timestamptz)
 WHERE EXISTS (SELECT FROM bars_loads l JOIN bars_ohlcv b ON b.updated_at = l.xact_at
                WHERE l.id > CAST($1 AS bigint)
                  AND b.provider = w.provider AND b.symbol = w.symbol AND b."interval" = w."interval"
                  AND b.ts BETWEEN w.lo AND w.hi)
    OR EXISTS (SELECT FROM bars_loads l JOIN bars_ohlcv_revisions r ON r.revised_at = l.xact_at
                WHERE l.id > CAST($1 AS bigint)
                  AND r.provider = w.provider AND r.symbol = w.symbol AND r."interval" = w."interval"
                  AND r.ts BETWEEN w.lo AND w.hi)
 LIMIT 1

-- plan_applied --
-- The run that applied the plan of id $1, and when it began.
SELECT id, started_at FROM job_runs
 WHERE metadata @> jsonb_build_object('plan', CAST($1 AS text)) AND status = 'success'
 ORDER BY id LIMIT 1

-- plan_updates_create --
-- The stage of what a plan says was stored. Gone with the transaction.
CREATE TEMPORARY TABLE mdload_planned (@defined) ON COMMIT DROP

-- plan_unmet --
-- Bars that this transaction has changed, and that were not as the plan says: how many.
SELECT count(*)
  FROM pg_temp.mdload_planned p
 WHERE NOT EXISTS (SELECT FROM bars_ohlcv_revisions r
                    WHERE r.revised_at = now() AND @same_key(r., p.)
                      AND (@values(r.old_)) IS NOT DISTINCT FROM (@values(p.)))

-- run_written --
-- How many bars run $1 inserted and updated; no row where there is no such run.
SELECT rows_inserted + rows_updated AS written FROM job_runs WHERE id = CAST($1 AS bigint)

-- run_bars --
-- The bars that a run wrote, as it left them. Of the wanted object: run, and provider, symbols, interval, since, until,
-- of which null asks nothing. A bar of it is the stored one, or what a later change found. The run's own span keeps the
-- planner to its chunks.
WITH asked AS MATERIALIZED (
    SELECT w.*, coalesce(j.min_ts, '-infinity') AS lo, coalesce(j.max_ts, 'infinity') AS hi
      FROM json_to_record(@wanted)
           AS w(run bigint, provider text, symbols jsonb, "interval" text, since timestamptz, until timestamptz)
      JOIN job_runs j ON j.id = w.run
), loads AS MATERIALIZED (
    SELECT l.id, l.xact_at FROM bars_loads l JOIN asked ON l.run_id = asked.run
), versions AS (
    SELECT b.provider, b.symbol, b."interval", b.ts, @values(b.), l.id AS load_id, false AS gone
      FROM loads l JOIN bars_ohlcv b ON b.updated_at = l.xact_at CROSS JOIN asked
     WHERE b.ts BETWEEN asked.lo AND asked.hi
     UNION ALL
    SELECT r.provider, r.symbol, r."interval", r.ts, @values(r.old_), o.id,
           r.op = 'delete' AND EXISTS (SELECT FROM loads n WHERE n.xact_at = r.revised_at)
      FROM loads o JOIN bars_ohlcv_revisions r ON r.old_updated_at = o.xact_at
), last AS (
    SELECT DISTINCT ON (v.provider, v.symbol, v."interval", v.ts) v.*
      FROM versions v CROSS JOIN asked
     WHERE (asked.provider IS NULL OR v.provider = asked.provider)
       AND (asked.symbols IS NULL OR asked.symbols @> to_jsonb(v.symbol))
       AND (asked."interval" IS NULL OR v."interval" = asked."interval")
       AND v.ts BETWEEN coalesce(asked.since, '-infinity') AND coalesce(asked.until, 'infinity')
     ORDER BY v.provider, v.symbol, v."interval", v.ts, v.load_id DESC
)
SELECT provider, symbol, "interval", ts, @values() FROM last WHERE NOT gone ORDER BY provider, symbol, "interval", ts
