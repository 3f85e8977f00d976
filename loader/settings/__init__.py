"""What a load is asked to do, and the options by which people ask for it."""

from loader.settings.limit import RejectLimit
from loader.settings.load import Meaning, Settings
from loader.settings.option import Option
from loader.settings.part import Part
from loader.settings.place import Place
from loader.settings.shard import Shard

__all__ = ["Meaning", "Option", "Part", "Place", "RejectLimit", "Settings", "Shard"]
