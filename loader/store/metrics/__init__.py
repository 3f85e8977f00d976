"""What writers and runs count for Prometheus. To import this package does not import the client
library: `collectors` does."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from typing import Literal

    from prometheus_client import CollectorRegistry

    from loader.store.metrics.collectors import Collectors

#: A registry to count in, `"default"` for the one of prometheus_client, or None for no metrics.
Registry: TypeAlias = "CollectorRegistry | Literal['default'] | None"


def collectors_of(registry: Registry) -> Collectors | None:
    """The metrics of `registry`, which are added to it if it does not have them; None for None.

    Raises:
        ValueError: the registry has a metric of another kind under one of the names.
    """
    if registry is None:
        return None
    # Takes half as long to import as the rest of a client; only here, where it is needed.
    from prometheus_client import REGISTRY  # noqa: PLC0415

    from loader.store.metrics.collectors import collectors  # noqa: PLC0415

    return collectors(REGISTRY if registry == "default" else registry)
