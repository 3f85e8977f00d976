-- session_setup --
-- Prepares a session that loads, whatever the server, database and role are set to. Each statement sees what is
-- committed when it begins: the merge locks, then compares again. A slow file must not end an idle session. Plans must
-- not depend on statistics: the table may be new, huge or never analyzed, and every access goes through the key.
-- lock_timeout stays: a statement that it stops is tried again. Older servers lack some of the names.
SELECT set_config(name, setting, false)
  FROM (VALUES ('default_transaction_isolation', 'read committed'),
               ('statement_timeout', '0'), ('transaction_timeout', '0'),
               ('idle_in_transaction_session_timeout', '0'), ('idle_session_timeout', '0'),
               ('enable_seqscan', 'off'), ('enable_bitmapscan', 'off'), ('enable_indexscan', 'on'),
               ('enable_indexonlyscan', 'on'), ('enable_nestloop', 'on'), ('jit', 'off')) AS wanted (name, setting)
 WHERE current_setting(name, true) IS NOT NULL

-- schema_revision --
-- The revision of mdload's tables in the connection's current schema.
SELECT version_num
  FROM mdload_alembic_version AS version
  JOIN pg_class ON pg_class.oid = version.tableoid
  JOIN pg_namespace ON pg_namespace.oid = relnamespace
 WHERE nspname = current_schema()

-- session_for_rows --
-- Prepares a session of psycopg. Runs add counts beside other writers, which a stricter isolation would refuse; such a
-- session is idle for as long as a load lasts; and psycopg reads times in ISO form only.
SELECT set_config(name, setting, false)
  FROM (VALUES ('default_transaction_isolation', 'read committed'),
               ('idle_session_timeout', '0'), ('DateStyle', 'ISO'), ('TimeZone', 'UTC')) AS wanted (name, setting)
 WHERE current_setting(name, true) IS NOT NULL
