"""The output of `gaps`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Final

from loader import bars
from loader.cli.views.table import Column, print_json, say, table
from loader.listen import log
from loader.survey.gaps import Gap, SeriesGaps
from loader.survey.waivers import Waiver
from loader.text import counted, number, utc

#: Gaps in a table that is there to be read; `--json` has all.
_SHOWN: Final = 40


def print_gaps(
    calendar: str, checked: Sequence[SeriesGaps], unknown: Sequence[str], *, as_json: bool
) -> None:
    """Prints a table of gaps with a summary, or one object with all series and gaps."""
    gaps = [gap for series in checked for gap in series.gaps]
    if as_json:
        print_json(_as_object(calendar, checked, gaps, unknown))
        return
    if gaps:
        _print_table(gaps[:_SHOWN])
        if len(gaps) > _SHOWN:
            say(f"and {counted(len(gaps) - _SHOWN, 'gap')} more; --json has all")
        say()
    say(_sum(calendar, checked))
    for text in _doubts(checked, unknown):
        log.note(text)


def _print_table(gaps: Sequence[Gap]) -> None:
    table(
        None,
        [
            Column("provider", spare=1),
            Column("symbol"),
            Column("interval", "time"),
            Column("first missing", "time"),
            Column("last missing", "time"),
            Column("bars", "number"),
            Column("whole sessions", "number", spare=2),
        ],
        [[g.provider, g.symbol, g.interval, *_ends(g), g.bars, g.sessions or None] for g in gaps],
    )


def _ends(gap: Gap) -> list[str]:
    if bars.is_daily(gap.interval):
        return [f"{ts:%Y-%m-%d}" for ts in (gap.first, gap.last)]
    return [utc(ts, seconds=bool(ts.second)) for ts in (gap.first, gap.last)]


def _sum(calendar: str, checked: Sequence[SeriesGaps]) -> str:
    expected, stored, waived, missing = (
        sum(getattr(c, name) for c in checked)
        for name in ("expected", "stored", "waived", "missing")
    )
    parts = [
        f"{calendar}: {number(len(checked))} series, "
        f"{counted(expected, 'bar')} expected, {stored:,} stored"
    ]
    if waived:
        parts.append(f"{waived:,} waived")
    return ", ".join([*parts, f"{missing:,} missing" if missing else "none missing"])


def _doubts(checked: Sequence[SeriesGaps], unknown: Sequence[str]) -> list[str]:
    """Limits of the check that a person should know."""
    said = []
    if unknown:
        said.append(f"not checked, as no calendar says when they start: {', '.join(unknown)} bars")
    foreign = [c for c in checked if c.outside > c.stored]
    if foreign:
        names = ", ".join(f"{c.symbol} {c.interval}" for c in foreign[:8])
        said.append(
            f"more bars lie outside of the calendar's sessions than within: {names}; "
            "is it the right calendar?"
        )
    return said


def _as_object(
    calendar: str, checked: Sequence[SeriesGaps], gaps: Sequence[Gap], unknown: Sequence[str]
) -> dict[str, object]:
    names = [f.name for f in fields(SeriesGaps) if f.name != "gaps"]
    return {
        "calendar": calendar,
        "missing": sum(c.missing for c in checked),
        "waived": sum(c.waived for c in checked),
        "not_checked": list(unknown),
        "series": [{name: getattr(c, name) for name in names} for c in checked],
        "gaps": list(gaps),
    }


def print_waivers(waivers: Sequence[Waiver], *, as_json: bool) -> None:
    """Prints waivers as a table, or as an array."""
    if as_json:
        print_json(list(waivers))
    elif not waivers:
        log.note("nothing is waived")
    else:
        table(
            None,
            [
                Column("id", "number"), Column("provider", spare=2), Column("symbol"),
                Column("interval", "time", spare=1), Column("from", "time"), Column("to", "time"),
                Column("reason"), Column("by", spare=3), Column("at", "time", spare=4),
            ],
            [
                [
                    str(w.id), w.provider or "all", w.symbol, w.interval or "all", w.first, w.last,
                    w.reason, w.waived_by, w.created_at,
                ]
                for w in waivers
            ],
        )  # fmt: skip
