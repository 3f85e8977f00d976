"""What is wrong around the process, where Python has only an exception for it: too little memory,
a current directory that is gone."""

from __future__ import annotations

import os
import re
import sys
from typing import Final

from loader.errors import MdloadError, SettingsError, TooLittleMemory
from loader.lazy import regex

if sys.platform != "win32":
    import resource

#: Bytes of addresses that the libraries of a load reserve, used or not, with room for one batch.
#: Below that they end the process in their own words, or in none.
_ADDRESSES: Final = 1_400_000_000
#: How libraries put it that there is too little memory.
_SCARCE: Final = regex(
    r"can't start new thread|cannot allocate memory|failed to map segment|out of memory|"
    r"(malloc|realloc) of size .* failed|capacity overflow|unable to allocate",
    re.IGNORECASE,
)
_HINT: Final = "raise the limit, or load with a smaller --batch-rows and one worker"


def insist_on_memory() -> None:
    """To be called before the libraries of a load are imported.

    Raises:
        TooLittleMemory: `ulimit -v` leaves them less than they reserve.
    """
    limit = _limit()
    if limit is not None and limit < _ADDRESSES:
        raise TooLittleMemory(
            f"the limit of virtual memory is {limit // 1_000_000:,} MB, and mdload reserves "
            f"{_ADDRESSES // 1_000_000:,} MB for a load, of which it uses less",
            hint="raise the limit: ulimit -v unlimited; to limit real memory, use a control group",
        )


def known(exc: BaseException) -> MdloadError | None:
    """`exc` in a sentence, if its cause lies around the process; None if it may be a fault."""
    if isinstance(exc, MemoryError) or _SCARCE.search(str(exc)):
        limit = _limit()
        under = f" under its limit of {limit // 1_000_000:,} MB (ulimit -v)" if limit else ""
        return TooLittleMemory(f"there is not enough memory{under}", hint=_HINT)
    if isinstance(exc, UnicodeEncodeError) and (wild := _no_text(exc)):
        return SettingsError(
            f"the argument {wild} is not UTF-8 text",
            hint="only the names of files may be other bytes; is the terminal's encoding UTF-8?",
        )
    if isinstance(exc, FileNotFoundError) and _is_nowhere():
        return SettingsError(
            "the current directory has been deleted",
            hint="change into a directory that exists (cd), then run the same command again",
        )
    return None


def _no_text(exc: UnicodeEncodeError) -> str | None:
    """The argument whose bytes `exc` is about, as ASCII."""
    wild = exc.object[exc.start : exc.end]
    return next((ascii(each) for each in sys.argv[1:] if wild in each), None)


def _limit() -> int | None:
    if sys.platform == "win32":
        return None
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if limit == resource.RLIM_INFINITY else limit


def _is_nowhere() -> bool:
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False
