"""OKX: the candle answer of its REST API."""

from dataclasses import replace

import polars as pl

from loader.dialects.dialect import OHLC, Dialect, Opening, Reshape, Shape

_COLUMNS = {
    "ts": ("ts",),
    **OHLC,
    "volume": ("vol",),
}
_ANSWER = Shape(
    containers=("json",),
    place=r"data\[\]",
    positions=("ts", "open", "high", "low", "close", "vol", "volCcy", "volCcyQuote", "confirm"),
    values={"ts": r"\d{13}", "confirm": "[01]"},
)


def _is_derivative(opening: Opening) -> bool:
    """Whether `volCcy` is in the base asset, as for derivatives; for spot it is in the quote."""
    close, volume, quote = (
        opening.first[name].cast(pl.Float64, strict=False)
        for name in ("close", "volCcy", "volCcyQuote")
    )
    in_base = (volume * close - quote).abs() < (volume - quote).abs()
    return int(in_base.sum()) * 2 > int((quote > 0).sum())


def _without_answer(opening: Opening) -> Reshape:
    """Drops the answer's code and message."""
    return lambda frame: frame.drop("code", "msg", strict=False)


DIALECT = Dialect(
    name="okx",
    title="OKX candles",
    columns=_COLUMNS,
    shapes=(
        replace(
            _ANSWER,
            accept=_is_derivative,
            columns={**_COLUMNS, "volume": ("volCcy",)},
            note="derivative: volume is volCcy, in the base asset; vol counts contracts",
        ),
        _ANSWER,
    ),
    left_out={
        "vol": "contracts",
        "volccy": "in the quote currency",
        "volccyquote": "in the quote currency",
        "confirm": "0 marks the candle that was still running",
    },
    skip={"the candle that was still running": pl.col("confirm").str.strip_chars() == "0"},
    reshape=_without_answer,
    volume="base asset: vol for spot, volCcy for derivatives",
    adjusted="nothing to adjust",
    traps=(
        "newest first; the unfinished candle has confirm 0 and is left out",
        "the kind of instrument decides which volume is in the base asset; the volumes show the "
        "kind",
        "neither the instrument nor the interval is in the file",
        "daily candles that do not start at midnight UTC are refused unless --timezone gives the "
        "zone of their days",
    ),
    source="stored answers; OKX's documentation of candle fields",
)
