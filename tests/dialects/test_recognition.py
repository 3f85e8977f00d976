"""Recognition: which dialect a file is read as, and why; ties are never guessed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from loader.dialects import known as registry
from loader.dialects import recognition
from loader.dialects.dialect import Dialect, Opening, Refused, Shape
from loader.dialects.filenames import said_by
from loader.dialects.recognition import recognise
from loader.errors import ColumnMismatch, UnknownDialect, UnreadableFile

COLUMNS = {name: (name,) for name in ("ts", "open", "high", "low", "close", "volume")}
HEADED = Dialect(
    "headed",
    "Headed",
    COLUMNS,
    shapes=(Shape(header=("ts", "open", "high", "low", "close")),),
    naming=lambda opening: {"volume": tuple(opening.first.columns[5:])},
)
BARE = Dialect(
    "bare",
    "Bare",
    COLUMNS,
    shapes=(Shape(positions=tuple(COLUMNS), values={"ts": r"\d{8}"}),),
    names=(r"(?P<symbol>\w+)_bare\.txt$",),
    provider="bare-{side}",
    facts=lambda opening: {**opening.facts, "side": "bid"},
)
TWIN = Dialect("twin", "Twin", COLUMNS, shapes=BARE.shapes)
TRADES = Dialect(
    "trades",
    "Trades",
    COLUMNS,
    refused=(
        Refused(Shape(header=("time", "price", "size")), "trades"),
        Refused(Shape(name=r"-trades-\d{4}"), "trades"),
    ),
)
PLAIN = Dialect("canonical", "Plain", COLUMNS)
BARS = pl.DataFrame({"ts": ["20240102"], **{name: ["1"] for name in list(COLUMNS)[1:]}})


@pytest.fixture(autouse=True)
def few_dialects(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {d.name: d for d in (BARE, PLAIN, HEADED, TRADES, TWIN)}
    for module in (registry, recognition):
        monkeypatch.setattr(module, "dialects", lambda: known)


def opening(frame: pl.DataFrame = BARS, path: str = "/data/x.csv", **more: Any) -> Opening:
    return Opening(name=path.rpartition("/")[2], path=path, container="csv", first=frame, **more)


def bare(path: str = "/data/x.txt", frame: pl.DataFrame = BARS) -> Opening:
    nameless = frame.rename({name: f"column_{n}" for n, name in enumerate(frame.columns, 1)})
    return opening(nameless, path, header=False)


def test_a_header_is_recognised_whatever_its_case() -> None:
    taken = recognise(opening(BARS.rename(str.upper)), None, None)
    assert taken.dialect.name == "headed"
    assert taken.score == 3  # the volume is more than the header wants
    assert taken.reasons == ("has all columns",)


def test_an_exact_header_counts_more_than_one_with_other_columns_or_in_another_order() -> None:
    assert recognise(opening(BARS.drop("volume")), None, None).score == 4
    assert recognise(opening(BARS.select(reversed(BARS.columns))), "headed", None).score == 2


def test_a_file_without_a_header_gets_the_names_of_its_positions_in_every_batch() -> None:
    taken = recognise(bare("/data/EURUSD_bare.txt"), None, None)
    assert (taken.dialect.name, taken.score) == ("bare", 5)
    assert taken.reasons == (
        "6 columns without a header", "ts has values like 20240102", "file name matches"
    )  # fmt: skip
    assert taken.facts == {"symbol": "EURUSD", "side": "bid"}
    later = bare().first.with_columns(column_1=pl.lit("20240103"))
    assert taken.reshape(later).columns == list(COLUMNS)


def test_what_stands_around_rows_without_names_keeps_its_names() -> None:
    beside = bare("/data/EURUSD_bare.txt").first.with_columns(pl.lit("x").alias("result.last"))
    taken = recognise(opening(beside, "/data/EURUSD_bare.txt", header=False), None, None)
    assert taken.dialect.name == "bare"
    assert taken.reshape(beside).columns == [*COLUMNS, "result.last"]


def test_two_that_fit_equally_well_are_an_error_that_names_both() -> None:
    with pytest.raises(ColumnMismatch, match=r"x\.txt could be bare or twin: ") as error:
        recognise(bare(), None, None)
    assert error.value.hint == "say which: --dialect bare or --dialect twin"


@pytest.mark.parametrize("name", ["bare", "twin"])
def test_the_person_decides_by_dialect_or_by_provider(name: str) -> None:
    assert recognise(bare(), name, None).dialect.name == name
    assert recognise(bare(), None, name).dialect.name == name


def test_more_points_do_not_overrule_the_provider_that_the_person_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """NinjaTrader's text without any volume looks like HistData's, five hours away."""
    sure = replace(BARE, shapes=(replace(BARE.shapes[0], values={"ts": r"\d{8}", "open": "1"}),))
    for module in (registry, recognition):
        monkeypatch.setattr(module, "dialects", lambda: {"bare": sure, "twin": TWIN})
    assert recognise(bare(), None, None).dialect.name == "bare"
    assert recognise(bare(), None, "bare").dialect.name == "bare"
    with pytest.raises(ColumnMismatch, match="could be bare or twin") as refused:
        recognise(bare(), None, "Twin")
    assert refused.value.hint == "say which: --dialect bare or --dialect twin"
    assert recognise(bare(), None, "twin", own=[sure]).dialect.name == "bare"


def test_values_that_do_not_look_right_rule_a_shape_out() -> None:
    wrong = BARS.with_columns(ts=pl.lit("2024-01-02"))
    assert recognise(bare(frame=wrong), None, None).dialect.name == "canonical"
    with pytest.raises(ColumnMismatch, match="not fit the dialect bare, which needs 6 columns"):
        recognise(bare(frame=wrong), "bare", None)


def test_one_cell_in_ten_may_look_wrong() -> None:
    ten = pl.concat([BARS] * 9 + [BARS.with_columns(ts=pl.lit("?"))])
    assert recognise(bare(frame=ten), "bare", None).shape is BARE.shapes[0]
    eleven = pl.concat([BARS] * 8 + [BARS.with_columns(ts=pl.lit("?"))] * 2)
    with pytest.raises(ColumnMismatch):
        recognise(bare(frame=eleven), "bare", None)


def test_what_holds_no_bars_is_refused_by_what_it_holds() -> None:
    frame = pl.DataFrame({"time": ["1"], "price": ["2"], "size": ["3"]})
    with pytest.raises(UnreadableFile, match=r"x\.csv holds trades, not bars"):
        recognise(opening(frame), None, None)


def test_a_name_alone_is_enough_to_refuse_what_is_nothing_else() -> None:
    path = "/data/BTCUSDT-trades-2024-01.csv"
    with pytest.raises(UnreadableFile, match="holds trades, not bars"):
        recognise(opening(pl.DataFrame({"a": ["1"]}), path), None, None)
    assert recognise(opening(path=path), None, None).dialect.name == "headed"


def test_a_dialect_finds_columns_whose_names_differ_by_file() -> None:
    taken = recognise(opening(BARS.rename({"volume": "Volume BTC"})), None, None)
    assert taken.dialect.columns["volume"] == ("Volume BTC",)
    assert taken.dialect.columns["open"] == ("open",)


def test_what_nothing_speaks_for_is_a_plain_table() -> None:
    taken = recognise(opening(pl.DataFrame({"a": ["1"]})), None, None)
    assert (taken.dialect.name, taken.shape, taken.notes) == ("canonical", None, ())


def test_a_container_of_its_own_is_never_a_plain_table() -> None:
    with pytest.raises(UnreadableFile, match="bi5 file of an unknown kind"):
        recognise(Opening("x", "/x", "bi5", BARS), None, None)


def test_an_unknown_dialect_names_the_near_ones() -> None:
    with pytest.raises(UnknownDialect, match="no dialect 'haeded'") as error:
        recognise(opening(), "haeded", None)
    assert error.value.hint == "did you mean headed?"


def test_place_metadata_and_container_are_conditions() -> None:
    shape = Shape(containers=("json",), place=r"data\.\*\[\]", metadata={"v": "2|3"})
    known = {"canonical": PLAIN, "j": Dialect("j", "J", COLUMNS, shapes=(shape,))}

    def found(**more: Any) -> str:
        given = {"container": "json", "place": "data.*[]", "metadata": {"v": "3"}, **more}
        with pytest.MonkeyPatch.context() as patch:
            for module in (registry, recognition):
                patch.setattr(module, "dialects", lambda: known)
            return recognise(Opening("x", "/x", first=BARS, **given), None, None).dialect.name

    assert found() == "j"
    assert found(container="csv") == "canonical"
    assert found(place="data[]") == "canonical"
    assert found(metadata={"v": "4"}) == "canonical"
    assert found(metadata={}) == "canonical"


def test_the_plain_dialect_takes_whatever_it_is_named_for() -> None:
    taken = recognise(opening(), "canonical", None)
    assert (taken.dialect.name, taken.shape, taken.notes) == ("canonical", None, ())


def test_a_shape_wants_the_columns_whose_values_it_describes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wants = Dialect("wants", "W", COLUMNS, shapes=(Shape(named=".*", values={"day": ".*"}),))
    monkeypatch.setattr(recognition, "dialects", lambda: {"wants": wants, "canonical": PLAIN})
    assert recognise(opening(), None, None).dialect.name == "canonical"
    with pytest.raises(ColumnMismatch):
        recognise(opening(), "wants", None)


def test_what_a_path_says_tells_equal_bytes_apart() -> None:
    named = replace(TWIN, name="named", shapes=(Shape(name=r"/feed/"),))
    assert said_by("/a/b/x.csv", [BARE, PLAIN, named]) == {}
    assert said_by("/a/EURUSD_bare.txt", [BARE, PLAIN, named]) == {
        "name": ["EURUSD_bare.txt", ""], "said": {"bare": {"symbol": "EURUSD"}},
    }  # fmt: skip
    assert said_by("/feed/d.zip!EURUSD_bare.txt", [BARE, PLAIN, named]) == {
        "name": ["d.zip", "EURUSD_bare.txt"], "said": {"bare": {"symbol": "EURUSD"}, "named": {}},
    }  # fmt: skip
