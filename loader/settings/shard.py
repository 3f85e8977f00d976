"""A shard: a fixed share of the files, for one of several loads that share the work."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from typing import Final, NoReturn

from loader.errors import SettingsError
from loader.lazy import dataclass

_FLAG: Final = "--shard"


@dataclass(frozen=True, slots=True)
class Shard:
    """The `number`-th of `total` shards, counted from 1.

    The name of a file alone decides which shard has it, so a file stays in its shard while others
    come and go. Shards are of about one size where there are many more files than shards.
    """

    number: int
    total: int

    def __post_init__(self) -> None:
        """Raises:
        SettingsError: there is no such shard.
        """
        if not 1 <= self.number <= self.total:
            raise SettingsError(
                f"{self} is not a shard: they are 1/{self.total} to {self.total}/{self.total}"
                if self.total > 0
                else f"{self} is not a shard: there is at least one",
                option=_FLAG,
            )

    def __str__(self) -> str:
        return f"{self.number}/{self.total}"

    def has(self, name: str) -> bool:
        """Whether the file that is known as `name` (see `Source.name`) is in this shard."""
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(digest[:8]) % self.total == self.number - 1


@dataclass(frozen=True, slots=True)
class _Array:
    """How a scheduler numbers the tasks of an array.

    Attributes:
        index: the variable with the task's own number.
        size: the variable with how many there are; None if the scheduler does not say.
        first: the variable with the smallest number, if that is not 0.
        last, step: likewise the largest, and the distance of two.
    """

    name: str
    index: str
    size: str | None
    first: str | None = None
    last: str | None = None
    step: str | None = None


_ARRAYS: Final = (
    _Array("Kubernetes", "JOB_COMPLETION_INDEX", None),
    _Array(
        "Slurm", "SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT",
        "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_MAX", "SLURM_ARRAY_TASK_STEP",
    ),
    _Array("AWS Batch", "AWS_BATCH_JOB_ARRAY_INDEX", "AWS_BATCH_JOB_ARRAY_SIZE"),
    _Array("Cloud Run", "CLOUD_RUN_TASK_INDEX", "CLOUD_RUN_TASK_COUNT"),
)  # fmt: skip


def read(text: str, environ: Mapping[str, str] = os.environ) -> Shard:
    """The shard that `text` names: `3/16`, `auto` for this task's share of an array job, or
    `auto/16` where the scheduler does not tell the task how many there are.

    Raises:
        SettingsError: it names none, or the environment does not say which one.
    """
    match = re.fullmatch(r"(\d{1,9}|auto)(?:/(\d{1,9}))?", text.strip())
    if match is None or (match[1] != "auto" and match[2] is None):
        _refuse(f"{text!r} is not a shard", "write 3/16 for the third of sixteen, or auto")
    total = int(match[2]) if match[2] is not None else None
    if match[1] != "auto":
        return Shard(int(match[1]), total or 0)
    return _own(total, dict(environ))


def _own(total: int | None, environ: Mapping[str, str]) -> Shard:
    found = {each.name: _task(each, total, environ) for each in _ARRAYS if each.index in environ}
    if not found:
        _refuse(
            "auto is for a task of an array: none of "
            f"{', '.join(each.index for each in _ARRAYS)} is set",
            "name the shard: --shard 3/16",
        )
    known = {each for each in found.values() if each is not None}
    if not known:
        only = next(iter(found))
        _refuse(
            f"auto needs the number of tasks, which {only} does not tell", "say it: --shard auto/16"
        )
    others = {a.index: _number(environ, a.index) for a in _ARRAYS if found.get(a.name, a) is None}
    if len(known) > 1 or any(at != each.number - 1 for at in others.values() for each in known):
        said = [f"{name} says {each}" for name, each in found.items() if each]
        said += [f"{index} is {at}" for index, at in others.items()]
        _refuse(f"auto is ambiguous: {' and '.join(said)}", "name one: --shard 3/16")
    return known.pop()


def _task(array: _Array, total: int | None, environ: Mapping[str, str]) -> Shard | None:
    """The shard of this task of an array; None if its size is not known."""
    at = _number(environ, array.index)
    size = _number(environ, array.size) if array.size in environ else None
    if size is not None and total is not None and size != total:
        _refuse(
            f"auto/{total} is wrong: {array.size} says {size}",
            f"--shard auto takes that number; for one task again, say which: --shard 3/{total}",
        )
    size = size if size is not None else total
    if size is None:
        return None
    first = _number(environ, array.first) if array.first in environ else 0
    step = _number(environ, array.step) if array.step in environ else 1
    if array.last in environ and size > 1:
        span = _number(environ, array.last) - first
        if array.step not in environ:
            step = span // (size - 1)
        if step < 1 or span != step * (size - 1):
            _refuse(
                f"auto needs even steps between the numbers of the {size} tasks of the array",
                "number them in a row, as --array=1-16 does, or name the shard: --shard 3/16",
            )
    place, rest = divmod(at - first, step or 1)
    if rest or not 0 <= place < size:
        _refuse(
            f"auto: {array.index} is {at}, which is not one of the {size} tasks",
            f"name the shard: --shard 3/{size}",
        )
    return Shard(place + 1, size)


def _number(environ: Mapping[str, str], name: str | None) -> int:
    text = environ[name or ""].strip()
    if not re.fullmatch(r"\d{1,9}", text):
        _refuse(f"auto: {name} is {text!r}, which is not a number", "name the shard: --shard 3/16")
    return int(text)


def _refuse(what: str, hint: str) -> NoReturn:
    raise SettingsError(what, option=_FLAG, hint=hint)
