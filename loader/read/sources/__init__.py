"""What a person names (paths, globs, folders, `-`, archives), as sources that can be read."""

from loader.read.sources.patterns import find
from loader.read.streams.place import Place
from loader.read.streams.source import Source, content_hash, open_source

__all__ = ["Place", "Source", "content_hash", "find", "open_source"]
