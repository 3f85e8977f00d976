"""A store that the tests of a module share, each of which begins with an empty one."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.conftest import database


@pytest.fixture(scope="module")
def module_url(server_url: str, template: str) -> Iterator[str]:
    with database(server_url, template) as url:
        yield url


@pytest.fixture
def url(module_url: str) -> str:
    with psycopg.connect(module_url, autocommit=True) as connection:
        connection.execute("TRUNCATE bars_ohlcv, bars_ohlcv_revisions, bars_loads, bars_rejected, "
                           "provider_symbols, job_run_files, job_runs CASCADE")  # fmt: skip
    return module_url
