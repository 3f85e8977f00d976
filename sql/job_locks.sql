-- job_lock_session --
-- Prepares the session that holds a job's lock. $1 its name in pg_stat_activity, $2 how long it may wait for the lock
-- (0: for ever). The server notices within half a minute that a machine is gone; by TCP's defaults the lock would
-- outlive it by two hours.
SELECT set_config(name, setting, false)
  FROM (VALUES ('application_name', CAST($1 AS text)), ('lock_timeout', CAST($2 AS text)),
               ('statement_timeout', '0'), ('idle_session_timeout', '0'),
               ('tcp_keepalives_idle', '15'), ('tcp_keepalives_interval', '5'),
               ('tcp_keepalives_count', '3'), ('TimeZone', 'UTC')) AS wanted (name, setting)

-- job_lock_try --
-- Takes the lock of job $1 if nobody has it. Returns whether it did, and the server process. Jobs of other schemas
-- have locks of their own.
SELECT pg_try_advisory_lock(hashtextextended(concat('mdload job ', current_schema(), '.', CAST($1 AS text)), 0)) AS taken,
       pg_backend_pid() AS backend

-- job_lock_wait --
-- Takes the lock of job $1 as soon as nobody has it.
SELECT pg_advisory_lock(hashtextextended(concat('mdload job ', current_schema(), '.', CAST($1 AS text)), 0))

-- job_lock_release --
-- Gives the lock of job $1 back.
SELECT pg_advisory_unlock(hashtextextended(concat('mdload job ', current_schema(), '.', CAST($1 AS text)), 0))

-- job_lock_holder --
-- Who holds the lock of job $1: the server process, its name, since when, and its run if one is under way. The server
-- hides the name and the time of other roles' sessions from most roles.
SELECT locks.pid AS backend, activity.application_name,
       coalesce(run.started_at, activity.state_change) AS since,
       run.id AS run_id, run.metadata ->> 'host' AS host, run.metadata ->> 'pid' AS pid
  FROM (SELECT hashtextextended(concat('mdload job ', current_schema(), '.', CAST($1 AS text)), 0)) AS lock (key)
  JOIN pg_locks AS locks
    ON locks.locktype = 'advisory' AND locks.granted AND locks.objsubid = 1
   AND locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND locks.classid = CAST((lock.key >> 32) & 4294967295 AS oid)
   AND locks.objid = CAST(lock.key & 4294967295 AS oid)
  LEFT JOIN pg_stat_activity AS activity ON activity.pid = locks.pid
  LEFT JOIN LATERAL (SELECT id, started_at, metadata
                       FROM job_runs
                      WHERE job_name = CAST($1 AS text) AND status = 'running'
                        AND metadata ->> 'lock' = CAST(locks.pid AS text)
                      ORDER BY id DESC
                      LIMIT 1) AS run ON true

-- job_runs_orphaned --
-- Ends as failed the runs of job $1 that were started under its lock and are recorded as running. Returns their ids.
-- Only for the holder of the lock: their processes are gone. $2 error message.
UPDATE job_runs
   SET status = 'failure', error_message = $2,
       completed_at = greatest(clock_timestamp(), started_at)
 WHERE job_name = CAST($1 AS text) AND status = 'running' AND metadata ? 'lock'
RETURNING id
