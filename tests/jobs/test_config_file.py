"""mdload.toml: its values, their origin, and the places that errors name."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from loader.errors import SettingsError
from loader.jobs.config import job, read
from loader.jobs.config.places import line_of
from loader.settings.file.variables import expand

TEXT = """\
[database]
url = "postgresql://loader:${DB_PASSWORD}@db/market"

[defaults]
provider = "polygon"
max_rejects = "0.1%"
symbol_map = "maps/own.csv"

[jobs.nightly]
source = ["${DUMPS:-dumps}/{date-1d}.csv.gz", "/data/extra-{date:%Y%m%d}.csv"]
provider = "kibot"
days = 2
workers = "${WORKERS:-4}"
deadline = "1.5h"
columns = {close = "Settle"}
on_failure = ["notify", "--token", "${SLACK_TOKEN:-none}"]

[jobs.plain]
source = "bars.csv"
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("DB_PASSWORD", "DUMPS", "WORKERS", "SLACK_TOKEN", "MDLOAD_WORKERS"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "mdload.toml"
    path.write_text(TEXT)
    return path


def test_values_in_the_program_s_own_terms(file: Path) -> None:
    nightly = job(read(str(file)), "nightly")
    assert nightly["provider"] == "kibot"
    assert nightly["max_rejects"] == "0.1%"
    assert nightly["symbol_map"] == f"{file.parent}/maps/own.csv"
    assert (nightly["days"], nightly["workers"], nightly["deadline"]) == (2, 4, 5400.0)
    assert (nightly["retries"], nightly["retry_wait"], nightly["interval"]) == (3, 10.0, None)
    assert nightly["columns"] == {"close": "Settle"}
    assert nightly["on_failure"] == ("notify", "--token", "none")


def test_sources_for_a_day_lie_beside_the_file_oldest_first(file: Path) -> None:
    nightly = job(read(str(file)), "nightly")
    days = nightly.days(date(2024, 3, 2))
    assert nightly.patterns(days) == {
        f"{file.parent}/dumps/2024-02-29.csv.gz": date(2024, 2, 29),
        "/data/extra-20240301.csv": date(2024, 3, 1),
        f"{file.parent}/dumps/2024-03-01.csv.gz": date(2024, 3, 1),
        "/data/extra-20240302.csv": date(2024, 3, 2),
    }
    assert nightly.days(since=date(2024, 3, 5), until=date(2024, 3, 6)) == [
        date(2024, 3, 5),
        date(2024, 3, 6),
    ]
    plain = job(read(str(file)), "plain")
    assert list(plain.patterns([date(2024, 1, 1), date(2024, 1, 2)])) == [f"{file.parent}/bars.csv"]


def test_who_says_what(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MDLOAD_PUSH_GATEWAY", "http://me:sekret@gate:9091")
    nightly = job(read(str(file)), "nightly", {"retries": "0", "symbol": "1"})
    origins = {name: value.origin for name, value in nightly.values.items()}
    assert origins["retries"] == origins["symbol"] == "--set"
    assert nightly["symbol"] == "1"
    assert origins["push_gateway"] == "environment MDLOAD_PUSH_GATEWAY"
    assert nightly.values["push_gateway"].shown == "http://me:***@gate:9091"
    assert origins["provider"] == f"{file}:11"
    assert origins["max_rejects"] == f"{file}:6"
    assert origins["settle"] == "default"
    monkeypatch.setenv("MDLOAD_WORKERS", "9")
    assert job(read(str(file)), "nightly")["workers"] == 9
    assert job(read(str(file)), "nightly", {"workers": "2"})["workers"] == 2


def test_secrets_are_not_shown(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_TOKEN", "sekret")
    nightly = job(read(str(file)), "nightly", {"healthcheck": "https://hc.test/ping/sekret"})
    assert nightly["on_failure"] == ("notify", "--token", "sekret")
    assert nightly.values["on_failure"].shown == ["notify", "--token", "***"]
    assert nightly.values["healthcheck"].shown == "https://hc.test/***"
    assert "sekret" not in repr(nightly)


def test_a_variable_is_asked_for_only_where_it_is_needed(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = read(str(file))
    assert config.defaults["provider"] == "polygon"
    with pytest.raises(SettingsError, match=r":2: .*DB_PASSWORD is not set"):
        _ = config.database
    monkeypatch.setenv("DB_PASSWORD", "p%40ss")
    assert read(str(file)).database == "postgresql://loader:p%40ss@db/market"


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("a${X}b${X}", "a1b1"),
        ("${Y:-two}/${X:-no}", "two/1"),
        ("${Y:-}", ""),
        ("$X {X} $${X}", "$X {X} ${X}"),
    ],
)
def test_variables(text: str, expanded: str) -> None:
    assert expand({"k": [text]}, {"X": "1"}) == {"k": [expanded]}


@pytest.mark.parametrize("text", ["${Y}", "${1}", "${", "${A B}", "${A-b}"])
def test_variables_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="variable"):
        expand(text, {})


@pytest.mark.parametrize(
    ("text", "line", "message", "hint"),
    [
        ('[databas]\nurl = "x"', 1, "databas is not a setting", "did you mean database?"),
        ("[database]\nurl = 3", 2, "database.url must be text", None),
        ('[defaults]\nprovidr = "x"', 2, "defaults.providr is not a setting",
         "did you mean defaults.provider?"),
        ('[defaults]\nschedule = "x"', 2, "defaults.schedule is not a setting", None),
        ('[jobs.a]\nsource = "x"\n\n# sorce\nsorce = "x"', 5, "jobs.a.sorce is not a setting",
         "did you mean jobs.a.source?"),
        ('[jobs.a]\nsource = "x"\njob_name = "x"', 3, "jobs.a.job_name is not a setting",
         "under the name of its table"),
        ('[jobs.a]\nsource = "x"\nurl = "x"', 3, "jobs.a.url is not a setting", "[database]"),
        ("[jobs.a]\ndays = 1", 1, "jobs.a has no source", "for example"),
        ('[jobs.a]\nsource = "{day}.csv"', 2, "'{day}' in '{day}.csv' is not a date", None),
        ('[jobs.a]\nsource = []', 2, "jobs.a.source must be text, or a list of text", None),
        ('[jobs.a]\nsource = "x"\nworkers = 65', 3, "a whole number from 1 to 64, not 65", None),
        ('[jobs.a]\nsource = "x"\nworkers = true', 3, "from 1 to 64, not True", None),
        ('[jobs.a]\nsource = "x"\noff_grid = "yes"', 3, "must be true or false, not 'yes'", None),
        ('[jobs.a]\nsource = "x"\nmissing = "warm"', 3, "one of fail, warn, ignore", None),
        ('[jobs.a]\nsource = "x"\ndeadline = "2 hours"', 3, "a time such as 30s, 5m or 2h", None),
        ('[jobs.a]\nsource = "x"\nmax_rejects = "few"', 3, "a share such as 0.5%", None),
        ('[jobs.a]\nsource = "x"\nprice_divisor = 30', 3, "a power of ten", None),
        ('[jobs.a]\nsource = "x"\ntimezone_of_date = "Mars/X"', 3, "'Mars/X' is not a time zone",
         None),
        ('[jobs.a]\nsource = "x"\ncolumns = {close = 1}', 3, "must be a table of text", None),
        ('jobs.a.source = "x"\njobs.a.dayz = 1', 2, "jobs.a.dayz is not a setting", "jobs.a.days"),
        ('[jobs."a b"]\nsource = "x"', 1, "'a b' is not a name for a job", None),
        ('[jobs]\na = 1', 2, "jobs.a must be a table", None),
        ('jobs = 1', 1, "jobs must be a table", None),
        ('[jobs.a]\nsource = "x\n', 2, "is not TOML", None),
    ],
)  # fmt: skip
def test_errors_name_the_line(
    tmp_path: Path, text: str, line: int, message: str, hint: str | None
) -> None:
    path = tmp_path / "own.toml"
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        read(str(path))
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert message in str(caught.value)
    assert hint is None or hint in (caught.value.hint or "")


def test_lines_of_keys_in_every_spelling() -> None:
    text = (
        'a.b = 1\n[t]\nlist = [\n  "x",\n  ["y"],\n]\n"k y" = 2\n[t . "s.u"]\n'
        "inline = {deep = 3}\n[[many]]\nz = 1\n"
    )
    assert line_of(text, ("a", "b")) == 1
    assert line_of(text, ("t",)) == 2
    assert line_of(text, ("t", "k y")) == 7
    assert line_of(text, ("t", "s.u", "inline", "deep")) == 9
    assert line_of(text, ("many", "z")) in (10, 11)
    assert line_of(text, ("nowhere",)) == 1


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        read(str(tmp_path / "none.toml"))


def test_an_unknown_job_and_an_unknown_key(file: Path) -> None:
    with pytest.raises(SettingsError, match="there is no job 'nigtly'") as caught:
        job(read(str(file)), "nigtly")
    assert caught.value.hint == "did you mean nightly?"
    with pytest.raises(SettingsError, match="--set dayz: a job has no such key"):
        job(read(str(file)), "nightly", {"dayz": "1"})
    with pytest.raises(SettingsError, match="--set days: must be a whole number"):
        job(read(str(file)), "nightly", {"days": "few"})
