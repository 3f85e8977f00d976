"""An S3 server for the tests of objects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.stores import S3


@pytest.fixture(scope="module")
def s3_storage() -> Iterator[S3]:
    from tests.support.stores import s3_server  # a second to import, for tests that need it

    with s3_server() as s3:
        yield s3


@pytest.fixture
def s3(s3_storage: S3, monkeypatch: pytest.MonkeyPatch) -> S3:
    """A server of the module's own, which this process finds in its environment."""
    for name, value in s3_storage.environment.items():
        monkeypatch.setenv(name, value)
    return s3_storage
