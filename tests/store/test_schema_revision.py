"""A database's revision, messages about a foreign one, and every way to name one."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from loader.errors import ConnectionLost, DatabaseError, SchemaOutOfDate
from loader.store import schema
from tests.conftest import TIMESCALE
from tests.support.sql import at


def refused(url: str, history: schema.History = schema.PLAIN) -> SchemaOutOfDate:
    with psycopg.connect(url) as connection, pytest.raises(SchemaOutOfDate) as caught:
        schema.require_head(connection, history)
    return caught.value


def test_a_database_at_head_is_taken(database_url: str) -> None:
    schema.require_head(database_url)
    with psycopg.connect(database_url) as connection:
        schema.require_head(connection)
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


def test_an_empty_database_is_refused(empty_url: str) -> None:
    error = refused(empty_url)
    assert str(error).endswith("has no tables of mdload yet; this mdload needs revision 0008")
    assert error.hint == "run: mdload migrate"
    assert error.exit_code == 5


def test_an_open_transaction_survives_the_question(empty_url: str) -> None:
    with psycopg.connect(empty_url) as connection:
        connection.execute("CREATE TEMPORARY TABLE mine (id int)")
        assert schema.current(connection) is None
        connection.execute("SELECT * FROM mine")


def test_an_older_database_is_refused(database_url: str) -> None:
    newer = replace(schema.PLAIN, revisions=(*schema.REVISIONS, "0009"))
    error = refused(database_url, newer)
    assert str(error).endswith("has schema revision 0008; this mdload needs revision 0009")
    assert error.hint == "run: mdload migrate"


def test_a_newer_database_is_refused_and_left_alone(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE mdload_alembic_version SET version_num = '0042'")
    error = refused(database_url)
    assert str(error).endswith(
        "has schema revision 0042, which is newer than this mdload knows (0008)"
    )
    assert error.hint == "run: pip install --upgrade mdload"
    for change in (
        lambda: schema.upgrade(database_url),
        lambda: schema.downgrade(database_url, "base"),
    ):
        with pytest.raises(SchemaOutOfDate, match="0042, which is newer"):
            change()
    assert schema.current(database_url) == "0042"


def test_a_service_file_names_a_database(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = tmp_path / "services"
    settings = [f"{name}={value}" for name, value in conninfo_to_dict(empty_url).items()]
    service.write_text("\n".join(["[store]", *settings]) + "\n")
    monkeypatch.setenv("PGSERVICEFILE", str(service))
    assert schema.upgrade("postgresql:///?service=store") == [*schema.REVISIONS]
    assert schema.current("service=store") == "0008"
    monkeypatch.setenv("PGSERVICE", "store")
    assert schema.current("postgresql://") == "0008"


@pytest.mark.skipif(bool(TIMESCALE), reason="that server is reached over TCP")
def test_a_socket_in_a_folder_with_a_space_and_a_percent(empty_url: str, tmp_path: Path) -> None:
    parts = conninfo_to_dict(empty_url)
    folder = tmp_path / "100% mine"
    folder.symlink_to(str(parts["host"]))
    url = f"postgresql://{parts['user']}@/{parts['dbname']}?host={quote(str(folder), safe='')}"
    assert schema.upgrade(url) == [*schema.REVISIONS]
    assert schema.current(url) == "0008"


def test_no_server(tmp_path: Path) -> None:
    for call in (schema.current, schema.upgrade):
        with pytest.raises(ConnectionLost) as caught:
            call(f"postgresql://me:s3cret@/db?host={tmp_path}")
        assert "s3cret" not in str(caught.value)


def test_no_such_database(server_url: str) -> None:
    with pytest.raises(DatabaseError, match='"nowhere" does not exist') as caught:
        schema.upgrade(at(server_url, "nowhere"))
    assert "createdb" in str(caught.value.hint)


def test_no_schema_to_create_in(empty_url: str) -> None:
    with pytest.raises(DatabaseError, match="no schema has been selected") as caught:
        schema.upgrade(f"{empty_url}&options=-csearch_path%3Dabsent")
    assert "search_path" in str(caught.value.hint)


def test_the_check_does_not_import_alembic() -> None:
    heavy = {"alembic", "sqlalchemy", "polars"}
    code = f"import sys, loader.store.schema; assert not {heavy} & {{*sys.modules}}"
    subprocess.run([sys.executable, "-c", code], check=True)
