"""What modules need on import and seldom use: compiled when it is first used.

A load of one row imports 150 dataclasses and 100 regular expressions and uses a third of them. The
`dataclass` of the standard library compiles up to eight methods for each class, in 0.3 to 1 ms.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError, fields
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:  # type checkers know these
    from dataclasses import dataclass as dataclass  # noqa: PLC0414 - for other modules

    regex = re.compile
else:

    class regex:
        """`re.compile(pattern, flags)`, done when an attribute of it is first used."""

        def __init__(self, pattern: str | bytes, flags: int = 0) -> None:
            self._given = pattern, flags

        def __getattr__(self, name: str) -> Any:
            value = getattr(re.compile(*self._given), name)
            setattr(self, name, value)  # the next access does not come here
            return value

    def dataclass(
        cls: type | None = None, /, *, frozen: bool = False, eq: bool = True, **options: bool
    ) -> Any:
        """`dataclasses.dataclass(frozen, slots, eq, kw_only)`. The first call of `__init__`
        compiles it; the other methods need no compiling."""

        def record(cls: type) -> type:
            own = {**vars(cls)}
            if cls.__doc__ is None:  # dataclasses would write the signature, which takes longest
                cls.__doc__ = cls.__name__
            made = dataclasses.dataclass(init=False, repr=False, eq=False, **options)(cls)
            for name, method in _methods(made, own, frozen=frozen, eq=eq).items():
                if name not in own:
                    setattr(made, name, method)
            return made

        return record if cls is None else record(cls)


def _methods(
    cls: type, own: dict[str, Any], *, frozen: bool, eq: bool
) -> dict[str, Callable[..., Any] | None]:
    methods: dict[str, Any] = {"__init__": _first(cls, frozen=frozen), "__repr__": _repr}
    compared = [f for f in fields(cls) if f.compare]
    if eq and "__eq__" not in own:
        methods |= {"__eq__": _equal(compared), "__hash__": _hash(compared) if frozen else None}
    if frozen:
        methods |= {"__setattr__": _refuse, "__delattr__": _refuse}
        if "__slots__" in vars(cls):
            methods |= {"__getstate__": _state, "__setstate__": _restore}
    return methods


def _first(cls: type, *, frozen: bool) -> Callable[..., None]:
    """An `__init__` that makes the one in its place."""

    def __init__(self: object, *given: Any, **named: Any) -> None:
        made = _init(cls, frozen=frozen)
        cls.__init__ = made  # type: ignore[misc]
        made(self, *given, **named)

    return __init__


def _init(cls: type, *, frozen: bool) -> Callable[..., None]:
    given, named, body = ["self"], ["*"], []
    known: dict[str, Any] = {"_set": object.__setattr__, "_MISSING": MISSING}
    for field in fields(cls):
        name, value = field.name, field.name
        if (fallback := _fallback(field)) is not MISSING:
            known[f"_{name}"] = fallback
        if field.init:
            rest = f"=_{name}" if field.default is not MISSING else ""
            if field.default_factory is not MISSING:
                rest, value = "=_MISSING", f"_{name}() if {name} is _MISSING else {name}"
            (named if field.kw_only else given).append(name + rest)
        elif fallback is MISSING:
            continue
        else:
            value = f"_{name}" if field.default is not MISSING else f"_{name}()"
        body.append(f"_set(self, {name!r}, {value})" if frozen else f"self.{name} = {value}")
    if hasattr(cls, "__post_init__"):
        body.append("self.__post_init__()")
    takes = ", ".join(given + (named if len(named) > 1 else []))
    source = f"def __init__({takes}):\n " + "\n ".join(body or ["pass"])
    exec(source, known)  # noqa: S102 - the names of fields, as in dataclasses
    made: Callable[..., None] = known["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    return made


def _fallback(field: Field[Any]) -> Any:
    """What a record has that is made without the field, or how to make that."""
    return field.default if field.default is not MISSING else field.default_factory


def _values(compared: list[Field[Any]]) -> Callable[[object], object]:
    if len(compared) == 1:
        only = attrgetter(compared[0].name)
        return lambda record: (only(record),)
    return attrgetter(*(f.name for f in compared)) if compared else lambda record: ()


def _equal(compared: list[Field[Any]]) -> Callable[[object, object], bool]:
    values = _values(compared)

    def __eq__(self: object, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return values(self) == values(other)

    return __eq__


def _hash(compared: list[Field[Any]]) -> Callable[[object], int]:
    values = _values(compared)
    return lambda self: hash(values(self))


@recursive_repr()
def _repr(self: Any) -> str:
    shown = (f"{f.name}={getattr(self, f.name)!r}" for f in fields(self) if f.repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _refuse(self: object, name: str, value: object = None) -> NoReturn:
    raise FrozenInstanceError(f"cannot change field {name!r}")


def _state(self: Any) -> list[Any]:
    return [getattr(self, f.name) for f in fields(self)]


def _restore(self: Any, state: list[Any]) -> None:
    for field, value in zip(fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)
