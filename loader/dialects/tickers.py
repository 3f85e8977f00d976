"""Name patterns of files that are called by the ticker of their bars."""

from typing import Final

#: A ticker in capitals and nothing else: `AAPL`, `BRK-B`, `RACE.MI`, `^GDAXI`, `CL=F`, `EURUSD=X`.
#: A browser appends ` (1)` to a second copy. In small letters it could be any word; without any
#: letter it could be a date.
STEM: Final = (
    r"(?:^|[/!])(?P<symbol>(?=[\^0-9.-]*[A-Z])\^?[A-Z0-9]{1,12}(?:[-.][A-Z0-9]{1,6})*(?:=[A-Z])?)"
    r"(?: \(\d+\))?"
)
CSV: Final = STEM + r"\.csv(?:\.\w+)?(?:!.*)?$"
JSON: Final = STEM + r"\.json(?:\.\w+)?(?:!.*)?$"
PARQUET: Final = STEM + r"\.(?:parquet|pq|feather|arrow)$"
