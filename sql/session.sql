-- session_setup --
-- Prepares a session that loads, whatever the server, database and role are set to. Each statement sees what is
-- committed when it begins: the merge locks, then compares again. A slow file must not end an idle session. Plans must
-- not depend on statistics: the table may be new, huge or never analyzed, and every access goes through the key.
-- lock_timeout stays: a statement that it stops is tried again. Older servers lack some of the names. Citus plans a
-- statement that changes bars for its values only, and sends times to the other servers as text.
-- Says whether the database has Citus, too.
SELECT set_config(name, setting, false), (SELECT to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL) AS citus
  FROM (VALUES ('default_transaction_isolation', 'read committed'),
               ('statement_timeout', '0'), ('transaction_timeout', '0'),
               ('idle_in_transaction_session_timeout', '0'), ('idle_session_timeout', '0'),
               ('enable_seqscan', 'off'), ('enable_bitmapscan', 'off'), ('enable_indexscan', 'on'),
               ('enable_indexonlyscan', 'on'), ('enable_nestloop', 'on'), ('jit', 'off'),
               ('plan_cache_mode', 'auto'), ('DateStyle', 'ISO')) AS wanted (name, setting)
 WHERE current_setting(name, true) IS NOT NULL

-- commits_deferred --
-- From now on, a commit of this session is answered before it is on disk. A later commit that waits for the disk
-- waits for this one too.
SELECT set_config('synchronous_commit', 'off', false)

-- schema_revision --
-- The revision of mdload's tables in the connection's current schema.
SELECT version_num
  FROM mdload_alembic_version AS version
  JOIN pg_class ON pg_class.oid = version.tableoid
  JOIN pg_namespace ON pg_namespace.oid = relnamespace
 WHERE nspname = current_schema()

-- schema_closed --
-- A schema of the search_path that has mdload's tables and that this role may not use, and the role.
SELECT nspname, current_user
  FROM pg_namespace
 WHERE NOT has_schema_privilege(oid, 'USAGE')
   AND nspname = ANY (SELECT trim(both ' "' FROM replace(part, '$user', current_user))
                        FROM regexp_split_to_table(current_setting('search_path'), ',') AS part)
   AND EXISTS (SELECT FROM pg_class
                WHERE relnamespace = pg_namespace.oid AND relname = 'mdload_alembic_version')
 LIMIT 1

-- session_for_rows --
-- Prepares a session of psycopg. Runs add counts beside other writers, which a stricter isolation would refuse; such a
-- session is idle for as long as a load lasts; and psycopg reads times in ISO form only.
SELECT set_config(name, setting, false)
  FROM (VALUES ('default_transaction_isolation', 'read committed'),
               ('idle_session_timeout', '0'), ('DateStyle', 'ISO'), ('TimeZone', 'UTC')) AS wanted (name, setting)
 WHERE current_setting(name, true) IS NOT NULL

-- planted --
-- Functions and operators of others in the session's schemas that have a name of PostgreSQL's own: a better match for
-- the types of a call precedes the order of schemas, so that mdload's statements would run them. Types and tables that
-- would be found before PostgreSQL's own, because the search_path names pg_catalog behind their schema: a domain runs its
-- checks. $1 the functions that matter, between blanks, or NULL for all of them. Every name here is qualified, so that
-- this statement runs none of them.
SELECT CASE WHEN found.what OPERATOR(pg_catalog.=) 'function'
            THEN CAST(CAST(found.oid AS pg_catalog.regprocedure) AS pg_catalog.text)
            WHEN found.what OPERATOR(pg_catalog.=) 'operator'
            THEN CAST(CAST(found.oid AS pg_catalog.regoperator) AS pg_catalog.text)
            ELSE CAST(found.name AS pg_catalog.text) END AS signature,
       pg_catalog.pg_get_userbyid(found.owner) AS owner
  FROM (SELECT CAST('function' AS pg_catalog.text) AS what, p.proname AS name, p.pronamespace AS schema,
               p.proowner AS owner, p.oid AS oid
          FROM pg_catalog.pg_proc p
         WHERE CAST($1 AS pg_catalog.text) IS NULL
            OR CAST(p.proname AS pg_catalog.text)
               OPERATOR(pg_catalog.=) ANY (pg_catalog.string_to_array(CAST($1 AS pg_catalog.text), ' '))
         UNION ALL
        SELECT 'operator', o.oprname, o.oprnamespace, o.oprowner, o.oid
          FROM pg_catalog.pg_operator o
         UNION ALL
        SELECT 'type', t.typname, t.typnamespace, t.typowner, t.oid
          FROM pg_catalog.pg_type t
          JOIN pg_catalog.pg_type own ON own.typname OPERATOR(pg_catalog.=) t.typname
         WHERE own.typnamespace OPERATOR(pg_catalog.=) CAST('pg_catalog' AS pg_catalog.regnamespace)
           AND pg_catalog.array_position(pg_catalog.current_schemas(false), CAST('pg_catalog' AS pg_catalog.name))
               OPERATOR(pg_catalog.>) 1) AS found
  JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) found.schema
 WHERE n.nspname OPERATOR(pg_catalog.=) ANY (pg_catalog.current_schemas(false))
   AND NOT (found.owner OPERATOR(pg_catalog.=) n.nspowner)
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_roles r
                    WHERE r.oid OPERATOR(pg_catalog.=) found.owner
                      AND (r.rolsuper OR r.rolname OPERATOR(pg_catalog.=) current_user))
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_class c
                    WHERE c.oid OPERATOR(pg_catalog.=) pg_catalog.to_regclass('bars_ohlcv')
                      AND c.relowner OPERATOR(pg_catalog.=) found.owner)
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_database d
                    WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()
                      AND d.datdba OPERATOR(pg_catalog.=) found.owner)
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e
                    WHERE e.objid OPERATOR(pg_catalog.=) found.oid
                      AND e.deptype OPERATOR(pg_catalog.=) CAST('e' AS pg_catalog."char"))
 LIMIT 1

-- session_for_people --
-- Values are written in one way, whatever the server, database and role are set to: times in UTC, floats exactly.
SELECT set_config(name, setting, false)
  FROM (VALUES ('TimeZone', 'UTC'), ('DateStyle', 'ISO, YMD'), ('IntervalStyle', 'postgres'),
               ('bytea_output', 'hex'), ('extra_float_digits', '1')) AS wanted (name, setting)
