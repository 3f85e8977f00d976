"""Small files of text, of local times and of other column names that are loaded together: the same,
row for row, as when each is loaded by itself."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import polars as pl
import pytest

from tests.support.both_ways import MIDNIGHT, NEW_YORK_OPEN, ODD, at, frame, symbol

#: Random orders that are tried.
SEEDS: Final = int(os.environ.get("MDLOAD_TOGETHER_SEEDS", "2"))
NEW_YORK: Final = "America/New_York"
#: The columns of a table without those that its file's name and the options give.
NUMBERS: Final = ("ts", "open", "high", "low", "close", "volume")


def clock(form: str, zone: str = "UTC") -> Callable[[pl.DataFrame], pl.DataFrame]:
    """Writes the times by a format, on the clock of a zone; other cells stay."""

    def written(table: pl.DataFrame) -> pl.DataFrame:
        ts = table.schema["ts"]
        if not isinstance(ts, pl.Datetime):
            return table
        here = pl.col("ts")
        here = here.dt.replace_time_zone("UTC") if ts.time_zone is None else here
        return table.with_columns(here.dt.convert_time_zone(zone).dt.strftime(form))

    return written


def since_1970(unit: str) -> Callable[[pl.DataFrame], pl.DataFrame]:
    return lambda table: table.with_columns(pl.col("ts").dt.epoch(unit))  # type: ignore[arg-type]


def local(table: pl.DataFrame) -> pl.DataFrame:
    """Typed times on the clock of New York, without a zone."""
    zoned = pl.col("ts").dt.convert_time_zone("UTC").dt.convert_time_zone(NEW_YORK)
    return table.with_columns(zoned.dt.replace_time_zone(None))


def named_otherwise(table: pl.DataFrame) -> pl.DataFrame:
    names = {
        "symbol": "Ticker", "interval": "timeframe", "ts": "Timestamp", "open": "o", "high": "High",
        "low": "low_price", "close": "Close", "volume": "V", "trade_count": "n", "vwap": "vw",
    }  # fmt: skip
    return table.rename(names, strict=False)


def bare(table: pl.DataFrame) -> pl.DataFrame:
    return table.select(NUMBERS)


@dataclass(frozen=True)
class Kind:
    """How the tables of a folder are written: each as `made`, in a file with the `suffix`."""

    made: Callable[[pl.DataFrame], pl.DataFrame]
    settings: Mapping[str, Any] = field(default_factory=dict)
    suffix: str = ".csv"

    def written(self, folder: Path, number: int, table: pl.DataFrame) -> str:
        own = table["symbol"].drop_nulls().to_list() if table.height else []
        path = folder / f"{own[0].strip() if own else 'NONE'}-{number:03}{self.suffix}"
        made = self.made(table)
        if self.suffix == ".csv":
            made.write_csv(path)
        else:
            made.write_parquet(path)
        return str(path)


_ISO = clock("%Y-%m-%dT%H:%M:%SZ")
_LOCAL = clock("%Y-%m-%d %H:%M:%S", NEW_YORK)
#: What the settings and the file's name give where a table has numbers only.
_NAMED = {"provider": "made", "interval": "1m", "name_pattern": "{symbol}-*.csv"}
KINDS: dict[str, Kind] = {
    "ISO 8601": Kind(_ISO),
    "with fractions": Kind(lambda table: table),
    "offsets": Kind(clock("%Y-%m-%d %H:%M:%S+00:00")),
    "local": Kind(_LOCAL, {"timezone": NEW_YORK}),
    "local, as UTC": Kind(clock("%Y-%m-%d %H:%M"), {"timezone": "UTC"}),
    "local, in Berlin": Kind(
        clock("%Y-%m-%dT%H:%M", "Europe/Berlin"), {"timezone": "Europe/Berlin"}
    ),
    "seconds": Kind(since_1970("s")),
    "milliseconds": Kind(since_1970("ms")),
    "microseconds": Kind(since_1970("us")),
    "dates": Kind(clock("%Y-%m-%d")),
    "names": Kind(lambda table: bare(_ISO(table)), _NAMED),
    "names, local": Kind(lambda table: bare(_LOCAL(table)), {**_NAMED, "timezone": NEW_YORK}),
    "names, inferred": Kind(
        lambda table: bare(_ISO(table)), {**_NAMED, "interval": None}
    ),
    "other names": Kind(named_otherwise, suffix=".parquet"),
    "typed, local": Kind(local, {"timezone": NEW_YORK}, ".parquet"),
    "typed, milliseconds": Kind(since_1970("ms"), suffix=".parquet"),
    "typed text": Kind(lambda table: _ISO(table).cast(pl.String), suffix=".parquet"),
}  # fmt: skip
#: Tables with times of another type, which some ways of writing cannot take.
_TYPES: Final = ("without a zone", "in New York", "nanoseconds", "milliseconds")


def of_days(symbol: str) -> pl.DataFrame:
    """Mondays to Fridays."""
    days = [day for day in range(1, 30) if datetime(2024, 1, day).weekday() < 5]
    table = frame(symbol, MIDNIGHT, rows=len(days), step=86_400)
    return table.with_columns(
        pl.Series("ts", [datetime(2024, 1, day) for day in days]).dt.replace_time_zone("UTC")
    )


def plain_of(name: str) -> Callable[[str], pl.DataFrame]:
    return of_days if name == "dates" else frame


def odd_of(name: str) -> dict[str, Callable[[str], pl.DataFrame]]:
    """The odd tables that can be written in this way."""
    return {odd: made for odd, made in ODD.items() if odd not in (*_TYPES, "other names")}


@pytest.mark.parametrize("name", KINDS)
def test_plain_files_of_each_kind(ways: Callable[..., int], tmp_path: Path, name: str) -> None:
    kind, made = KINDS[name], plain_of(name)
    files = [kind.written(tmp_path, n, made(symbol(n))) for n in range(5)]
    assert ways(files, **kind.settings) == 4
    assert ways(files, **kind.settings, force=True) == 4


@pytest.mark.parametrize("name", ["ISO 8601", "names, local"])
def test_odd_files_among_plain_ones(ways: Callable[..., int], tmp_path: Path, name: str) -> None:
    kind, tables = KINDS[name], []
    for number, made in enumerate(odd_of(name).values()):
        tables += [frame(symbol(3 * number)), frame(symbol(3 * number + 1))]
        tables.append(made(symbol(3 * number + 2)))
    files = [kind.written(tmp_path, n, table) for n, table in enumerate(tables)]
    assert ways(files, **kind.settings) >= 20


def row(pattern: str, by: str) -> Callable[[str], str]:
    """Replaces the first match of a pattern in the fourth line."""

    def written(text: str) -> str:
        lines = text.split("\n")
        changed = re.sub(pattern, by, lines[3], count=1)
        assert changed != lines[3]
        return "\n".join([*lines[:3], changed, *lines[4:]])

    return written


def everywhere(pattern: str, by: str) -> Callable[[str], str]:
    return lambda text: re.sub(pattern, by, text)


#: Ways to write the text of a plain table with ISO 8601 otherwise.
WRITTEN: dict[str, Callable[[str], str]] = {
    "with tabs": lambda text: text.replace(",", "\t"),
    "with semicolons": lambda text: text.replace(",", ";"),
    "with semicolons and decimal commas": lambda text: text.replace(",", ";").replace(".", ","),
    "as Windows does": lambda text: text.replace("\n", "\r\n"),
    "with a mark in front": lambda text: "\ufeff" + text,
    "quoted": lambda text: "\n".join(
        ",".join(f'"{cell}"' for cell in line.split(",")) if line else line
        for line in text.split("\n")
    ),
    "without the last end of a line": str.rstrip,
    "cut": lambda text: text[:-7],
    "with blank lines": lambda text: text.replace("\n", "\n\n", 4),
    "under a title": lambda text: "Bars of a day\n\n" + text,
    "under a remark": lambda text: "# made\n" + text,
    "with a cell too many": row("$", ",7"),
    "with a cell too few": row(",[^,]*$", ""),
    "with thousands": row("1[.]02", '"1,102.5"'),
    "with a decimal comma": row("1[.]02", '"1,02"'),
    "with decimal commas": everywhere("([0-9])[.]([0-9]+)", '"\\1,\\2"'),
    "with dollars": everywhere(",([0-9])[.]", ",$\\1."),
    "with a dollar": row(",([0-9])[.]", ",$\\1."),
    "with an exponent": row("1[.]02", "102e-2"),
    "with blanks": row("1[.]02", " 1.02 "),
    "with a plus": row("1[.]02", "+1.02"),
    "with zeros": row("1[.]02", "0001.0200"),
    "with a point at the end": row(",1[.]02,", ",1.,"),
    "with a word": row("1[.]02", "none"),
    "without a volume": row(",[^,]*$", ","),
    "with NaN": row(",[^,]*$", ",NaN"),
    "without a price": row("1[.]02", ""),
    "with a long fraction": row("1[.]02", "1.01999999999999999999"),
    "with a small z": row("Z", "z"),
    "with another offset": row("Z", "+01:00"),
    "with offsets": everywhere("Z", "+01:00"),
    "without an offset": row("Z", ""),
    "without offsets": everywhere("Z", ""),
    "with offsets of nothing": everywhere("Z", "+0000"),
    "with a blank in the time": row("T", " "),
    "with blanks in the times": everywhere("([0-9])T", "\\1 "),
    "with fractions": everywhere("Z", ".000Z"),
    "with nanoseconds": row("Z", ".000000001Z"),
    "with 24:00": row("T14:32", "T24:00"),
    "with the 30th of February": row("2024-01-02", "2024-02-30"),
    "with a second too many": row("14:32:00", "14:32:60"),
    "with short dates": everywhere("2024-01-0", "2024-1-"),
    "with slashes": everywhere("2024-01-02", "2024/01/02"),
    "with days first": everywhere("2024-01-02", "02.01.2024"),
    "with days or months first": everywhere("2024-01-02", "02/01/2024"),
    "with dates only": everywhere("T[0-9:]+Z", ""),
    "with a date only": row("T[0-9:]+Z", ""),
    "with epochs": everywhere("2024-01-02T14:(..):00Z", "17042058\\1"),
    "with marks of spreadsheets": everywhere("\nmade,(\\w+)", '\nmade,"=""\\1"""'),
    "with a mark of spreadsheets": row("made,(\\w+)", "made,'\\1"),
    "with a header in capitals": lambda text: re.sub("^[^\n]*", lambda m: m[0].upper(), text),
    "without a header": lambda text: text.partition("\n")[2],
    "with two headers": lambda text: text.partition("\n")[0] + "\n" + text,
    "with columns in another order": lambda text: "\n".join(
        ",".join(reversed(line.split(","))) for line in text.split("\n")
    ),
    "with a column of nothing": everywhere("(?m)(.)$", "\\1,"),
    "with a provider that varies": row("made", "Made"),
    "with another word for the interval": everywhere(",1m,", ",1min,"),
    "with one interval more": row(",1m,", ",5m,"),
    "with a letter that nobody sees": row("made", "made\u200b"),
}


