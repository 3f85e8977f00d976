"""A wrong value of any key is blamed on its file, line and key, whichever command reads it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loader.dialects.own import KEYS
from loader.errors import MdloadError, SettingsError
from loader.jobs.config import job
from loader.jobs.config.keys import DATABASE, DEFAULTS, JOB
from loader.jobs.config.read import parse, read
from loader.jobs.lint import problems
from tests.conftest import Ran

Mdload = Callable[..., Ran]

#: A value of each key that no load can use, as TOML.
WRONG = {
    "source": '"ftp://host/x.csv"',
    "dataset": "3",
    "tenant": "3",
    "provider": '" "',
    "interval": '"7m"',
    "symbol": '" "',
    "dialect": '"nope"',
    "timezone": '"Mars"',
    "time_format": '"yyyy"',
    "stamp": '"middle"',
    "price_divisor": "30",
    "volume_factor": "30",
    "columns": '{clos = "x"}',
    "symbol_convention": '"foo"',
    "symbol_map": '"absent.csv"',
    "keep_skipped": '"yes"',
    "allow_nonpositive_prices": "1",
    "off_grid": '"no"',
    "max_rejects": '"150%"',
    "max_restated": '"150%"',
    "max_gone": "-1",
    "delete_gone": '"yes"',
    "accept": '"shift,everything"',
    "known_at": '"someday"',
    "known_at_from": '"nowhere"',
    "workers": "65",
    "batch_rows": "0",
    "commit_every": "0",
    "recompress": '"yes"',
    "metrics_textfile": '"no/such/folder/m.prom"',
    "push_gateway": '"gopher://x"',
    "job_name": "3",
    "mode": '"fast"',
    "days": "0",
    "timezone_of_date": '"Mars"',
    "missing": '"warm"',
    "calendar": '"NOWHERE"',
    "settle": '"soon"',
    "schedule": '"hourly-ish"',
    "retries": "-1",
    "retry_wait": '"a while"',
    "deadline": '"2 hours"',
    "on_success": '"sh -c \'unbalanced"',
    "on_failure": '"http://"',
    "on_rejects": "[]",
    "where": '"EQ"',
    "name": '"{symbl}.csv"',
    "decimal": '";"',
    "thousands": '"x"',
    "healthcheck": '"gopher://x"',
    "hook_timeout": "-1",
}
#: Of keys of a dialect's table, where the value above is not one.
OF_DIALECTS = {
    "title": "3",
    "containers": '["xls"]',
    "header": '"a"',
    "positions": "[1]",
    "place": '"("',
    "name": '"("',
    "values": '{a = "("}',
    "names": '["("]',
    "left_out": '["a"]',
    "skip": '{a = "("}',
    "short_rows": '"yes"',
    "provider": "3",
    "intervals": '{x = "7m"}',
}


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "mdload.toml"
        path.write_text(text)
        return path

    return write


def found(path: Path) -> list[tuple[int, str]]:
    return [(problem.line, problem.message) for problem in problems(parse(path))]


def test_every_key_has_a_wrong_value_here() -> None:
    assert set(WRONG) == {*JOB, *DEFAULTS}
    assert set(KEYS) <= {*WRONG, *OF_DIALECTS}


@pytest.mark.parametrize("key", JOB)
def test_of_a_job(written: Callable[[str], Path], key: str) -> None:
    source = "" if key == "source" else 'source = "x.csv"'
    path = written(f"[jobs.a]\n{source}\n\n{key} = {WRONG[key]}\n")
    ((line, message),) = found(path)
    assert (line, message.startswith(f"jobs.a.{key}")) == (4, True), message


@pytest.mark.parametrize("key", DEFAULTS)
@pytest.mark.parametrize("jobs", ["", '[jobs.a]\nsource = "x"\n[jobs.b]\nsource = "y"\n'])
def test_of_the_defaults_is_blamed_once(
    written: Callable[[str], Path], key: str, jobs: str
) -> None:
    path = written(f"[defaults]\n\n{key} = {WRONG[key]}\n{jobs}")
    ((line, message),) = found(path)
    assert (line, message.startswith(f"defaults.{key}")) == (3, True), message


@pytest.mark.parametrize("key", KEYS)
def test_of_a_dialect(written: Callable[[str], Path], key: str) -> None:
    wrong = OF_DIALECTS.get(key, WRONG.get(key))
    rest = {"header": '["A"]', "columns": '{ts = "A"}'}
    lines = [f"{name} = {value}" for name, value in rest.items() if name != key]
    path = written("\n".join(["[dialects.own]", f"{key} = {wrong}", *lines]))
    ((line, message),) = found(path)
    assert (line, message.startswith(f"dialects.own.{key}")) == (2, True), message
    with pytest.raises(SettingsError, match=rf"mdload\.toml:2: dialects\.own\.{key} "):
        read(str(path)).check_dialects()


@pytest.mark.parametrize("url", ["3", '"mysql://x/y"', '"host=a@b"', "'postgresql://a:b@c@d/e'"])
def test_of_the_database(written: Callable[[str], Path], url: str) -> None:
    path = written(f"[database]\n\nurl = {url}\n")
    ((line, message),) = found(path)
    assert (line, message.startswith("database.url ")) == (3, True), message
    with pytest.raises(SettingsError, match=r"mdload\.toml:3: database\.url "):
        _ = read(str(path)).database


def test_several_at_once_are_each_told(written: Callable[[str], Path]) -> None:
    keys = ("symbol_convention", "timezone", "dialect", "push_gateway", "max_rejects")
    path = written("\n".join(["[defaults]", *(f"{key} = {WRONG[key]}" for key in keys)]))
    assert [line for line, _ in found(path)] == [2, 3, 4, 5, 6]


def test_options_are_checked_although_a_dialect_s_table_is_wrong(
    written: Callable[[str], Path],
) -> None:
    path = written(
        '[dialects.own]\nheadr = ["A"]\nstamp = "middle"\n'
        '[jobs.a]\nsource = "x"\ndialect = "own"\ntimezone = "Mars"\n'
    )
    assert [line for line, _ in found(path)] == [2, 3, 7]


CHECKED_BY_MEANING: list[Any] = [
    "dialect", "symbol_convention", "interval", "timezone", "time_format", "columns", "symbol_map",
    "max_rejects", "provider", "symbol",
]  # fmt: skip


@pytest.mark.parametrize("key", CHECKED_BY_MEANING)
def test_what_a_job_s_load_finds_wrong(written: Callable[[str], Path], key: str) -> None:
    """Each as `mdload run` and `mdload config show` read it."""
    from loader.check.file import check_settings

    path = written(f'[defaults]\n\n{key} = {WRONG[key]}\n[jobs.a]\nsource = "x"\n')
    config = read(str(path))
    chosen = job(config, "a")
    with pytest.raises(MdloadError) as caught:  # noqa: PT012 - whichever of the two finds it
        try:
            check_settings(chosen.settings())
        except MdloadError as error:
            raise chosen.blamed(error) from error
    assert str(caught.value).startswith(f"{path}:3: defaults.{key}")
    typed = job(read(str(written('[jobs.a]\nsource = "x"\n'))), "a", {"timezone": "Mars"})
    with pytest.raises(SettingsError) as raised:
        check_settings(typed.settings())
    assert str(typed.blamed(raised.value)) == "--set: jobs.a.timezone 'Mars' is not a time zone"


@pytest.mark.parametrize("key", ["dialect", "symbol_convention", "max_rejects", "push_gateway"])
def test_backfill_blames_the_file(
    forked: Mdload, written: Callable[[str], Path], database_url: str, key: str
) -> None:
    written(f"[defaults]\n\n{key} = {WRONG[key]}\n")
    ran = forked("--database", database_url, "backfill", "x.csv")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"error: mdload.toml:3: defaults.{key}")


def test_what_is_typed_is_blamed_by_the_option_and_not_on_the_file(
    forked: Mdload, written: Callable[[str], Path]
) -> None:
    written('[defaults]\nsymbol_convention = "foo"\n')
    ran = forked("inspect", "x.csv", "--symbol-convention", "bar")
    assert ran.err.startswith("error: --symbol-convention 'bar' is not a symbol convention")
    assert forked("inspect", "x.csv").err.startswith(
        "error: mdload.toml:2: defaults.symbol_convention 'foo' is not a symbol convention"
    )


def test_a_variable_of_the_environment_is_blamed_by_its_name(
    forked: Mdload, database_url: str
) -> None:
    ran = forked(
        "--database", database_url, "backfill", "x.csv", env={"MDLOAD_PUSH_GATEWAY": "gopher://x"}
    )
    assert ran.code == 2
    assert ran.err.startswith("error: MDLOAD_PUSH_GATEWAY is not the URL of a Pushgateway")


def test_run_blames_the_file(
    forked: Mdload, written: Callable[[str], Path], database_url: str
) -> None:
    job_of = '[jobs.a]\nsource = "x.csv"\n'
    for table, place in (
        (f'{job_of}dialect = "nope"\n', "3: jobs.a.dialect"),
        (f'{job_of}push_gateway = "gopher://x"\n', "3: jobs.a.push_gateway"),
        (f'{job_of}[dialects.own]\nstamp = "middle"\n', "4: dialects.own.stamp"),
        ('[jobs.a]\nsource = "ftp://host/x.csv"\n', "2: jobs.a.source"),
    ):
        written(table)
        ran = forked("--database", database_url, "run", "a")
        assert (ran.code, f"error: mdload.toml:{place}" in ran.err) == (2, True), ran.err


def test_the_keys_of_the_database() -> None:
    assert list(DATABASE) == ["url"]
