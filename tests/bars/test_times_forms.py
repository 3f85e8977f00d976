"""Text forms of times: each form is read, and near misses are refused; datetime is the oracle."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.bars.times import formats as timeformats
from loader.bars.times import forms as timeforms
from loader.bars.times.forms import Form

MOMENTS = st.datetimes(datetime(1901, 1, 1), datetime(2099, 12, 31)).map(
    lambda moment: moment.replace(microsecond=0)
)


def form_of(*texts: str) -> Form:
    form, share = timeforms.likeliest(pl.Series(texts))
    assert form is not None
    assert share > 0.5
    return form


def wall(form: Form, *texts: str | None) -> list[datetime | None]:
    return timeforms.read(pl.Series(texts, dtype=pl.String), form).wall.to_list()


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("2020-01-02", "YYYY-MM-DD", datetime(2020, 1, 2)),
        ("2020-01-02 03:04:05", "YYYY-MM-DD HH:MM:SS", datetime(2020, 1, 2, 3, 4, 5)),
        ("2020-01-02T03:04:05", "YYYY-MM-DD HH:MM:SS", datetime(2020, 1, 2, 3, 4, 5)),
        ("2020-01-02 03:04", "YYYY-MM-DD HH:MM:SS", datetime(2020, 1, 2, 3, 4)),
        ("2020-01-02 03:04:05.25", "YYYY-MM-DD HH:MM:SS", datetime(2020, 1, 2, 3, 4, 5, 250000)),
        ("2017-3-7 0:0:0", "YYYY-MM-DD HH:MM:SS", datetime(2017, 3, 7)),
        ("2024/07/01", "YYYY/MM/DD", datetime(2024, 7, 1)),
        ("2019.02.15 14:00", "YYYY.MM.DD HH:MM:SS", datetime(2019, 2, 15, 14)),
        ("20110301 090100", "YYYYMMDD HHMMSS", datetime(2011, 3, 1, 9, 1)),
        ("20110301 0901", "YYYYMMDD HHMMSS", datetime(2011, 3, 1, 9, 1)),
        ("20110301 09:01", "YYYYMMDD HH:MM:SS", datetime(2011, 3, 1, 9, 1)),
        ("31-Dec-10", "DD-Mon-YY", datetime(2010, 12, 31)),
        ("3-Jan-22", "DD-Mon-YY", datetime(2022, 1, 3)),
        ("3-Jan-70", "DD-Mon-YY", datetime(1970, 1, 3)),
        ("3-Jan-69", "DD-Mon-YY", datetime(2069, 1, 3)),
        ("31-DEC-2010", "DD-Mon-YYYY", datetime(2010, 12, 31)),
        ("9 April 2020", "DD Mon YYYY", datetime(2020, 4, 9)),
        ("Apr 09, 2020", "Mon DD, YYYY", datetime(2020, 4, 9)),
        ("April 9, 2020", "Mon DD, YYYY", datetime(2020, 4, 9)),
        ("3/11/2020", "MM/DD/YYYY", datetime(2020, 3, 11)),
        ("11/5/2019 9:30", "MM/DD/YYYY HH:MM:SS", datetime(2019, 11, 5, 9, 30)),
        ("3/3/2015 4:00:00 PM", "MM/DD/YYYY HH:MM:SS AM", datetime(2015, 3, 3, 16)),
        ("3/3/2015 12:30 AM", "MM/DD/YYYY HH:MM:SS AM", datetime(2015, 3, 3, 0, 30)),
        ("3/3/2015 12:30pm", "MM/DD/YYYY HH:MM:SS AM", datetime(2015, 3, 3, 12, 30)),
        ("31.01.2019 00:00:00.000", "DD.MM.YYYY HH:MM:SS", datetime(2019, 1, 31)),
        ("2020-01-02T03:04:05Z", "YYYY-MM-DD HH:MM:SS+HH:MM", datetime(2020, 1, 2, 3, 4, 5)),
        ("20240701T234000Z", "YYYYMMDD HHMMSS+HH:MM", datetime(2024, 7, 1, 23, 40)),
    ],
)
def test_forms(text: str, name: str, value: datetime) -> None:
    form = form_of(text)
    assert form.name == name
    assert wall(form, text) == [value]


@pytest.mark.parametrize(
    ("like", "misses"),
    [
        (
            "2020-01-02",
            ["20-01-02", "2020-13-01", "2020-02-30", "2020-01-02 00:00", "20200102", "x"],
        ),
        (
            "2020-01-02 03:04:05",
            [
                "2020-01-02",
                "2020-01-02 03",
                "2020-01-02 24:00:01",
                "2020-01-02 25:00:00",
                "2020-01-02 23:59:60",
                "2020-01-02 23:60",
                "2020-01-02 03:04:05Z",
                "2020-01-02 03:04:05+01:00",
                "2020-01-02 03:04:05 PM",
                "2020-01-02 03:04:05.1234567",
                "2020/01/02 03:04:05",
                "+2020-01-02 03:04:05",
                "12020-01-02 03:04:05",
                "2020-01-02 03:04:05 extra",
                "02/01/2020 03:04:05",
                "1577934245",
                "NaT",
                "",
            ],
        ),
        (
            "2020-01-02 03:04:05Z",
            ["2020-01-02 03:04:05", "2020-01-02", "2020-01-02 03:04:05+16:00"],
        ),
        ("20110301 090100", ["2011301 090100", "20110301 90100", "20110301 096000", "20110301"]),
        ("20200102", ["2020102", "202001020", "20201302"]),
        ("31-Dec-10", ["31-Dez-10", "31-Dec-2010", "31-12-10", "32-Dec-10"]),
        ("3/3/2015 4:00 PM", ["3/3/2015 4:00", "3/3/2015 13:00 PM", "3/3/2015 0:30 AM"]),
        ("13.01.2019", ["01.13.2019", "13.1.19"]),
    ],
)
def test_what_does_not_fit_the_form_is_null(like: str, misses: list[str]) -> None:
    form = form_of(*[like] * 30, *misses)
    assert wall(form, like, *misses, None)[1:] == [None] * (len(misses) + 1)
    assert wall(form, like) != [None]


@given(st.lists(MOMENTS, min_size=1, max_size=20), st.sampled_from("T "), st.booleans())
def test_iso_is_what_python_reads(moments: list[datetime], between: str, offset: bool) -> None:
    tail = "+05:30" if offset else ""
    texts = [moment.isoformat(between) + tail for moment in moments]
    reading = timeforms.read(pl.Series(texts), form_of(*texts))
    assert reading.wall.to_list() == moments
    if offset:
        assert reading.offset is not None
        assert set(reading.offset) == {timedelta(hours=5, minutes=30)}


@pytest.mark.parametrize(
    "written",
    ["%d-%b-%Y %H:%M", "%B %d, %Y %H:%M:%S", "%Y/%m/%d %H:%M", "%d.%m.%Y %H:%M:%S.000",
     "%Y%m%d %H%M%S", "%Y.%m.%d %I:%M:%S %p", "%d %b %Y", "%Y%m%d"],
)  # fmt: skip
@given(st.lists(MOMENTS, min_size=1, max_size=10))
def test_forms_are_what_python_wrote(written: str, moments: list[datetime]) -> None:
    texts = [moment.strftime(written) for moment in moments]
    expected = [datetime.strptime(text, written.replace(".000", ".%f")) for text in texts]
    assert wall(form_of(*texts), *texts) == expected


@given(st.lists(MOMENTS, min_size=1, max_size=20), st.sampled_from("/-"))
def test_month_and_day_are_told_apart_by_the_values(moments: list[datetime], sign: str) -> None:
    for written, first in ((f"%m{sign}%d{sign}%Y", True), (f"%d{sign}%m{sign}%Y", False)):
        texts = pl.Series([moment.strftime(written) for moment in moments])
        month, day = timeforms.order(texts)
        decisive = sum(moment.day > 12 for moment in moments)
        assert (month, day) == ((decisive, 0) if first else (0, decisive))


def test_the_twin_has_the_day_first() -> None:
    form = form_of("5/11/2019 9:30 PM")
    day_first = timeforms.twin(form)
    assert day_first is not None
    assert wall(day_first, "5/11/2019 9:30 PM") == [datetime(2019, 11, 5, 21, 30)]
    assert day_first.fitting("5/11/2019 9:30 PM") == "%d/%m/%Y %I:%M %p"
    assert timeforms.twin(form_of("2019-11-05")) is None


def test_offsets_differ_by_row() -> None:
    tails = ["+00:00", "-0330", " UTC", "-05", "Z"]
    texts = ["2024-10-21 10:00:00+01:00", *(f"2024-10-30 14:00:00{tail}" for tail in tails)]
    reading = timeforms.read(pl.Series(texts), form_of(*texts))
    later = datetime(2024, 10, 30, 14)
    assert reading.wall.to_list() == [datetime(2024, 10, 21, 10), *[later] * 5]
    assert reading.offset is not None
    minutes = [None if d is None else d.total_seconds() / 60 for d in reading.offset]
    assert minutes == [60, 0, -210, 0, -300, 0]


def test_a_fraction_is_kept_to_the_microsecond_and_refused_below() -> None:
    texts = ["2020-01-01 00:00:00.123456", "2020-01-01 00:00:00.123456000",
             "2020-01-01 00:00:00.1234561", "2020-01-01 00:00:00.000000001"]  # fmt: skip
    exact = datetime(2020, 1, 1, 0, 0, 0, 123456)
    assert wall(form_of(*texts), *texts) == [exact, exact, None, None]


def test_the_most_used_format_is_tried_first() -> None:
    texts = pl.Series(["2020-01-01T00:00:00.000"] * 9 + ["2020-01-01 00:00"])
    form = timeforms.by_use(form_of(*texts), texts)
    assert form.formats[:2] == ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M")
    assert timeforms.read(texts, form).wall.null_count() == 0


def test_texts_without_any_form() -> None:
    assert timeforms.likeliest(pl.Series(["hello", "Q5 2020"])) == (None, 0.0)


@pytest.mark.parametrize(
    ("time_format", "text", "value"),
    [
        ("%d.%m.%y %H:%M", "03.04.21 05:06", datetime(2021, 4, 3, 5, 6)),
        ("%Y%m%d%H%M", "199012190000", datetime(1990, 12, 19)),
        ("%Y%m%d%H%M", "19901219000", None),
        ("%Y%m%d", "2020102", None),
        ("%m/%d/%Y", "3/11/2020", datetime(2020, 3, 11)),
        ("%Y-%m-%d %I-%p", "2019-10-17 12-AM", datetime(2019, 10, 17)),
        ("%Y-%m-%d %I-%p", "2019-10-17 12-PM", datetime(2019, 10, 17, 12)),
        ("%Y-%m-%d %I-%p", "2019-10-17 12:00", None),
        ("%Y%m%d%H", "2024010203", datetime(2024, 1, 2, 3)),
        ("%Y%m%d%H", "202401020", None),
    ],
)
def test_formats_of_the_persons_own(time_format: str, text: str, value: datetime | None) -> None:
    assert wall(timeformats.custom(time_format), text) == [value]


@pytest.mark.parametrize(
    ("time_format", "clock", "offset"),
    [("%Y-%m-%d", False, False), ("%d/%m/%Y %I:%M %p", True, False),
     ("%Y-%m-%dT%H:%M:%SZ", True, True), ("%Y-%m-%d %T %z", True, True), ("%d%b%Y", False, False)],
)  # fmt: skip
def test_what_a_format_says(time_format: str, clock: bool, offset: bool) -> None:
    form = timeformats.custom(time_format)
    assert (form.clock, form.offset) == (clock, offset)


def test_the_offset_of_a_format_is_read_beside_the_clock() -> None:
    form = timeformats.custom("%Y-%m-%d %T %z")
    reading = timeforms.read(pl.Series(["2024-10-21 10:00:00 +0100"]), form)
    assert reading.wall.to_list() == [datetime(2024, 10, 21, 10)]
    assert reading.offset is not None
    assert reading.offset.to_list() == [timedelta(hours=1)]


PARTS = st.sampled_from(
    ["2024", "24", "1", "02", "12", "31", "-", "/", ".", " ", ", ", "T", "W05", "-W05-1", "Jan",
     "March", "0930", "093000", "09:30", "9:30:00", ".25", "AM", " pm", "Z", "+02:00", "-0500",
     "UTC", "GMT+2"]
)  # fmt: skip


@given(st.lists(st.lists(PARTS, max_size=9).map("".join), min_size=1, max_size=8))
def test_no_text_has_two_forms(texts: list[str]) -> None:
    """So that a form that most texts have needs no comparison with others."""
    sample = pl.Series(texts)
    dates = [date for date in timeforms._DATES if date not in timeforms._SECOND]
    starts = [
        sample.str.contains(f"^(?:{timeforms._DATES[date][0]})(?:[T ]|$)").cast(int)
        for date in dates
    ]
    assert max(sum(starts)) <= 1  # type: ignore[call-overload]
    date = max(dates, key=lambda date: int(starts[dates.index(date)].sum()))
    forms = [timeforms._form(date, "", offset=False)] + [
        timeforms._form(date, clock, offset)
        for clock in timeforms._CLOCKS if clock for offset in (False, True)
    ]  # fmt: skip
    hits = [sample.str.contains(form.pattern or "").cast(int) for form in forms]
    assert max(sum(hits)) <= 1  # type: ignore[call-overload]
    most = max(int(hit.sum()) for hit in hits)
    best = forms[[int(hit.sum()) for hit in hits].index(most)]
    expected = (best, most / len(texts)) if most else (None, 0.0)
    assert timeforms._likeliest(sample) == expected


@given(st.lists(MOMENTS, min_size=1, max_size=5), st.sampled_from(sorted(timeforms._CLOCKS)))
def test_the_order_of_formats_changes_no_time(moments: list[datetime], clock: str) -> None:
    for date in timeforms._DATES:
        form = timeforms._form(date, clock, offset=False)
        turned = replace(form, formats=form.formats[::-1])
        words = [word.replace("%.f", ".%f") for word in form.formats]
        texts = [moment.strftime(word) for moment in moments for word in words]
        assert wall(form, *texts) == wall(turned, *texts)
