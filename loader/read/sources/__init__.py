"""What a person names (paths, globs, folders, `-`, archives), as sources that can be read."""

from loader.read.sources.patterns import find
from loader.read.streams.place import Place
from loader.read.streams.source import Identity, Source, content_hash, identity, open_source

__all__ = ["Identity", "Place", "Source", "content_hash", "find", "identity", "open_source"]
