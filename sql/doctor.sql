-- doctor_session --
-- Keeps the doctor's queries from waiting long.
SELECT set_config(name, setting, false)
  FROM (VALUES ('statement_timeout', '10s'), ('lock_timeout', '5s')) AS wanted (name, setting)

-- doctor_server --
-- The server and its state, the database and the role.
SELECT current_setting('server_version') AS version,
       CAST(current_setting('server_version_num') AS integer) AS number,
       pg_is_in_recovery() AS standby,
       CAST(current_setting('default_transaction_read_only') AS boolean) AS read_only,
       current_database() AS database, current_user AS role,
       quote_ident(current_user) AS quoted_role

-- doctor_clock --
-- The server's time.
SELECT clock_timestamp() AS now

-- doctor_schemas --
-- The schemas that hold mdload's tables, and for each: whether it is the current one, whether the search_path names
-- it, whether this role may use it.
SELECT n.nspname AS name,
       n.nspname IS NOT DISTINCT FROM current_schema() AS current,
       n.nspname = ANY (SELECT replace(trim(entry, ' "'), '$user', session_user)
                          FROM unnest(string_to_array(current_setting('search_path'), ',')) AS entry)
           AS searched,
       has_schema_privilege(n.oid, 'USAGE') AS usable
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relname = 'mdload_alembic_version' AND c.relkind = 'r'
 ORDER BY current DESC, searched DESC, n.nspname

-- doctor_rights --
-- Those of the privileges $2 (JSON array of {kind, name, right, column}) that role $3 lacks in schema $1, in their
-- order, with the object and the role as SQL writes them. Without a column, column is NULL.
SELECT CASE kind WHEN 'DATABASE' THEN 'DATABASE ' || quote_ident(current_database())
                 WHEN 'SCHEMA' THEN 'SCHEMA ' || quote_ident(n.nspname)
                 WHEN 'SEQUENCE' THEN 'SEQUENCE ' || format('%I.%I', n.nspname, c.relname)
                 ELSE format('%I.%I', n.nspname, c.relname) END AS object,
       "right", "column", quote_ident(CAST($3 AS text)) AS role
  FROM ROWS FROM (jsonb_to_recordset(CAST(CAST($2 AS text) AS jsonb))
                  AS (kind text, name text, "right" text, "column" text))
       WITH ORDINALITY AS needed (kind, name, "right", "column", number)
  LEFT JOIN pg_namespace n ON n.nspname = CAST($1 AS text)
  LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = needed.name
 WHERE NOT CASE kind
           WHEN 'DATABASE' THEN has_database_privilege($3, current_database(), "right")
           WHEN 'SCHEMA' THEN has_schema_privilege($3, n.oid, "right")
           WHEN 'SEQUENCE' THEN has_sequence_privilege($3, c.oid, "right")
           ELSE CASE WHEN "column" IS NULL THEN has_table_privilege($3, c.oid, "right")
                     ELSE has_column_privilege($3, c.oid, "column", "right") END
           END
 ORDER BY number

-- doctor_role --
-- Whether role $1 exists, and whether this connection's role has its rights.
SELECT pg_has_role(oid, 'USAGE') AS held FROM pg_roles WHERE rolname = CAST($1 AS text)

-- doctor_settings --
-- Settings of this connection: as a number in the setting's own unit, and as people write it.
SELECT name, setting, unit, current_setting(name) AS shown
  FROM pg_settings
 WHERE name IN ('max_wal_size', 'checkpoint_timeout', 'synchronous_commit', 'synchronous_standby_names',
                'wal_buffers', 'work_mem', 'fsync', 'full_page_writes', 'autovacuum')

-- doctor_space --
-- The size of the database, and the directory of its files: NULL if the server hides it from this role, or is on
-- another machine.
SELECT pg_database_size(current_database()) AS bytes,
       CASE WHEN inet_server_addr() IS NULL
            THEN (SELECT setting FROM pg_settings WHERE name = 'data_directory') END AS directory

-- doctor_revision --
-- The revision of the schema.
SELECT version_num AS revision FROM mdload_alembic_version

-- doctor_locks --
-- The advisory locks that mdload's sessions hold in this database: the server process, the session's name, for how long
-- it is connected (NULL if this role may not see that), and its run, if one is under way. $1 the key of migrations.
SELECT DISTINCT l.pid, l.migrates, a.application_name AS application,
       clock_timestamp() - a.backend_start AS connected,
       run.id AS run_id, run.job_name, run.metadata ->> 'host' AS host
  FROM (SELECT pid, (CAST(classid AS bigint) << 32) | CAST(objid AS bigint) = CAST($1 AS bigint) AS migrates
          FROM pg_locks
         WHERE locktype = 'advisory' AND granted AND objsubid = 1
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) AS l
  LEFT JOIN pg_stat_activity a USING (pid)
  LEFT JOIN job_runs run ON run.status = 'running' AND run.metadata ->> 'lock' = CAST(l.pid AS text)
 WHERE l.migrates OR run.id IS NOT NULL OR a.application_name LIKE 'mdload%'
 ORDER BY l.pid

-- doctor_creators --
-- Whether schema $1 lets roles create objects that are neither its owner, nor a superuser, nor this role: the first of
-- them, PUBLIC before others.
SELECT CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee) END AS role, quote_ident(n.nspname) AS schema
  FROM pg_namespace n
 CROSS JOIN LATERAL aclexplode(n.nspacl) AS a
  LEFT JOIN pg_roles r ON r.oid = a.grantee
 WHERE n.nspname = CAST($1 AS text) AND a.privilege_type = 'CREATE' AND a.grantee <> n.nspowner
   AND NOT coalesce(r.rolsuper OR r.rolname = current_user, false)
 ORDER BY a.grantee
 LIMIT 1
