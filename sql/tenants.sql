-- tenants_revision --
-- The revision of the tables of tenants in the connection's current schema.
SELECT version_num
  FROM mdload_tenants_version AS version
  JOIN pg_class ON pg_class.oid = version.tableoid
  JOIN pg_namespace ON pg_namespace.oid = relnamespace
 WHERE nspname = current_schema()

-- tenant_set --
-- For this transaction: the tenant $1 (its id, as text) or, while only that is known, the one of the name $2.
SELECT set_config('app.tenant_id', $1, true), set_config('app.tenant_name', $2, true)

-- tenant_find --
-- The tenant with the id or the name $1: its id as text, and its name.
SELECT CAST(id AS text), name FROM tenants WHERE CAST(id AS text) = lower($1) OR name = $1

-- dataset_guarded --
-- Whether row-level security is forced on the table and on its revisions, and whether there is TimescaleDB, whose
-- hypertables give no old values back.
SELECT coalesce(bool_and(relrowsecurity AND relforcerowsecurity), false),
       EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')
  FROM pg_class
 WHERE oid IN (to_regclass('@table'), to_regclass('@revisions'))

-- stage_single --
-- Leaves the last row of each key in the stage (of a dataset with versions: of each version). Returns how many rows this
-- takes away, and how many of them differ from the one that stays.
WITH ranked AS MATERIALIZED (
    SELECT place, kept
      FROM (SELECT ctid AS place, row_number() OVER same AS n, first_value(ctid) OVER same AS kept
              FROM pg_temp.mdload_stage
            WINDOW same AS (PARTITION BY @version ORDER BY ctid DESC)) r
     WHERE n > 1
), gone AS (
    DELETE FROM pg_temp.mdload_stage s
     USING ranked r JOIN pg_temp.mdload_stage k ON k.ctid = r.kept
     WHERE s.ctid = r.place
    RETURNING @differ(s., k.) AS differs)
SELECT count(*), count(*) FILTER (WHERE differs) FROM gone

-- stage_growth --
-- Of the amounts of periods in the stage that are stored, or are in the stage once more: by symbol how many there are, and
-- how many became twice as large or half, all amounts of the row alike; the first of these, and between which factors they
-- lie. Only where there are any.
WITH met AS (
    SELECT s.symbol, s.@time AS period, least(@growth(s., b.)) AS lowest, greatest(@growth(s., b.)) AS highest
      FROM pg_temp.mdload_stage s
      JOIN @table b ON @same_key(b., s.)
     UNION ALL
    SELECT s.symbol, s.@time, least(@growth(s., t.)), greatest(@growth(s., t.))
      FROM pg_temp.mdload_stage s
      JOIN pg_temp.mdload_stage t ON @same_key(t., s.) AND t.ctid < s.ctid
), judged AS (
    SELECT symbol, period, lowest, highest, lowest >= 2 OR highest <= 0.5 AS is_doubled
      FROM met WHERE lowest IS NOT NULL
)
SELECT symbol, count(*) AS met, count(*) FILTER (WHERE is_doubled) AS doubled,
       min(period) FILTER (WHERE is_doubled) AS first,
       CAST(min(lowest) FILTER (WHERE is_doubled) AS double precision) AS lowest,
       CAST(max(highest) FILTER (WHERE is_doubled) AS double precision) AS highest,
       (SELECT count(*) FROM judged) AS all_met
  FROM judged
 GROUP BY symbol
HAVING count(*) FILTER (WHERE is_doubled) > 0

-- stage_unchanged --
-- Takes the rows out of the stage that are stored as they are there, so that they cost no lock. Returns how many.
WITH gone AS (
    DELETE FROM pg_temp.mdload_stage s USING @table b
     WHERE @same_key(b., s.) AND NOT (@differ(b., s.))
    RETURNING 1)
SELECT count(*) FROM gone

-- stage_would --
-- What a merge of the stage would come to: rows inserted, rows updated.
SELECT count(*) FILTER (WHERE NOT stored), count(*) FILTER (WHERE stored)
  FROM (SELECT EXISTS (SELECT FROM @table b WHERE @same_key(b., s.)) AS stored FROM pg_temp.mdload_stage s) AS found

