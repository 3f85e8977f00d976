"""The datasets of tenants: bars, fundamentals, news, snapshots of options, and their books.

A history of its own with a version table of its own: databases without tenants never meet it. The
SQL here is frozen, and its names are unqualified: objects go to the connection's current schema.

A table that is there already is taken over if it has this shape; otherwise the migration says what
differs and changes nothing. The comment of a table tells the two apart: what was taken over is
never dropped.
"""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None

MADE = "made by mdload migrate --tenants"

#: Whether a row is the tenant's own: a subquery, so that it is computed once per statement. Without
#: a tenant none is. After a transaction that had one the setting is an empty text.
OWN = "tenant_id = (SELECT NULLIF(current_setting('app.tenant_id', true), '')::uuid)"

#: Columns of each table between id and created_at: name, type, whether it may be null. Text
#: collates "C", as in bars_ohlcv: the order of bytes.
TABLES: dict[str, list[tuple[str, str, bool]]] = {
    "bars": [
        ("tenant_id", "uuid", False),
        ("vendor", "text", False),
        ("symbol", "text", False),
        ("timeframe", "text", False),
        ("ts", "timestamptz", False),
        ("open", "numeric(20,8)", False),
        ("high", "numeric(20,8)", False),
        ("low", "numeric(20,8)", False),
        ("close", "numeric(20,8)", False),
        ("volume", "bigint", True),
    ],
    "fundamentals": [
        ("tenant_id", "uuid", False),
        ("vendor", "text", False),
        ("symbol", "text", False),
        ("asof", "date", False),
        ("revenue", "numeric(25,2)", True),
        ("gross_profit", "numeric(25,2)", True),
        ("operating_income", "numeric(25,2)", True),
        ("net_income", "numeric(25,2)", True),
        ("total_assets", "numeric(25,2)", True),
        ("total_liabilities", "numeric(25,2)", True),
        ("total_equity", "numeric(25,2)", True),
        ("operating_cash_flow", "numeric(25,2)", True),
        ("eps", "numeric(10,4)", True),
        ("filed_at", "timestamptz", True),
    ],
    "news": [
        ("tenant_id", "uuid", False),
        ("vendor", "text", False),
        ("symbol", "text", True),
        ("published_at", "timestamptz", False),
        ("title", "text", False),
        ("url", "text", True),
        ("body", "text", True),
        ("sentiment", "numeric(9,6)", True),
        ("article", "text", True),
    ],
    "options_snap": [
        ("tenant_id", "uuid", False),
        ("vendor", "text", False),
        ("symbol", "text", False),
        ("ts", "timestamptz", False),
        ("expiry", "date", False),
        ("option_type", "text", False),
        ("strike", "numeric(20,8)", False),
        ("iv", "numeric(12,8)", True),
        ("delta", "numeric(12,8)", True),
        ("gamma", "numeric(12,8)", True),
        ("oi", "bigint", True),
        ("volume", "bigint", True),
        ("spot", "numeric(20,8)", True),
    ],
}
#: What follows a column's type. An article without an address is known by its title.
EXTRA = {
    ("news", "article"): "GENERATED ALWAYS AS (coalesce(url, md5(title))) STORED",
    ("options_snap", "option_type"): "CHECK (option_type IN ('C', 'P'))",
}
KEYS = {
    "bars": ("tenant_id", "vendor", "symbol", "timeframe", "ts"),
    "fundamentals": ("tenant_id", "vendor", "symbol", "asof"),
    "news": ("tenant_id", "vendor", "published_at", "article"),
    "options_snap": (
        "tenant_id", "vendor", "symbol", "expiry", "option_type", "strike", "ts",
    ),
}  # fmt: skip
#: The column that orders a hypertable, and the span of a chunk.
CHUNKS = {
    "bars": ("ts", "7 days"),
    "fundamentals": ("asof", "5 years"),
    "news": ("published_at", "30 days"),
    "options_snap": ("ts", "7 days"),
}

TENANTS = f"""
DO $migration$
DECLARE
    place text := format('%I.tenants', current_schema());
    wrong text;
BEGIN
    IF to_regclass(place) IS NULL THEN
        CREATE TABLE tenants (
            id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
            name       text COLLATE "C" NOT NULL CONSTRAINT tenants_name_key UNIQUE,
            created_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT tenants_name_check CHECK (name <> '')
        );
        COMMENT ON TABLE tenants IS 'whose data there is; {MADE}';
        -- Not forced: the owner adds tenants. Everybody else sees the one that the session is for.
        ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
        CREATE POLICY mdload_tenant ON tenants FOR SELECT USING (
            id = NULLIF(current_setting('app.tenant_id', true), '')::uuid
            OR name = current_setting('app.tenant_name', true));
        RETURN;
    END IF;
    SELECT string_agg(format('the column tenants.%s is %s, and mdload needs %s', w.name,
                             coalesce(format_type(a.atttypid, a.atttypmod), 'missing'), w.type),
                      '; ')
      INTO wrong
      FROM (VALUES ('id', 'uuid'), ('name', 'text')) AS w (name, type)
      LEFT JOIN pg_attribute a ON a.attrelid = to_regclass(place) AND a.attname = w.name
                              AND NOT a.attisdropped
     WHERE a.attname IS NULL OR format_type(a.atttypid, a.atttypmod) <> w.type;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION '%', wrong USING ERRCODE = '55000';
    END IF;
END
$migration$
"""

