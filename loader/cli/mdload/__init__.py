"""`import mdload`: the public names of `loader`, under the name of the distribution.

The wheel places this folder beside `loader`, as the package `mdload` (see `force-include` in
pyproject.toml). Both packages hand out the same objects.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import loader
from loader import __all__ as __all__

if TYPE_CHECKING:
    from loader import *  # noqa: F403 — the names are listed in `loader.__all__`
else:

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(loader, name)
        globals()[name] = value  # the next access does not come here
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
