"""One row of the table of options, and how a field of a dataclass becomes one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field, fields, replace
from types import MappingProxyType
from typing import Any, Final, Literal

from loader.lazy import dataclass
from loader.settings.kinds import Kind

Section = Literal["defaults", "jobs"]
_OPTION: Final = "option"


def _as_it_is(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class Option:
    """Something that people can set: by an option of the commands, a key of mdload.toml, or both.

    Attributes:
        name: the key; the command line's parameter.
        kind: what values it has.
        help: one sentence, for --help, the docs and editors.
        default: as it would be written in the file; None where there is none.
        flag: how it is typed, e.g. `--price-divisor`; None if only the file has it.
        metavar: what --help shows for the value.
        env: the environment variable that takes precedence over the file.
        sections: of mdload.toml that may hold it; a job inherits what `[defaults]` may hold.
        secret: whether it is a URL or command with parts that must not be shown.
        field: the field of `Settings` that it sets, if it sets one.
        convert: makes the field's value of what `kind` has read.
    """

    name: str
    kind: Kind
    help: str
    default: Any = None
    flag: str | None = None
    metavar: str | None = None
    env: str | None = None
    sections: tuple[Section, ...] = ("defaults", "jobs")
    secret: bool = False
    field: str | None = None
    convert: Callable[[Any], Any] = _as_it_is


def setting(
    default: Any,
    kind: Kind,
    help: str,
    *,
    name: str | None = None,
    written: Any = None,
    flag: str | None = "",
    **row: Any,
) -> Any:
    """A dataclass field that people can set.

    Args:
        default: of the field; a function (such as `dict`) makes a new one for each instance.
        name: of the option, if it is not the field's.
        written: the default in the option's own terms, if they are not the field's.
        flag: as in `Option`; by default it is made of the name.
        row: further attributes of the `Option`.
    """
    made: dict[str, Any] = {"default_factory" if callable(default) else "default": default}
    shown = default if written is None and not callable(default) else written
    option = Option(name or "", kind, help, shown, flag, **row)
    return field(**made, metadata={_OPTION: option})


def by_name(*options: Option) -> Mapping[str, Option]:
    return MappingProxyType({option.name: option for option in options})


def table_of(cls: type) -> Mapping[str, Option]:
    """The options that the fields of a dataclass declare by `setting`, in their order."""
    found = []
    for each in fields(cls):
        if (option := each.metadata.get(_OPTION)) is None:
            continue
        name = option.name or each.name
        flag = f"--{name.replace('_', '-')}" if option.flag == "" else option.flag
        found.append(replace(option, name=name, flag=flag, field=each.name))
    return by_name(*found)
