"""A load waits for a server that is away, once for each outage."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from loader import load
from loader.db import retries
from loader.errors import ConnectionLost, SettingsError
from loader.ingest.attempts import _Attempts
from loader.results import FileResult, LoadResult
from loader.results.events import Event, FileNote

HEAD = "symbol,ts,open,high,low,close,volume\n"


class Clock:
    """A clock that each wait moves on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(retries, "time", SimpleNamespace(monotonic=lambda: self.now))

    def wait(self, attempt: int) -> float:
        self.now += min(0.1 * 2.0**attempt, 10.0)
        return 0.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock(monkeypatch)
    monkeypatch.setattr(retries, "pause", made.wait)
    return made


def loses(monkeypatch: pytest.MonkeyPatch, lost: Callable[[str], bool]) -> list[str]:
    """Attempts at a file for which `lost` holds end with a lost connection; the names of the files
    of all attempts."""
    tried: list[str] = []
    attempt = _Attempts._attempt

    def one(self: _Attempts) -> FileResult:
        name = Path(self._source.name).name
        tried.append(name)
        if lost(name):
            raise ConnectionLost("the server is away")
        return attempt(self)

    monkeypatch.setattr(_Attempts, "_attempt", one)
    return tried


def loaded(url: str, folder: Path, notes: list[str] | None = None, files: int = 1) -> LoadResult:
    paths = []
    for n in range(files):
        path = folder / f"{n}.csv"
        path.write_text(f"{HEAD}S{n},2024-01-02T00:00:00Z,1,1,1,1,1\n")
        paths.append(path)

    def hear(event: Event) -> None:
        if notes is not None and isinstance(event, FileNote):
            notes.append(event.note.text)

    return load(paths, url, provider="p", interval="1m", listeners=[hear])


def test_an_outage_of_40_seconds_costs_no_file(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, emptied_url: str, tmp_path: Path
) -> None:
    notes: list[str] = []
    tried = loses(monkeypatch, lambda _: clock.now < 1040)
    assert loaded(emptied_url, tmp_path, notes).counts.read == 1
    # Pauses of 0.2, 0.4, 0.8, 1.6, 3.2, 6.4 and then 10 seconds: 12.6 s, and 3 of 10.
    assert len(tried) == 6 + 3 + 1
    assert sum("failed (the server is away); trying again" in note for note in notes) == 9


def test_a_server_that_stays_away_costs_its_minute_once(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, emptied_url: str, tmp_path: Path
) -> None:
    """The first file waits for it, the others make the attempts that an attempt is worth."""
    tried = loses(monkeypatch, lambda _: True)
    result = loaded(emptied_url, tmp_path, files=3)
    assert [(f.state, f.exit_code, f.retryable) for f in result.files] == [("failed", 5, True)] * 3
    # 12.6 s in 6 pauses, then 5 of 10 seconds, to 62.6 s after the first loss.
    assert [tried.count(f"{n}.csv") for n in range(3)] == [12, 8, 8]


def test_the_variable_sets_the_time(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, emptied_url: str, tmp_path: Path
) -> None:
    tried = loses(monkeypatch, lambda _: True)
    monkeypatch.setenv("MDLOAD_OUTAGE_SECONDS", "0")
    assert loaded(emptied_url, tmp_path).exit_code == 5
    assert len(tried) == 8
    tried.clear()
    monkeypatch.setenv("MDLOAD_OUTAGE_SECONDS", "100")
    assert loaded(emptied_url, tmp_path).exit_code == 5
    assert len(tried) == 6 + 9 + 1
    for text in ("-1", "1.5", "a minute", "86401"):
        monkeypatch.setenv("MDLOAD_OUTAGE_SECONDS", text)
        with pytest.raises(SettingsError, match="MDLOAD_OUTAGE_SECONDS must be a whole number"):
            loaded(emptied_url, tmp_path)


def test_outages_are_counted_anew_where_work_was_done_in_between(clock: Clock) -> None:
    outage = retries.Outage()
    assert outage.lost(1.0) == 1
    clock.now += 59
    assert outage.lost(1.0) == 1
    clock.now += 2
    assert outage.lost(1.0) is None
    assert outage.lost(31.0) == 2  # an attempt of half a minute has worked
    outage.over()
    clock.now += 500
    assert outage.lost(1.0) == 3


def test_a_file_that_brings_the_server_down_each_time_ends(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, emptied_url: str, tmp_path: Path
) -> None:
    """Other files are loaded in between, so that each time it is another outage."""
    over = retries.Outage.over
    tried = loses(monkeypatch, lambda _: True)
    lost = retries.Outage.lost

    def and_over(self: retries.Outage, ran: float) -> int | None:
        number = lost(self, ran)
        over(self)
        return number

    monkeypatch.setattr(retries.Outage, "lost", and_over)
    assert loaded(emptied_url, tmp_path).exit_code == 5
    assert len(tried) == 16
