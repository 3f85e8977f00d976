"""Where the buffers of a load come from, and what its libraries read when they are loaded."""

from __future__ import annotations

import os
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
_made: Final[list[str]] = []


def arrange() -> None:
    """Makes the settings, except those that the environment has. To be called before PyArrow and
    Polars are imported, and `settle` afterwards."""
    for name, value in _SETTINGS.items():
        if name not in os.environ:
            os.environ[name] = value
            _made.append(name)


def settle() -> None:
    """Leaves the environment as it was, for the programs that this process starts, and takes
    Arrow's buffers from jemalloc, where it was built in. By default they go back to the system
    after each batch, which clears them for the next: a tenth of a replay's processor time. The C
    library keeps them too, but in pieces: 20 million bars need 470 MB at the peak so, and 390 MB
    like this.
    """
    while _made:
        del os.environ[_made.pop()]
    import pyarrow as pa

    with suppress(NotImplementedError):
        pa.set_memory_pool(pa.jemalloc_memory_pool())
