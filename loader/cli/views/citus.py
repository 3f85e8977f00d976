"""The output of `citus`."""

from __future__ import annotations

from dataclasses import asdict

from loader.cli.views.table import print_json, say
from loader.listen import log
from loader.store.citus import Plan, Status
from loader.text import bytes_, counted, duration


def show_plan(plan: Plan, *, done: bool, as_json: bool) -> None:
    """Prints the plan, or the steps done."""
    if as_json:
        print_json({"done": done and bool(plan.steps), **asdict(plan), "seconds": plan.seconds})
        return
    if not plan.steps:
        say("nothing to do: bars_ohlcv is distributed as mdload wants it")
        return
    for step in plan.steps:
        say(f"{'done' if done else 'would'}: {step}")
    if not done:
        say(
            f"about {plan.rows:,} rows, {bytes_(plan.bytes)}: some "
            f"{duration(plan.seconds * 1000)}, during which nobody can read or write bars, and as "
            "much disk again until it ends"
        )
        log.note("nothing was done; do it with: mdload citus enable --yes")


def show_status(status: Status, *, as_json: bool) -> None:
    if as_json:
        print_json(asdict(status))
        return
    say(f"Citus {status.version}, {counted(status.servers, 'server')} for shards")
    if status.by is None:
        say("bars_ohlcv is not distributed; do it with: mdload citus enable")
    else:
        say(f"bars_ohlcv is distributed by {status.by}")
    for server in status.on:
        shards = counted(server.shards, "shard")
        say(f"  {server.host}:{server.port}  {shards}, {bytes_(server.bytes)}")
    if status.lost:
        say(f"{counted(status.lost, 'server')} did not answer")
    if status.waiting:
        say(
            f"{counted(status.waiting, 'transaction')} waits to be committed: Citus does it within "
            "a minute; until then the bars in it do not show"
        )
