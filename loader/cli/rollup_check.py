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
        NothingStored: there is no such rollup, or no bar to compare with it.
    """
    from loader.bars import parse_interval
    from loader.cli.store import store
    from loader.cli.views.table import Column, print_json, say, table
    from loader.errors import CheckFailed, NothingStored
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
    if not found.compared:
        raise NothingStored(
            f"no series has stored {wanted} bars and bars in {found.rollup.name}",
            hint=f"see which there are: mdload coverage --interval {wanted}",
        )
    if found.differences:
        fields = ", ".join(f"{name} {n:,}" for name, n in found.by_field.items())
        raise CheckFailed(f"{counted(len(found.differences), 'bar')} differ ({fields})")


def _pairs(
    differs: tuple[str, ...], stored: tuple[float | None, ...], made: tuple[float | None, ...]
) -> list[str | None]:
    """For each field, the stored and the computed value if they differ or one is missing."""
    from loader.survey.verify import FIELDS

    return [
        _pair(s, m) if s is not None and m is not None and name in differs else None
        for name, s, m in zip(FIELDS, stored, made, strict=True)
    ]


def _pair(stored: float, made: float) -> str:
    """Both with as many digits as it takes to see that they differ."""
    for digits in (6, 9, 12, 15):
        left, right = f"{stored:.{digits}g}", f"{made:.{digits}g}"
        if left != right:
            return f"{left} / {right}"
    return f"{stored!r} / {made!r}"
