"""A part of a file: the bars of some symbols, from one time to another."""

from __future__ import annotations

from datetime import UTC, datetime

from loader.errors import SettingsError
from loader.lazy import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """Which bars of the files to load; the whole files by default.

    Attributes:
        since, until: the first and the last start of a bar, both included, with a time zone.
        symbols: as they are stored: in upper case. None of them: all.
    """

    since: datetime | None = None
    until: datetime | None = None
    symbols: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises:
        SettingsError: a time has no zone, the part ends before it begins, or a symbol is not one
            that can be stored.
        """
        for flag, moment in (("--since", self.since), ("--until", self.until)):
            if moment is not None and moment.tzinfo is None:
                raise SettingsError(f"{moment} has no time zone", option=flag)
        if self.since and self.until and self.since > self.until:
            raise SettingsError(f"{self.since} is after --until {self.until}", option="--since")
        for symbol in self.symbols:
            if not symbol.strip() or symbol != symbol.upper():
                raise SettingsError(
                    f"{symbol!r} is not a symbol as it is stored", option="--symbols",
                    hint="write it in upper case, as mdload coverage shows it",
                )  # fmt: skip

    def __bool__(self) -> bool:
        """Whether anything is left out."""
        return self != WHOLE

    def as_config(self) -> dict[str, object]:
        """What the fingerprint of a load has of it; nothing for whole files."""
        if not self:
            return {}
        times = (at and at.astimezone(UTC).isoformat() for at in (self.since, self.until))
        since, until = times
        found = {"since": since, "until": until, "symbols": sorted(set(self.symbols))}
        return {"part": {name: value for name, value in found.items() if value}}


WHOLE = Part()
