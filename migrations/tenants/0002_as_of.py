"""Datasets of tenants as they were: by the time of the load, fundamentals by the time of filing.

The functions read the rows of the tenant in `app.tenant_id`, also for roles that no policy binds.
They name the schema, so that they work whatever the caller's search_path, and are inlined.
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

OWN = "NULLIF(current_setting('app.tenant_id', true), '')::uuid"
VALUES = {
    "bars": ("open", "high", "low", "close", "volume"),
    "news": ("symbol", "title", "url", "body", "sentiment"),
    "options_snap": ("iv", "delta", "gamma", "oi", "volume", "spot"),
}
KEYS = {
    "bars": ("vendor", "symbol", "timeframe", "ts"),
    "news": ("vendor", "published_at", "article"),
    "options_snap": ("vendor", "symbol", "expiry", "option_type", "strike", "ts"),
}
TYPES = {
    "ts": "timestamptz", "published_at": "timestamptz", "expiry": "date", "volume": "bigint",
    "oi": "bigint", "vendor": "text", "symbol": "text", "timeframe": "text", "article": "text",
    "option_type": "text", "title": "text", "url": "text", "body": "text", "iv": "numeric",
    "asof": "date", "filed_at": "timestamptz",
}  # fmt: skip
FIGURES = (
    "revenue", "gross_profit", "operating_income", "net_income", "total_assets",
    "total_liabilities", "total_equity", "operating_cash_flow", "eps", "filed_at",
)  # fmt: skip


def _typed(names: tuple[str, ...]) -> str:
    return ", ".join(f"{name} {TYPES.get(name, 'numeric')}" for name in names)


def _of(table: str, names: tuple[str, ...]) -> str:
    return ", ".join(f"{table}.{name}" for name in names)


def _by_load(table: str) -> str:
    """A current row counts from the load that wrote it, an old one from there to the load that
    replaced it. Rows that somebody wrote by hand have no load: their own times count."""
    key, values = KEYS[table], VALUES[table]
    old = ", ".join(f"r.old_{name}" for name in values)
    own = f"l.tenant_id = {{}}.tenant_id AND l.dataset = '{table}' AND l.xact_at = {{}}"
    return f"""
CREATE FUNCTION {table}_as_of(at timestamptz) RETURNS TABLE (
    {_typed((*key, *values))}, created_at timestamptz, updated_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 100000 AS $body$
    SELECT {_of("b", (*key, *values))}, b.created_at, b.updated_at
      FROM %1$I.{table} b
      LEFT JOIN %1$I.tenant_loads l ON {own.format("b", "b.updated_at")}
     WHERE b.tenant_id = {OWN} AND coalesce(l.known_at, b.updated_at) <= $1
     UNION ALL
    SELECT {_of("r", key)}, {old}, r.old_created_at, r.old_updated_at
      FROM %1$I.{table}_revisions r
      LEFT JOIN %1$I.tenant_loads l ON {own.format("r", "r.old_updated_at")}
      LEFT JOIN %1$I.tenant_loads n ON {own.format("r", "r.revised_at").replace("l.", "n.")}
     WHERE r.tenant_id = {OWN} AND coalesce(l.known_at, r.old_updated_at) <= $1
       AND NOT (coalesce(n.known_at, r.revised_at) <= $1)
$body$"""


def _by_filing() -> str:
    """Of each period the version that was filed last by then. Of two with one filing time the
    later one counts: it corrects the other. What a rollback took back counts for nothing."""
    key = ("vendor", "symbol", "asof")
    old = ", ".join(f"r.old_{name}" for name in FIGURES)
    return f"""
CREATE FUNCTION fundamentals_as_of(at timestamptz) RETURNS TABLE (
    {_typed((*key, *FIGURES))}, known_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 10000 AS $body$
    SELECT DISTINCT ON ({_of("v", key)}) {_of("v", (*key, *FIGURES))}, v.known_at
      FROM (SELECT {_of("b", (*key, *FIGURES))}, coalesce(b.filed_at, b.updated_at) AS known_at,
                   9223372036854775807 AS number
              FROM %1$I.fundamentals b
             WHERE b.tenant_id = {OWN}
             UNION ALL
            SELECT {_of("r", key)}, {old}, coalesce(r.old_filed_at, r.old_updated_at), r.id
              FROM %1$I.fundamentals_revisions r
             WHERE r.tenant_id = {OWN} AND r.op IN ('update', 'version')) v
     WHERE v.known_at <= $1
     ORDER BY {_of("v", key)}, v.known_at DESC, v.number DESC
$body$"""


LATEST = """
CREATE FUNCTION fundamentals_latest(at timestamptz) RETURNS TABLE (
    {columns}, known_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1000 AS $body$
    SELECT DISTINCT ON (f.vendor, f.symbol) f.*
      FROM %1$I.fundamentals_as_of($1) f
     ORDER BY f.vendor, f.symbol, f.asof DESC
$body$"""


def _made(function: str) -> str:
    """In the current schema, by its name."""
    return (
        f"DO $migration$ BEGIN EXECUTE format($f${function}$f$, current_schema()); END $migration$"
    )


def upgrade() -> None:
    for table in VALUES:
        op.execute(_made(_by_load(table)))
    op.execute(_made(_by_filing()))
    columns = _typed(("vendor", "symbol", "asof", *FIGURES))
    op.execute(_made(LATEST.format(columns=columns)))
    op.execute(
        "COMMENT ON FUNCTION fundamentals_as_of(timestamptz) IS"
        " 'of each period the version that was known at that time';"
        "COMMENT ON FUNCTION fundamentals_latest(timestamptz) IS"
        " 'of each symbol the newest period that was known at that time'"
    )


def downgrade() -> None:
    op.execute("DROP FUNCTION fundamentals_latest(timestamptz)")
    for table in ("fundamentals", *VALUES):
        op.execute(f"DROP FUNCTION {table}_as_of(timestamptz)")
