"""A process that loads files for this one, as this side has it."""

from __future__ import annotations

import os
import pickle
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from loader.read import memory

if TYPE_CHECKING:
    from loader.ingest.ways.processes.brief import Answer, Asked

#: Modules come from where they come from here. Imports make no garbage to look for.
_CODE: Final = (
    "import gc, sys; gc.disable(); lifeline, *sys.path = sys.argv[1:]; "
    "from loader.ingest.ways.processes.child import main; main(int(lifeline))"
)
#: What it says first.
READY: Final = b"ready"
#: Milliseconds after which one that starts may not be wanted any more.
_LOOK: Final = 20
#: Seconds for a process with nothing to do to end.
_MOMENT: Final = 1.0


class Gone(Exception):
    """The process has ended without an answer."""


class Process:
    """One process. It starts at once, and imports what it needs while this one goes on. The address
    of the database reaches it through a pipe: arguments can be read by everybody.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(self) -> None:
        ends, self._lifeline = os.pipe()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _CODE, str(ends), *sys.path],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[ends],
                env=memory.inherited(), start_new_session=True,  # without a terminal's signals
            )  # fmt: skip
        except OSError:
            os.close(self._lifeline)
            raise
        finally:
            os.close(ends)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._asked, self._answers = self._process.stdin, self._process.stdout
        self._cut = self._briefed = False

    def is_ready(self, wanted: Callable[[], bool]) -> bool | None:
        """Whether it has started; waits for that while it is `wanted`. None if it is not."""
        ready = select.poll()
        ready.register(self._answers, select.POLLIN)
        while not ready.poll(_LOOK):
            if not wanted():
                return None
        return self._answers.read(len(READY)) == READY

    def expect(self, url: str) -> None:
        """Names the database of the load, if that is known before the brief."""
        with suppress(Gone):  # `is_ready` says so
            self._send(pickle.dumps(url))

    def brief(self, brief: bytes) -> None:
        """Hands over the load, see `child`.

        Raises:
            Gone: there is nobody to take it.
        """
        self._briefed = True
        self._send(brief)

    def ask(self, question: Asked) -> Answer:
        """The answer, once it is there.

        Raises:
            Gone: there is none.
            Exception: what was raised there.
        """
        self._send(pickle.dumps(question, pickle.HIGHEST_PROTOCOL))
        try:
            answer = pickle.load(self._answers)  # noqa: S301 - of our own process
        except (EOFError, OSError, ValueError, pickle.UnpicklingError) as error:
            raise Gone from error
        if isinstance(answer, Exception):
            raise answer
        loaded: Answer = answer
        return loaded

    def cancel(self) -> None:
        """Cancels what it loads; it answers still, and ends soon."""
        if not self._cut:
            self._cut = True
            os.close(self._lifeline)

    def close(self) -> None:
        """Ends it, and returns once it has ended: at once if it was cancelled, or has no brief."""
        with suppress(OSError, ValueError):
            self._asked.close()
        if self._briefed and not self._cut:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_MOMENT)
        self._process.kill()
        self._process.wait()
        self.cancel()
        self._answers.close()

    def ended_by(self) -> str:
        """How it ended: `signal SIGKILL`."""
        self._process.kill()  # it may have closed its output only
        code = self._process.wait()
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

    def _send(self, message: bytes) -> None:
        try:
            self._asked.write(message)
            self._asked.flush()
        except (OSError, ValueError) as error:  # ValueError: closed by `close`
            raise Gone from error
