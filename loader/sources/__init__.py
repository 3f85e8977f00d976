"""What a person names (paths, globs, folders, `-`, archives), as sources that can be read."""

from loader.sources.patterns import find
from loader.sources.place import Place
from loader.sources.source import Source, content_hash, open_source

__all__ = ["Place", "Source", "content_hash", "find", "open_source"]
