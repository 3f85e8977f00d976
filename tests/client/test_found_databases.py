"""`StoreClient()` and `load()` without an address find the database that the command uses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import loader
from loader.errors import ColumnMismatch, NoDatabase, SettingsError
from tests.conftest import Ran, environment
from tests.support.sql import fetch

Mdload = Callable[..., Ran]
BARS = "ts,symbol,open,high,low,close\n" + "".join(
    f"2024-02-{day:02},A,1,2,1,2\n" for day in range(1, 6)
)
HOW = ("--provider", "p", "--interval", "1d")
SYMBOLS = "import loader\nwith loader.StoreClient() as store: print(store.symbols())"


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    (tmp_path / "bars.csv").write_text(BARS)
    return tmp_path / "bars.csv"


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, home: Path, tmp_path: Path) -> None:
    """No database is named in this process, and its working directory is the test's."""
    for name in [*os.environ]:
        if name.startswith(("PG", "MDLOAD_", "DATABASE_URL")) and name != "MDLOAD_PG_BIN":
            monkeypatch.delenv(name)
    monkeypatch.setenv("MDLOAD_HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "no-config"))
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize("way", ["MDLOAD_DATABASE_URL", "DATABASE_URL", "here", "MDLOAD_CONFIG"])
def test_the_environment_and_the_configuration_name_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_url: str, bars: Path, way: str
) -> None:
    if way.endswith("URL"):
        monkeypatch.setenv(way, database_url)
    else:
        name = "mdload.toml" if way == "here" else "other.toml"
        (tmp_path / name).write_text('[database]\nurl = "${THE_URL}"\n')
        if way == "MDLOAD_CONFIG":
            monkeypatch.setenv(way, str(tmp_path / name))
        with pytest.raises(SettingsError, match="THE_URL is not set"), loader.StoreClient():
            pass
        monkeypatch.setenv("THE_URL", database_url)
    result = loader.load("bars.csv", provider="p", interval="1d")
    assert (result.status, result.counts.inserted) == ("success", 5)
    with loader.StoreClient() as store:
        assert store.symbols() == ["A"]
        assert store.read_bars("p", "A", "1d").height == 5
    assert fetch(database_url, "SELECT count(*) FROM bars_ohlcv") == [(5,)]


@pytest.mark.usefixtures("nowhere")
def test_without_any_a_client_says_what_to_pass(home: Path) -> None:
    with pytest.raises(NoDatabase) as raised, loader.StoreClient():
        pass
    assert raised.value.__notes__ == [
        "pass its URL, or set MDLOAD_DATABASE_URL; mdload backfill FILE makes the embedded one"
    ]
    assert not list(home.glob("pg*"))


def test_the_embedded_server_runs_while_a_client_uses_it(
    mdload: Mdload, warm: Path, bars: Path
) -> None:
    """`load` makes its tables; a client that is never closed does not leave the server running."""
    load = (
        'import loader; r = loader.load("bars.csv", provider="p", interval="1d"); print(r.status)'
    )
    never_closed = "import loader; print(loader.StoreClient().symbols())"
    for code, printed in ((load, "success"), (SYMBOLS, "['A']"), (never_closed, "['A']")):
        ran = subprocess.run(
            [sys.executable, "-c", code], cwd=bars.parent, env=environment(warm),
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert (ran.stdout.strip(), ran.stderr) == (printed, "")
        assert json.loads(mdload("db", "status", "--json").out)["running"] is False


def test_load_is_the_twin_of_the_command(
    mdload: Mdload, database_url: str, bars: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bars.write_text(BARS + "2024-02-06,A,1,0.5,1,2\n")
    told = mdload("--database", database_url, "backfill", bars, *HOW, "--max-rejects", "1",
                  "--dry-run", "--json").json()  # fmt: skip
    events: list[object] = []
    done = loader.load(
        bars, database_url, provider="p", interval="1d", max_rejects="1", dry_run=True,
        listeners=[events.append],
    )  # fmt: skip
    assert capfd.readouterr() == ("", "")
    [file], [other] = done.files, told["files"]
    assert done.counts.as_columns() == {name: told[name] for name in done.counts.as_columns()}
    assert [note.text for note in file.notes] == other["notes"]
    assert (dict(file.rejected), file.state) == (other["rejected"], other["state"])
    assert [type(event).__name__ for event in events][:2] == ["RunStarted", "FileStarted"]


def test_wrong_arguments_of_load(database_url: str, bars: Path) -> None:
    with pytest.raises(TypeError, match="no option 'providr'; did you mean provider"):
        loader.load(bars, database_url, providr="p")
    with pytest.raises(TypeError, match="no option 'push_gateway'"):
        loader.load(bars, database_url, push_gateway="http://x")
    with pytest.raises(TypeError, match="settings or options"):
        loader.load(bars, database_url, loader.Settings(), provider="p")
    with pytest.raises(SettingsError, match="it must be a whole number"):
        loader.load(bars, database_url, workers="many")
    with loader.StoreClient(database_url) as store, pytest.raises(ColumnMismatch) as raised:
        store.write_frame({"ts": [], "open": []}, provider="p", symbol="A", interval="1d")
    assert all("--" not in note for note in raised.value.__notes__)
