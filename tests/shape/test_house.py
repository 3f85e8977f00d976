"""The house keeps its shape: small rooms, SQL by name, one room for the drivers."""

from __future__ import annotations

import re

import psycopg
import pytest

from loader.db.queries import parse, queries
from loader.errors import MdloadError
from tests.conftest import ROOT

MODULES = sorted((ROOT / "loader").rglob("*.py"))


def test_no_room_is_too_large() -> None:
    sizes = sorted(len(path.read_text().splitlines()) for path in MODULES)
    assert sizes[-1] <= 300
    assert sizes[len(sizes) // 2] <= 150


def test_no_drawer_for_everything() -> None:
    assert not {"utils", "common", "helpers", "base"} & {path.stem for path in MODULES}


@pytest.mark.parametrize("driver", ["adbc_", "psycopg"])
def test_only_the_database_room_knows_the_drivers(driver: str) -> None:
    imports = re.compile(rf"^\s*(import|from) {driver}", re.MULTILINE)
    knowing = {
        path.relative_to(ROOT).parts[1] for path in MODULES if imports.search(path.read_text())
    }
    assert knowing == {"db"}


def test_migrations_do_not_depend_on_the_loader_s_sql() -> None:
    for path in (ROOT / "migrations").rglob("*.py"):
        assert "loader.db.queries" not in path.read_text()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("-- a --\nSELECT 1", "no description"),
        ("-- a --\n-- One.\nSELECT 1; SELECT 2", "more than one statement"),
        ("-- a --\n-- One.\nSELECT 1\n-- a --\n-- Two.\nSELECT 2", "defined twice"),
        ("SELECT 1", "before the first"),
    ],
)
def test_a_file_of_queries_that_is_wrong_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(MdloadError, match=complaint):
        parse(text, "x.sql")


TEMPORARY = ("stage_create", "rejected_create")
TIMESCALE = r"timescaledb[_.]|hypertable|compress_chunk|_policy\(|continuous_aggregate"


@pytest.mark.parametrize("name", queries())
def test_every_query_is_understood_by_the_server(database_url: str, name: str) -> None:
    with psycopg.connect(database_url) as connection:
        for made in TEMPORARY:
            connection.execute(queries()[made].encode())
        if re.search(TIMESCALE, queries()[name]):  # not on every server: its grammar
            guarded = f"DO $$ BEGIN IF false THEN {queries()[name]}; END IF; END $$"
            connection.execute(guarded.encode())
        elif re.match(r"(ANALYZE|CREATE|DROP|LOCK|SET)\b", queries()[name]):
            connection.execute(queries()[name].replace("TABLE mdload_", "TABLE again_").encode())
        else:
            connection.execute(f"PREPARE checked AS {queries()[name]}".encode())
