"""The result of one check."""

from __future__ import annotations

from typing import Literal

from loader.lazy import dataclass

State = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Check:
    """One finding.

    Attributes:
        name: of the check, the same whatever it finds.
        state: `fail` where loads fail or go wrong, `warn` where they are slow or soon may.
        what: one sentence with the figures.
        hint: the next step, often SQL ready to run; None if there is nothing to do.
    """

    name: str
    state: State
    what: str
    hint: str | None = None