-- stage_same_facts --
-- Gives rows that do not say when they were known the time of the stored row with the same values.
UPDATE pg_temp.mdload_stage s
   SET @adopt(b.)
  FROM @table b
 WHERE @same_key(b., s.) AND @unsaid(s.) AND NOT (@differ_facts(b., s.))

-- versions_hold --
-- Lets one load at a time decide which of a tenant's versions is the newest.
SELECT pg_advisory_xact_lock(hashtextextended('mdload @table ' || current_setting('app.tenant_id'), 0))

-- late_create --
-- The rows of the stage that were known before the stored row of their key, or before another row of the stage.
CREATE TEMPORARY TABLE mdload_late ON COMMIT DROP AS
SELECT v.*
  FROM (SELECT s.*, s.ctid AS place, max(@told(s.)) OVER (PARTITION BY @key(s.)) AS newest
          FROM pg_temp.mdload_stage s) v
  LEFT JOIN LATERAL (SELECT @since(b.) AS known FROM @table b WHERE @same_key(b., v.)) b ON true
 WHERE @told(v.) < v.newest OR @told(v.) < b.known

-- late_taken --
-- Takes the late rows out of the stage: they never replace a newer one.
DELETE FROM pg_temp.mdload_stage s USING pg_temp.mdload_late l WHERE s.ctid = l.place

-- late_known --
-- Forgets the late rows that are stored already, or that the history has: what was told last of their time counts.
-- Returns how many.
WITH gone AS (
    DELETE FROM pg_temp.mdload_late l
     WHERE CASE WHEN EXISTS (SELECT FROM @table b WHERE @same_key(b., l.) AND @since(b.) = @told(l.))
           THEN EXISTS (SELECT FROM @table b WHERE @same_key(b., l.) AND NOT (@differ(b., l.)))
           ELSE EXISTS (
                SELECT FROM (SELECT r.* FROM @revisions r
                              WHERE @same_key(r., l.) AND r.op IN ('update', 'version') AND @since(r.old_) = @told(l.)
                              ORDER BY r.id DESC LIMIT 1) r
                 WHERE NOT (@differ(r.old_, l.)))
           END
    RETURNING 1)
SELECT count(*) FROM gone

-- late_count --
-- How many late rows the history has not.
SELECT count(*) FROM pg_temp.mdload_late

-- late_keep --
-- Puts the late rows into the history. $1 run, $2 file. Returns how many.
WITH kept AS (
    INSERT INTO @revisions (@key, @values(old_), run_id, file_id, op, old_created_at, old_updated_at)
    SELECT @key, @values, CAST($1 AS bigint), CAST($2 AS bigint), 'version', now(), now()
      FROM pg_temp.mdload_late
     ORDER BY @key, @told()
    RETURNING 1)
SELECT count(*) FROM kept

-- tenant_load_record --
-- Records the load that this transaction is: run it last. $1 dataset, $2 kind, $3 run, $4 file, $5-$7 inserted, updated,
-- deleted.
INSERT INTO tenant_loads (tenant_id, dataset, kind, run_id, file_id, inserted, updated, deleted)
VALUES (CAST(current_setting('app.tenant_id') AS uuid), $1, $2, CAST($3 AS bigint), CAST($4 AS bigint),
        CAST($5 AS bigint), CAST($6 AS bigint), CAST($7 AS bigint))
RETURNING id

-- tenant_changed_since --
-- Whether another load of dataset $1 changed rows after the run $2 had loaded its files.
SELECT EXISTS (SELECT FROM tenant_loads l
                WHERE l.dataset = $1 AND l.run_id IS DISTINCT FROM CAST($2 AS bigint) AND l.updated + l.deleted > 0
                  AND l.known_at > (SELECT max(completed_at) FROM job_run_files WHERE run_id = CAST($2 AS bigint)))