@pytest.mark.parametrize("part", range(3))
def test_text_that_is_written_otherwise(
    ways: Callable[..., int], tmp_path: Path, part: int
) -> None:
    """Among plain ones, and among its like."""
    made = [*WRITTEN.values()][part::3]
    texts = []
    for number, changed in enumerate(made):
        text = _ISO(frame(symbol(3 * number))).write_csv()
        other = _ISO(frame(symbol(3 * number + 1))).write_csv()
        third = _ISO(frame(symbol(3 * number + 2))).write_csv()
        texts += [text, changed(other), changed(third)]
    files = []
    for n, text in enumerate(texts):
        path = tmp_path / f"{n:03}.csv"
        path.write_text(text, newline="")
        files.append(str(path))
    ways(files)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_files_of_any_kind_in_any_order(
    ways: Callable[..., int], tmp_path: Path, seed: int
) -> None:
    """Also files of one symbol, which meet the bars of files before them."""
    chance = random.Random(seed)
    name = chance.choice([name for name in KINDS if name not in ("dates", "typed text")])
    kind, odd = KINDS[name], odd_of(name)
    tables = []
    for _ in range(24):
        made = odd[chance.choice([*["plain"] * 20, *odd])](symbol(chance.randrange(20)))
        if chance.random() < 0.3 and made.height > 3:
            cut = chance.randrange(1, made.height)
            made = made[cut:] if chance.random() < 0.5 else made[:cut]
        tables.append(made)
    files = [kind.written(tmp_path, n, table) for n, table in enumerate(tables)]
    ways(files, **kind.settings)
    ways(files, **kind.settings, force=True)


