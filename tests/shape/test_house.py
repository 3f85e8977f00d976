"""The house keeps its shape: small rooms, SQL by name, one room for the driver."""

from __future__ import annotations

import re
import statistics

import psycopg
import pytest

from loader.db.queries import parse, queries
from loader.errors import MdloadError
from tests.conftest import ROOT

MODULES = sorted((ROOT / "loader").rglob("*.py"))


def test_no_module_is_too_long() -> None:
    sizes = {path: len(path.read_text().splitlines()) for path in MODULES}
    assert not {str(path.relative_to(ROOT)): n for path, n in sizes.items() if n > 300}
    assert statistics.median(sizes.values()) <= 150


#: Rooms whose entries are alike, and listed elsewhere: a module per command, a vendor per module.
LISTS = {"loader/cli", "loader/dialects/providers"}


def test_no_room_has_too_many_entries() -> None:
    rooms = {path.parent for path in MODULES}
    entries = {
        str(room.relative_to(ROOT)): sum(1 for path in room.iterdir() if path.name != "__pycache__")
        for room in rooms
    }
    assert entries.pop("loader") <= 20
    assert not {room: n for room, n in entries.items() if n > 16 and room not in LISTS}


def test_no_drawer_for_everything() -> None:
    assert not {"utils", "common", "helpers", "base"} & {path.stem for path in MODULES}


def test_only_the_database_room_knows_the_driver() -> None:
    knowing = {
        path.relative_to(ROOT).parts[1]
        for path in MODULES
        if re.search(r"^\s*(import|from) adbc_", path.read_text(), re.MULTILINE)
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
