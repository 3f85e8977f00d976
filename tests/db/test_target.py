"""Which database is meant, and how it is shown."""

from __future__ import annotations

import subprocess
import sys
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from loader.db.conninfo import libpq_url, masked
from loader.db.target import Target, named
from loader.errors import SettingsError

VARIABLES = (
    "MDLOAD_DATABASE_URL",
    "DATABASE_URL",
    "PGSERVICE",
    "PGHOST",
    "PGHOSTADDR",
    "PGDATABASE",
)


@pytest.fixture(autouse=True)
def _nothing_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def test_the_most_specific_name_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    assert named() is None
    file = "postgresql://file/d"
    assert named(None, file) == Target(file, "the configuration file")
    monkeypatch.setenv("PGDATABASE", "bars")
    assert named(None, file) == Target("postgresql://", "PGDATABASE")
    assert named() == Target("postgresql://", "PGDATABASE")
    monkeypatch.setenv("DATABASE_URL", "postgres://app/a")
    assert named() == Target("postgresql://app/a", "DATABASE_URL")
    monkeypatch.setenv("MDLOAD_DATABASE_URL", "postgresql://own/b")
    assert named() == Target("postgresql://own/b", "MDLOAD_DATABASE_URL")
    assert named("postgresql://option/c") == Target("postgresql://option/c", "--database")


@pytest.mark.parametrize("name", VARIABLES[2:])
def test_libpq_is_left_to_its_environment(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "something")
    assert named() == Target("postgresql://", name)


def test_an_empty_variable_names_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("PGPORT", "6000")  # says where on a server, not which server
    assert named() is None


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("postgresql://", "postgresql://"),
        ("postgres://u@h:5433/d?sslmode=require", "postgresql://u@h:5433/d?sslmode=require"),
        ("postgresql+psycopg://u:p%40@h/d", "postgresql://u:p%40@h/d"),
        ("postgresql+psycopg2://h1:1,h2:2/d", "postgresql://h1:1,h2:2/d"),
        ("PostgreSQL://[::1]:5432/d", "postgresql://[::1]:5432/d"),
        ("host=h port=5433 dbname=d user=u", "postgresql://u@h:5433/d"),
        ("host=/run/pg dbname='my d'", "postgresql:///my%20d?host=%2Frun%2Fpg"),
        (r"host=h user=u password='a\'b @/'", "postgresql://u:a%27b%20%40%2F@h/"),
        ("host=h1,h2 port=1,2 dbname=d", "postgresql:///d?host=h1%2Ch2&port=1%2C2"),
        ("service=bars", "postgresql:///?service=bars"),
        ("dbname=d password=mysql://x", "postgresql://:mysql%3A%2F%2Fx@/d"),
    ],
)
def test_each_way_to_write_it_becomes_one_url(text: str, url: str) -> None:
    assert libpq_url(text, "--database") == url


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "--database is not a PostgreSQL URL or connection string"),
        ("s3cret", "--database is not a PostgreSQL URL or connection string"),
        ("postgresql://u:s3cret%@h/d", "--database is not a PostgreSQL URL or connection string"),
        ("mysql://u:s3cret@h/d", "--database names a mysql:// database, and mdload works with "),
        ("sqlite:///s3cret.db", "--database names a sqlite:// database, and mdload works with "),
        ("postgresql://u:s3@cret@h/d", "--database has a user, password, host or port that cannot"),
        ("postgresql://u:s3/cret@h/d", "--database has a user, password, host or port that cannot"),
    ],
)
def test_another_kind_of_database_is_refused(text: str, says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        libpq_url(text, "--database")
    assert str(caught.value).startswith(says)
    assert caught.value.hint
    assert "cret" not in f"{caught.value}{caught.value.hint}".replace("secret", "")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://", "postgresql://"),
        ("postgresql://u@h:5432/d?sslmode=require", "postgresql://u@h:5432/d?sslmode=require"),
        ("postgresql://u:s3cret@h:5432/d", "postgresql://u:***@h:5432/d"),
        ("postgres://u:s%2F3@h/d?sslmode=require", "postgresql://u:***@h/d?sslmode=require"),
        ("postgresql://h/d?user=u&password=s3cret", "postgresql://u:***@h/d"),
        ("postgresql://h/d?pass%77ord=s3cret", "postgresql://:***@h/d"),
        ("postgresql://u@h/d?sslpassword=s3", "postgresql://u@h/d?sslpassword=***"),
        ("host=h user=u password = 's3 cret'", "postgresql://u:***@h/"),
        ("postgresql://u:s3/cret@h/d", "***"),
        ("nonsense s3cret", "***"),
    ],
)
def test_a_password_is_not_shown(url: str, shown: str) -> None:
    assert masked(url) == shown


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
@example("@/:?#&'\\ %")
def test_no_password_whatsoever_is_shown(tail: str) -> None:
    secret = f"s3cret{tail}"
    escaped = secret.replace("\\", "\\\\").replace("'", "\\'")
    for written in (
        f"postgresql://u:{quote(secret, safe='')}@h/d",
        f"postgresql://h/d?user=u&password={quote(secret, safe='')}",
        f"host=h dbname=d user=u password='{escaped}'",
    ):
        assert masked(written) == "postgresql://u:***@h/d"
        assert named(written) is not None
        assert "s3cret" not in repr(named(written))


def test_where_there_is_no_flock_a_named_server_still_works() -> None:
    as_on_windows = """
import sys, platformdirs, psycopg, subprocess, tempfile
sys.platform = "win32"
sys.modules["fcntl"] = sys.modules["pwd"] = None
from loader.errors import SettingsError
from loader.db.target import target
with target("postgresql://h/d") as chosen:
    print(chosen.url)
try:
    with target():
        pass
except SettingsError as error:
    print(error)
"""
    ran = subprocess.run(
        [sys.executable, "-c", as_on_windows], capture_output=True, text=True, check=True
    )
    assert ran.stdout.splitlines() == [
        "postgresql://h/d",
        "the embedded server needs Linux or macOS",
    ]
