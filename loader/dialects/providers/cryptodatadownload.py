"""CryptoDataDownload: CSV by exchange and pair, in the three headers that it has had."""

import polars as pl

from loader.dialects.dialect import OHLC, Dialect, Opening, Reshape, Shape, Words, fold

_HEADER = ("date", "symbol", "open", "high", "low", "close")
#: 09-AM is nine in the morning, 12-AM midnight.
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
    """Two of them, and the first is not named after the money that the symbol ends in."""
    volumes = _volumes(opening)
    word = fold(volumes[0]).removeprefix("volume") if volumes else ""
    symbol = next(column for column in opening.first if fold(column.name) == "symbol")
    in_money = symbol.str.strip_chars().str.to_lowercase().str.ends_with(word or "-").any()
    return len(volumes) == 2 and not in_money


def _two_volumes_no_unix(opening: Opening) -> bool:
    return _two_volumes(opening) and "unix" not in map(fold, opening.first.columns)


def _base_volume(opening: Opening) -> Words:
    """Volume is the first of two, whatever coin is in its name; the second is in money."""
    return {"volume": tuple(_volumes(opening)[:1])}


def _known_counts(opening: Opening) -> Reshape:
    """`NULL` stands for a number of trades that is not known."""
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
    reshape=_known_counts,
    volume="base asset: the first of the two volumes",
    adjusted="nothing to adjust",
    traps=(
        "the column called volume is money: the one before it, volume_btc or so, is the coin",
        "newest first, and the newest bar may be of an hour or day that had not ended",
        "unix is seconds in some rows and milliseconds in others of one file: each value is read "
        "by its own magnitude",
        "unix and date disagree by four hours in rows of September 2017: unix is right",
        "one bar may stand there twice, once as it was before its hour had ended",
        "the provider is cryptodatadownload- and the exchange, which only the file's name says",
    ),
    source="files of 2019 and 2021 in three headers, one of which says that its times are UTC",
)  # fmt: skip
