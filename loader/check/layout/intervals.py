"""The interval of a file's bars: from its column, an option, or the spacing of the bars."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

import polars as pl

from loader import bars
from loader.bars import names, numbers
from loader.bars.times import spacing
from loader.bars.times.spacing import Spacing
from loader.check.instruments.hints import ASKED, VOCABULARY, Hint, parse_interval
from loader.check.instruments.lacks import Known
from loader.check.layout.fills import Fill, overruled_note, words_of
from loader.dialects.siblings import intervals_in
from loader.errors import ColumnMismatch
from loader.lazy import dataclass
from loader.settings import Meaning

#: Steps, and the share of them that is alike, that gaps do not leave.
_REGULAR_STEPS: Final = 5
_REGULAR_SHARE: Final = 0.8


@dataclass(frozen=True, slots=True)
class Doubts:
    """What may contradict the interval that a person gives: those that the file's path has `named`,
    beside the spacing of its bars."""

    named: frozenset[str] = frozenset()


def doubts_of(meaning: Meaning, known: Known) -> Doubts | None:
    """What may contradict the person's interval of a file; None where the person wants no check."""
    if known.place is None or not meaning.check_grid:
        return None
    return Doubts(frozenset(intervals_in(known.place.path)))


def refuse_several_intervals(
    frame: pl.DataFrame, columns: Mapping[str, str], used: Collection[str], where: str
) -> None:
    """Refuses a table whose bars have several intervals by a column that is not read.

    Raises:
        ColumnMismatch: all cells of a column are intervals such as `1m` and `5min`, and differ.
    """
    if "interval" in columns:
        return
    for name, dtype in frame.schema.items():
        if name in (*columns.values(), *used) or not numbers.is_text(dtype):
            continue
        cells = frame.get_column(name).unique(maintain_order=True).drop_nulls()
        if not 1 < len(cells) <= len(bars.INTERVALS) or not cells.str.contains("^[0-9]").all():
            continue
        if len({bars.parse_interval(cell) for cell in cells} - {None}) == len(cells):
            raise ColumnMismatch.at(
                where,
                f"column {name!r} has several intervals ({', '.join(cells.head(3))})",
                column=name,
                hint=f"read them: --column interval={name}; or load the rows of one: "
                f"--where {name}={cells[0]}",
            )


def interval(
    frame: pl.DataFrame,
    columns: Mapping[str, str],
    hint: Hint | None,
    times: pl.Series,
    where: str,
    words: Mapping[str, str],
    doubts: Doubts | None = None,
) -> Fill:
    """The fill of `interval`: the hint, or what the steps between `times` (Datetime us) show.

    `words` are the dialect's own for intervals. Only with `doubts` does a file have to agree with a
    hint that is given.

    Raises:
        SettingsError: the hint is not an interval.
        ColumnMismatch: the column holds no interval, the steps do not show one, or they or the
            file's name contradict the hint.
    """
    known = parse_interval(hint, words) if hint is not None else None
    column = columns.get("interval")
    if said := words_of(frame, column):
        parsed = {words.get(text) or bars.parse_interval(text) for text in said} - {None}
        if not parsed:
            raise ColumnMismatch.at(
                where,
                f"column {column!r} says {said[0]!r}, which is not an interval",
                column=column,
                hint=f"intervals are {VOCABULARY}; another column: --column interval=NAME",
            )
        _refuse_contradiction(frame, columns, said, times, where, words)
        overruled = known is not None and parsed != {known}
        return Fill(
            known, (overruled_note("interval", str(column), said, str(hint)),) if overruled else ()
        )
    if not frame.height:
        return Fill(known)
    series = [frame.get_column(columns[k]) for k in ("provider", "symbol") if k in columns]
    shown = spacing.infer(times, series)
    if known is not None:
        if shown.interval == known:
            return Fill(known)
        assert hint is not None
        if doubts is not None and hint.given:
            _refuse_other_name(known, hint, shown, doubts, where)
        if shown.interval is None:
            if doubts is not None and hint.given:
                _refuse_no_interval(known, hint, shown, doubts, where)
            return Fill(known)
        if bars.is_daily(known) and not bars.is_daily(shown.interval):
            raise ColumnMismatch.at(
                where,
                f"{hint} is one bar a day at most, but the spacing of the bars "
                f"is {shown.interval} ({shown.evidence})",
                hint=f"say --interval {shown.interval}, or leave it out",
            )
        if doubts is not None and hint.given:
            _refuse_other_spacing(known, hint, shown, doubts, where)
        doubt = f"bars are loaded as {known}, but their spacing is {shown.interval}"
        return Fill(known, (f"{doubt} ({shown.evidence})",))
    if shown.interval is None:
        regular = shown.steps >= _REGULAR_STEPS and shown.share >= _REGULAR_SHARE
        gaps = "no interval has that length; for days with gaps: --interval 1d --off-grid"
        raise ColumnMismatch.at(
            where,
            f"the interval of the bars is not known, {shown.evidence}",
            hint=gaps
            if regular and shown.usual > _length("1d")
            else f"name it: --interval {shown.likely or _usual(times)}",
        )
    return Fill(shown.interval, (inferred(shown.interval, shown.evidence),))


