"""The README as package indexes show it: they have no docs/ beside it, so its links must lead out.

With `Source` under [project.urls] they lead there, to the tag of the version; else they are text.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_IMAGE = re.compile(r"^!\[[^\]]*\]\((?!https?:)[^)\s]+\)\n*", re.MULTILINE)
_LINK = re.compile(r"\[([^\]]+)\]\((?!https?:|#)([^)\s]+)\)")


class Readme(MetadataHookInterface):
    """Fills in `readme`."""

    def update(self, metadata: dict[str, Any]) -> None:
        text = (Path(self.root) / "README.md").read_text("utf-8")
        source = metadata.get("urls", {}).get("Source")
        if source is None:
            text = _LINK.sub(lambda link: _named(link[1], link[2]), _IMAGE.sub("", text))
        else:
            place = f"{source.rstrip('/')}/blob/v{metadata['version']}"
            text = _LINK.sub(lambda link: f"[{link[1]}]({place}/{link[2]})", text)
        metadata["readme"] = {"content-type": "text/markdown", "text": text}


def _named(words: str, target: str) -> str:
    return f"`{target}`" if words.partition("#")[0] == target.partition("#")[0] else words
