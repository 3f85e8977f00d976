"""What a load was asked to do: one frozen value, built once at the edge. No I/O here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Literal

from loader.bars.symbol_map import SymbolMap
from loader.errors import SettingsError


@dataclass(frozen=True, slots=True)
class RejectLimit:
    """How many rejected rows a file may have: a number, or a share of the rows read."""

    rows: int | None = None
    share: float | None = None

    @classmethod
    def parse(cls, text: str) -> RejectLimit:
        """`0`, `250` or `1%`, `0.5%`.

        Raises:
            SettingsError: it is neither.
        """
        match = re.fullmatch(r"\s*(\d+)\s*|\s*(\d+(?:\.\d*)?)\s*%\s*", text)
        if match and match[1]:
            return cls(rows=int(match[1]))
        if match and float(match[2]) <= 100:
            return cls(share=float(match[2]) / 100)
        raise SettingsError(
            f"--max-rejects {text!r} is neither a number of rows nor a percentage",
            hint="for example --max-rejects 100 or --max-rejects 0.5%",
        )

    def exceeded(self, rejected: int, read: int) -> bool:
        if self.rows is not None:
            return rejected > self.rows
        return rejected > (self.share or 0.0) * read

    def __str__(self) -> str:
        return str(self.rows) if self.rows is not None else f"{(self.share or 0) * 100:g}%"


@dataclass(frozen=True, slots=True)
class Settings:
    """One `backfill`.

    `provider`, `interval`, `symbol` and `timezone` fill what the files do not say. `columns` maps a
    bar field to the file's name for it. `symbol_convention` is how symbols are spelled, and
    `symbol_map` goes before it. `stamp` says which end of their bars the times are; prices
    and volume are the file's numbers times ten to the exponents; `keep_skipped` keeps rows that the
    dialect takes for no bars. `own_dialects` are tables as in mdload.toml. `job_name`, `dataset`
    and `mode` are what the run is recorded as. `batch_rows` is the size of a piece in memory;
    `commit_every` cuts a file into parts that commit one by one. `workers` files load at a time.
    `leaves_unfinished` passes by a file that is cut short and was written to just now.
    `recompress` compresses the chunks of a hypertable that the load has written into. `known_at`
    is when the bars were known, if that is not now; `known_at_from` says where each file has it,
    and files are taken in that order, one at a time.
    """

    provider: str | None = None
    interval: str | None = None
    symbol: str | None = None
    timezone: str | None = None
    columns: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    dialect: str | None = None
    own_dialects: Mapping[str, Mapping[str, Any]] = field(
        default_factory=lambda: MappingProxyType({})
    )
    symbol_convention: str | None = None
    symbol_map: SymbolMap | None = None
    time_format: str | None = None
    stamp: Literal["start", "end"] | None = None
    price_exponent: int | None = None
    volume_exponent: int | None = None
    keep_skipped: bool = False
    allow_nonpositive_prices: bool = False
    check_grid: bool = True
    job_name: str = "backfill"
    dataset: str | None = None
    mode: Literal["backfill", "live"] = "backfill"
    dry_run: bool = False
    max_rejects: RejectLimit = RejectLimit(share=0.01)
    workers: int = 1
    batch_rows: int = 100_000
    commit_every: int | None = None
    recompress: bool = False
    force: bool = False
    leaves_unfinished: bool = False
    known_at: datetime | None = None
    known_at_from: str | None = None

    @property
    def by_time(self) -> bool:
        """Whether a file is taken in order of time, so that compression can follow part by part."""
        return self.recompress and self.commit_every is not None

    @property
    def piece_rows(self) -> int:
        """Rows to read at a time: a part that commits is never larger than `commit_every`."""
        return min(self.batch_rows, self.commit_every or self.batch_rows)

    def meaning(self) -> dict[str, object]:
        """What decides which bars a file turns into; a file is known only under the same."""
        return {
            "provider": self.provider,
            "interval": self.interval,
            "symbol": self.symbol,
            "timezone": self.timezone,
            "columns": dict(self.columns),
            "dialect": self.dialect,
            "own_dialects": dict(self.own_dialects),
            "symbol_convention": self.symbol_convention,
            "symbol_map": self.symbol_map and self.symbol_map.meaning(),
            "time_format": self.time_format,
            "stamp": self.stamp,
            "price_exponent": self.price_exponent,
            "volume_exponent": self.volume_exponent,
            "keep_skipped": self.keep_skipped,
            "allow_nonpositive_prices": self.allow_nonpositive_prices,
            "check_grid": self.check_grid,
        }
