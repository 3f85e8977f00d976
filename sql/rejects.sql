-- rejects_by_rule --
-- Rejected rows by run, file and rule; a row can break several. They are selected by the JSON object in mdload.wanted:
-- runs, rules, symbols, states (arrays), provider, interval, path (its end), since, until (of their rejection); what is
-- null asks nothing. Newest run first. Each condition begins with one that the planner takes for true nearly always, as it
-- is: a value of a subquery that differs from another. Of a joined row that differs, or of IS NULL, it expects one row.
WITH wanted (w) AS MATERIALIZED (SELECT CAST(current_setting('mdload.wanted') AS jsonb))
SELECT r.run_id, r.file_id, r.path, rule, count(*) AS rows,
       count(*) FILTER (WHERE r.state = 'waiting') AS waiting,
       count(*) FILTER (WHERE r.state = 'replayed') AS replayed,
       count(*) FILTER (WHERE r.state = 'superseded') AS superseded,
       min(r.created_at) AS rejected_at
  FROM bars_rejects() r
 CROSS JOIN unnest(r.rules) AS broken (rule)
 WHERE (jsonb_typeof((SELECT w -> 'runs' FROM wanted)) <> 'array'
        OR (SELECT w -> 'runs' FROM wanted) @> to_jsonb(r.run_id))
   AND (jsonb_typeof((SELECT w -> 'rules' FROM wanted)) <> 'array'
        OR (SELECT w -> 'rules' FROM wanted) @> to_jsonb(rule))
   AND (jsonb_typeof((SELECT w -> 'symbols' FROM wanted)) <> 'array'
        OR (SELECT w -> 'symbols' FROM wanted) @> to_jsonb(CAST(r.symbol AS text)))
   AND (jsonb_typeof((SELECT w -> 'states' FROM wanted)) <> 'array'
        OR (SELECT w -> 'states' FROM wanted) @> to_jsonb(r.state))
   AND (jsonb_typeof((SELECT w -> 'provider' FROM wanted)) <> 'string'
        OR r.provider = (SELECT w ->> 'provider' FROM wanted))
   AND (jsonb_typeof((SELECT w -> 'interval' FROM wanted)) <> 'string'
        OR r."interval" = (SELECT w ->> 'interval' FROM wanted))
   AND (jsonb_typeof((SELECT w -> 'path' FROM wanted)) <> 'string'
        OR right(r.path, (SELECT length(w ->> 'path') FROM wanted)) = (SELECT w ->> 'path' FROM wanted))
   AND (jsonb_typeof((SELECT w -> 'since' FROM wanted)) <> 'string'
        OR r.created_at >= (SELECT CAST(w ->> 'since' AS timestamptz) FROM wanted))
   AND (jsonb_typeof((SELECT w -> 'until' FROM wanted)) <> 'string'
        OR r.created_at <= (SELECT CAST(w ->> 'until' AS timestamptz) FROM wanted))
 GROUP BY r.run_id, r.file_id, r.path, rule
 ORDER BY r.run_id DESC NULLS LAST, r.file_id, rows DESC, rule

