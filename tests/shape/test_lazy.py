"""Records and regular expressions behave as those of the standard library, and are compiled when
they are first used."""

from __future__ import annotations

import ast
import copy
import dataclasses
import importlib
import pickle
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import FrozenInstanceError, astuple, field, fields, replace
from typing import Any

import pytest

from loader import lazy
from tests.conftest import ROOT


@lazy.dataclass(frozen=True, slots=True)
class Record:
    a: int
    b: str = "b"


@lazy.dataclass(frozen=True)
class Open:
    a: int


WAYS = [
    {"frozen": frozen, "slots": slots, "eq": eq, "kw_only": kw_only}
    for frozen in (True, False)
    for slots in (True, False)
    for eq in (True, False)
    for kw_only in (True, False)
]


def _plain() -> type:
    class Some:
        a: int
        b: str = "b"
        hidden: str = field(default="h", repr=False)
        aside: int = field(default=7, compare=False)

    return Some


def _made() -> type:
    class Some:
        """Fields that its maker does not give."""

        a: list[int] = field(default_factory=list)
        b: int = field(default=2, init=False)
        c: dict[str, int] = field(init=False, default_factory=lambda: {"c": 3})
        last: object = field(default=None, kw_only=True)

        def __post_init__(self) -> None:
            self.a.append(1)

    return Some


def _empty() -> type:
    class Some:
        pass

    return Some


def _derived() -> type:
    class Some(Open):
        b: int = 1

        def __repr__(self) -> str:
            return "own"

    return Some


def _own() -> type:
    class Some:  # noqa: PLW1641 - whether it gets a hash is what is tested
        a: int = 1

        def __eq__(self, other: object) -> bool:
            return True

    return Some


CALLS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((), {}), ((1,), {}), ((1, "x"), {}), ((), {"a": 1}), ((), {"a": 1, "b": "x"}),
    ((1,), {"a": 1}), ((1, 2, 3, 4, 5), {}), ((), {"unknown": 1}), ((), {"a": [5], "last": 1}),
    ((), {"a": 1, "hidden": "x", "aside": 8}),
]  # fmt: skip


def _told(call: Callable[..., object], *given: Any, **named: Any) -> object:
    try:
        return call(*given, **named)
    except (TypeError, AttributeError):
        return "refused"


def _behaviour(cls: type) -> list[object]:
    """What a program sees of a class and its records."""
    calls = [_told(cls, *given, **copy.deepcopy(named)) for given, named in CALLS]
    made: list[Any] = [record for record in calls if record != "refused"]
    seen: list[object] = [cls.__match_args__, [record in made for record in calls]]
    for record in made:
        seen += [repr(record), _told(astuple, record), type(_told(hash, record))]
        seen += [[record == other for other in made], record != 5, record == copy.copy(record)]
        seen += [
            [f.name for f in fields(record)],
            _told(lambda r: astuple(replace(r, a=9)), record),
        ]
        seen += [_told(setattr, copy.copy(record), name, 5) for name in ("a", "new")]
        seen += [_told(delattr, copy.copy(record), "a")]
    return seen


@pytest.mark.parametrize("way", WAYS, ids=lambda way: " ".join(k for k in way if way[k]) or "-")
@pytest.mark.parametrize("body", [_plain, _made, _empty, _own])
def test_records_behave_as_those_of_dataclasses(
    body: Callable[[], type], way: dict[str, bool]
) -> None:
    expected = _behaviour(dataclasses.dataclass(**way)(body()))
    assert _behaviour(lazy.dataclass(**way)(body())) == expected


def test_a_record_may_derive_from_another_one() -> None:
    derived = lazy.dataclass(frozen=True)(_derived())
    assert (repr(derived(1)), derived(1) == derived(1, 1), derived(1) == Open(1)) == (
        "own", True, False,
    )  # fmt: skip
    assert {derived(1), derived(1), derived(2)} == {derived(1), derived(2)}


def test_records_travel_between_processes() -> None:
    for record in (Record(1, "x"), Open(3)):
        sent = pickle.loads(pickle.dumps(record))
        assert sent == record
        with pytest.raises(FrozenInstanceError):
            sent.a = 2


def test_the_first_record_compiles_init_and_an_import_compiles_nothing() -> None:
    code = (
        "import builtins, loader.lazy\n"
        "compiled = []; real = builtins.exec\n"
        "builtins.exec = lambda source, *rest: (compiled.append(source), real(source, *rest))\n"
        "@loader.lazy.dataclass(frozen=True, slots=True)\n"
        "class Some:\n    a: int\n"
        "before = len(compiled)\n"
        "Some(1), Some(2), Some(1) == Some(2), hash(Some(1)), repr(Some(1))\n"
        "print(before, len(compiled))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["0", "1"]


def _trees() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted((ROOT / "loader").rglob("*.py")):
        yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def test_every_record_is_one_of_these() -> None:
    taken = [
        path
        for path, tree in _trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        and node.module == "dataclasses"
        and any(name.name == "dataclass" for name in node.names)
    ]
    assert taken == ["loader/lazy.py"]


def test_an_expression_is_compiled_when_it_is_first_used() -> None:
    word = lazy.regex("(?P<first>[a-z])[a-z]*", re.IGNORECASE)
    assert set(vars(word)) == {"_given"}
    found = word.fullmatch("Word")
    assert found
    assert (found["first"], word.sub("-", "a b"), word.pattern) == (
        "W", "- -", "(?P<first>[a-z])[a-z]*",
    )  # fmt: skip
    with pytest.raises(AttributeError):
        word.unknown  # type: ignore[attr-defined]  # noqa: B018


def test_no_module_compiles_an_expression_on_import() -> None:
    found = [
        f"{path}:{call.lineno}"
        for path, tree in _trees()
        for statement in tree.body
        if not isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.If)
        for call in ast.walk(statement)
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "re.compile"
    ]
    assert not found


def test_every_expression_of_a_module_compiles() -> None:
    given = [
        (path, call)
        for path, tree in _trees()
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "regex"
    ]
    assert len(given) > 100
    for path in {path for path, _ in given}:
        module = importlib.import_module(
            path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        )
        for name, value in vars(module).items():
            if isinstance(value, lazy.regex):  # type: ignore[arg-type]
                assert value.groups >= 0, name
