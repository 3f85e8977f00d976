"""The examples of the README and of the main pages, run in their order on one store, with made
files under the names that the pages use. tests/cli/test_nightly_page.py follows docs/nightly.md.
"""

from __future__ import annotations

import gzip
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.conftest import ROOT, Ran
from tests.support.sql import fetch

#: In this order; the files of `place` that no page loads are loaded before the second one.
PAGES = ("README.md", "docs/query.md", "docs/export.md", "docs/rejects.md", "docs/verify.md",
         "docs/coverage.md", "docs/formats.md")  # fmt: skip
BEFORE = (
    "mdload backfill daily.csv --provider polygon --interval 1d --symbol SPY",
    "mdload backfill clock.csv --provider clock --interval 1m --symbol X "
    "--timezone America/New_York --max-rejects 100%",
)
#: The run that loads the sample, which pages call 42 or 12.
RUN = 42
_RUN = re.compile(r"(job-runs inspect|rejects \w+|rollback|--run) (?:42|12)\b")
_FENCE = re.compile(r"^```(sh|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)
#: Lines that need another machine, a terminal, or what a test must not install.
_ELSEWHERE = re.compile(
    r"pip install|python -m pytest|s3://|db\.example\.com|^mdload (migrate|init)|"
    r"^mdload backfill bars\.parquet|^feed-client|_MDLOAD_COMPLETE"
)
#: Of some commands another exit code is the answer: something is missing, or differs.
_CODES = {"mdload gaps --calendar": 6, "mdload reconcile": 6, "mdload verify dumps": 6}
_DAY = datetime(2024, 3, 4, 14, 30, tzinfo=UTC)


def flat(path: Path, symbols: tuple[str, ...], first: datetime, bars: int) -> None:
    """A flat file of Polygon's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    times = [int((first + timedelta(minutes=n)).timestamp()) * 10**9 for n in range(bars)]
    rows = [(symbol, 100, 10.0, 10.5, 11.0, 9.5, ts, 5) for symbol in symbols for ts in times]
    names = ["ticker", "volume", "open", "close", "high", "low", "window_start", "transactions"]
    frame = pl.DataFrame(rows, schema=names, orient="row")
    frame.write_csv(path) if path.suffix == ".csv" else frame.write_parquet(path)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    flat(tmp_path / "dumps/2024/03/2024-03-04.parquet", ("SPY", "QQQ"), _DAY, 30)
    flat(tmp_path / "dumps/2024/2024-03-01.parquet", ("SPY",), _DAY - timedelta(days=3), 30)
    flat(tmp_path / "dumps/2024-03.csv", ("MSFT",), _DAY + timedelta(days=1), 30)
    for name in ("all.parquet", "all-years.parquet"):
        flat(tmp_path / name, ("SPY", "QQQ", "IWM"), _DAY + timedelta(days=2), 30)
    days = [f"{(_DAY + timedelta(days=n)).date()},10,11,9,10.5" for n in range(5)]
    yahoo = ["Date,Open,High,Low,Close,Adj Close,Volume", *(f"{day},10.4,100" for day in days)]
    daily = ["Date,Open,High,Low,Close,Volume", *(f"{day},900" for day in days)]
    rows = [f"{_DAY + timedelta(minutes=n):%Y-%m-%dT%H:%M:%SZ},10,11,9,10,5" for n in range(20)]
    head = "ts,open,high,low,close,volume"
    mine = [f"symbol,{head}", *(f"MINE,{row}" for row in rows)]
    dump = [f"provider,interval,{mine[0]}", *(f"mine,1m,{row}" for row in mine[1:])]
    clock = [head, "2024-11-03 00:30:00,10,11,9,10,5", "2024-11-03 01:30:00,10,11,9,10,5"]
    for name, text in (("SPY.csv", yahoo), ("daily.csv", daily), ("dump.csv", dump),
                       ("clock.csv", clock)):  # fmt: skip
        (tmp_path / name).write_text("\n".join(text) + "\n")
    (tmp_path / "bars.csv.gz").write_bytes(gzip.compress("\n".join(mine).encode()))
    (tmp_path / "report.sql").write_text("SELECT count(*) FROM bars_ohlcv\n")
    return tmp_path


def examples(page: str, language: str) -> Iterator[str]:
    """What of a page can be run: each command of the shell, or each block of Python."""
    for found, block in _FENCE.findall((ROOT / page).read_text(encoding="utf-8")):
        if found == language == "python":
            yield block
        elif found == language:
            for line in block.replace("\\\n", " ").splitlines():
                command = re.sub(r"^pip install \S+ && |\s+#.*", "", line).strip()
                if command and not _ELSEWHERE.search(command):
                    yield command


def run(forked: Callable[..., Ran], place: Path, url: str, line: str) -> Ran:
    """The `mdload` in a line, which is run as a shell does as far as the pages need it: with pipes,
    `>` and `<`."""
    words = shlex.shlex(line, posix=True, punctuation_chars="|<>")
    words.whitespace_split = True
    parts: list[list[str]] = [[]]
    files: dict[str, str] = {}
    for word in words:
        if word == "|":
            parts.append([])
        elif parts[-1] and parts[-1][-1] in ("<", ">"):
            files[parts[-1].pop()] = word
        else:
            parts[-1].append(word)
    at = next(n for n, part in enumerate(parts) if part[0] == "mdload")
    data = (place / files["<"]).read_bytes() if "<" in files else b""
    for before in parts[:at]:
        data = subprocess.run(before, input=data, cwd=place, check=True, capture_output=True).stdout
    ran = forked(*parts[at][1:], env={"MDLOAD_DATABASE_URL": url}, stdin=data, cwd=place)
    for after in parts[at + 1 :]:
        if shutil.which(after[0]):
            subprocess.run(after, input=ran.out.encode(), check=True, capture_output=True)
    return ran


def test_they_can_be_pasted(
    forked: Callable[..., Ran], database_url: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch(database_url, f"ALTER SEQUENCE job_runs_id_seq RESTART {RUN}")
    lines = [(page, line) for page in PAGES for line in examples(page, "sh")]
    second = next(n for n, (page, _) in enumerate(lines) if page == PAGES[1])
    lines[second:second] = [("before", line) for line in BEFORE]
    odd = []
    for page, line in lines:
        ours = _RUN.sub(rf"\1 {RUN}", line).replace("--withdraw 3", "--withdraw 2")
        ran = run(forked, place, database_url, ours)
        if ran.code != next((c for what, c in _CODES.items() if what in line), 0):
            odd.append(f"{page}: {line}: {ran.code}\n{ran.err}")
    assert not odd, "\n".join(odd)
    assert len(lines) > 40

    monkeypatch.chdir(place)
    monkeypatch.setenv("MDLOAD_DATABASE_URL", database_url)
    bars = [{"provider": "here", "symbol": "A", "interval": "1m", "ts": _DAY, "open": 1.0,
             "high": 1.0, "low": 1.0, "close": 1.0, "volume": 1.0}]  # fmt: skip
    names: dict[str, Any] = {"bars": bars, "live_bars": bars}
    names["frame"] = pl.DataFrame(bars).drop("provider", "interval")
    written = [*examples("README.md", "python"), *examples("docs/store-client.md", "python")]
    for block in written[:5]:
        ours = block.replace("datetime(2024, 4, 1, tzinfo=UTC)", "datetime.now(UTC)")
        exec(re.sub(r'"postgresql://\w+@db[^"]*"', repr(database_url), ours), names)
        names["bars"] = bars
    assert fetch(database_url, "SELECT provider, symbol FROM bars_ohlcv WHERE symbol = 'A'") == [
        ("here", "A"), ("mine", "A")
    ]  # fmt: skip
    assert names["store"].__class__.__name__ == "StoreClient"
    assert names["spy"].height == 90
