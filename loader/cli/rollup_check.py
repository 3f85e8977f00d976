"""`mdload verify --rollup`: do stored bars agree with those that TimescaleDB makes of others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loader.cli.context import Context

if TYPE_CHECKING:
    from loader.store.series import SeriesFilter

_SHOWN = 20


def check(
    ctx: Context, interval: str | None, asked: SeriesFilter, tolerance: float, *, as_json: bool
) -> None:
    """
    Raises:
        CheckFailed: some differ.
        NothingStored: there is no such rollup.
    """
    from loader.bars import parse_interval
    from loader.cli.store import store
    from loader.cli.views.table import Column, print_json, say, table
    from loader.errors import CheckFailed
    from loader.store.timescale import connected, extension
    from loader.survey.verify import FIELDS, check
    from loader.text import counted

    wanted = "1d" if interval is None else parse_interval(interval) or interval
    with store(ctx) as url, connected(url) as connection:
        extension(connection)
        found = check(connection, wanted, asked, tolerance)
    if as_json:
        told = {"rollup": found.rollup.name, "compared": found.compared, "by_field": found.by_field}
        print_json({**told, "differences": found.differences})
    else:
        rows = [
            (d.provider, d.symbol, d.ts, ", ".join(d.differs), *_pairs(d.differs, d.stored, d.made))
            for d in found.differences[:_SHOWN]
        ]
        if rows:
            time = Column("ts", "time")
            table(None, ["provider", "symbol", time, "differs", *FIELDS], rows)
        say(f"{found.rollup.name}: {counted(found.compared, 'bar')} compared, "
                   f"{len(found.differences):,} differ")  # fmt: skip
    if found.differences:
        fields = ", ".join(f"{name} {n:,}" for name, n in found.by_field.items())
        raise CheckFailed(f"{counted(len(found.differences), 'bar')} differ ({fields})")


def _pairs(
    differs: tuple[str, ...], stored: tuple[float | None, ...], made: tuple[float | None, ...]
) -> list[str | None]:
    """For each field, the stored and the computed value if they differ or one is missing."""
    from loader.survey.verify import FIELDS

    return [
        f"{s:g} / {m:g}" if s is not None and m is not None and name in differs else None
        for name, s, m in zip(FIELDS, stored, made, strict=True)
    ]