BOOKS = f"""
CREATE FUNCTION mdload_tenants_touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at = now();
    RETURN NEW;
END
$$;

CREATE TABLE tenant_loads (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id uuid NOT NULL,
    dataset   text NOT NULL,
    xact_at   timestamptz NOT NULL DEFAULT now(),
    known_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    inserted  bigint NOT NULL DEFAULT 0,
    updated   bigint NOT NULL DEFAULT 0,
    deleted   bigint NOT NULL DEFAULT 0,
    run_id    bigint,
    file_id   bigint,
    kind      text NOT NULL DEFAULT 'load' CONSTRAINT tenant_loads_kind_check
              CHECK (kind IN ('load', 'live', 'rollback')),
    CONSTRAINT tenant_loads_xact_at_key UNIQUE (tenant_id, dataset, xact_at)
);
COMMENT ON TABLE tenant_loads IS
    'one row per transaction that changed a dataset of a tenant; {MADE}';
CREATE INDEX tenant_loads_run_id_idx ON tenant_loads (run_id);

CREATE TABLE tenant_rejected (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id  uuid NOT NULL,
    dataset    text NOT NULL,
    run_id     bigint,
    file_id    bigint,
    row_number bigint,
    rules      text[] NOT NULL,
    raw        jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE tenant_rejected IS 'rows of tenants that broke a rule, as they were read; {MADE}';
CREATE INDEX tenant_rejected_run_id_idx ON tenant_rejected (run_id)
"""


def _typed(kind: str) -> str:
    return f'{kind} COLLATE "C"' if kind == "text" else kind


def _created(table: str) -> str:
    columns = ",\n            ".join(
        f"{name} {_typed(kind)} {EXTRA.get((table, name), '')}{'' if null else ' NOT NULL'}"
        for name, kind, null in TABLES[table]
    )
    return f"""
        CREATE TABLE {table} (
            id uuid NOT NULL DEFAULT gen_random_uuid(),
            {columns},
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT {table}_pk PRIMARY KEY ({", ".join(KEYS[table])}),
            CONSTRAINT {table}_symbol_check CHECK (symbol = upper(symbol))
        );
        COMMENT ON TABLE {table} IS '{MADE}'"""


def _taken_over(table: str) -> str:
    """Makes the table, or takes over the one that is there."""
    names = {
        "timestamptz": "timestamp with time zone",
    }
    wanted = ",\n                   ".join(
        f"('{name}', '{names.get(kind, kind)}', {str(not null).lower()})"
        for name, kind, null in [
            *TABLES[table],
            ("created_at", "timestamptz", False),
            ("updated_at", "timestamptz", False),
        ]
    )
    key = ", ".join(f"'{name}'" for name in sorted(KEYS[table]))
    column, span = CHUNKS[table]
    return f"""
DO $migration$
DECLARE
    place text := format('%I.{table}', current_schema());
    extension_schema text;
    wrong text;
BEGIN
    IF to_regclass(place) IS NULL THEN
        {_created(table)};
        {_policies(table)}
        SELECT nspname INTO extension_schema
          FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace
         WHERE extname = 'timescaledb';
        IF FOUND THEN
            EXECUTE format('SELECT %1$I.create_hypertable($1, %1$I.by_range(''{column}'','
                           ' interval ''{span}''), create_default_indexes => false)',
                           extension_schema) USING to_regclass(place);
        END IF;
    ELSE
        WITH wanted (name, type, required) AS (
            VALUES {wanted}),
        found AS (
            SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type,
                   a.attnotnull AS required, a.atthasdef OR a.attidentity <> '' AS filled
              FROM pg_attribute a
             WHERE a.attrelid = to_regclass(place) AND a.attnum > 0 AND NOT a.attisdropped)
        SELECT string_agg(fault, '; ') INTO wrong
          FROM (SELECT CASE
                       WHEN f.name IS NULL
                       THEN format('the column {table}.%s (%s) is missing', w.name, w.type)
                       WHEN f.type <> w.type
                       THEN format('the column {table}.%s is %s, and mdload needs %s', w.name,
                                   f.type, w.type)
                       WHEN w.required AND NOT f.required
                       THEN format('the column {table}.%s may be null', w.name)
                       END AS fault
                  FROM wanted w LEFT JOIN found f USING (name)
                 UNION ALL
                SELECT format('the column {table}.%s needs a value and has no default', f.name)
                  FROM found f LEFT JOIN wanted w USING (name)
                 WHERE w.name IS NULL AND f.required AND NOT f.filled
                 UNION ALL
                SELECT 'the table {table} has no unique key ({", ".join(KEYS[table])})'
                 WHERE NOT EXISTS (
                       SELECT FROM pg_index i
                        WHERE i.indrelid = to_regclass(place) AND i.indisunique AND i.indisvalid
                          AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL
                          AND ARRAY[{key}]::text[] = (
                              SELECT array_agg(CAST(a.attname AS text) ORDER BY a.attname)
                                FROM pg_attribute a
                               WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)))
               ) AS faults;
        IF wrong IS NOT NULL THEN
            RAISE EXCEPTION '%', wrong USING ERRCODE = '55000';
        END IF;
        {_policies(table)}
        -- Whatever other policies allow, no row of another tenant.
        CREATE POLICY mdload_tenant_only ON {table} AS RESTRICTIVE
            USING ({OWN}) WITH CHECK ({OWN});
    END IF;
    CREATE TRIGGER mdload_updated_at BEFORE UPDATE ON {table}
        FOR EACH ROW WHEN (({_written(table, "OLD")}) IS DISTINCT FROM ({_written(table, "NEW")}))
        EXECUTE FUNCTION mdload_tenants_touch();
END
$migration$
"""


