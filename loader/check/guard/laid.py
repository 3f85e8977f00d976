"""How many bars of another file a file changes if the two are of different series."""

from __future__ import annotations

from typing import Final

#: Of the stored bars that a file meets, the share it must change to be of another series; and of
#: its own bars, because editions may differ where one ends and the next begins.
_OF_MET: Final = 0.1
_OF_OWN: Final = 0.05
#: The same where the names differ in small numbers only, which may count parts.
_NUMBERS_OF_MET: Final = 0.9
_NUMBERS_OF_OWN: Final = 0.2
_FEWEST: Final = 2


def fewest(met: int, own: int, *, numbers: bool = False) -> float:
    """The fewest changed bars that tell two series apart, of a file with `own` bars that `met`
    stored ones; `numbers` says that the files' names differ in small numbers only."""
    of_met, of_own = (_NUMBERS_OF_MET, _NUMBERS_OF_OWN) if numbers else (_OF_MET, _OF_OWN)
    return max(of_met * met, of_own * own, min(_FEWEST, own))
