"""The tables of the page: which columns they have, and how a value is shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from markupsafe import Markup

from loader.survey.pictures.strips import strip
from loader.survey.pictures.svg import shown
from loader.text import duration, utc

#: Key of a row, heading, kind of value.
Columns = tuple[tuple[str, str, str], ...]
_SERIES: Final = (("provider", "provider", "text"), ("symbol", "symbol", "text"),
                  ("interval", "interval", "text"))  # fmt: skip
_ENDS: Final = (("first", "first", "day"), ("last", "last", "day"))
_LACKS: Final = (
    ("bars", "bars", "count"), ("expected", "expected", "count"), ("missing", "missing", "count"),
    ("waived", "waived", "count"), ("behind", "behind", "count"),
)  # fmt: skip
_ROWS: Final = (
    ("rows_read", "read", "count"), ("rows_inserted", "inserted", "count"),
    ("rows_updated", "updated", "count"), ("rows_unchanged", "unchanged", "count"),
    ("rows_failed", "rejected", "count"),
)  # fmt: skip
_PRICES: Final = tuple((name, name, "price") for name in ("open", "high", "low", "close"))

COLUMNS: Final[dict[str, Columns]] = {
    "freshness": (
        ("provider", "provider", "text"), ("interval", "interval", "text"),
        ("last", "newest bar", "day"), ("series", "series", "count"),
        ("lagging", "behind", "count"),
    ),
    "jobs": (
        ("job_name", "job", "text"), ("last_outcome", "last run", "outcome"),
        ("last_started_at", "started", "time"), ("runs", "runs", "count"),
        ("failure", "failed", "count"), ("median_ms", "median time", "ms"),
    ),
    "groups": (
        ("provider", "provider", "text"), ("interval", "interval", "text"),
        ("series", "series", "count"), *_ENDS, *_LACKS, ("lagging", "series behind", "count"),
    ),
    "series": (
        ("symbol", "symbol", "text"), ("states", "coverage", "strip"), *_ENDS, *_LACKS,
    ),
    "changes": (
        *_SERIES, ("what", "what", "text"), ("bars", "bars", "count"), ("bps", "bps", "bps"),
        *_ENDS, ("known_at", "known at", "time"), ("run_id", "run", "run"),
    ),
    "runs": (
        ("id", "run", "id"), ("job_name", "job", "text"), ("outcome", "outcome", "outcome"),
        ("started_at", "started", "time"), ("elapsed_ms", "took", "ms"), *_ROWS,
        ("files", "files", "files"), ("error_message", "error", "long"),
    ),
    "findings": (
        ("run_id", "run", "run"), ("kind", "kind", "text"), ("action", "action", "action"),
        ("text", "finding", "long"), ("path", "file", "text"),
    ),
    "files": (
        ("run_id", "run", "run"), ("path", "file", "long"), ("state", "state", "outcome"),
        ("dialect", "format", "text"), *_ROWS, ("bars_changed", "changed", "count"),
        ("bars_gone", "gone", "count"), ("error_message", "error", "long"),
    ),
    "rules": (
        ("rule", "rule", "text"), ("rows", "rows", "count"), ("files", "files", "count"),
        ("last_run", "last run", "run"),
    ),
    "reject_providers": (("provider", "provider", "text"), ("rows", "rows", "count")),
    "places": (
        ("rule", "rule", "text"), ("rows", "rows", "count"), ("provider", "provider", "text"),
        ("path", "file", "long"), ("run_id", "run", "run"),
    ),
    "first": (
        ("run_id", "run", "run"), ("row_number", "row", "count"), ("rules", "rules", "list"),
        ("symbol", "symbol", "text"), ("ts", "bar", "time"), ("raw", "row as read", "raw"),
    ),
    "bars": (
        ("ts", "bar", "day"), *_PRICES, ("volume", "volume", "price"),
        ("was", "before", "long"), ("run_id", "changed by run", "run"),
    ),
    "gone": (("ts", "bar", "day"), *_PRICES, ("known_at", "gone at", "time"),
             ("run_id", "by run", "run")),
    "diff_series": (
        *_SERIES, ("added", "added", "count"), ("changed", "changed", "count"),
        ("gone", "gone", "count"), ("bps", "bps", "bps"), *_ENDS,
    ),
    "diff_rows": (
        *_SERIES, ("ts", "bar", "day"), ("kind", "what", "text"), ("bps", "bps", "bps"),
        *((name, name, "change") for name in ("open", "high", "low", "close", "volume")),
    ),
}  # fmt: skip
NUMERIC: Final = frozenset({"id", "count", "bps", "ms", "price", "files"})
_TAGS: Final = {
    "failure": "bad", "failed": "bad", "refused": "bad", "stuck": "bad", "cancelled": "warn",
    "partial": "warn", "noted": "warn", "accepted": "dim", "success": "good", "loaded": "good",
}  # fmt: skip
_NOTHING: Final = Markup("<td>-</td>")
_NAME: Final = 120
#: Longer names are not broken into narrower columns than this needs.
_SHORT: Final = 8
_LONG: Final = 600


def cell(row: Mapping[str, Any], key: str, kind: str) -> Markup:
    """A value of a row as a cell of a table."""
    if kind == "change":
        return _number(_change(row, key))
    value = row.get(key)
    if value is None or value == "":
        return Markup('<td class="n">-</td>') if kind in NUMERIC else _NOTHING
    return _KINDS[kind](value)


def count(value: int) -> str:
    return f"{value:,}"


def day(value: datetime) -> str:
    """A date; with its time unless that is midnight."""
    return f"{value:%Y-%m-%d}" if (value.hour, value.minute) == (0, 0) else time(value)


def time(value: datetime) -> str:
    return utc(value, seconds=False)


def percent(share: float) -> str:
    """Never 100 % of what is not whole."""
    return "100 %" if share >= 1 else f"{min(int(share * 10_000), 9_999) / 100:.2f} %"


def price(value: float) -> str:
    return f"{value:,.10g}"


def _change(row: Mapping[str, Any], name: str) -> str:
    old, new = row[f"old_{name}"], row[f"new_{name}"]
    if old is None or new is None or old == new:
        value = old if new is None else new
        return "-" if value is None else price(value)
    return f"{price(old)} > {price(new)}"


def _number(text: str) -> Markup:
    return Markup('<td class="n">{}</td>').format(text)


def _text(value: object) -> Markup:
    text = shown(value, _NAME)
    wide = Markup(' class="x"') if len(text) > _SHORT else ""
    return Markup("<td{}><bdi>{}</bdi></td>").format(wide, text)


def _long(value: object) -> Markup:
    return Markup('<td class="long"><bdi>{}</bdi></td>').format(shown(value, _LONG))


def _tag(value: object) -> Markup:
    kind = _TAGS.get(str(value), "dim")
    return Markup('<td><span class="tag {}">{}</span></td>').format(kind, shown(value))


def _run(value: object) -> Markup:
    return Markup('<td class="w"><a href="#run-{}">{}</a></td>').format(value, value)


_KINDS: Final[dict[str, Callable[[Any], Markup]]] = {
    "text": _text,
    "long": _long,
    "raw": lambda value: Markup('<td class="long"><code>{}</code></td>').format(
        shown(value, _LONG)
    ),
    "list": lambda value: _text(", ".join(map(str, value))),
    "id": lambda value: _number(str(value)),
    "count": lambda value: _number(count(value)),
    "files": lambda value: _number(count(value)),
    "price": lambda value: _number(price(value)),
    "bps": lambda value: _number(f"{value:,.1f}"),
    "ms": lambda value: Markup('<td class="n" data-v="{}">{}</td>').format(value, duration(value)),
    "time": lambda value: Markup('<td class="w">{}</td>').format(time(value)),
    "day": lambda value: Markup('<td class="w">{}</td>').format(day(value)),
    "outcome": _tag,
    "action": _tag,
    "run": _run,
    "strip": lambda value: Markup("<td>{}</td>").format(Markup(strip(value))),  # noqa: S704
}
