"""A clock that jumps, for every process that a test starts from then on."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

needs_compiler = pytest.mark.skipif(
    shutil.which("cc") is None, reason="there is no C compiler on this machine"
)
#: Seconds from a file are added to what the system says; its steady clock goes on as it is.
_SOURCE = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long ahead(void) {
    char text[32] = {0};
    int file = open("@FILE", O_RDONLY);
    if (file < 0) return 0;
    ssize_t size = read(file, text, sizeof text - 1);
    close(file);
    return size > 0 ? atol(text) : 0;
}

int clock_gettime(clockid_t which, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(which, now);
    if (which == CLOCK_REALTIME) now->tv_sec += ahead();
    return result;
}

int gettimeofday(struct timeval *now, void *zone) {
    struct timespec exact;
    int result = clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return result;
}

time_t time(time_t *now) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (now) *now = exact.tv_sec;
    return exact.tv_sec;
}
"""


@contextmanager
def movable_clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """A function that sets by how many seconds the clock is ahead of the true time."""
    with tempfile.TemporaryDirectory(prefix="clock-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the embedded server may run as another account
        library, ahead = folder / "clock.so", folder / "ahead"
        ahead.write_text("0")
        subprocess.run(
            ["cc", "-shared", "-fPIC", "-x", "c", "-o", library, "-", "-ldl"],
            input=_SOURCE.replace("@FILE", str(ahead)), text=True, check=True,
        )  # fmt: skip
        monkeypatch.setenv("LD_PRELOAD", str(library))
        yield lambda seconds: ahead.write_text(str(seconds)) and None