def test_sessions_and_nights_of_local_times(ways: Callable[..., int], tmp_path: Path) -> None:
    """Times that may be ends, and nights under the date of their trading day."""
    kind = KINDS["names, local"]
    opens = NEW_YORK_OPEN.hour * 60 + NEW_YORK_OPEN.minute
    odd = []
    for n, (first, rows) in enumerate(
        [(opens + 1, 390), (opens + 1, 200), (opens - 330, 960), (opens + 390, 240), (0, 1440),
         (opens, 391), (60 * 5, 700)]
    ):  # fmt: skip
        begin = MIDNIGHT.replace(hour=first // 60, minute=first % 60)
        odd += [frame(symbol(10 * n + k), begin, rows=rows) for k in (5, 6)]
    nights = [
        pl.concat(
            frame(symbol(90 + n), datetime(2024, 1, day, hour, tzinfo=NEW_YORK_OPEN.tzinfo), 60)
            for day in range(2, 20) for hour in hours
        )
        for n, hours in enumerate(((2, 7, 14), (1, 14), (5, 14, 21), (2, 3, 23)))
    ]  # fmt: skip
    odd += [
        *nights,
        with_pause(symbol(82)),
        with_nights_of_mondays(symbol(83)),
        with_nights(symbol(84)),
    ]
    tables = []
    for n, table in enumerate(odd):
        tables += [frame(symbol(200 + 2 * n)), frame(symbol(201 + 2 * n)), table]
    files = [kind.written(tmp_path, n, table) for n, table in enumerate(tables)]
    assert ways(files, **kind.settings) >= len(odd)


def minutes_of(symbol: str, clocks: Sequence[datetime]) -> pl.DataFrame:
    """Three bars of a minute from each of the times on, on New York's clock, at one price."""
    many = [clock + timedelta(minutes=n) for clock in clocks for n in range(3)]
    ts = pl.Series("ts", many).dt.replace_time_zone(NEW_YORK).dt.convert_time_zone("UTC")
    return frame(symbol, rows=len(many), open=10.0, high=10.2, low=9.8, close=10.1).with_columns(ts)


def with_pause(symbol: str) -> pl.DataFrame:
    """From the second minute of a day to its midnight, without the hour around 17:00."""
    begin = MIDNIGHT.replace(hour=5, minute=1)
    table = frame(symbol, begin, rows=1440)
    return table.filter(~pl.col("ts").dt.hour().is_in([21, 22]))


def with_nights_of_mondays(symbol: str) -> pl.DataFrame:
    """Mornings after midnight on Mondays, evenings on Fridays, and nothing at the weekend."""
    days = [day for day in range(8, 27) if datetime(2024, 1, day).weekday() < 5]
    return minutes_of(symbol, [datetime(2024, 1, day, hour) for day in days for hour in (0, 9, 21)])


def with_nights(symbol: str) -> pl.DataFrame:
    """Prices go on from the day of a date to the evening of the next one."""
    told = [(datetime(2024, 1, day, hour), 2 * day + (hour < 12)) for day in range(2, 12)
            for hour in (9, 21)]  # fmt: skip
    parts = [minutes_of(symbol, [clock]).with_columns(
        pl.col("open", "high", "low", "close") * 1.03**place) for clock, place in told]  # fmt: skip
    return pl.concat(parts)


def test_the_end_of_a_day_and_units_of_epochs(ways: Callable[..., int], tmp_path: Path) -> None:
    """Text that other files' layout would read as well, but that their own checks note."""
    late = _ISO(frame(symbol(5), MIDNIGHT.replace(hour=23, minute=49))).write_csv()
    late = late.replace("2024-01-03T00:00", "2024-01-02T24:00")
    assert "T24:00" in late
    (tmp_path / "late.csv").write_text(late)
    plain = [KINDS["ISO 8601"].written(tmp_path, 9 + n, frame(symbol(9 + n))) for n in range(5)]
    assert ways([*plain, str(tmp_path / "late.csv")]) == 5
    units = ["seconds", "seconds", "seconds", "milliseconds", "microseconds", "seconds"]
    files = [KINDS[u].written(tmp_path, 50 + n, frame(symbol(50 + n))) for n, u in enumerate(units)]
    assert ways(files) == 5


def test_names_that_say_more(ways: Callable[..., int], tmp_path: Path) -> None:
    """Symbols from names that are contracts' months, have the name of another interval, or differ
    in what else they give."""
    table = bare(_ISO(frame("ANY")))

    def made(*names: str) -> list[str]:
        for name in names:
            table.write_csv(tmp_path / f"{name}.csv")
        return [str(tmp_path / f"{name}.csv") for name in names]

    first = made("AAA-1", "AAB-2", "CL-202406", "CL-202401", "AAC-5m", "AAD-1m")
    second = made("aae-1", "AAF.B-1", "AAG-1", "AAH-1", "0700-1", "AAB-3")
    assert ways([*first, *second], **_NAMED) >= 2
    both = {**_NAMED, "interval": None, "name_pattern": "{symbol}-{interval}.csv"}
    files = made("BAA-1m", "BAB-1m", "BAC-1m", "BAD-5m", "BAE-1m", "BAF-1m")
    assert ways(files, **both) >= 2


def test_inferred_intervals_are_noted_with_each_files_own_steps(
    ways: Callable[..., int], tmp_path: Path
) -> None:
    kind = KINDS["names, inferred"]
    tables = [frame(symbol(n), rows=20 + n) for n in range(6)]
    tables[3] = tables[3].filter(~pl.int_range(pl.len()).is_in([4, 9, 10]))
    tables[4] = tables[4].filter(pl.int_range(pl.len()) % 3 != 2)
    tables.append(frame(symbol(7), rows=4))
    tables.append(frame(symbol(8), rows=3))
    tables.append(frame(symbol(9)).with_columns(at(3, ts=pl.col("ts").dt.offset_by("30s"))))
    files = [kind.written(tmp_path, n, table) for n, table in enumerate(tables)]
    assert ways(files, **kind.settings) >= 5


def test_notes_of_an_odd_file_are_its_own(ways: Callable[..., int], tmp_path: Path) -> None:
    """Hours through the night to 17:00 in New York get a note that they are likely ends."""
    kind = KINDS["names, inferred"]
    nights = pl.concat(
        frame(symbol(0), datetime(2024, 1, day, tzinfo=NEW_YORK_OPEN.tzinfo), 23, 3600)
        for day in range(2, 13)
    )
    hours = [
        frame(symbol(n), NEW_YORK_OPEN.replace(minute=0), 5, 3600).with_columns(
            interval=pl.lit("1h")
        )
        for n in range(1, 9)
    ]
    days = [hours[0], nights, *hours[1:]]  # the first of all is loaded alone
    files = [kind.written(tmp_path, n, table) for n, table in enumerate(days)]
    assert ways(files, **kind.settings) >= 3
