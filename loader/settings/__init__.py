"""What a load is asked to do, and the options by which people ask for it."""

from loader.settings.load import Meaning, RejectLimit, Settings
from loader.settings.option import Option

__all__ = ["Meaning", "Option", "RejectLimit", "Settings"]
