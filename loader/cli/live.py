"""`mdload live`: bars as they come, from a pipe into the store."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loader.cli.context import Context
from loader.cli.numbers import Whole
from loader.cli.options import (
    PATH,
    GroupedHelp,
    click_option,
    json_option,
    meaning_options,
    settings_of,
)
from loader.settings.load import OPTIONS

if TYPE_CHECKING:
    from loader.client.live import LiveFeed


@click.command(
    cls=GroupedHelp, epilog="Example: feed-client | mdload live --provider kraken --interval 1m"
)
@click.argument("source", default="-", metavar="[SOURCE]", type=PATH)
@meaning_options
@click_option(OPTIONS["job_name"], default="live")
@click.option("--flush-rows", metavar="N", type=click.IntRange(1, 1_000_000), default=1000,
              show_default=True, help="Store after N bars.")  # fmt: skip
@click.option("--flush-ms", metavar="T", type=Whole(1, 86_400_000), default=200,
              show_default=True,
              help="Store after the first bar has waited for T milliseconds.")  # fmt: skip
@click.option("--spill-dir", metavar="DIR", type=click.Path(file_okay=False, path_type=Path),
              help="Folder for lines while the server is away; else in mdload's home.")  # fmt: skip
@click.option("--metrics-port", metavar="PORT", type=click.IntRange(1, 65535),
              help="Serve the feed's metrics at http://HOST:PORT/metrics.")  # fmt: skip
@json_option
@click.pass_obj
def live(ctx: Context, /, source: str, as_json: bool, **given: Any) -> int:
    """Store bars as they arrive: one JSON object per line, from standard input, a fifo or a file.

    The feed ends with its input; on SIGTERM and Ctrl-C it stores what it has read and ends. Lines
    that are not bars are kept in bars_rejected. While the server is away, lines are buffered on
    disk.
    """
    ending = _Ending()
    from loader.cli import interrupts
    from loader.cli.store import store
    from loader.cli.views.load import print_load, summary
    from loader.client.live import Flush, LiveFeed
    from loader.client.live.spill import directory
    from loader.db.conninfo import described
    from loader.listen.progress import listeners

    ending.listen()  # again: Polars has put a handler of its own under Python's
    settings = settings_of(ctx, given)  # before a server is started for it
    flush = Flush(given["flush_rows"], given["flush_ms"] / 1000)
    with ExitStack() as stack:
        measuring = []
        if given["metrics_port"]:
            from loader.listen.metrics import serve

            port, job_name = given["metrics_port"], given["job_name"]
            measuring = [stack.enter_context(serve(port, job_name, given["provider"]))]
        url = stack.enter_context(store(ctx, make=True))
        told = stack.enter_context(listeners(ctx.verbosity, ctx.log_format))
        spill = given["spill_dir"] or directory(ctx.home)
        feed = LiveFeed(settings, url, source, flush, spill, [*told, *measuring])
        stack.enter_context(ending.of(feed))
        result = feed.run()
    with interrupts.kept(result.exit_code, summary(result)):
        print_load(result, as_json=as_json, where=described(url))
    return result.exit_code


class _Ending:
    """SIGTERM, SIGHUP and Ctrl-C drain the feed; before there is one they end the command."""

    def __init__(self) -> None:
        self._feed: LiveFeed | None = None
        self.listen()

    def listen(self) -> None:
        from loader.cli import interrupts

        interrupts.stand_back()
        signal.signal(signal.SIGTERM, self._heard)
        for number in (signal.SIGINT, *interrupts.HANG_UP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup, a shell's background
                signal.signal(number, self._heard)

    @contextmanager
    def of(self, feed: LiveFeed) -> Iterator[None]:
        """From now on it is this feed's ending."""
        self._feed = feed
        try:
            yield
        finally:
            self._feed = None

    def _heard(self, number: int, _: object) -> None:
        if self._feed is not None:
            self._feed.stop(interrupted=number == signal.SIGINT)
        elif number == signal.SIGINT:
            raise KeyboardInterrupt
        else:
            sys.exit(0)
