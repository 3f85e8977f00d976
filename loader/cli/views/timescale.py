"""The output of `timescale`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta

from loader.cli.views.table import print_json, say
from loader.errors import DatabaseError
from loader.listen import log
from loader.store.timescale import Extension, Plan, Rollup, Status
from loader.store.timescale.recompress import Recompressed
from loader.text import bytes_, counted, duration, utc


def show_plan(plan: Plan, refused: str | None, *, done: bool, as_json: bool) -> None:
    """Prints the plan, or the steps done. `refused` is the server's message about compression."""
    if as_json:
        sizes = {name: getattr(plan, name) for name in ("steps", "rows", "bytes", "seconds")}
        told = {"done": done and bool(plan.steps), **sizes, "no_compression": refused}
        print_json({**_extension(plan.extension), **told})
        return
    if not plan.steps:
        say("nothing to do: bars_ohlcv is a hypertable as mdload wants it")
    for step in plan.steps:
        say(f"{'done' if done else 'would'}: {step}")
    if not plan.extension.compresses or refused:
        why = refused or "the server has the Apache licence"
        say(
            f"no compression: {why}; it comes with TimescaleDB's Community licence "
            "(timescaledb.license = timescale)"
        )
    if plan.steps and not done:
        if not plan.hypertable:
            took = duration(plan.seconds * 1000)
            say(
                f"about {plan.rows:,} rows, {bytes_(plan.bytes)}: some {took}, during which "
                "nobody can read or write bars, and as much disk again until it ends"
            )
        log.note("nothing was done; do it with: mdload timescale enable --yes")


def show_rollups(wanted: Sequence[Rollup], new: Sequence[Rollup], *, as_json: bool) -> None:
    if as_json:
        print_json([{"name": r.name, **asdict(r), "created": r in new} for r in wanted])
        return
    for each in wanted:
        there = "made and filled" if each in new else "is there already"
        say(f"{each.name}: {each.target} bars of {each.source} bars, {there}")


def show_status(status: Status, *, as_json: bool) -> None:
    if as_json:
        told = {name: _plain(value) for name, value in asdict(status).items()}
        print_json({**told, **_extension(status.extension),
                           "rollups": [r.name for r in status.rollups]})  # fmt: skip
        return
    has = status.extension
    facts = [("TimescaleDB", f"{has.version}, {_licence(has.licence)}")]
    if not status.hypertable:
        facts.append(("bars", f"a plain table of {bytes_(status.bytes)}: "
                              "mdload timescale enable"))  # fmt: skip
    else:
        facts.append(("bars", f"{status.chunks:,} chunks of {_days(status.chunk_width)}, "
                              f"{status.compressed:,} of them compressed, "
                              f"{bytes_(status.bytes)}"))  # fmt: skip
        if status.partial:
            facts.append(("", f"{counted(status.partial, 'compressed chunk')} with "
                              f"{bytes_(status.beside)} uncompressed beside: "
                              "mdload timescale recompress"))  # fmt: skip
        facts.append(("policy", _policy(status)))
    if status.before and status.after:
        facts.append(("compressed", f"{bytes_(status.before)} to "
                                    f"{bytes_(status.after)}, "
                                    f"{status.before / status.after:.1f} to 1"))  # fmt: skip
    facts += [("rollup", f"{r.name}: {r.target} bars of {r.source} bars") for r in status.rollups]
    for name, value in facts:
        say(f"{name:>11}  {value}")


def show_recompressed(done: Sequence[Recompressed], *, as_json: bool) -> None:
    """Prints what became of each chunk.

    Raises:
        DatabaseError: the server refused some of them.
    """
    failed = [each for each in done if each.error]
    before = sum(each.chunk.bytes for each in done)
    left = sum(each.left for each in done)
    if as_json:
        print_json([
            {"chunk": c.chunk.chunk, "first": c.chunk.lo, "before": c.chunk.hi,
             "bytes_before": c.chunk.bytes, "bytes_after": c.left, "error": c.error}
            for c in done
        ])  # fmt: skip
    elif not done:
        say("nothing to do: all bars of compressed chunks are compressed")
    else:
        said = counted(len(done) - len(failed), "chunk")
        say(f"compressed {said} again: {bytes_(before)} beside them before, {bytes_(left)} now")
    if failed:
        first = failed[0]
        raise DatabaseError(
            f"{counted(len(failed), 'chunk')} could not be compressed again, among them "
            f"{first.chunk.chunk}: {first.error}",
            hint="as the owner of bars_ohlcv, while nobody loads: mdload timescale recompress",
        )


def _policy(status: Status) -> str:
    if not status.compresses:
        return "no compression"
    if status.compress_after is None:
        return "none: nothing is compressed by itself"
    ran = f"ran at {utc(status.last_run)}" if status.last_run else "has not run yet"
    if status.last_status == "Failed":
        ran = f"failed at {utc(status.last_run)}" if status.last_run else "failed"
    return f"compresses what is older than {_days(status.compress_after)}; {ran}"


def _licence(name: str) -> str:
    return {"timescale": "Community licence", "apache": "Apache licence"}.get(name, name)


def _days(width: timedelta | None) -> str:
    return counted(width.days, "day") if width and width.days else str(width)


def _plain(value: object) -> object:
    return value.total_seconds() if isinstance(value, timedelta) else value


def _extension(has: Extension) -> dict[str, object]:
    return {"version": has.version, "licence": has.licence}
