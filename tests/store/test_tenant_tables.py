"""The tables of tenants: apart from all others, taken over where they are there, under row-level
security."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import psycopg
import pytest

from loader.db.queries import parse, query
from loader.errors import DatabaseError, SchemaOutOfDate
from loader.settings.datasets import TENANT, Dataset
from loader.store import schema
from loader.store.schema import TENANTS
from tests.conftest import ROOT, Ran
from tests.support.sql import fetch

MADE = [
    "bars", "bars_revisions", "fundamentals", "fundamentals_revisions", "mdload_tenants_version",
    "news", "news_revisions", "options_snap", "options_snap_revisions", "tenant_loads",
    "tenant_rejected", "tenants",
]  # fmt: skip
A, B = uuid.UUID(int=1), uuid.UUID(int=2)
#: In the shape, by another hand: another id, another order, a column more, another policy.
OF_A_CLIENT = """
CREATE TABLE bars (
    id bigserial PRIMARY KEY, note text, ts timestamptz NOT NULL, symbol text NOT NULL,
    timeframe text NOT NULL, vendor text NOT NULL, tenant_id uuid NOT NULL,
    open numeric(20,8) NOT NULL, high numeric(20,8) NOT NULL, low numeric(20,8) NOT NULL,
    close numeric(20,8) NOT NULL, volume bigint,
    created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (symbol, ts, timeframe, vendor, tenant_id));
