"""Every reason to refuse a row, written once: rules, rejects, metrics and docs/rules.md use this.

It imports nothing, so that a metric's labels do not cost the import of Polars.
"""

from __future__ import annotations

from typing import Final, Literal

from loader.lazy import dataclass

#: What is refused: all other rows of a file, a feed's line that never became a row, a row before
#: its cells are read, or a bar.
Stage = Literal["file", "line", "row", "bar"]


@dataclass(frozen=True, slots=True)
class Reason:
    """`name` is the word in `bars_rejected.rules`, in counts and metrics. `description` says when
    a row is refused. `switches` are the fields of `RuleSettings` that change it."""

    name: str
    stage: Stage
    description: str
    switches: tuple[str, ...] = ()


FILE_REFUSED: Final = "file_refused"
LINE_NOT_JSON: Final = "line_not_json"
LINE_NOT_A_BAR: Final = "line_not_a_bar"
LINE_REFUSED: Final = "line_refused"
ROW_TOO_SHORT: Final = "row_too_short"
ROW_TOO_LONG: Final = "row_too_long"
SYMBOL_COLLISION: Final = "symbol_collision"

#: Characters of a provider or a symbol: no real one has half of them, and any index takes them.
LONGEST_KEY: Final = 128
_ANY_SIGN: Final = ("allow_nonpositive_prices",)

#: In the order of report.
REASONS: Final = (
    Reason(
        FILE_REFUSED, "file",
        "the row breaks no rule, but its file has more rejects than `--max-rejects` allows, or is "
        "refused for what it does to stored bars",
    ),
    Reason(LINE_NOT_JSON, "line", "the line is not a JSON object"),
    Reason(LINE_NOT_A_BAR, "line", "the names in the object do not make a bar"),
    Reason(LINE_REFUSED, "line", "the server does not take the bar in the line"),
    Reason(ROW_TOO_SHORT, "row", "the row has fewer cells than the file has columns"),
    Reason(ROW_TOO_LONG, "row", "the row has more cells than the file has columns"),
    Reason("provider_missing", "bar", "the provider is empty"),
    Reason("symbol_missing", "bar", "the symbol is empty"),
    Reason(
        "key_unreadable", "bar",
        "the provider or the symbol holds invisible characters, or U+FFFD for lost ones",
    ),
    Reason(
        "key_too_long", "bar",
        f"the provider, the symbol or its spelling has more than {LONGEST_KEY} characters",
    ),
    Reason("interval_missing", "bar", "the interval is empty"),
    Reason("interval_unknown", "bar", "the interval is not in the vocabulary"),
    Reason("ts_missing", "bar", "the time is empty"),
    Reason(
        "ts_unparsable", "bar",
        "the time does not have the form of the file's times, or is finer than a microsecond",
    ),
    Reason("ts_nonexistent", "bar", "the local time was skipped by its zone's clock"),
    Reason("ts_ambiguous", "bar", "the local time was shown twice by its zone's clock"),
    Reason(
        "ts_out_of_range", "bar", "the time is before 1900-01-01, or 2100-01-01 or later",
        ("min_ts", "max_ts"),
    ),
    Reason(
        "ts_not_midnight", "bar",
        "a daily or longer bar is not at midnight UTC, and no time zone gives its date",
    ),
    Reason(
        "ts_off_grid", "bar",
        "an intraday bar does not start on its interval's grid, such as a 5m bar at 09:31",
        ("check_grid",),
    ),
    Reason("price_missing", "bar", "open, high, low or close is empty"),
    Reason("price_unparsable", "bar", "open, high, low or close is not a number"),
    Reason("price_not_finite", "bar", "open, high, low or close is NaN or infinite"),
    Reason("price_not_positive", "bar", "open, high, low or close is zero or negative", _ANY_SIGN),
    Reason("high_below_low", "bar", "high is below low"),
    Reason(
        "open_outside_range", "bar",
        "open is above high or below low, by more than its rounding",
    ),
    Reason(
        "close_outside_range", "bar",
        "close is above high or below low, by more than its rounding",
    ),
    Reason("volume_unparsable", "bar", "the volume is not a number"),
    Reason("volume_not_finite", "bar", "the volume is infinite"),
    Reason("volume_negative", "bar", "the volume is negative"),
    Reason("vwap_unparsable", "bar", "the vwap is not a number"),
    Reason("vwap_not_finite", "bar", "the vwap is infinite"),
    Reason("vwap_negative", "bar", "the vwap is negative", _ANY_SIGN),
    Reason("trade_count_unparsable", "bar", "the number of trades is not a whole number"),
    Reason("trade_count_negative", "bar", "the number of trades is negative"),
    Reason(
        SYMBOL_COLLISION, "bar",
        "the symbol is stored already for another spelling (programs and feeds; a file is refused)",
    ),
)  # fmt: skip