-- rejects_create --
-- Where a load's rejects wait: COPY into a table with forced row-level security is refused.
CREATE TEMPORARY TABLE mdload_rejects (row_number bigint, rules text[], raw text) ON COMMIT DROP

-- rejects_keep --
-- Keeps the rejects of a tenant. $1 dataset, $2 run, $3 file. Returns how many.
WITH kept AS (
    INSERT INTO tenant_rejected (tenant_id, dataset, run_id, file_id, row_number, rules, raw)
    SELECT CAST(current_setting('app.tenant_id') AS uuid), $1, CAST($2 AS bigint), CAST($3 AS bigint), row_number, rules,
           CAST(raw AS jsonb)
      FROM pg_temp.mdload_rejects
    RETURNING 1)
SELECT count(*) FROM kept

-- tenant_rejects --
-- Rejects of the session's tenant in the runs $1 (JSON array) that broke one of the rules $2 (JSON array; empty: any), at
-- most $3, as rejects_rows has those of bars.
SELECT r.id, r.run_id, r.file_id, f.path, r.row_number, r.rules, CAST(r.raw AS text) AS raw, r.dataset, r.created_at,
       'waiting' AS state, CAST(NULL AS bigint) AS replayed_by, CAST(NULL AS bigint) AS superseded_by
  FROM tenant_rejected r
  LEFT JOIN job_run_files f ON f.id = r.file_id
 WHERE r.tenant_id = CAST(current_setting('app.tenant_id') AS uuid)
   AND r.run_id IN (SELECT CAST(e AS bigint) FROM jsonb_array_elements_text(CAST(CAST($1 AS text) AS jsonb)) AS e)
   AND (CAST($2 AS text) = '[]'
        OR r.rules && ARRAY(SELECT jsonb_array_elements_text(CAST(CAST($2 AS text) AS jsonb))))
 ORDER BY r.run_id, r.file_id, r.row_number, r.id
 LIMIT CAST($3 AS bigint)

-- tenant_run --
-- The tenant and the dataset of the run $1; NULL for a load of bars.
SELECT metadata ->> 'tenant', metadata ->> 'dataset' FROM job_runs WHERE id = CAST($1 AS bigint)

-- tenant_undo_loads --
-- How many loads of the run $1 changed rows of the dataset.
SELECT count(*) FROM tenant_loads
 WHERE tenant_id = CAST(current_setting('app.tenant_id') AS uuid) AND dataset = '@table' AND kind = 'load'
   AND run_id = CAST($1 AS bigint)

-- tenant_undo_met --
-- How many rows of the run $1 something else has changed since: another run, somebody's own statement, or an older
-- version of them that came later.
WITH loads AS MATERIALIZED (
    SELECT xact_at FROM tenant_loads
     WHERE tenant_id = CAST(current_setting('app.tenant_id') AS uuid) AND dataset = '@table' AND kind = 'load'
       AND run_id = CAST($1 AS bigint))
SELECT (SELECT count(*) FROM @revisions r
         WHERE @own(r.) AND r.run_id IS DISTINCT FROM CAST($1 AS bigint) AND r.op <> 'version'
           AND r.old_updated_at IN (SELECT xact_at FROM loads))
       + (SELECT count(*) FROM @revisions r JOIN @table b ON @same_key(b., r.)
           WHERE @own(r.) AND r.run_id IS DISTINCT FROM CAST($1 AS bigint) AND r.op = 'version'
             AND b.updated_at IN (SELECT xact_at FROM loads) AND r.revised_at >= b.updated_at)
       + (SELECT count(*) FROM @table b
           WHERE @own(b.) AND b.created_at IN (SELECT xact_at FROM loads) AND NOT (b.updated_at IN (SELECT xact_at FROM loads))
             AND NOT EXISTS (SELECT FROM @revisions r WHERE @same_key(r., b.) AND r.revised_at = b.updated_at))

