-- Three roles for mdload, with the rights that each needs and no more.
--
--   mdload_owner    owns the tables: mdload migrate, job-runs cleanup, gaps --waive, and what takes
--                   bars or history away: rollback, delete, rename, prune, pins delete
--   mdload_loader   mdload backfill and everything else that adds bars; mdload pin
--   mdload_reader   dashboards, research: reads
--
-- Run it as a superuser in the database and schema that mdload migrate has filled, and again after
-- a migration; it can be repeated:
--
--   mdload migrate --roles | psql -1 -v ON_ERROR_STOP=1 "$MDLOAD_DATABASE_URL"
--
-- Nobody logs in as these roles. Grant them to those who do: GRANT mdload_loader TO nightly;
-- and migrate as the owner with a URL that ends in: ?options=-crole%3Dmdload_owner

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['mdload_owner', 'mdload_loader', 'mdload_reader'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', name);
        END IF;
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), name);
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), name);
    END LOOP;
    EXECUTE format('GRANT CREATE ON SCHEMA %I TO mdload_owner', current_schema());
    -- Changed bars and rejected rows go through temporary tables.
    EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO mdload_loader', current_database());
END
$$;

ALTER TABLE bars_gap_waivers OWNER TO mdload_owner;
ALTER TABLE bars_loads OWNER TO mdload_owner;
ALTER TABLE bars_ohlcv OWNER TO mdload_owner;
ALTER TABLE bars_ohlcv_revisions OWNER TO mdload_owner;
ALTER TABLE bars_pins OWNER TO mdload_owner;
ALTER TABLE bars_rejected OWNER TO mdload_owner;
ALTER TABLE job_run_files OWNER TO mdload_owner;
ALTER TABLE job_runs OWNER TO mdload_owner;
ALTER TABLE provider_symbols OWNER TO mdload_owner;
ALTER TABLE mdload_alembic_version OWNER TO mdload_owner;
ALTER VIEW job_runs_summary OWNER TO mdload_owner;
ALTER FUNCTION mdload_touch_updated_at() OWNER TO mdload_owner;
ALTER FUNCTION bars_ohlcv_as_of(timestamptz) OWNER TO mdload_owner;
ALTER FUNCTION bars_ohlcv_at(text) OWNER TO mdload_owner;
ALTER FUNCTION mdload_pin(text) OWNER TO mdload_owner;
ALTER FUNCTION mdload_settled() OWNER TO mdload_owner;
ALTER FUNCTION bars_rejects() OWNER TO mdload_owner;
ALTER FUNCTION mdload_forget_rejects() OWNER TO mdload_owner;

GRANT SELECT ON bars_gap_waivers, bars_loads, bars_ohlcv, bars_ohlcv_revisions, bars_pins,
    bars_rejected, job_run_files, job_runs, job_runs_summary, provider_symbols,
    mdload_alembic_version
    TO mdload_loader, mdload_reader;

GRANT INSERT ON bars_loads, bars_ohlcv, bars_ohlcv_revisions, bars_pins, bars_rejected,
    job_run_files, job_runs, provider_symbols
    TO mdload_loader;
-- History, pins and spellings are added to, never changed; a reject only learns who replayed it.
GRANT UPDATE ON bars_ohlcv, job_run_files, job_runs TO mdload_loader;
GRANT UPDATE (replayed_by) ON bars_rejected TO mdload_loader;
GRANT USAGE ON SEQUENCE bars_ohlcv_revisions_id_seq, bars_rejected_id_seq, job_run_files_id_seq,
    job_runs_id_seq
    TO mdload_loader;

-- Where `mdload migrate --tenants` has made the datasets of tenants: the three roles have there what they have elsewhere,
-- and a fourth one writes and reads the rows of the tenant that its session names, with TenantClient. It has no rights on
-- job runs, which have the counts and paths of all tenants. Only the owner deletes (rollback) and adds tenants.
DO $$
DECLARE
    name text;
    datasets text[] := ARRAY['bars', 'fundamentals', 'news', 'options_snap'];
BEGIN
    IF to_regclass('tenant_loads') IS NULL THEN
        RETURN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'mdload_tenant') THEN
        CREATE ROLE mdload_tenant NOLOGIN;
    END IF;
    EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO mdload_tenant', current_database());
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO mdload_tenant', current_schema());
    FOREACH name IN ARRAY datasets LOOP
        EXECUTE format('ALTER TABLE %I OWNER TO mdload_owner', name);
        EXECUTE format('ALTER TABLE %I OWNER TO mdload_owner', name || '_revisions');
        EXECUTE format('ALTER FUNCTION %I(timestamptz) OWNER TO mdload_owner', name || '_as_of');
        EXECUTE format('GRANT SELECT ON %I, %I TO mdload_loader, mdload_reader, mdload_tenant', name, name || '_revisions');
        EXECUTE format('GRANT INSERT ON %I, %I TO mdload_loader, mdload_tenant', name, name || '_revisions');
        EXECUTE format('GRANT UPDATE ON %I TO mdload_loader, mdload_tenant', name);
    END LOOP;
    ALTER TABLE tenants OWNER TO mdload_owner;
    ALTER TABLE tenant_loads OWNER TO mdload_owner;
    ALTER TABLE tenant_rejected OWNER TO mdload_owner;
    ALTER TABLE mdload_tenants_version OWNER TO mdload_owner;
    ALTER FUNCTION fundamentals_latest(timestamptz) OWNER TO mdload_owner;
    ALTER FUNCTION mdload_tenants_touch() OWNER TO mdload_owner;
    GRANT SELECT ON tenants, tenant_loads, tenant_rejected, mdload_tenants_version
        TO mdload_loader, mdload_reader, mdload_tenant;
    GRANT INSERT ON tenant_loads, tenant_rejected TO mdload_loader, mdload_tenant;
END
$$;
