"""Where the buffers of a load come from, and what its libraries read when they are loaded."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Final

#: Settings that a library takes from the environment when it is loaded.
_SETTINGS: Final = {
    # NumPy's OpenBLAS starts threads that spin for a tenth of a second, on the processor that the
    # server could have. A load does no linear algebra.
    "OPENBLAS_NUM_THREADS": "1",
    # Polars gives pages back after half a second. By default the system need not take them until it
    # is short of memory, so that they count as used: 20 MB at the peak of a load.
    "_RJEM_MALLOC_CONF": "dirty_decay_ms:500,muzzy_decay_ms:0",
}
#: Only where Arrow's wheels have jemalloc: elsewhere Arrow warns. `settle` chooses it for what
#: Python asks for; what Arrow's Parquet reader asks for itself comes from where this says, and its
#: default, mimalloc, holds 40 MB more at the peak of a load.
_LINUX: Final = {"ARROW_DEFAULT_MEMORY_POOL": "jemalloc"}
#: Only where there are two processors or one: the threads of a load and the server keep them busy
#: already, and a pool of Polars as wide as the machine only has threads wake one another.
_NARROW: Final = {"POLARS_MAX_THREADS": "1"}
#: Bytes of one block that is freed at the start. The driver's buffers come from the C library, and
#: that of Linux keeps twice the largest block that was freed so far: the rest goes back to the
#: system, and is cleared for the next batch. The block is not written to, and takes no memory.
_KEPT: Final = 16 << 20
_made: Final[list[str]] = []


def arrange() -> None:
    """Makes the settings, except those that the environment has. To be called before PyArrow and
    Polars are imported, and `settle` afterwards."""
    for name, value in _settings().items():
        if name not in os.environ:
            os.environ[name] = value
            _made.append(name)


def inherited() -> dict[str, str]:
    """The environment with the settings, for a process that loads files of this one."""
    return _settings() | os.environ


def _settings() -> dict[str, str]:
    linux, narrow = sys.platform == "linux", (os.cpu_count() or 1) <= 2
    return _SETTINGS | (_LINUX if linux else {}) | (_NARROW if narrow else {})


def settle() -> None:
    """Leaves the environment as it was, for the programs that this process starts, and takes
    Arrow's buffers from jemalloc, where it was built in. By default they go back to the system
    after each batch, which clears them for the next: a tenth of a replay's processor time. The C
    library keeps them too, but in pieces: 20 million bars need 470 MB at the peak so, and 390 MB
    like this.
    """
    if "POLARS_MAX_THREADS" in _made:
        import polars as pl  # noqa: PLC0415 - after `arrange`

        pl.thread_pool_size()  # makes the pool, which reads it
    while _made:
        del os.environ[_made.pop()]
    import pyarrow as pa  # noqa: PLC0415 - after `arrange`

    with suppress(NotImplementedError):
        pa.set_memory_pool(pa.jemalloc_memory_pool())
    bytes(_KEPT)