-- tenant_undo_rows --
-- Gives the rows that the run $1 changed what they had before it. $2 the run that does so. Returns rows kept in the
-- history, and rows changed.
WITH loads AS MATERIALIZED (
    SELECT xact_at FROM tenant_loads
     WHERE tenant_id = CAST(current_setting('app.tenant_id') AS uuid) AND dataset = '@table' AND kind = 'load'
       AND run_id = CAST($1 AS bigint)
), touched AS MATERIALIZED (
    SELECT b.* FROM @table b
     WHERE @own(b.) AND b.updated_at IN (SELECT xact_at FROM loads) AND NOT (b.created_at IN (SELECT xact_at FROM loads))
), before AS MATERIALIZED (
    SELECT DISTINCT ON (@key(r.)) r.*
      FROM @revisions r JOIN touched t ON @same_key(r., t.)
     WHERE r.run_id = CAST($1 AS bigint) AND r.op = 'update'
     ORDER BY @key(r.), r.id
), kept AS (
    INSERT INTO @revisions (@key, @values(old_), @values(new_), run_id, op, old_created_at, old_updated_at)
    SELECT @key(t.), @values(t.), @values(f.old_), CAST($2 AS bigint), 'undo', t.created_at, t.updated_at
      FROM touched t JOIN before f ON @same_key(f., t.)
    RETURNING 1
), changed AS (
    UPDATE @table b SET @set(f.old_) FROM before f WHERE @same_key(b., f.)
    RETURNING 1)
SELECT (SELECT count(*) FROM kept), (SELECT count(*) FROM changed)

-- tenant_undo_new_rows --
-- Deletes the rows that the run $1 inserted. $2 the run that does so. Returns rows kept in the history, and rows deleted.
WITH loads AS MATERIALIZED (
    SELECT xact_at FROM tenant_loads
     WHERE tenant_id = CAST(current_setting('app.tenant_id') AS uuid) AND dataset = '@table' AND kind = 'load'
       AND run_id = CAST($1 AS bigint)
), new AS MATERIALIZED (
    SELECT b.* FROM @table b
     WHERE @own(b.) AND b.updated_at IN (SELECT xact_at FROM loads) AND b.created_at IN (SELECT xact_at FROM loads)
), kept AS (
    INSERT INTO @revisions (@key, @values(old_), run_id, op, old_created_at, old_updated_at)
    SELECT @key, @values, CAST($2 AS bigint), 'delete', created_at, updated_at FROM new
    RETURNING 1
), gone AS (
    DELETE FROM @table b USING new n WHERE @same_key(b., n.)
    RETURNING 1)
SELECT (SELECT count(*) FROM kept), (SELECT count(*) FROM gone)

-- tenant_undo_versions --
-- Deletes the older versions that the run $1 put into the history. Returns how many.
WITH gone AS (DELETE FROM @revisions
               WHERE @own() AND run_id = CAST($1 AS bigint) AND op = 'version' RETURNING 1)
SELECT count(*) FROM gone

-- tenant_latest_prices --
-- The close of the newest bar of each of the symbols $1 (JSON array), of the vendor $2 if there is one.
SELECT DISTINCT ON (b.symbol) b.symbol, b.close
  FROM bars b
 WHERE b.tenant_id = CAST(current_setting('app.tenant_id') AS uuid)
   AND b.symbol IN (SELECT jsonb_array_elements_text(CAST(CAST($1 AS text) AS jsonb)))
   AND (CAST($2 AS text) IS NULL OR b.vendor = CAST($2 AS text))
 ORDER BY b.symbol, b.ts DESC, b.updated_at DESC, b.vendor

-- tenant_bars_window --
-- Bars of the symbol $1 and the timeframe $2 from $3 up to before $4, of the vendor $5 if there is one.
SELECT b.vendor, b.symbol, b.timeframe, b.ts, b.open, b.high, b.low, b.close, b.volume
  FROM bars b
 WHERE b.tenant_id = CAST(current_setting('app.tenant_id') AS uuid) AND b.symbol = $1 AND b.timeframe = $2
   AND b.ts >= CAST($3 AS timestamptz) AND b.ts < CAST($4 AS timestamptz)
   AND (CAST($5 AS text) IS NULL OR b.vendor = CAST($5 AS text))
 ORDER BY b.ts, b.vendor
