"""A vendor's nights: a good file, a bad one, the good one again, as CSV."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from tests.conftest import Ran
from tests.support.sql import fetch

Bar = tuple[str, float]
GOOD: Mapping[str, Bar] = {
    "14:30": ("AAPL", 187.5),
    "14:31": ("AAPL", 187.75),
    "14:32": ("AAPL", 188.0),
}
BAD: Mapping[str, Bar] = {**GOOD, "14:30": ("AAPL", 18.75), "14:33": ("AAPL", 18.8)}


def csv(path: Path, bars: Mapping[str, Bar]) -> Path:
    """Minute bars of 2024-01-02, by their time."""
    lines = ["symbol,ts,open,high,low,close,volume"]
    lines += [
        f"{symbol},2024-01-02T{time}:00Z,{price},{price},{price},{price},100"
        for time, (symbol, price) in bars.items()
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


class Nights:
    """Loads bars night by night through the real executable."""

    def __init__(self, mdload: Callable[..., Ran], url: str, place: Path) -> None:
        self._mdload = mdload
        self.url = url
        self.place = place
        self._night = 0

    def run(self, *args: str | Path, code: int = 0) -> Ran:
        ran = self._mdload("--database", self.url, *args)
        assert ran.code == code, (args, ran)
        return ran

    def load(self, bars: Mapping[str, Bar], *args: str, path: Path | None = None) -> int:
        """The run that loaded them."""
        self._night += 1
        file = csv(path or self.place / f"night{self._night}.csv", bars)
        ran = self.run("backfill", file, "--provider", "v", "--interval", "1m", "--json", *args)
        run_id: int = ran.json()["run_id"]
        return run_id

    def closes(self, where: str = "bars_ohlcv") -> dict[str, Bar]:
        rows = fetch(self.url, f"SELECT to_char(ts, 'HH24:MI'), symbol, close FROM {where}")
        return {time: (symbol, close) for time, symbol, close in rows}
