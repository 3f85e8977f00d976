"""Files loaded both ways."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from loader.ingest.run import together, turns
from loader.results import FileResult
from tests.conftest import CITUS, database
from tests.support.both_ways import Way


@pytest.fixture
def other_url(server_url: str, template: str) -> Iterator[str]:
    """A second database, as `database_url`."""
    with database(server_url, template) as url:
        yield url


@pytest.fixture
def ways(other_url: str, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Loads files both ways: one by one into `other_url`, together into `database_url`. Insists
    that all is alike, and gives how many were loaded together."""
    if CITUS:
        pytest.skip("not on Citus: files load one by one there")
    several = 0
    by_itself = True
    real = together.loaded_together, turns.first_together

    def counted(*given: Any) -> list[FileResult]:
        nonlocal several
        found = real[0](*given)
        several += len(found)
        return found

    def chosen(*given: Any) -> list[FileResult]:
        return [] if by_itself else real[1](*given)

    monkeypatch.setattr(turns, "_ALONE", 1)
    monkeypatch.setattr(together, "loaded_together", counted)
    monkeypatch.setattr(turns, "first_together", chosen)
    alone, many = Way(other_url), Way(database_url)

    def both(files: Sequence[str], **settings: Any) -> int:
        nonlocal by_itself, several
        several = 0
        by_itself = True
        one = alone.load(files, **settings)
        by_itself = False
        all_of_them = many.load(files, **settings)
        assert [replace(file, file_id=None) for file in all_of_them.files] == [
            replace(file, file_id=None) for file in one.files
        ]
        assert many.books(all_of_them) == alone.books(one)
        assert many.store() == alone.store()
        assert many.told() == alone.told()
        return several

    return both