def inferred(interval: str, evidence: str) -> str:
    """The note on an interval that only the spacing of the bars shows."""
    return f"interval {interval} inferred from the spacing: {evidence}"


def _refuse_other_name(known: str, hint: Hint, shown: Spacing, doubts: Doubts, where: str) -> None:
    """Refuses a file that has another interval in its path, where its bars do not settle it."""
    said = doubts.named
    if known in said or not said or (shown.interval or shown.likely) not in {None, *said}:
        return
    raise ColumnMismatch.at(
        where,
        f"{_against(hint)} the file's path, which says {' and '.join(sorted(said))}",
        hint=_instead(hint, shown.interval or sorted(said)[0], known),
    )


def _refuse_other_spacing(
    known: str, hint: Hint, shown: Spacing, doubts: Doubts, where: str
) -> None:
    """Refuses bars that are closer together than they are long; and those that are regularly
    farther apart, which leaves nothing to gaps unless the file's name agrees."""
    found = str(shown.interval)
    closer = _length(found) < _length(known)
    regular = shown.steps >= _REGULAR_STEPS and shown.share >= _REGULAR_SHARE
    regular = regular and known not in doubts.named
    if not closer and not regular and bars.is_daily(found) == bars.is_daily(known):
        return
    raise ColumnMismatch.at(
        where,
        f"{_against(hint)} the spacing of the bars, which is {found} ({shown.evidence})",
        hint=_instead(hint, found, known),
    )


def _refuse_no_interval(known: str, hint: Hint, shown: Spacing, doubts: Doubts, where: str) -> None:
    """Refuses bars that are regularly closer together than they are long, at a distance that is no
    interval: their times are probably of another unit. Also days and longer that are regularly
    farther apart; minutes may lack trades."""
    regular = shown.steps >= _REGULAR_STEPS and shown.share >= _REGULAR_SHARE
    closer = 0 < shown.usual < _length(known) * 0.9
    farther = bars.is_daily(known) and shown.usual > _length(known) * 1.5
    farther = farther and known not in doubts.named
    if regular and (closer or farther):
        read = "see with mdload inspect how their times are read; --time-format names another form"
        unit = f"{read} or unit; " if closer else ""
        raise ColumnMismatch.at(
            where,
            f"{_against(hint)} the spacing of the bars: {shown.evidence}",
            hint=unit + _all_the_same(known),
        )


def _against(hint: Hint) -> str:
    return f"{hint} contradicts" if hint.by == ASKED else f"{hint}, which contradicts"


def _instead(hint: Hint, found: str, known: str) -> str:
    gaps = _all_the_same(known)
    if hint.by == ASKED:
        return f"say --interval {found}, or leave it out; {gaps}"
    return f"rename it, or leave {{interval}} out of --name; {gaps}"


def _all_the_same(known: str) -> str:
    return f"if they are bars of {known} all the same: --off-grid"


def _length(interval: str) -> int:
    return bars.INTERVAL_SECONDS[interval]


def _usual(times: pl.Series) -> str:
    """An interval to name as an example: bars at midnight only are daily."""
    return "1d" if (times == times.dt.truncate("1d")).all() else "1m"


def _refuse_contradiction(
    frame: pl.DataFrame,
    columns: Mapping[str, str],
    said: list[str],
    times: pl.Series,
    where: str,
    words: Mapping[str, str],
) -> None:
    """Refuses a column that says days or longer of bars that are minutes apart, or the other way
    round: `1M` for a minute is a month."""
    column = columns["interval"]
    text = names.trimmed(names.spelled(frame, column, None))
    series = [frame[columns[k]] for k in ("provider", "symbol") if k in columns]
    for word in said:
        interval = words.get(word) or bars.parse_interval(word)
        if len(text.distinct) == 1:
            shown = spacing.infer(times, series)
        else:
            here = (text.rows == word).fill_null(False)
            shown = spacing.infer(times.filter(here), [key.filter(here) for key in series])
        if interval is None or shown.interval is None:
            continue
        if bars.is_daily(interval) != bars.is_daily(shown.interval):
            raise ColumnMismatch.at(
                where,
                f"column {column!r} says {word!r}, which is {interval}, but the spacing of those "
                f"bars is {shown.interval} ({shown.evidence})",
                column=column,
                hint=f"if the spacing is right: --column interval=- --interval {shown.interval}",
            )
