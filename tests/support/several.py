"""Small files of several series: tables of some kinds, with oddities in one of their series; and
their checks both ways, each file by itself and by what another one has shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import polars as pl
from hypothesis import strategies as st

from loader.ingest.run import LoadRun
from loader.ingest.run.hashed import hashed
from loader.ingest.run.small import checked
from loader.ingest.run.small.checked import Checked
from loader.ingest.run.small.patterns import Shown
from loader.read.sources import find
from loader.settings import Settings
from tests.support.both_ways import at, symbol

NEW_YORK: Final = "America/New_York"
PRICES: Final = ("open", "high", "low", "close")
_WORDS: Final = {60: "1m", 300: "5m", 1800: "30m", 3600: "1h", 86_400: "1d"}
#: Where series begin: openings, their second bars, nights, a Friday, a summer's morning.
_BEGIN: Final = tuple(
    datetime(2024, *moment, tzinfo=UTC)
    for moment in (
        (1, 2, 14, 30), (1, 2, 14, 31), (1, 2, 15), (1, 2), (1, 2, 0, 1), (1, 2, 23),
        (1, 5, 14, 30), (1, 5, 20, 30), (1, 8, 5), (7, 1, 8), (3, 10, 6, 30),
    )
)  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """How all tables of a folder are written.

    Attributes:
        step: seconds from one bar to the next.
        settings: what the person says.
        dropped: columns that the tables lack.
        ts: writes the times.
        order: the columns that stand first.
    """

    step: int
    settings: Mapping[str, Any]
    dropped: tuple[str, ...]
    ts: str
    order: tuple[str, ...]
    suffix: str
    names: Mapping[str, str]

    def written(self, folder: Path, number: int, table: pl.DataFrame) -> str:
        made = table.drop(self.dropped).with_columns(_TIMES[self.ts])
        made = made.select(*self.order, pl.exclude(self.order)).rename(self.names, strict=False)
        path = folder / f"{number:03}{self.suffix}"
        if self.suffix == ".csv":
            made.write_csv(path)
        else:
            made.write_parquet(path)
        return str(path)


_TS: Final = pl.col("ts")
_LOCAL: Final = _TS.dt.convert_time_zone(NEW_YORK)
_TIMES: Final[Mapping[str, pl.Expr]] = {
    "typed": _TS,
    "typed ms": _TS.cast(pl.Datetime("ms", "UTC")),
    "typed, local": _LOCAL.dt.replace_time_zone(None),
    "ISO 8601": _TS.dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
    "local": _LOCAL.dt.strftime("%Y-%m-%d %H:%M:%S"),
    "seconds": _TS.dt.epoch("s"),
    "dates": _TS.dt.strftime("%Y-%m-%d"),
}


@st.composite
def kinds(draw: st.DrawFn) -> Kind:
    step = draw(st.sampled_from([60, 60, 300, 1800, 3600, 86_400]))
    local = ["typed, local", "local"] if step < 86_400 else ["dates", "dates"]
    ts = draw(st.sampled_from(["typed", "typed ms", "ISO 8601", "seconds", *local]))
    settings: dict[str, Any] = {"timezone": NEW_YORK} if "local" in ts else {}
    dropped = []
    if draw(st.integers(0, 3)) == 0:
        dropped.append("provider")
        settings["provider"] = "made"
    if (how := draw(st.integers(0, 5))) < 3:
        dropped.append("interval")
        settings |= {"interval": _WORDS[step]} if how else {}
    dropped += draw(st.sampled_from([[], [], ["volume"]]))
    left = [name for name in ("ts", "symbol", "close") if name not in dropped]
    order = draw(st.sampled_from([(), ("ts",), tuple(left), tuple(reversed(left))]))
    suffix = ".csv" if ts in ("ISO 8601", "local", "dates") else ".parquet"
    suffix = draw(st.sampled_from([suffix, suffix, ".csv"])) if ts != "typed, local" else suffix
    names = draw(st.sampled_from([{}, {}, {"symbol": "Ticker", "ts": "timestamp", "open": "o"}]))
    return Kind(step, settings, tuple(dropped), ts, order, suffix, names)


def series(name: str, begin: datetime, rows: int, step: int, price: float) -> pl.DataFrame:
    """Bars of one series, all dearer than those before."""
    ts = [begin + timedelta(seconds=step * n) for n in range(rows)]
    level = [price * (1 + n / 1000) for n in range(rows)]
    return pl.DataFrame(
        {
            "provider": "made", "symbol": name, "interval": _WORDS[step], "ts": ts,
            "open": level, "high": [each * 1.01 for each in level],
            "low": [each * 0.99 for each in level], "close": [each * 1.005 for each in level],
            "volume": [float(n) for n in range(rows)],
        },
        schema_overrides={"ts": pl.Datetime("us", "UTC")},
    )  # fmt: skip


#: Orders of the rows, given the series one after the other.
ORDERS: Final[Mapping[str, Callable[[pl.DataFrame], pl.DataFrame]]] = {
    "by symbol": lambda table: table,
    "by time": lambda table: table.sort("ts", "symbol", maintain_order=True),
    "by time, symbols in any order": lambda table: table.sort(
        "ts", pl.col("symbol").hash(seed=4), maintain_order=True
    ),
    "symbols backwards": lambda table: table.sort("symbol", descending=True, maintain_order=True),
    "in halves": lambda table: pl.concat([table[::2], table[1::2]]).sort(
        pl.int_range(pl.len()) >= (pl.len() + 1) // 2, maintain_order=True
    ),
    "each in halves": lambda table: table.sort(
        (pl.int_range(pl.len()) * 2 >= pl.len()).over("symbol"), maintain_order=True
    ),
    "newest first": lambda table: table.sort("ts", descending=True, maintain_order=True),
    "mixed": lambda table: table.sample(fraction=1, shuffle=True, seed=7),
}


def _in(name: str, **values: pl.Expr) -> Callable[[pl.DataFrame, str], pl.DataFrame]:
    del name
    return lambda table, own: table.with_columns(
        pl.when(pl.col("symbol") == own).then(value).otherwise(column).alias(column)
        for column, value in values.items()
    )


def _prices(factor: float | pl.Expr) -> Callable[[pl.DataFrame, str], pl.DataFrame]:
    return _in("", **{name: pl.col(name) * factor for name in PRICES})


def _moved(by: str) -> Callable[[pl.DataFrame, str], pl.DataFrame]:
    return _in("", ts=_TS.dt.offset_by(by))


def _spelled(how: Callable[[str], str | None]) -> Callable[[pl.DataFrame, str], pl.DataFrame]:
    return lambda table, own: _in("", symbol=pl.lit(how(own), pl.String))(table, own)


def _only(rows: Callable[[pl.Expr], pl.Expr]) -> Callable[[pl.DataFrame, str], pl.DataFrame]:
    """Keeps those of the rows of one series."""
    number = pl.int_range(pl.len()).over("symbol")
    return lambda table, own: table.filter((pl.col("symbol") != own) | rows(number))


def _row(**values: Any) -> Callable[[pl.DataFrame, str], pl.DataFrame]:
    """Other values in one row in the middle."""
    return lambda table, own: table.with_columns(at(table.height // 2, **values))


def _again(**values: Any) -> Callable[[pl.DataFrame, str], pl.DataFrame]:
    """A row of one series twice."""
    return lambda table, own: pl.concat(
        [table, table.filter(pl.col("symbol") == own)[-1:].with_columns(**values)]
    )


_HALF: Final = pl.int_range(pl.len()).over("symbol") * 2 >= pl.len().over("symbol")
#: What may be odd about a table, or about one of its series.
ODDITIES: Final[Mapping[str, Callable[[pl.DataFrame, str], pl.DataFrame]]] = {
    "pounds, then pence": _prices(pl.when(_HALF).then(100).otherwise(1)),
    "much dearer": _prices(2_000),
    "much cheaper": _prices(0.0005),
    "fixed point": _prices(1e9),
    "large": _prices(1e6),
    "seven seconds later": _moved("7s"),
    "an hour later": _moved("1h"),
    "half an hour later": _moved("30m"),
    "a day later": _moved("1d"),
    "on a Saturday": _moved("4d"),
    "half of a year later": _moved("180d"),
    "every second bar": _only(lambda n: n % 2 == 0),
    "every fifth bar": _only(lambda n: n % 5 == 0),
    "without some bars": _only(lambda n: ~n.is_in([2, 3, 7])),
    "one bar": _only(lambda n: n == 0),
    "two bars": _only(lambda n: n < 2),
    "at the close": _in("", ts=pl.datetime(2024, 1, 2, 21, time_zone="UTC") - (_TS.max() - _TS)),
    "at 17:00": _in("", ts=pl.datetime(2024, 1, 5, 22, time_zone="UTC") - (_TS.max() - _TS)),
    "in the last second": lambda table, own: table.with_columns(_TS.dt.offset_by("59s")),
    "of another provider": _in("", provider=pl.lit("other")),
    "of a provider with blanks": _in("", provider=pl.lit(" made")),
    "of another interval": _in("", interval=pl.lit("2m")),
    "of another word for it": _in("", interval=pl.lit("1 min")),
    "once more": _again(),
    "once more, otherwise": _again(volume=5.0),
    "in lower case": _spelled(str.lower),
    "with a blank": _spelled(lambda own: f"{own} "),
    "with a class": _spelled(lambda own: f"{own}.B"),
    "of a pair": _spelled(lambda own: f"{own}-USD"),
    "with a digit in front": _spelled(lambda own: f"7{own}"),
    "with a long name": _spelled(lambda own: own * 5),
    "without a symbol": _spelled(lambda own: None),
    "with an empty symbol": _spelled(lambda own: ""),
    "a row without a symbol": _row(symbol=pl.lit(None, pl.String)),
    "a row without a time": _row(ts=pl.lit(None, pl.Datetime("us", "UTC"))),
    "a row without a price": _row(close=pl.lit(None, pl.Float64)),
    "a row upside down": _row(high=pl.col("low") * 0.9),
    "a row free of charge": _row(low=pl.lit(0.0)),
    "a row below zero": _row(open=pl.lit(-1.0), low=pl.lit(-1.0)),
    "a row without a number": _row(open=pl.lit(float("nan"))),
    "a row without a volume": _row(volume=pl.lit(None, pl.Float64)),
    "a row off the grid": _row(ts=_TS.dt.offset_by("3s")),
    "a row of another symbol": _row(symbol=pl.lit("ZZZZ")),
    "one row": lambda table, own: table[:1],
    "no rows": lambda table, own: table.clear(),
}


@st.composite
def tables(draw: st.DrawFn, step: int, *, odd: bool) -> pl.DataFrame:
    """Several series, in some order of their rows; `odd` ones have up to two oddities."""
    begin = draw(st.sampled_from(_BEGIN))
    begin = datetime(2024, 1, 2, tzinfo=UTC) if step == 86_400 else begin
    most = draw(st.sampled_from([1, 3, 12, 30, 390 if step == 60 else 40]))
    count = draw(st.sampled_from([1, 2, 3, 5, 40])) if most < 390 else draw(st.integers(1, 3))
    first = draw(st.integers(0, 900))
    prices = draw(st.lists(st.sampled_from([0.7, 20.0, 100.0, 4000.0]), min_size=1, max_size=3))
    same = draw(st.booleans())
    parts = [
        series(symbol(first + n), begin, most if same else 1 + (most + n) % most, step,
               prices[n % len(prices)])
        for n in range(count)
    ]  # fmt: skip
    if step < 86_400 and draw(st.integers(0, 4)) == 0:
        parts += [part.with_columns(_TS.dt.offset_by("1d")) for part in parts]
    if step == 86_400:
        parts = [part.filter(_TS.dt.weekday() < 6) for part in parts]
    order = draw(st.sampled_from([*ORDERS] if odd else [*ORDERS][:3]))
    table = ORDERS[order](pl.concat(parts))
    for _ in range(draw(st.integers(0, 2)) if odd else 0):
        change = ODDITIES[draw(st.sampled_from([*ODDITIES]))]
        table = change(table, symbol(first + draw(st.integers(0, count - 1))))
        table = ORDERS[order](table) if draw(st.booleans()) else table
    return table


def checked_both_ways(
    files: Sequence[str], settings: Mapping[str, Any]
) -> tuple[int, list[bool], list[Checked | None]]:
    """How many of the first of the files, which are of one kind, are plain together; which of them
    are by what the first one has shown; and what their own checks give. All that is plain is
    compared with what its own checks give."""
    with find(files) as sources:
        run = LoadRun(Settings(**settings), "postgresql://", None, "", lambda event: None)
        found = hashed(run, sources)
        smalls = checked._read(run, found)
        kind = checked._of_one_kind(smalls) if smalls else []
        own = [checked._by_itself(run, *both) for both in zip(found, kind, strict=False)]
        together = list(checked._alike(run, Shown(), found, kind))
        shown, alone = Shown(), list[bool]()
        for number, its in enumerate(own):
            if checked._pattern(run, shown, kind[0]) is None:
                break
            only = slice(number, number + 1)
            mine = list(checked._alike(run, shown, found[only], kind[only]))
            alone.append(bool(mine))
            for each in mine:
                assert_same(each, its)
    for each, its in zip(together, own, strict=False):
        assert_same(each, its)
    return len(together), alone, own


def assert_same(mine: Checked, its: Checked | None) -> None:
    assert its is not None
    for each in fields(Checked):
        one, other = getattr(mine, each.name), getattr(its, each.name)
        if isinstance(one, pl.DataFrame):
            assert one.schema == other.schema
            assert one.rows() == other.rows()
        else:
            assert one == other
