"""Where the buffers of a load come from."""

from __future__ import annotations

import pyarrow as pa


def settle() -> None:
    """Arrow's from the C library. Its own allocator gives them back to the system after each batch,
    which clears them for the next: a tenth of the processor time of a replay."""
    pa.set_memory_pool(pa.system_memory_pool())