CREATE POLICY everything ON bars USING (true) WITH CHECK (true);
INSERT INTO bars (ts, symbol, timeframe, vendor, tenant_id, open, high, low, close)
VALUES ('2024-01-02Z', 'A', '1d', 'v', '00000000-0000-0000-0000-000000000001', 1, 1, 1, 1);
"""


def tables(url: str) -> list[str]:
    return [
        str(name)
        for (name,) in fetch(
            url,
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relkind IN ('r', 'p', 'v') ORDER BY relname",
        )
    ]


def test_up_down_up(database_url: str) -> None:
    before = tables(database_url)
    assert schema.current(database_url, TENANTS) is None
    with pytest.raises(SchemaOutOfDate, match="no tables of tenants yet") as caught:
        schema.require_head(database_url, TENANTS)
    assert caught.value.hint == "run: mdload migrate --tenants"
    for _ in range(2):
        assert schema.upgrade(database_url, history=TENANTS) == ["0001", "0002"]
        assert sorted({*tables(database_url)} - {*before}) == MADE
        assert schema.upgrade(database_url, history=TENANTS) == []
        schema.require_head(database_url, TENANTS)
        schema.require_head(database_url)  # which knows nothing of it
        assert schema.downgrade(database_url, "base", history=TENANTS) == ["0002", "0001"]
        assert tables(database_url) == before


def test_the_plain_history_neither_makes_nor_drops_them(empty_url: str) -> None:
    schema.upgrade(empty_url)
    assert not {*MADE} & {*tables(empty_url)}
    schema.upgrade(empty_url, history=TENANTS)
    schema.downgrade(empty_url, "base")
    assert tables(empty_url) == MADE


def test_the_command_and_its_printed_sql(forked: Callable[..., Ran], empty_url: str) -> None:
    said = forked("--database", empty_url, "migrate", "--tenants", "--json").json()
    assert (said["from"], said["tenants"]) == (
        None,
        {"from": None, "to": "0002", "applied": ["0001", "0002"]},
    )
    made = tables(empty_url)
    schema.downgrade(empty_url, "base", history=TENANTS)
    schema.downgrade(empty_url, "base")
    printed = forked("migrate", "--tenants", "--sql")
    with psycopg.connect(empty_url, autocommit=True) as connection:
        connection.execute(printed.out.encode())
    assert tables(empty_url) == made


@pytest.mark.parametrize("of", TENANT.values(), ids=list(TENANT))
def test_the_tables_are_as_the_descriptions_have_them(database_url: str, of: Dataset) -> None:
    schema.upgrade(database_url, history=TENANTS)
    spelled = {"timestamp with time zone": "timestamptz"}
    found = {
        name: (spelled.get(kind, kind), not required)
        for name, kind, required in fetch(
            database_url,
            "SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute"
            " WHERE attrelid = %s::regclass AND attnum > 0 AND attgenerated = ''"
            " AND attname NOT IN ('id', 'created_at', 'updated_at') ORDER BY attnum",
            of.table,
        )
    }
    assert found == {name: (each.type, each.optional) for name, each in of.columns.items()}
    assert list(found) == list(of.columns)
    ((key,),) = fetch(
        database_url,
        "SELECT array_agg(attname ORDER BY array_position(indkey::int2[], attnum))::text[]"
        " FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey)"
        " WHERE indrelid = %s::regclass AND indisprimary",
        of.table,
    )
    assert tuple(key) == of.key


def test_a_table_in_this_shape_is_taken_over_and_kept(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(OF_A_CLIENT.encode())
    schema.upgrade(database_url, history=TENANTS)
    with tenant(database_url, B) as session:  # whatever the client's own policy allows
        assert session.execute("SELECT FROM bars").fetchall() == []
    with tenant(database_url, A) as session:
        changed = session.execute("UPDATE bars SET close = 2 RETURNING updated_at > created_at")
        assert changed.fetchall() == [(True,)]
    schema.downgrade(database_url, "base", history=TENANTS)
    assert fetch(database_url, "SELECT symbol, close, note FROM bars") == [("A", 2, None)]
    assert fetch(database_url, "SELECT polname FROM pg_policy") == [("everything",)]
    schema.upgrade(database_url, history=TENANTS)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("ALTER TABLE bars ALTER close TYPE double precision",
         "the column bars.close is double precision, and mdload needs numeric(20,8)"),
        ("ALTER TABLE bars ALTER open TYPE numeric(20,4), DROP volume",
         "the column bars.open is numeric(20,4), and mdload needs numeric(20,8); the column"
         " bars.volume (bigint) is missing"),
        ("ALTER TABLE bars ALTER vendor DROP NOT NULL", "the column bars.vendor may be null"),
        ("UPDATE bars SET note = ''; ALTER TABLE bars ALTER note SET NOT NULL",
         "the column bars.note needs a value and has no default"),
        ("ALTER TABLE bars DROP CONSTRAINT bars_symbol_ts_timeframe_vendor_tenant_id_key",
         "the table bars has no unique key (tenant_id, vendor, symbol, timeframe, ts)"),
        ("CREATE TABLE tenants (id bigint, title text)",
         "the column tenants.id is bigint, and mdload needs uuid; the column tenants.name is"
         " missing, and mdload needs text"),
    ],
)  # fmt: skip
def test_another_shape_is_named_and_nothing_changed(
    database_url: str, change: str, fault: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(OF_A_CLIENT.encode())
        connection.execute(change.encode())
    before = tables(database_url)
    with pytest.raises(DatabaseError) as caught:
        schema.upgrade(database_url, history=TENANTS)
    assert str(caught.value).endswith(fault)
    assert str(caught.value.hint).startswith("give the tables that are there this shape")
    assert tables(database_url) == before


@pytest.fixture
def role(database_url: str) -> Iterator[str]:
    """A role with rights on every table and none around the policies, to be taken on."""
    schema.upgrade(database_url, history=TENANTS)
    name = f"r_{uuid.uuid4().hex}"
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name}".encode())
        connection.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {name}".encode())
        yield name
        connection.execute(f"DROP OWNED BY {name}; DROP ROLE {name}".encode())


class Tenant:
    """A session of one tenant, by a role that the policies bind."""

    def __init__(self, url: str, of: uuid.UUID | None, role: str | None) -> None:
        self._connection = psycopg.connect(url)
        self._own = role is None
        self._role = role or f"r_{uuid.uuid4().hex}"
        if self._own:
            self._connection.execute(f"CREATE ROLE {self._role}".encode())
            self._connection.execute(f"GRANT ALL ON bars TO {self._role}".encode())
        self._connection.execute(f"SET ROLE {self._role}".encode())
        if of is not None:
            self._connection.execute("SELECT set_config('app.tenant_id', %s, false)", [str(of)])

    def __enter__(self) -> psycopg.Connection[tuple[object, ...]]:
        return self._connection

    def __exit__(self, *_: object) -> None:
        self._connection.execute("RESET ROLE")
        if self._own:
            self._connection.execute(f"DROP OWNED BY {self._role}; DROP ROLE {self._role}".encode())
        self._connection.commit()
        self._connection.close()


def tenant(url: str, of: uuid.UUID | None, role: str | None = None) -> Tenant:
    return Tenant(url, of, role)


ROW = (
    "INSERT INTO bars (tenant_id, vendor, symbol, timeframe, ts, open, high, low, close)"
    " VALUES (%s, 'v', 'A', '1d', '2024-01-02Z', 1, 1, 1, 1)"
)


def test_a_tenant_sees_and_writes_its_own_rows_only(database_url: str, role: str) -> None:
    with tenant(database_url, A, role) as session:
        session.execute(ROW, [A])
        assert len(session.execute("SELECT FROM bars").fetchall()) == 1
    with tenant(database_url, B, role) as session:
        assert session.execute("SELECT FROM bars").fetchall() == []
        assert session.execute("UPDATE bars SET close = 9").rowcount == 0
        assert session.execute("DELETE FROM bars").rowcount == 0
        with pytest.raises(psycopg.errors.InsufficientPrivilege), session.transaction():
            session.execute(ROW, [A])
        session.execute(ROW, [B])  # the same key, of another tenant
    with tenant(database_url, None, role) as session:
        assert session.execute("SELECT FROM bars").fetchall() == []
        with pytest.raises(psycopg.errors.InsufficientPrivilege), session.transaction():
            session.execute(ROW, [A])
    owned = "SELECT tenant_id, close FROM bars ORDER BY 1"
    assert fetch(database_url, owned) == [(A, 1), (B, 1)]


def test_every_table_of_rows_is_forced(database_url: str) -> None:
    schema.upgrade(database_url, history=TENANTS)
    free = {"mdload_tenants_version", "tenants"}  # the owner adds tenants
    forced = fetch(
        database_url,
        "SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity ORDER BY 1",
    )
    assert [name for (name,) in forced] == [name for name in MADE if name not in free]


def test_of_the_tenants_a_session_sees_its_own(database_url: str, role: str) -> None:
    fetch(database_url, "INSERT INTO tenants VALUES (%s, 'acme'), (%s, 'globex')", A, B)
    with tenant(database_url, A, role) as session:
        assert session.execute("SELECT name FROM tenants").fetchall() == [("acme",)]
    with tenant(database_url, None, role) as session:
        assert session.execute("SELECT name FROM tenants").fetchall() == []
        session.execute("SELECT set_config('app.tenant_name', 'globex', false)")
        assert session.execute("SELECT id FROM tenants").fetchall() == [(B,)]


#: Of the merge, and all of the tenants' own.
STATEMENTS = (
    "bars_revise", "revisions_keep", "bars_upsert", "bars_hold", "bars_state", "stage_unmet",
    *parse((ROOT / "sql" / "tenants.sql").read_text(), "tenants.sql"),
)  # fmt: skip


def test_every_statement_is_understood_for_every_dataset(database_url: str) -> None:
    schema.upgrade(database_url, history=TENANTS)
    with psycopg.connect(database_url) as connection:
        connection.execute("SELECT set_config('app.tenant_id', %s, false)", [str(A)])
        for of in TENANT.values():
            with connection.transaction(force_rollback=True):
                for made in ("stage_create", "late_create", "rejects_create"):
                    connection.execute(query(made, of).encode())
                for name in STATEMENTS:
                    if not query(name, of).startswith("CREATE"):
                        connection.execute(f"PREPARE s_{name} AS {query(name, of)}".encode())
                        connection.execute(f"DEALLOCATE s_{name}".encode())
