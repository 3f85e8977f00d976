"""A symbol map: validated, applied point in time, and part of the fingerprint."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.bars.names import Naming
from loader.bars.symbol_map import Rename, SymbolMap, parse, read
from loader.bars.words import Words
from loader.check.spellings import notes
from loader.errors import SettingsError
from loader.settings import Settings
from loader.store.runs.fingerprint import compute_config_fingerprint

FB = Rename("FB", "META", None, None, date(2022, 6, 9))


def test_a_map_file(tmp_path: Path) -> None:
    path = tmp_path / "map.csv"
    path.write_text(
        "\ufeff to ,from,valid_to,provider,valid_from\r\n"
        "META, FB ,2022-06-09,,\r\n"
        "\r\n"
        '"BRK.B","BRK B",,ibkr,1996-05-09\r\n'
        "AL.PRA,ALpA\r\n",
        encoding="utf-8",
    )
    assert read(str(path)).renames == (
        FB,
        Rename("BRK B", "BRK.B", "ibkr", date(1996, 5, 9)),
        Rename("ALpA", "AL.PRA"),
    )
    assert parse("from,to\n", "m").renames == ()


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("", "m.csv, line 1: there is no column 'from'", "from,to"),
        ("from;to\nA;B\n", "m.csv, line 1: 'from;to' is not a column of a symbol map", "from,to"),
        ("from,too\nA,B\n", "m.csv, line 1: 'too' is not a column", "did you mean to?"),
        ("from,to,valid_until\n", "line 1: 'valid_until' is not a column", "did you mean valid_"),
        ("from\nA\n", "m.csv, line 1: there is no column 'to'", "from,to"),
        ("from,to,to\n", "m.csv, line 1: column 'to' is there twice", None),
        ("from,to\nA,B\n\n,C\n", "m.csv, line 4: 'from' is empty, a symbol was expected", None),
        ("from,to\nA, \n", "m.csv, line 2: 'to' is empty, a symbol was expected", None),
        ("from,to\nA,B,C\n", "m.csv, line 2: 3 cells under 2 names", "from,to"),
        ("from,to\nFB,Meta\n", "m.csv, line 2: 'Meta' is not a symbol as it is", "write META"),
        ("from,to\nFB,ME\u200bTA\n", "m.csv, line 2: 'ME\\u200bTA' is not a symbol", None),
        ("from,to,valid_from\nA,B,9.6.2022\n", "line 2: valid_from '9.6.2022' is not a date", None),
        (
            "from,to,valid_to\nA,B,20220609\n",
            "line 2: valid_to '20220609' is not a date like",
            None,
        ),
        ("from,to,valid_to\nA,B,2022-02-30\n", "valid_to '2022-02-30' is not a date like", None),
        (
            "from,to,valid_from,valid_to\nA,B,2022-06-09,2022-06-09\n",
            "m.csv, line 2: valid_from 2022-06-09 is not before valid_to 2022-06-09",
            "no longer counts",
        ),
        ('from,to\n"A,B\n', "m.csv, line 2: unexpected end of data", "from,to"),
        (
            "from,to\nA,B\nX,Y\n A ,C\n",
            "m.csv, line 4: A is B by line 2 always, which overlaps always",
            "no longer counts",
        ),
        (
            "from,to,valid_from,valid_to\nA,C,2022-01-01,\nA,B,,2022-01-02\n",
            "m.csv, line 2: A is B by line 3 from the beginning until before 2022-01-02, which "
            "overlaps from 2022-01-01 on",
            "no longer counts",
        ),
    ],
)
def test_what_is_no_map(text: str, message: str, hint: str | None) -> None:
    with pytest.raises(SettingsError) as raised:
        parse(text, "m.csv")
    assert message in str(raised.value)
    assert (hint in str(raised.value.hint)) if hint else raised.value.hint is None


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"--symbol-map .*absent\.csv cannot be read: No such"):
        read(str(tmp_path / "absent.csv"))
    (tmp_path / "latin.csv").write_bytes("from,to\nÉ,É\n".encode("latin-1"))
    with pytest.raises(SettingsError, match=r"latin\.csv is not UTF-8 text"):
        read(str(tmp_path / "latin.csv"))


def test_rows_of_other_providers_and_of_days_that_meet_do_not_overlap() -> None:
    text = "from,to,provider,valid_from,valid_to\nA,B,p,,\nA,C,q,,\nA,D,,,2020-01-01\n"
    assert len(parse(text + "A,E,,2020-01-01,\n", "m").renames) == 4


def named(
    renames: list[Rename], rows: list[tuple[str | None, str | None, datetime | None]],
    convention: str = "plain",
) -> list[str | None]:  # fmt: skip
    providers, spelled, times = ([row[n] for row in rows] for n in range(3))
    ts = pl.Series(times, dtype=pl.Datetime("us", "UTC"))
    naming = Naming(convention, SymbolMap(tuple(renames)))
    texts = (Words.of(pl.Series(words, dtype=pl.String)) for words in (providers, spelled))
    return naming.symbols(*texts, ts).rows.to_list()


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_point_in_time() -> None:
    rows: list[tuple[str | None, str | None, datetime | None]] = [
        ("p", "FB", at("2022-06-08T23:59:00")),
        ("p", " FB", at("2022-06-08T00:00:00")),
        ("p", "FB", at("2022-06-09T00:00:00")),
        ("p", "fb", at("2022-06-01T00:00:00")),
        ("p", "META", at("2022-06-01T00:00:00")),
        ("p", "FB", None),
        (None, "FB", at("2022-06-01T00:00:00")),
        ("p", None, at("2022-06-01T00:00:00")),
    ]
    # `from` compares the original spelling; a later FB of another company stays FB.
    assert named([FB], rows) == ["META", "META", "FB", "FB", "META", "FB", "META", None]


def test_the_map_goes_before_the_convention_and_the_provider_s_own_row_before_that_of_all() -> None:
    day = at("2024-01-02")
    renames = [Rename("BRK-B", "BERK", "yahoo"), Rename("BRK-B", "BRK.OLD")]
    rows = [("yahoo", "BRK-B", day), ("other", "BRK-B", day), ("yahoo", "BRK-A", day)]
    assert named(renames, rows, "yahoo") == ["BERK", "BRK.OLD", "BRK.A"]
    assert named(renames[::-1], rows, "yahoo") == ["BERK", "BRK.OLD", "BRK.A"]


WORDS = st.sampled_from(["A", "a", "B ", "B", "C", None])
DAYS = st.dates(date(2024, 1, 1), date(2024, 1, 8))
RENAMES = st.builds(
    Rename, st.sampled_from("ABa"), st.sampled_from(["X", "Y", "A"]),
    st.sampled_from(["p", "q", None]), st.none() | DAYS, st.none() | DAYS,
)  # fmt: skip


@given(
    st.lists(RENAMES, max_size=8),
    st.lists(st.tuples(st.sampled_from("pqr"), WORDS, st.none() | DAYS), max_size=12),
)
def test_as_one_looks_them_up_row_by_row(
    renames: list[Rename], rows: list[tuple[str, str | None, date | None]]
) -> None:
    chosen: list[Rename] = []
    for one in renames:
        days = {date(2024, 1, 1) + timedelta(n) for n in range(8) if holds(one, n)}
        taken = {
            date(2024, 1, 1) + timedelta(n)
            for other in chosen
            if (other.provider, other.spelling) == (one.provider, one.spelling)
            for n in range(8)
            if holds(other, n)
        }
        if days and not days & taken:
            chosen.append(one)

    def slow(provider: str, spelled: str | None, day: date | None) -> str | None:
        if spelled is None:
            return None
        for wanted in (provider, None):
            for one in chosen:
                of_row = one.spelling == spelled.strip() and one.provider == wanted
                if of_row and day is not None and holds(one, (day - date(2024, 1, 1)).days):
                    return one.symbol
        return spelled.strip().upper()

    times = [None if d is None else datetime(d.year, d.month, d.day, 23, 59, tzinfo=UTC)
             for *_, d in rows]  # fmt: skip
    found = named(chosen, [(p, w, t) for (p, w, _), t in zip(rows, times, strict=True)])
    assert found == [slow(*row) for row in rows]


def holds(rename: Rename, day: int) -> bool:
    on = date(2024, 1, 1) + timedelta(day)
    return (rename.valid_from is None or rename.valid_from <= on) and (
        rename.valid_to is None or on < rename.valid_to
    )


def test_what_a_map_means_is_its_rows_not_its_file() -> None:
    text = "from,to,provider,valid_to\nFB,META,,2022-06-09\nA,B,p,\n"
    same = "provider,valid_to,to,from\np,,B,A\n\n,2022-06-09, META,FB \n"
    changed = text.replace("06-09", "06-10")

    def fingerprint(map_: str | None) -> str:
        settings = Settings(symbol_map=None if map_ is None else parse(map_, "m"))
        return compute_config_fingerprint(settings.meaning.as_config())

    assert fingerprint(text) == fingerprint(same)
    assert len({fingerprint(each) for each in (None, text, changed, "from,to\n")}) == 4
    assert compute_config_fingerprint(
        Settings(symbol_convention="cqs").meaning.as_config()
    ) != compute_config_fingerprint(Settings().meaning.as_config())


def spelled(*rows: tuple[str, str, str]) -> pl.DataFrame:
    return pl.DataFrame(rows, ["source_symbol", "symbol", "convention"], orient="row")


def texts(spellings: pl.DataFrame) -> tuple[str, ...]:
    return tuple(note.text for note in notes(spellings))


def test_notes_on_spellings() -> None:
    assert notes(spelled(("AAPL", "AAPL", "plain"), ("META", "META", "map"))) == ()
    assert texts(
        spelled(
            ("FB", "META", "map"), ("BRK-B", "BRK.B", "yahoo"), ("AAPL", "AAPL", "yahoo"),
            ("msft", "MSFT", "yahoo"), (" A", "A", "yahoo"),
        )
    ) == (
        "1 symbol renamed by the symbol map: FB -> META",
        "1 symbol converted by the convention yahoo: BRK-B -> BRK.B",
        "2 symbols trimmed/upper-cased: "
        "' A' -> A, msft -> MSFT",
    )  # fmt: skip
    many = spelled(*((f"s{n}", f"S{n}", "plain") for n in range(1207)))
    assert texts(many) == (
        "1,207 symbols trimmed/upper-cased: "
        "s0 -> S0, s1 -> S1, s10 -> S10, s100 -> S100, s1000 -> S1000 and 1,202 more",
    )