-- rejects_rows --
-- The rejected rows themselves, selected likewise, in the order of run, file and row.
WITH wanted (w) AS MATERIALIZED (SELECT CAST(current_setting('mdload.wanted') AS jsonb))
SELECT r.id, r.run_id, r.file_id, r.path, r.row_number, r.rules, CAST(r.raw AS text) AS raw,
       r.provider, r.symbol, r."interval", r.ts, r.created_at, r.state, r.replayed_by, r.superseded_by
  FROM bars_rejects() r
 WHERE (jsonb_typeof((SELECT w -> 'runs' FROM wanted)) <> 'array'
        OR (SELECT w -> 'runs' FROM wanted) @> to_jsonb(r.run_id))
   AND (jsonb_typeof((SELECT w -> 'rules' FROM wanted)) <> 'array'
        OR EXISTS (SELECT FROM unnest(r.rules) AS broken (rule)
                    WHERE (SELECT w -> 'rules' FROM wanted) @> to_jsonb(rule)))
   AND (jsonb_typeof((SELECT w -> 'symbols' FROM wanted)) <> 'array'
        OR (SELECT w -> 'symbols' FROM wanted) @> to_jsonb(CAST(r.symbol AS text)))
   AND (jsonb_typeof((SELECT w -> 'states' FROM wanted)) <> 'array'
        OR (SELECT w -> 'states' FROM wanted) @> to_jsonb(r.state))
   AND (jsonb_typeof((SELECT w -> 'provider' FROM wanted)) <> 'string'
        OR r.provider = (SELECT w ->> 'provider' FROM wanted))
   AND (jsonb_typeof((SELECT w -> 'interval' FROM wanted)) <> 'string'
        OR r."interval" = (SELECT w ->> 'interval' FROM wanted))
   AND (jsonb_typeof((SELECT w -> 'path' FROM wanted)) <> 'string'
        OR right(r.path, (SELECT length(w ->> 'path') FROM wanted)) = (SELECT w ->> 'path' FROM wanted))
   AND (jsonb_typeof((SELECT w -> 'since' FROM wanted)) <> 'string'
        OR r.created_at >= (SELECT CAST(w ->> 'since' AS timestamptz) FROM wanted))
   AND (jsonb_typeof((SELECT w -> 'until' FROM wanted)) <> 'string'
        OR r.created_at <= (SELECT CAST(w ->> 'until' AS timestamptz) FROM wanted))
 ORDER BY r.run_id, r.file_id, r.row_number, r.id
 LIMIT CAST(nullif(current_setting('mdload.limit', true), '') AS bigint)

-- rejects_limit --
-- For the next rejects_rows of this session: at most $1 rows, or all where it is NULL.
SELECT length(set_config('mdload.limit', coalesce(CAST($1 AS text), ''), false))

-- rejects_readings --
-- How the files $1 (JSON array) were read, and what they are called.
SELECT f.id, f.path, CAST(f.reading AS text) AS reading, f.dialect, f.run_id
  FROM job_run_files f
 WHERE f.id IN (SELECT CAST(w.id AS bigint) FROM jsonb_array_elements_text(CAST(CAST($1 AS text) AS jsonb)) AS w (id))

-- rejects_marked_create --
-- The stage of rejects that got in. Gone with the transaction.
CREATE TEMPORARY TABLE mdload_replayed (id bigint NOT NULL) ON COMMIT DROP

-- rejects_mark --
-- Marks the staged rejects as replayed by run $1. Gives how many were not yet.
WITH marked AS (
    UPDATE bars_rejected r SET replayed_by = CAST($1 AS bigint)
      FROM pg_temp.mdload_replayed m
     WHERE r.id = m.id AND r.replayed_by IS NULL
    RETURNING 1)
SELECT count(*) FROM marked

-- rejects_reopen --
-- Rejects that the runs $1 (JSON array) brought in wait again: those runs are undone.
WITH reopened AS (
    UPDATE bars_rejected SET replayed_by = NULL
     WHERE replayed_by IN (
           SELECT CAST(w.id AS bigint) FROM jsonb_array_elements_text(CAST(CAST($1 AS text) AS jsonb)) AS w (id))
    RETURNING 1)
SELECT count(*) FROM reopened

-- rejects_prunable --
-- How many rejects are older than $1 days (of 24 hours), and how many of them wait.
SELECT count(*) AS rejects, count(*) FILTER (WHERE state = 'waiting') AS waiting
  FROM bars_rejects()
 WHERE created_at < statement_timestamp() - make_interval(hours => 24 * CAST($1 AS integer))

-- rejects_prune --
-- Deletes them. Gives how many.
WITH gone AS (
    DELETE FROM bars_rejected
     WHERE created_at < statement_timestamp() - make_interval(hours => 24 * CAST($1 AS integer))
    RETURNING 1)
SELECT count(*) FROM gone
