"""Cron expressions and their systemd form, against values by hand and systemd itself."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from loader.jobs.config.cron import Cron

#: Expression, the same for systemd, and the first times from Friday 2024-03-01 00:00 on.
PAIRS = [
    ("* * * * *", ["*-*-* *:*:00"], ["03-01 00:00", "03-01 00:01", "03-01 00:02"]),
    ("30 2 * * 1-5", ["Mon..Fri *-*-* 02:30:00"], ["03-01 02:30", "03-04 02:30", "03-05 02:30"]),
    ("30 2 * * 2-6", ["Tue..Sat *-*-* 02:30:00"], ["03-01 02:30", "03-02 02:30", "03-05 02:30"]),
    ("*/20 9-10 * * *", ["*-*-* 09..10:00,20,40:00"], ["03-01 09:00", "03-01 09:20"]),
    ("0 0 1 * *", ["*-*-01 00:00:00"], ["03-01 00:00", "04-01 00:00", "05-01 00:00"]),
    ("0 0 1,15 * 1", ["*-*-01,15 00:00:00", "Mon *-*-* 00:00:00"],
     ["03-01 00:00", "03-04 00:00", "03-11 00:00", "03-15 00:00", "03-18 00:00"]),
    ("0 0 */2 * 1", ["Mon *-*-01,03,05,07,09,11,13,15,17,19,21,23,25,27,29,31 00:00:00"],
     ["03-11 00:00", "03-25 00:00", "04-01 00:00"]),
    ("15 23 * * 0", ["Sun *-*-* 23:15:00"], ["03-03 23:15", "03-10 23:15"]),
    ("15 23 * * 7", ["Sun *-*-* 23:15:00"], ["03-03 23:15"]),
    ("15 23 * * 5-7", ["Fri..Sun *-*-* 23:15:00"], ["03-01 23:15", "03-02 23:15", "03-03 23:15",
                                                    "03-08 23:15"]),
    ("0 6 * * SUN,tue,Wed", ["Tue..Wed,Sun *-*-* 06:00:00"], ["03-03 06:00", "03-05 06:00"]),
    ("5 4 29 2 *", ["*-02-29 04:05:00"], ["02-29 04:05"]),  # of 2028
    ("0 12 31 jan-jun *", ["*-01..06-31 12:00:00"], ["03-31 12:00", "05-31 12:00"]),
    ("0 0 30 2 1", ["*-02-30 00:00:00", "Mon *-02-* 00:00:00"], ["02-03 00:00"]),  # of 2025
    ("10-30/10,45 0 * * *", ["*-*-* 00:10,20,30,45:00"], ["03-01 00:10", "03-01 00:20"]),
    ("@hourly", ["*-*-* *:00:00"], ["03-01 00:00", "03-01 01:00"]),
    ("@daily", ["*-*-* 00:00:00"], ["03-01 00:00", "03-02 00:00"]),
    ("@Weekly", ["Sun *-*-* 00:00:00"], ["03-03 00:00"]),
    ("@monthly", ["*-*-01 00:00:00"], ["03-01 00:00", "04-01 00:00"]),
    ("@yearly", ["*-01-01 00:00:00"], ["01-01 00:00"]),  # of 2025
]  # fmt: skip


@pytest.mark.parametrize(("expression", "wanted", "_"), PAIRS)
def test_what_systemd_is_told(expression: str, wanted: list[str], _: list[str]) -> None:
    assert Cron.parse(expression).on_calendar() == wanted


@pytest.mark.parametrize(("_", "calendar", "due"), PAIRS)
def test_systemd_is_due_when_cron_is(_: str, calendar: list[str], due: list[str]) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not here")
    found: set[datetime] = set()
    for when in calendar:
        said = subprocess.run(
            ["systemd-analyze", "calendar", "--base-time=2024-02-29 23:59:59 UTC",
             f"--iterations={len(due)}", when],
            env=os.environ | {"TZ": "UTC", "LC_ALL": "C"}, stdout=subprocess.PIPE, text=True,
            check=True,
        ).stdout  # fmt: skip
        stamps = re.findall(r"(?:elapse|#\d+): \w{3} (\d{4}-\d\d-\d\d \d\d:\d\d):00 UTC", said)
        found.update(datetime.fromisoformat(stamp).replace(tzinfo=UTC) for stamp in stamps)
    assert [f"{at:%m-%d %H:%M}" for at in sorted(found)[: len(due)]] == due


@pytest.mark.parametrize(
    "expression", ["*/7 3,5 * * 1-5", "0 0 13 * 5", "59 23 28-31 */3 *", "1-59/2 * 1 1,7 0"]
)
def test_the_days_of_an_expression_by_crontab_5(expression: str) -> None:
    """Every minute of two years, each field looked at as its text, and no sets."""

    def has(field: str, number: int, most: int) -> bool:
        for item in field.split(","):
            span, _, step = item.partition("/")
            low, _, high = span.partition("-")
            first, last = (0, most) if low == "*" else (int(low), int(high or low))
            start = first if low != "*" else (1 if most in (31, 12) else 0)
            if first <= number <= last and (number - start) % int(step or 1) == 0:
                return True
        return False

    minute, hour, day, month, weekday = expression.split()
    cron = Cron.parse(expression)
    at = datetime(2024, 1, 1, tzinfo=UTC)
    due = 0
    while at.year < 2026:
        of_month = has(day, at.day, 31)
        of_week = has(weekday, at.isoweekday() % 7, 6)
        both = day.startswith("*") or weekday.startswith("*")
        today = (of_month and of_week) if both else (of_month or of_week)
        wanted = (today and has(month, at.month, 12) and has(hour, at.hour, 23)
                  and has(minute, at.minute, 59))  # fmt: skip
        of = (at.day in cron.days, at.isoweekday() % 7 in cron.weekdays)
        got = ((any if cron.either else all)(of) and at.month in cron.months
               and at.hour in cron.hours and at.minute in cron.minutes)  # fmt: skip
        assert got == wanted, at
        due += got
        at += timedelta(minutes=17)  # a prime: every minute of the day comes by
    assert due


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        ("", "'' is not a cron expression: minute, hour, day of the month"),
        ("0 0 * *", "'0 0 * *' is not a cron expression"),
        ("0 0 * * * *", "is not a cron expression"),
        ("@reboot", "'@reboot' is not a cron expression"),
        ("60 0 * * *", "the minute has 60, and goes from 0 to 59"),
        ("0 24 * * *", "the hour has 24, and goes from 0 to 23"),
        ("0 0 0 * *", "the day of the month has 0, and goes from 1 to 31"),
        ("0 0 * 13 *", "the month has 13, and goes from 1 to 12"),
        ("0 0 * * 8", "the day of the week has 8, and goes from 0 to 7"),
        ("0 0 * * mo", "'mo' is not a value for the day of the week"),
        ("0 jan * * *", "'jan' is not a value for the hour"),
        ("0 5-3 * * *", "the hour has '5-3', in which there is nothing"),
        ("*/0 * * * *", "the minute has '*/0', in which there is nothing"),
        ("5/15 * * * *", "the minute has '5/15': write '5-59/15'"),
        ("1,,2 * * * *", "the minute has '', which is not a number, range or step"),
        ("*-5 * * * *", "the minute has '*-5', which is not a number"),
        ("-1 * * * *", "the minute has '-1', which is not a number"),
        ("0 0 31 4,6 *", "'0 0 31 4,6 *' is never due: none of its months has 31 days"),
        ("0 0 30 2 *", "is never due: none of its months has 30 days"),
    ],
)
def test_what_is_none(expression: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(complaint)):
        Cron.parse(expression)
