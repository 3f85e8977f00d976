"""Rejected rows are found again, taken along, and loaded after a fix."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from loader.client import StoreClient
from tests.conftest import Ran
from tests.support.candles import Candle
from tests.support.sql import fetch
from tests.support.terminal import on_terminal

Run = Callable[..., Ran]
HEAD = "symbol,ts,open,high,low,close,volume"
CLOSES = "SELECT symbol, to_char(ts, 'YYYY-MM-DD HH24:MI'), close FROM bars_ohlcv ORDER BY 1, 2"
STATES = "SELECT row_number, state FROM bars_rejects() ORDER BY run_id, row_number"


@pytest.fixture
def run(forked: Run, database_url: str) -> Run:
    def run(*args: str | Path, code: int = 0) -> Ran:
        ran = forked("--database", database_url, *args)
        assert ran.code == code, (args, ran)
        return ran

    return run


def written(path: Path, *rows: str, head: str = HEAD) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join((head, *rows)) + "\n")
    return path


def loaded(run: Run, path: Path, *args: str, code: int = 0) -> int:
    given = ("--provider", "v", "--max-rejects", "100%", *args)
    run_id: int = run("backfill", path, "--json", *given, code=code).json()["run_id"]
    return run_id


#: Rows 2 and 4 are wrong: high and low are the other way round, and the close is above the high.
MIXED = (
    "AAA,2024-01-02T14:30:00Z,10,11,9,10.5,100",
    "AAA,2024-01-02T14:31:00Z,10,9,11,10.25,100",
    "AAA,2024-01-02T14:32:00Z,10,11,9,10.75,100",
    "BBB,2024-01-02T14:30:00Z,20,21,19,22,7",
)


def test_a_run_that_does_not_exist(run: Run) -> None:
    for command in ("show", "list"):
        ran = run("rejects", command, "99999", code=2)
        assert "there is no job run 99999" in ran.err


def test_rejects_are_counted_by_rule_and_shown_with_their_text(run: Run, tmp_path: Path) -> None:
    first = loaded(run, written(tmp_path / "a.csv", *MIXED), "--interval", "1m")
    found = run("rejects", "list", "--json").json()
    assert [(r["run_id"], r["rule"], r["rows"], r["waiting"]) for r in found] == [
        (first, "close_outside_range", 2, 2),
        (first, "high_below_low", 1, 1),
        (first, "open_outside_range", 1, 1),
    ]
    assert found[0]["path"].endswith("a.csv")
    shown = run("rejects", "show", str(first), "--rule", "high_below_low", "--json").json()
    assert [(row["row_number"], row["rules"], row["raw"]["high"]) for row in shown] == [
        (2, ["high_below_low", "open_outside_range", "close_outside_range"], "9")
    ]
    assert [shown[0][name] for name in ("provider", "symbol", "interval", "ts", "state")] == [
        "v", "AAA", "1m", "2024-01-02T14:31:00Z", "waiting",
    ]  # fmt: skip
    few = run("rejects", "show", str(first), "--limit", "1").out
    assert few.endswith("and more than this row: --limit N, or mdload rejects export\n")
    told = run("rejects", "show", str(first)).out
    assert "symbol=AAA" in told
    assert "close=10.25" in told
    listed = run("rejects", "list").out
    assert f"mdload rejects replay {first} --dry-run" in listed
    assert "no rejected rows" in run("rejects", "list", "--rule", "volume_negative").err
    assert "high_below_low" in run("rejects", "list", "--rule", "high_below_lo", code=2).err


def test_a_replay_with_the_columns_put_right(run: Run, tmp_path: Path, database_url: str) -> None:
    path = written(tmp_path / "a.csv", *MIXED)
    first = loaded(run, path, "--interval", "1m")
    path.unlink()
    fix = ("--column", "high=low", "--column", "low=high")
    looked = run("rejects", "replay", str(first), *fix, "--dry-run")
    assert "1 of 2 rejected rows would get in" in looked.out
    assert "To load it, run the same command without --dry-run." in looked.out
    vain = run("rejects", "replay", str(first), "--dry-run")
    assert "without --dry-run" not in vain.out
    assert "Nothing would be loaded: every row would be rejected." in vain.out
    assert fetch(database_url, STATES) == [(2, "waiting"), (4, "waiting")]
    again = run("rejects", "replay", str(first), *fix, "--json").json()
    assert (again["rows_read"], again["rows_inserted"], again["rows_failed"]) == (2, 1, 1)
    assert (again["replayed"], again["lines"]) == (1, 0)
    assert fetch(database_url, CLOSES) == [
        ("AAA", "2024-01-02 14:30", 10.5), ("AAA", "2024-01-02 14:31", 10.25),
        ("AAA", "2024-01-02 14:32", 10.75),
    ]  # fmt: skip
    assert fetch(database_url, "SELECT row_number, replayed_by FROM bars_rejected ORDER BY 1") == [
        (2, again["run_id"]), (4, None),
    ]  # fmt: skip
    about = run("job-runs", "inspect", str(again["run_id"]), "--json").json()
    assert (about["job_name"], about["metadata"]["replays"]) == ("replay", [first])
    rest = run("rejects", "replay", "--allow", "close_outside_range", "--json").json()
    assert (rest["rows_inserted"], rest["replayed"]) == (1, 1)
    assert fetch(database_url, CLOSES)[-1] == ("BBB", "2024-01-02 14:30", 22.0)
    assert "no rejected rows wait" in run("rejects", "replay", str(first), code=2).err
    assert run("rejects", "list").out.endswith(f"next: mdload rejects show {first}\n")


def test_a_replay_deletes_no_bar_that_its_rows_are_not(
    run: Run, tmp_path: Path, database_url: str
) -> None:
    """Rejected rows are some of their file, whatever one asks of bars that are gone."""
    minutes = [f"AAA,2024-01-02T14:{30 + n}:00Z,10,11,9,10.5,100" for n in range(20)]
    for n in (3, 17):
        minutes[n] = minutes[n].replace("11,9", "9,11")
    first = loaded(run, written(tmp_path / "a.csv", *minutes), "--interval", "1m")
    config = tmp_path / "mdload.toml"
    config.write_text("[defaults]\ndelete_gone = true\nmax_gone = 0\n")
    ran = run("--config", str(config), "rejects", "replay", str(first), "--column", "high=low",
              "--column", "low=high", "--json")  # fmt: skip
    told = ran.json()
    assert (told["rows_inserted"], told["bars_gone"], told["findings"]) == (2, 0, [])
    assert fetch(database_url, "SELECT count(*), count(DISTINCT ts) FROM bars_ohlcv") == [(20, 20)]


def test_a_rollback_of_a_replay_lets_the_rows_wait_again(
    run: Run, tmp_path: Path, database_url: str
) -> None:
    first = loaded(run, written(tmp_path / "a.csv", *MIXED), "--interval", "1m")
    allow = ("--allow", "close_outside_range")
    again = run("rejects", "replay", str(first), *allow, "--json").json()
    assert fetch(database_url, STATES) == [(2, "waiting"), (4, "replayed")]
    run("rollback", str(again["run_id"]), "--yes")
    assert fetch(database_url, STATES) == [(2, "waiting"), (4, "waiting")]


def test_a_bar_that_came_good_later_supersedes_its_reject(
    run: Run, tmp_path: Path, database_url: str
) -> None:
    loaded(run, written(tmp_path / "a.csv", *MIXED), "--interval", "1m")
    good = written(tmp_path / "b.csv", "AAA,2024-01-02T14:31:00Z,10,11,9,10.25,100")
    later = loaded(run, good, "--interval", "1m")
    shown = run("rejects", "list", "--json", "--rule", "high_below_low").json()
    assert [(row["waiting"], row["superseded"]) for row in shown] == [(0, 1)]
    by = "SELECT row_number, superseded_by FROM bars_rejects() ORDER BY 1"
    assert fetch(database_url, by) == [(2, later), (4, None)]
    run("rollback", str(later), "--yes")
    assert fetch(database_url, STATES) == [(2, "waiting"), (4, "waiting")]


def test_the_day_stays_first_where_the_rejected_rows_alone_do_not_show_it(
    run: Run, tmp_path: Path, database_url: str
) -> None:
    """The file shows by 13/02 that the day comes first; the rejected row would fit both."""
    rows = ("13/02/2024,10,11,9,10.5,1", "03/04/2024,10,9,11,10.5,1", "05/04/2024,10,11,9,10.5,1")
    path = written(tmp_path / "AAA.csv", *rows, head="Date,Open,High,Low,Close,Volume")
    options = ("--interval", "1d", "--symbol", "AAA")
    loaded(run, path, *options)
    fix = ("--column", "high=Low", "--column", "low=High", "--json")
    refused = run("rejects", "replay", *fix, code=3)
    assert "--time-format" in refused.json()["files"][0]["hint"]
    run("rejects", "replay", *fix, "--time-format", "%d/%m/%Y")
    assert fetch(database_url, CLOSES)[1] == ("AAA", "2024-04-03 00:00", 10.5)


def test_an_interval_that_the_file_showed_is_kept(
    run: Run, tmp_path: Path, database_url: str
) -> None:
    rows = [f"AAA,2024-01-02T14:{minute:02}:00Z,10,11,9,10.5,1" for minute in range(0, 50, 5)]
    rows[3] = rows[3].replace("10,11,9", "10,9,11")
    loaded(run, written(tmp_path / "a.csv", *rows))
    fix = ("--column", "high=low", "--column", "low=high")
    run("rejects", "replay", *fix)
    assert fetch(database_url, 'SELECT DISTINCT "interval" FROM bars_ohlcv') == [("5m",)]
    assert len(fetch(database_url, CLOSES)) == 10


def test_local_times_that_were_shown_twice_are_read_with_another_zone(
    run: Run, tmp_path: Path, database_url: str
) -> None:
    """01:30 of 2024-11-03 was shown twice in New York; the file was really UTC-5 all year."""
    rows = ("2024-11-03 01:30:00,10,11,9,10.5,1", "2024-11-03 12:00:00,10,11,9,10.5,1")
    path = written(tmp_path / "AAA.csv", *rows, head="ts,open,high,low,close,volume")
    options = ("--interval", "30m", "--symbol", "AAA", "--timezone", "America/New_York")
    loaded(run, path, *options)
    run("rejects", "replay", "--rule", "ts_ambiguous", "--timezone", "UTC-5")
    assert fetch(database_url, CLOSES) == [
        ("AAA", "2024-11-03 06:30", 10.5), ("AAA", "2024-11-03 17:00", 10.5),
    ]  # fmt: skip


def test_rows_of_a_vendor_are_replayed_as_its_dialect(
    run: Run, tmp_path: Path, database_url: str
) -> None:
    """Binance's files have no header; the symbol and the interval are in the name."""
    start = 1_704_067_200_000
    lines = [
        f"{start + n * 60_000},10,{high},9,10.5,100,{start + n * 60_000 + 59_999},1000,5,50,500,0"
        for n, high in enumerate([11, 8, 11])
    ]
    path = tmp_path / "BTCUSDT-1m-2024-01-01.csv"
    path.write_text("\n".join(lines) + "\n")
    run("backfill", path, "--max-rejects", "100%")
    stored = fetch(database_url, 'SELECT DISTINCT provider, symbol, "interval" FROM bars_ohlcv')
    allow = [f"--allow={rule}" for rule in
             ("high_below_low", "open_outside_range", "close_outside_range")]  # fmt: skip
    again = run("rejects", "replay", *allow, "--json").json()
    assert again["replayed"] == 1
    assert fetch(database_url, "SELECT count(*) FROM bars_ohlcv") == [(3,)]
    both = fetch(database_url, 'SELECT DISTINCT provider, symbol, "interval" FROM bars_ohlcv')
    assert both == stored
    assert fetch(database_url, CLOSES)[1] == ("BTCUSDT", "2024-01-01 00:01", 10.5)