def _written(table: str, age: str) -> str:
    """Not `OLD.*`: a condition cannot have a column that the table makes itself."""
    made = [name for name, _, _ in TABLES[table] if "GENERATED" in EXTRA.get((table, name), "")]
    return ", ".join(f"{age}.{name}" for name, _, _ in TABLES[table] if name not in made)


def _policies(table: str) -> str:
    return f"""ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
        ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
        CREATE POLICY mdload_tenant ON {table} USING ({OWN}) WITH CHECK ({OWN});
        """


def _revisions(table: str) -> str:
    """Old and new values of each change, and versions of a row that came after a newer one."""
    types = {name: kind for name, kind, _ in TABLES[table]}
    key = ",\n    ".join(f"{name} {_typed(types[name])} NOT NULL" for name in KEYS[table])
    values = [name for name in types if name not in KEYS[table]]
    aged = ",\n    ".join(
        f"{age}_{name} {_typed(types[name])}" for age in ("old", "new") for name in values
    )
    return f"""
CREATE TABLE {table}_revisions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    {key},
    {aged},
    run_id bigint,
    file_id bigint,
    revised_at timestamptz NOT NULL DEFAULT now(),
    op text NOT NULL DEFAULT 'update' CONSTRAINT {table}_revisions_op_check
       CHECK (op IN ('update', 'version', 'undo', 'delete')),
    old_created_at timestamptz,
    old_updated_at timestamptz
);
COMMENT ON TABLE {table}_revisions IS 'what rows of {table} were before; {MADE}';
CREATE INDEX {table}_revisions_key_idx ON {table}_revisions ({", ".join(KEYS[table])});
CREATE INDEX {table}_revisions_revised_at_idx ON {table}_revisions (revised_at);
{_policies(f"{table}_revisions")}"""


def _dropped(table: str) -> str:
    """A table that was taken over stays, with its rows; row-level security stays on."""
    return f"""
DO $migration$
BEGIN
    IF obj_description(to_regclass('{table}')) LIKE '%{MADE}' THEN
        DROP TABLE {table};
    ELSIF to_regclass('{table}') IS NOT NULL THEN
        DROP TRIGGER IF EXISTS mdload_updated_at ON {table};
        DROP POLICY IF EXISTS mdload_tenant ON {table};
        DROP POLICY IF EXISTS mdload_tenant_only ON {table};
    END IF;
END
$migration$
"""


def upgrade() -> None:
    op.execute(TENANTS)
    op.execute(BOOKS)
    for table in TABLES:
        op.execute(_taken_over(table))
        op.execute(_revisions(table))
    for books in ("tenant_loads", "tenant_rejected"):
        op.execute(_policies(books))


def downgrade() -> None:
    for table in TABLES:
        op.execute(f"DROP TABLE {table}_revisions")
        op.execute(_dropped(table))
    op.execute(
        "DROP TABLE tenant_rejected; DROP TABLE tenant_loads; DROP FUNCTION mdload_tenants_touch()"
    )
    op.execute(_dropped("tenants"))
