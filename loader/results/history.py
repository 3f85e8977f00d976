"""What a load does to the bars that were stored before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, astuple, field, fields
from types import MappingProxyType
from typing import Literal

from loader.lazy import dataclass

#: What a file looks like beside the stored bars: the values of other times; of another unit; after
#: a split; with dividends taken out anew; plus an amount; of another series; more changed, or
#: absent, than allowed; fewer rows than the same file had before; figures of periods of another
#: length (of datasets of tenants).
FindingKind = Literal[
    "shift", "price_scale", "volume_scale", "split", "adjustment", "difference", "other_series",
    "restated", "gone", "shorter", "period",
]  # fmt: skip
#: It was reported; it would have refused the file and was let pass by `--accept`; it refused it.
Action = Literal["noted", "accepted", "refused"]


@dataclass(frozen=True, slots=True)
class History:
    """What a file, or one series of it, does to bars that were stored before.

    Attributes:
        changed: stored bars that get other values.
        inserted_between: new bars between the first and the last stored one of their series.
        gone: bars stored within the file's span of their series, and absent from the file; of a
            series of which the file has few of these at least so many (docs/guard.md).
        deleted: those of them that were deleted.
    """

    changed: int = 0
    inserted_between: int = 0
    gone: int = 0
    deleted: int = 0

    def as_columns(self) -> dict[str, int]:
        """The counts under the names that `job_run_files` and `--json` use."""
        return {f"bars_{name}": count for name, count in asdict(self).items()}

    def __str__(self) -> str:
        """`658 stored bars changed, 121 inserted between, 3 gone`; empty if nothing did."""
        bars = "bar" if self.changed == 1 else "bars"
        named = zip((f"stored {bars} changed", "inserted between", "gone", "deleted"),
                    astuple(self), strict=True)  # fmt: skip
        return ", ".join(f"{count:,} {name}" for name, count in named if count)

    def __add__(self, other: History) -> History:
        return History(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


@dataclass(frozen=True, slots=True)
class SeriesHistory:
    """The same of one series of a file."""

    provider: str
    symbol: str
    interval: str
    changed: int
    inserted_between: int
    gone: int


@dataclass(frozen=True, slots=True)
class Finding:
    """What a file looks like beside the stored bars, and the numbers that speak for it.

    `provider`, `symbol` and `interval` are None where it is about several series.
    """

    kind: FindingKind
    action: Action
    text: str
    provider: str | None = None
    symbol: str | None = None
    interval: str | None = None
    evidence: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))

    def as_object(self) -> dict[str, object]:
        columns = {f.name: getattr(self, f.name) for f in fields(self)}
        return columns | {"evidence": dict(self.evidence)}