def test_rejects_are_taken_along_and_come_back_corrected(
    run: Run, tmp_path: Path, database_url: str
) -> None:
    first = loaded(run, written(tmp_path / "a.csv", *MIXED), "--interval", "1m")
    run("rejects", "export", str(first), "--to", "all.csv")
    frame = pl.read_csv(tmp_path / "all.csv")
    assert frame["row"].to_list() == [2, 4]
    assert json.loads(frame["raw"][0])["high"] == "9"
    run("rejects", "export", "--to", "all.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text().splitlines()]
    assert [line["rules"] for line in lines][1] == ["close_outside_range"]
    run("rejects", "export", "--to", "all.parquet")
    assert pl.read_parquet(tmp_path / "all.parquet")["state"].to_list() == ["waiting"] * 2
    run("rejects", "export", "--own-columns", "--to", "fix.csv")
    fix = tmp_path / "fix.csv"
    assert pl.read_csv(fix).height == 2
    fix.write_text(fix.read_text().replace("22", "20.5").replace("11,9,", "9,11,"))
    loaded(run, fix, "--interval", "1m")
    assert fetch(database_url, STATES) == [(2, "superseded"), (4, "superseded")]
    assert "neither .csv nor" in run("rejects", "export", "--to", "all.txt", code=2).err


def test_a_row_that_cannot_be_read_by_cells_is_named(run: Run, tmp_path: Path) -> None:
    first = loaded(run, written(tmp_path / "a.csv", *MIXED, "AAA,1,2"), "--interval", "1m")
    done = run("rejects", "replay", str(first), "--allow", "close_outside_range")
    assert "1 row cannot be read by cells" in done.out
    assert "row_too_short" in run("rejects", "list", "--state", "waiting").out


def test_a_reject_keeps_the_start_of_a_long_cell(
    run: Run, tmp_path: Path, database_url: str
) -> None:
    """What is replayed is right, or rejected again: no bar is made of half a cell."""
    rows = [f"{'S' * 20_000},2024-01-02T14:30:00Z,10,11,9,10.5,1,x"] * 1000
    rows.append(f"AAA,2024-01-02T14:31:00Z,10,9,11,10.25,100,{'n' * 20_000}")
    path = written(tmp_path / "a.csv", *rows, head=f"{HEAD},note")
    run_id = loaded(run, path, "--interval", "1m")
    size = "SELECT pg_total_relation_size('bars_rejected') < 2000000"
    assert fetch(database_url, size) == [(True,)]
    shown = json.loads(run("rejects", "show", str(run_id), "--json").out)
    assert shown[0]["raw"]["symbol"] == "S" * 1000 + "␛… 19000 more characters"
    assert shown[0]["rules"] == ["key_too_long"]
    again = ("rejects", "replay", str(run_id), "--column", "high=low", "--column", "low=high")
    replayed = run(*again, "--json", "--max-rejects", "100%").json()
    assert (replayed["rows_inserted"], replayed["rows_failed"]) == (1, 1000)
    assert fetch(database_url, "SELECT symbol, high, low FROM bars_ohlcv") == [("AAA", 11.0, 9.0)]


def test_hostile_text_does_not_reach_the_terminal(run: Run, tmp_path: Path) -> None:
    row = "\u202eA,2024-01-02T14:30:00Z,10,9,11,10.5,100"
    first = loaded(run, written(tmp_path / "a.csv", MIXED[0], row), "--interval", "1m")
    for args in (("show", str(first)), ("list",), ("show", str(first), "--json")):
        ran = run("rejects", *args)
        assert "\u202e" not in ran.out + ran.err
    assert "\\u202e" in run("rejects", "show", str(first)).out


def test_a_refused_file_leads_to_its_rejects(run: Run, tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", *MIXED)
    given = (path, "--provider", "v", "--interval", "1m")
    looked = run("inspect", *given, code=4)
    assert "2 of 4 rows would be rejected" in looked.err
    assert "a load will refuse the file" in looked.err
    assert run("inspect", *given, "--max-rejects", "50%").err == ""
    dry = run("backfill", *given, "--dry-run", code=4)
    assert "without --dry-run" not in dry.out
    assert "Nothing would be loaded" in dry.out
    assert f"see them: mdload inspect {path}" in dry.err
    refused = run("backfill", *given, code=4)
    assert "see them: mdload rejects show 1;" in refused.err
    assert "mdload rejects show 1" in refused.out
    assert "high_below_low" in run("rejects", "show", "1").out


def test_rows_of_a_program_are_replayed(run: Run, database_url: str) -> None:
    with StoreClient(database_url) as client:
        client.write_bars([Candle(high=1.0), Candle()])
    assert fetch(database_url, STATES) == [(1, "superseded")]
    fetch(database_url, "DELETE FROM bars_ohlcv")
    allow = [f"--allow={rule}" for rule in
             ("high_below_low", "open_outside_range", "close_outside_range")]  # fmt: skip
    done = run("rejects", "replay", *allow, "--json").json()
    assert done["replayed"] == 1
    assert fetch(database_url, "SELECT high FROM bars_ohlcv") == [(1.0,)]


def test_a_symbol_map_is_asked_for_again(run: Run, tmp_path: Path, database_url: str) -> None:
    (tmp_path / "map.csv").write_text("from,to\nAAA,ALFA\n")
    given = ("--interval", "1m", "--symbol-map", "map.csv")
    loaded(run, written(tmp_path / "a.csv", *MIXED), *given)
    allow = ("--allow", "close_outside_range")
    refused = run("rejects", "replay", *allow, code=2)
    assert "--symbol-map" in refused.err
    fix = ("--column", "high=low", "--column", "low=high")
    run("rejects", "replay", *fix, "--symbol-map", "map.csv")
    assert fetch(database_url, "SELECT DISTINCT symbol FROM bars_ohlcv") == [("ALFA",)]


def test_the_state_of_rejects_is_that_of_a_slow_look(
    run: Run, tmp_path: Path, database_url: str
) -> None:
    """Many files, of which later ones bring some of the bars that earlier ones lacked."""
    dice = random.Random(11)
    stored: set[tuple[str, int]] = set()
    waiting: list[tuple[str, int]] = []
    for n in range(4):
        rows, bad, good = [], [], set()
        for symbol in ("AAA", "BBB"):
            for minute in sorted(dice.sample(range(30), 12)):
                wrong = dice.random() < 0.4
                prices = "10,9,11,10.5" if wrong else "10,11,9,10.5"
                rows.append(f"{symbol},2024-01-02T14:{minute:02}:00Z,{prices},{n}")
                if wrong:
                    bad.append((symbol, minute))
                else:
                    good.add((symbol, minute))
        loaded(run, written(tmp_path / f"{n}.csv", *rows), "--interval", "1m")
        waiting = [key for key in waiting if key not in good] + bad
        stored |= good
    found = fetch(
        database_url,
        "SELECT symbol, CAST(extract(minute FROM ts) AS int) FROM bars_rejects()"
        " WHERE state = 'waiting' ORDER BY 1, 2",
    )
    assert found == sorted(waiting)
    run("rejects", "replay", "--column", "high=low", "--column", "low=high")
    keys = "SELECT symbol, CAST(extract(minute FROM ts) AS int) FROM bars_ohlcv"
    assert set(fetch(database_url, keys)) == stored | set(waiting)
    assert fetch(database_url, "SELECT count(*) FROM bars_rejects() WHERE state = 'waiting'") == [
        (0,)
    ]


def test_old_rejects_are_pruned(run: Run, tmp_path: Path, database_url: str) -> None:
    loaded(run, written(tmp_path / "a.csv", *MIXED), "--interval", "1m")
    fetch(database_url, "UPDATE bars_rejected SET created_at = now() - interval '40 days'"
                        " WHERE row_number = 2")  # fmt: skip
    looked = run("prune", "--rejects-days", "30", "--dry-run")
    assert looked.out == "1 rejected row would go, of which 1 still wait\n"
    none = run("prune", "--rejects-days", "50", "--dry-run")
    assert none.out == "0 rejected rows would go, of which 0 still wait\n"
    assert fetch(database_url, "SELECT count(*) FROM bars_rejected") == [(2,)]
    run("prune", "--rejects-days", "30", "--yes")
    assert fetch(database_url, "SELECT row_number FROM bars_rejected") == [(4,)]


def test_the_progress_of_a_replay_ends_before_its_result(
    run: Run, home: Path, database_url: str, tmp_path: Path
) -> None:
    first = loaded(run, written(tmp_path / "a.csv", *MIXED), "--interval", "1m")
    shown = on_terminal(home, tmp_path, "--database", database_url, "rejects", "replay", str(first),
                        "--allow", "high_below_low", "--dry-run", columns=60)  # fmt: skip
    assert shown.code == 0, shown.text
    assert "Dry run: nothing was written" in shown.end
    assert any(line.split()[1:2] == ["state"] for line in shown.end)
    assert not any("elapsed" in line for line in shown.end)
