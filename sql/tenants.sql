-- tenants_revision --
-- The revision of the tables of tenants in the connection's current schema.
SELECT version_num
  FROM mdload_tenants_version AS version
  JOIN pg_class ON pg_class.oid = version.tableoid
  JOIN pg_namespace ON pg_namespace.oid = relnamespace
 WHERE nspname = current_schema()
