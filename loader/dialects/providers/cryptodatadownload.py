"""CryptoDataDownload: CSV by exchange and pair, with the three headers used over time."""

import polars as pl

from loader.dialects.dialect import OHLC, Dialect, Opening, Reshape, Shape, Words, fold

_HEADER = ("date", "symbol", "open", "high", "low", "close")
#: 09-AM is nine in the morning; 12-AM is midnight.
_HOUR = r"\d{4}-\d\d-\d\d \d\d-[AP]M"
_HOUR_FORMAT = "%Y-%m-%d %I-%p"
_BANNER = {"banner": "(?is).*cryptodatadownload.*"}
_NAME = (
    r"(?:^|[/!])(?P<exchange>[A-Za-z]+)_(?P<symbol>[A-Z0-9]+)_(?:\d{4}_)?"
    r"(?P<interval>1h|d|minute)\.csv(?:\.\w+)?$"
)


def _volumes(opening: Opening) -> list[str]:
    return [name for name in opening.first.columns if fold(name).startswith("volume")]


def _two_volumes(opening: Opening) -> bool:
    """Whether there are two, and the first is not named after the symbol's quote currency."""
    volumes = _volumes(opening)
    word = fold(volumes[0]).removeprefix("volume") if volumes else ""
    symbol = next(column for column in opening.first if fold(column.name) == "symbol")
    in_money = symbol.str.strip_chars().str.to_lowercase().str.ends_with(word or "-").any()
    return len(volumes) == 2 and not in_money


def _two_volumes_no_unix(opening: Opening) -> bool:
    return _two_volumes(opening) and "unix" not in map(fold, opening.first.columns)


def _base_volume(opening: Opening) -> Words:
    """Takes the first of two volumes, whatever coin is in its name; the second is in money."""
    return {"volume": tuple(_volumes(opening)[:1])}


def _known_counts(opening: Opening) -> Reshape:
    """Reads `NULL` as an unknown number of trades."""
    columns = [name for name in opening.first.columns if fold(name) == "tradecount"]
    counts = [pl.when(pl.col(name) != "NULL").then(name).alias(name) for name in columns]
    return lambda frame: frame.with_columns(counts)


DIALECT = Dialect(
    name="cryptodatadownload",
    title="CryptoDataDownload CSV",
    columns={
        "symbol": ("symbol",),
        "ts": ("unix", "date"),
        **OHLC,
        "trade_count": ("tradecount",),
    },
    shapes=(
        Shape(
            header=_HEADER,
            metadata=_BANNER,
            values={"date": _HOUR},
            accept=_two_volumes_no_unix,
            time_format=_HOUR_FORMAT,
        ),
        Shape(header=_HEADER, metadata=_BANNER, accept=_two_volumes),
        Shape(
            header=_HEADER,
            name=_NAME,
            values={"date": _HOUR},
            accept=_two_volumes_no_unix,
            time_format=_HOUR_FORMAT,
        ),
        Shape(header=_HEADER, name=_NAME, accept=_two_volumes),
        Shape(header=("unix", *_HEADER), accept=_two_volumes),
        Shape(header=(*_HEADER, "VolumeFrom", "VolumeTo"), exact=True),
    ),
    names=(
        _NAME,
        r"(?:^|[/!])(?P<exchange>[a-z]+)-(?P<interval>1h|1d)-[a-z0-9]+-[a-z0-9]+\.csv(?:\.\w+)?$",
    ),
    facts=lambda opening: {key: text.lower() if key == "exchange" else text
                           for key, text in opening.facts.items()},
    naming=_base_volume,
    left_out={
        **dict.fromkeys(("volume", "volumeto", "volumeusd", "volumeusdt"), "in the quote currency"),
    },
    provider="cryptodatadownload-{exchange}",
    timezone="UTC",
    prefers=(pl.col("trade_count").is_not_null(), pl.col("volume")),
    reshape=_known_counts,
    volume="base asset: the first of the two volumes",
    adjusted="nothing to adjust",
    traps=(
        "the column called volume is in money; the one before it (volume_btc or so) is in coin",
        "newest first; the hour or day of the newest bar may be unfinished",
        "unix may mix seconds and milliseconds in one file: each value is read by its magnitude",
        "unix and date disagree by four hours in rows of September 2017: unix is right",
        "a bar may appear twice, once rounded and from before the end of its hour: the row with a "
        "number of trades is kept, else the one with more volume",
        "the provider is cryptodatadownload- plus the exchange, which only the file's name tells",
    ),
    source="files of 2019 and 2021 with three headers, one of which states UTC",
)  # fmt: skip
