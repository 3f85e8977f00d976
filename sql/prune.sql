-- prunable_create --
-- The revisions that prune removes.
CREATE TEMPORARY TABLE mdload_prunable (
    revised_at timestamptz NOT NULL, id bigint NOT NULL, known_at timestamptz NOT NULL, load_id bigint
) ON COMMIT DROP

-- prunable_fill --
-- Revisions of changes that were known more than $1 days (of 24 hours) ago and that every pin knows: what they keep is read
-- at no pin and at no time since.
INSERT INTO pg_temp.mdload_prunable (revised_at, id, known_at, load_id)
SELECT r.revised_at, r.id, greatest(coalesce(n.known_at, r.revised_at), r.revised_at), n.id
  FROM bars_ohlcv_revisions r
  LEFT JOIN bars_loads n ON n.xact_at = r.revised_at
 WHERE greatest(coalesce(n.known_at, r.revised_at), r.revised_at)
       < statement_timestamp() - make_interval(hours => 24 * CAST($1 AS integer))
   AND NOT EXISTS (
       SELECT FROM bars_pins p
        WHERE NOT (coalesce(n.known_at, r.revised_at) <= p.known_at AND coalesce(n.id, 0) <= p.load_id))

-- prune_counts --
-- How many they are, when the newest of those changes was known, and how many revisions and loads there are.
SELECT count(*) AS revisions, max(known_at) AS unreadable_before,
       (SELECT count(*) FROM bars_ohlcv_revisions) AS all_revisions,
       (SELECT count(*) FROM bars_loads) AS all_loads
  FROM pg_temp.mdload_prunable

-- prune_forget --
-- Files whose bars were changed by revisions that prune_revisions is about to remove: they count as new when they are met
-- again, for what tells that they were changed goes. Gives how many.
WITH forgotten AS (
    UPDATE job_run_files f SET config_fingerprint = NULL
      FROM (SELECT DISTINCT r.provider, r.symbol, r."interval", r.ts, n.stamped_at, n.file_id
              FROM pg_temp.mdload_prunable old
              JOIN bars_ohlcv_revisions r ON r.revised_at = old.revised_at AND r.id = old.id
              JOIN bars_loads n ON n.id = old.load_id) AS r
     WHERE f.state IN ('loaded', 'partial') AND f.config_fingerprint IS NOT NULL
       AND r.stamped_at > f.started_at AND r.file_id IS DISTINCT FROM f.id
       AND (f.provider IS NULL OR f.provider = r.provider)
       AND (f.interval IS NULL OR f.interval = r."interval")
       AND (f.symbols IS NULL OR r.symbol = ANY (f.symbols))
       AND r.ts BETWEEN f.min_ts AND f.max_ts
    RETURNING f.id)
SELECT count(*) FROM forgotten

-- prune_revisions --
-- Removes them. Gives how many.
WITH gone AS (
    DELETE FROM bars_ohlcv_revisions r
     USING pg_temp.mdload_prunable old
     WHERE old.revised_at = r.revised_at AND old.id = r.id
    RETURNING 1)
SELECT count(*) FROM gone

-- prune_loads --
-- Folds loads of a run and kind that are older than $1 days into the newest of them, which gets their counts. A bar of a load
-- that is gone counts from its updated_at, which is before that load was known: so only loads that every pin knows by
-- both are folded, and no revision may still close or open at one: its order would be lost. Gives how many are gone.
WITH old AS MATERIALIZED (
    SELECT l.*, max(l.id) OVER (PARTITION BY l.run_id, l.kind) AS newest
      FROM bars_loads l
     WHERE greatest(l.known_at, l.xact_at) < statement_timestamp() - make_interval(hours => 24 * CAST($1 AS integer))
       AND l.run_id IS NOT NULL
       AND NOT EXISTS (
           SELECT FROM bars_pins p
            WHERE NOT (l.known_at <= p.known_at AND l.id <= p.load_id AND l.xact_at <= p.known_at))
       AND NOT EXISTS (SELECT FROM bars_ohlcv_revisions r WHERE r.revised_at = l.xact_at)
), sums AS (
    SELECT newest, sum(inserted) AS inserted, sum(updated) AS updated, sum(deleted) AS deleted, count(*) AS folded
      FROM old
     WHERE id <> newest
     GROUP BY newest
), folded AS (
    UPDATE bars_loads l
       SET inserted = l.inserted + s.inserted, updated = l.updated + s.updated, deleted = l.deleted + s.deleted,
           folded = coalesce(l.folded, 0) + s.folded
      FROM sums s
     WHERE l.id = s.newest
    RETURNING 1
), gone AS (
    DELETE FROM bars_loads l USING old o WHERE l.id = o.id AND o.id <> o.newest
    RETURNING 1)
SELECT count(*) FROM gone WHERE (SELECT count(*) FROM folded) >= 0
