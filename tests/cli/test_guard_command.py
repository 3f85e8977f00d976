"""What the command line says of the guard: the result, a dry run, job-runs inspect, mdload.toml."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.conftest import Ran

Mdload = Callable[..., Ran]
HEAD = "symbol,ts,open,high,low,close,volume\n"


def csv(path: Path, *, hour: int = 9, scale: int = 1) -> Path:
    """Thirty minutes of ALFA, each with prices of its own."""
    lines = [
        f"ALFA,2024-03-04T{hour:02}:{n:02}:00Z,{(100 + n) * scale},{(101 + n * 2) * scale},"
        f"{(90 + n) * scale},{(95 + n) * scale},{1000 + n}\n"
        for n in range(30)
    ]
    path.write_text(HEAD + "".join(lines))
    return path


def test_a_refused_file_in_words_and_in_json(
    forked: Mdload, database_url: str, tmp_path: Path
) -> None:
    asked = ("--database", database_url, "backfill", "--provider", "p", "--interval", "1m")
    assert forked(*asked, csv(tmp_path / "a.csv")).code == 0
    cents = csv(tmp_path / "b.csv", scale=100)
    text = (
        "30 bars of ALFA 1m changed by one factor 100 from 2024-03-04 to 2024-03-04: looks like "
        "another unit of prices"
    )
    dry = forked(*asked, cents, "--dry-run")
    assert dry.code == 4
    assert "history  had it been loaded: 30 stored bars changed" in dry.out
    assert "without --dry-run" not in dry.out
    looked = ("--database", database_url, "inspect", "--provider", "p", "--interval", "1m", cents)
    seen = forked(*looked, "--compare")
    assert seen.code == 4
    assert "a load would refuse the file" in seen.out
    assert f"{text}; nothing of the file was merged" in seen.err
    seen = forked(*looked, "--compare", "--json")
    assert (seen.code, seen.json()["load"]["state"]) == (4, "refused")
    assert seen.json()["error"] == seen.json()["load"]["error"]
    assert forked(*looked, "--json").json()["load"] is None
    assert forked(*looked, "--compare", "--emit").code == 2
    refused = forked(*asked, cents, "--json")
    told = refused.json()
    assert (refused.code, told["bars_changed"], told["rows_updated"]) == (4, 30, 0)
    assert [(f["path"], f["kind"], f["action"], f["text"]) for f in told["findings"]] == [
        (str(cents), "price_scale", "refused", text)
    ]
    assert f"{text}; nothing of the file was merged" in refused.err
    assert "--price-divisor; or, if it is right: --accept price_scale" in refused.err
    inspected = forked(
        "--database", database_url, "job-runs", "inspect", str(told["run_id"])
    )  # fmt: skip
    assert text in inspected.out
    assert "had it been loaded: 30 stored bars changed" in inspected.out
    in_words = forked(*asked, cents).out
    assert "next: mdload job-runs inspect" in in_words
    assert "history  had it been loaded: 30 stored bars changed" in in_words
    assert "rejects show" not in in_words  # no row broke a rule: that would show nothing
    (tmp_path / "mdload.toml").write_text('[defaults]\naccept = "price_scale"\n')
    seen = forked(*looked, "--compare")
    assert (seen.code, seen.err) == (0, "")
    assert "a load would insert 0 bars and update 30; unchanged: 0" in seen.out
    accepted = forked(*asked, cents)
    assert accepted.code == 0
    assert "history  30 stored bars changed" in accepted.out
    assert f"{text} (--accept price_scale)" in accepted.err
