"""Where mdload.toml is looked for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

DEFAULT_NAME: Final = "mdload.toml"


def places() -> tuple[Path, ...]:
    """Where the file is looked for: the working directory, the user's configuration, the system's.
    The first that exists counts."""
    own = os.path.expanduser(os.environ.get("XDG_CONFIG_HOME") or "~/.config")
    # An account may have no home; `~` itself would be a folder beside the data.
    shared = [folder for folder in (own, "/etc") if not folder.startswith("~")]
    return (Path(DEFAULT_NAME), *(Path(folder, "mdload", DEFAULT_NAME) for folder in shared))
