"""Where the buffers of a load come from."""

from __future__ import annotations

from contextlib import suppress

import pyarrow as pa


def settle() -> None:
    """Arrow's from jemalloc, where it was built in. By default they go back to the system after
    each batch, which clears them for the next: a tenth of a replay's processor time. The C library
    keeps them too, but in pieces: 20 million bars need 470 MB at the peak so, and 390 MB like this.
    """
    with suppress(NotImplementedError):
        pa.set_memory_pool(pa.jemalloc_memory_pool())
