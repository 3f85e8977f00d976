"""Several files, all series of which are new or stored as they are: staged together, and each
committed by a statement of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import datetime
from typing import Final, Literal

import polars as pl

from loader import bars
from loader.db.arrow import Connection
from loader.errors import DatabaseError
from loader.lazy import dataclass
from loader.store import shape
from loader.store.packed import few, near, repeated, unpacked, wanted_json

_STAGE: Final = {"file": pl.Int64(), **bars.SCHEMA}
_Met = Literal["same", "new", "grown"]


@dataclass(frozen=True, slots=True)
class Standing:
    """How a series of a file stands beside the stored bars.

    Attributes:
        kind: all of it is stored, the `same`, and no bar between; or none is stored from its first
            to its last bar: it is `new`, and goes on before or after what is stored, or it comes
            `between` stored bars. Or it has `grown`: within the stored span it is the same, and its
            other bars go on before or after that.
        stored: the first and the last stored ts, None if there are none.
    """

    kind: Literal["same", "new", "between", "grown"]
    stored: tuple[datetime, datetime] | None


@dataclass(frozen=True, slots=True)
class Booking:
    """What a file leaves in the books.

    Attributes:
        file: its number in the stage.
        fingerprint: of the settings.
        began: when its load did, by the clock of the server, before the look at what is stored:
            what others change after it counts as later.
        provider, interval: the one of all of its bars, if there is one.
        spellings: `spellings.SCHEMA`, as objects.
        rows, inserted, skipped: its rows, the new bars among them, and the rows without a bar.
        inserted_between: how many of the new bars come between stored ones.
        series: the series that have some, as objects (`loader.results.history.SeriesHistory`).
        deferred: whether its commit does not wait for the disk.
    """

    file: int
    run_id: int
    path: str
    size_bytes: int
    content_hash: str
    fingerprint: str
    began: datetime
    dialect: str
    provider: str | None
    interval: str | None
    symbols: tuple[str, ...]
    spellings: Sequence[Mapping[str, str]]
    rows: int
    inserted: int
    skipped: int
    inserted_between: int
    series: Sequence[Mapping[str, object]]
    min_ts: datetime
    max_ts: datetime
    deferred: bool
    notes: tuple[str, ...]


def may_stage(session: Connection) -> bool:
    """Whether the bars are in one plain table of this server, with no trigger of others that could
    keep some out.

    Raises:
        DatabaseError: the table was altered; or the server refused, or went away.
    """
    return (
        session.shards is None
        and not session.one("bars_partitioned")[0]
        and not shape.check(session).triggers
    )


def standings(
    session: Connection, series: pl.DataFrame, found: pl.DataFrame
) -> list[Standing | None]:
    """How each of the `series` (`bars.SERIES`, lo, hi, rows) stands beside the stored ones, also if
    those before it are written first; None if otherwise, or if a longer look is needed. `found` has
    the bars, in the order of the series.

    Raises:
        DatabaseError: the server refused, or went away.
    """
    wanted = series.with_row_index("sid").cast({"sid": pl.Int32})
    spans = session.frame("stored_spans", wanted.select("sid", *bars.SERIES).write_json())
    spans = spans.cast({"sid": pl.Int32, "stored_lo": bars.TS, "stored_hi": bars.TS})
    beside = wanted.join(spans, on="sid", how="left", maintain_order="left")
    meets = (pl.col("lo") <= pl.col("stored_hi")) & (pl.col("hi") >= pl.col("stored_lo"))
    beside = beside.with_columns(meets=meets.fill_null(False))
    asked = beside.filter(pl.col("meets") & near() & few())
    stored = _met(session, asked, found, series["rows"]) if asked.height else {}
    answers: list[Standing | None] = []
    written: dict[tuple[str, ...], list[tuple[datetime, datetime]]] = {}
    for sid, *key, lo, hi, stored_lo, stored_hi, meets_stored in beside.select(
        "sid", *bars.SERIES, "lo", "hi", "stored_lo", "stored_hi", "meets"
    ).iter_rows():
        before = written.setdefault(tuple(key), [])
        met = stored.get(sid) if meets_stored else "new"
        if any(lo <= last and hi >= first for first, last in before):
            met = None
        if met is None or (met == "grown" and before):
            answers.append(None)
            continue
        span = (stored_lo, stored_hi) if stored_lo is not None else None
        ends = [*before, span] if span is not None else before
        is_inside = any(first < lo for first, _ in ends) and any(last > hi for _, last in ends)
        answers.append(Standing("between" if met == "new" and is_inside else met, span))
        if met != "same":
            before.append((lo, hi))
    return answers


def _met(
    session: Connection, asked: pl.DataFrame, found: pl.DataFrame, rows: pl.Series
) -> dict[int, _Met]:
    """How each series meets the stored bars of its span, by sid. Left out are series that change
    or lack a stored bar, or add one within the stored span."""
    session.run("wanted_set", wanted_json(asked.select("sid", *bars.SERIES, "lo", "hi")))
    ends = asked.select(pl.col("lo").min(), pl.col("hi").max()).row(0)
    stored = [unpacked(batch) for batch in session.batches("stored_bars", *ends)]
    answers: dict[int, _Met] = dict.fromkeys(asked["sid"], "new")
    if not stored:
        return answers
    sid = repeated(range(len(rows)), rows).alias("sid")
    own = found.select("ts", *bars.VALUES).with_columns(sid)
    equal = pl.all_horizontal(pl.col(v).eq_missing(pl.col(f"{v}_own")) for v in bars.VALUES)
    beside = pl.concat(stored).join(own, on=["sid", "ts"], how="left", suffix="_own")
    counted = beside.group_by("sid").agg(stored=pl.len(), equal=equal.sum())
    counted = counted.join(asked.select("sid", "rows"), on="sid")
    alike: dict[int, int] = {}
    for number, *both, height in counted.select("sid", "stored", "equal", "rows").iter_rows():
        del answers[number]
        if both == [height, height]:
            answers[number] = "same"
        elif both[0] == both[1]:
            alike[number] = both[0]
    answers |= dict.fromkeys(_grown(asked, own, alike), "grown")
    return answers


def _grown(asked: pl.DataFrame, own: pl.DataFrame, alike: Mapping[int, int]) -> Iterator[int]:
    """The sids of series that have only stored bars within the stored span. `alike` has, by sid,
    the number of bars that are stored as they are."""
    if not alike:
        return
    spans = asked.select("sid", "stored_lo", "stored_hi").filter(pl.col("sid").is_in([*alike]))
    within = own.join(spans, on="sid").filter(pl.col("ts").is_between("stored_lo", "stored_hi"))
    for number, bars_within in within.group_by("sid").len().iter_rows():
        if bars_within == alike[number]:
            yield number


@contextmanager
def staged(session: Connection, found: pl.DataFrame) -> Iterator[None]:
    """Copies the bars (`bars.SCHEMA`), with the number of their `file`, into the stage, which is
    there until the block ends. `session` commits each statement.

    Raises:
        DatabaseError: the server refused, or went away.
    """
    session.run("together_drop")
    session.run("together_create")
    session.ingest(
        "mdload_together", _STAGE, [found.cast({"file": pl.Int64}).select(*_STAGE)], temporary=True
    )
    session.run("together_index")
    try:
        yield
    finally:
        with suppress(DatabaseError):  # it goes with the session, too
            session.run("together_drop")


def booked(session: Connection, bookings: Sequence[Booking]) -> Iterator[int]:
    """Commits the files one after the other, and gives the id of each one's row in the ledger as
    soon as it is committed.

    Raises:
        DatabaseError: one could not be committed; those before it are.
    """
    texts = [json.dumps(asdict(each), ensure_ascii=False, default=str) for each in bookings]
    for file_id, *_ in session.each("together_book", texts):
        yield int(file_id)


def booked_by(session: Connection, run_id: int, paths: Sequence[str]) -> dict[str, int]:
    """The ids of the files of the run that are loaded, by those of `paths`. Waits for a transaction
    that is under way.

    Raises:
        DatabaseError: the server refused, or went away.
    """
    session.row("job_run_wait", run_id)
    return dict(session.rows("together_booked", run_id, json.dumps(paths, ensure_ascii=False)))
