"""Months in words of other languages, and years of the Republic of China."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from loader.bars.times import stamps
from loader.bars.times.plan import plan
from loader.errors import ColumnMismatch

#: One word for each month, as pages and programs of the language write them.
NAMES = {
    language: words.split()
    for language, words in {
        "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
        "de short": "Jan Feb Mrz Apr Mai Jun Jul Aug Sep Okt Nov Dez",
        "de points": "Jän. Feb. März Apr. Mai Juni Juli Aug. Sept. Okt. Nov. Dez.",
        "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre "
        "décembre",
        "fr short": "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.",
        "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre "
        "diciembre",
        "es short": "ene feb mar abr may jun jul ago sep oct nov dic",
        "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre "
        "novembre dicembre",
        "pt": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro "
        "dezembro",
        "nl": "januari februari maart april mei juni juli augustus september oktober november "
        "december",
        "sv": "januari februari mars april maj juni juli augusti september oktober november "
        "december",
        "pl": "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października "
        "listopada grudnia",
        "cs": "ledna února března dubna května června července srpna září října listopadu prosince",
        "hr": "siječnja veljače ožujka travnja svibnja lipnja srpnja kolovoza rujna listopada "
        "studenoga prosinca",
        "ru": "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
        "tr": "Oca Şub Mart Nisan May Haziran Temmuz Ağu Eylül Ekim Kas Ara",
    }.items()
}


def days(texts: list[str]) -> list[date | None]:
    frame = pl.DataFrame({"date": texts})
    made, _ = plan(frame, ("date",), None, "file.csv")
    return stamps.read(stamps.cells(frame, made), made).shown.dt.date().to_list()


@pytest.mark.parametrize("language", NAMES)
@pytest.mark.parametrize("form", ["{day} {month} {year}", "{day}. {month} {year}"])
def test_the_months_of_a_year(language: str, form: str) -> None:
    texts = [
        form.format(day=day, month=month, year=2023)
        for month in NAMES[language] for day in (4, 17)
    ]  # fmt: skip
    assert days(texts) == [date(2023, month, day) for month in range(1, 13) for day in (4, 17)]


@pytest.mark.parametrize(
    ("texts", "first"),
    [
        (["4 de marzo de 2024", "5 de marzo de 2024"], date(2024, 3, 4)),
        (["1er mars 2024", "4 mars 2024"], date(2024, 3, 1)),
        (["März 2024", "April 2024"], date(2024, 3, 1)),
        (["Mrz-24", "Apr-24"], date(2024, 3, 1)),
        (["04-Mrz-24", "05-Mrz-24"], date(2024, 3, 4)),
        (["04-Okt-2024", "05-Okt-2024"], date(2024, 10, 4)),  # in four languages the same
        (["March 4th, 2024", "March 22nd, 2024"], date(2024, 3, 4)),
        (["4th March 2024", "1st April 2024"], date(2024, 3, 4)),
        (["2024年3月4日", "2024年12月15日"], date(2024, 3, 4)),
        (["2024년 3월 4일", "2024년 12월 15일"], date(2024, 3, 4)),
        (["2024. 3. 4.", "2024. 12. 15."], date(2024, 3, 4)),
        (["113/03/04", "113/03/05"], date(2024, 3, 4)),
        (["113年03月04日", "113年03月05日"], date(2024, 3, 4)),
        (["99/12/31", "100/01/03"], date(2010, 12, 31)),
    ],
)
def test_other_ways_to_write_a_date(texts: list[str], first: date) -> None:
    found = days(texts)
    assert found[0] == first
    assert None not in found


def test_a_word_for_different_months_is_not_read() -> None:
    """November in Poland, October in Croatia."""
    assert days(["4 listopada 2024", "5 listopada 2024"]) == [None, None]
    polish = days(["30 października 2024", "4 listopada 2024"])
    assert polish == [date(2024, 10, 30), date(2024, 11, 4)]


def test_short_years_that_may_be_of_the_republic() -> None:
    texts = ["99/12/30", "99/12/31"]
    frame = pl.DataFrame({"日期": texts})
    with pytest.raises(ColumnMismatch, match="or of the Republic of China"):
        plan(frame, ("日期",), None, "file.csv")
    assert days(texts) == [date(1999, 12, 30), date(1999, 12, 31)]


def test_zones_are_no_months() -> None:
    assert days(["2024-03-04 09:30 Asia/Kolkata", "2024-03-05 09:30 Asia/Kolkata"]) == [
        date(2024, 3, 4), date(2024, 3, 5),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["date", "year", "Year", "period"])
def test_years_alone(name: str) -> None:
    frame = pl.DataFrame({name: ["2019", "2020", "2021"]})
    made, _ = plan(frame, (name,), None, "file.csv")
    read = stamps.read(stamps.cells(frame, made), made).shown.dt.date()
    assert read.to_list() == [date(2019, 1, 1), date(2020, 1, 1), date(2021, 1, 1)]


def test_numbers_that_may_be_times_of_day() -> None:
    frame = pl.DataFrame({"time": [1930, 1931, 1932]})
    with pytest.raises(ColumnMismatch, match="which may be years") as raised:
        plan(frame, ("time",), None, "file.csv")
    assert "--time-format %Y" in str(raised.value.hint)
    made, _ = plan(frame, ("time",), "%Y", "file.csv")
    assert stamps.read(stamps.cells(frame, made), made).shown.dt.year().to_list() == [
        1930, 1931, 1932,
    ]  # fmt: skip


def test_times_of_day_that_are_fractions_of_a_day() -> None:
    frame = pl.DataFrame(
        {"date": ["2024-03-04"] * 3, "time": ["0.395833333", "0.5", "0.999988426"]}
    )
    made, notes = plan(frame, ("date", "time"), None, "file.csv")
    assert notes[-1] == "times of day are fractions of a day"
    read = stamps.read(stamps.cells(frame, made), made).shown.dt.to_string("%H:%M:%S")
    assert read.to_list() == ["09:30:00", "12:00:00", "23:59:59"]


@pytest.mark.parametrize("written", ["2:30:00 p.m.", "2:30:00 P.M.", "02:30 p.m."])
def test_points_in_am_and_pm(written: str) -> None:
    frame = pl.DataFrame({"ts": [f"2024-03-04 {written}", "2024-03-05 11:30:00 a.m."]})
    made, _ = plan(frame, ("ts",), None, "file.csv")
    read = stamps.read(stamps.cells(frame, made), made).shown.dt.to_string("%d %H:%M")
    assert read.to_list() == ["04 14:30", "05 11:30"]
