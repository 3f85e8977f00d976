"""`mdload` and `python -m loader`."""

from __future__ import annotations

import gc
import signal
from typing import NoReturn


def main() -> NoReturn:
    """Runs the command line."""
    # Until it listens itself, Ctrl-C ends it as SIGTERM does: without a traceback of the imports.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    gc.disable()  # imported modules stay
    from loader.cli import main as run  # noqa: PLC0415 - takes a moment

    gc.freeze()
    gc.enable()
    run()


if __name__ == "__main__":
    main()
