"""Where the buffers of a load come from, and how Arrow is imported for one."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Final

#: How many threads NumPy's OpenBLAS starts when it is loaded. They then spin for a tenth of a
#: second, on the processor that the server could have, and a load does no linear algebra.
_THREADS: Final = "OPENBLAS_NUM_THREADS"


def settle() -> None:
    """Arrow's from jemalloc, where it was built in. By default they go back to the system after
    each batch, which clears them for the next: a tenth of a replay's processor time. The C library
    keeps them too, but in pieces: 20 million bars need 470 MB at the peak so, and 390 MB like this.
    """
    import pyarrow as pa

    with suppress(NotImplementedError):
        pa.set_memory_pool(pa.jemalloc_memory_pool())


def import_arrow() -> None:
    """Imports PyArrow, and NumPy with it, without NumPy's threads unless the environment asks for
    them. Programs that this process starts have the environment as it was."""
    if _THREADS in os.environ:
        return
    os.environ[_THREADS] = "1"
    try:
        import pyarrow  # noqa: F401 - for its effect
    finally:
        del os.environ[_THREADS]
