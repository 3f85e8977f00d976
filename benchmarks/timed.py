"""Runs one command and measures it: `python -I -S timed.py OUT SECONDS COMMAND…`.

This is a separate small process, because a child's peak memory starts from its parent's at the
fork: the harness with its frames would add a few hundred megabytes to every contender. For the same
reason it imports as little as possible.
"""

import json
import os
import signal
import sys
import time


def main(out: str, patience: str, *command: str) -> None:
    """Writes to `out`: code (negative for a signal), seconds, cpu_seconds (user and system, with
    children), peak_bytes (of the largest process), timed_out."""
    began = time.perf_counter()
    pid = os.posix_spawnp(command[0], command, os.environ, setpgroup=0)
    timed_out = False

    def end(*_: object) -> None:
        nonlocal timed_out
        timed_out = True
        os.killpg(pid, signal.SIGKILL)

    signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, float(patience))
    _, status, used = os.wait4(pid, 0)
    seconds = time.perf_counter() - began
    signal.setitimer(signal.ITIMER_REAL, 0)
    said = {
        "code": os.waitstatus_to_exitcode(status),
        "seconds": seconds,
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "peak_bytes": used.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
        "timed_out": timed_out,
    }
    with open(out, "w") as file:
        json.dump(said, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
