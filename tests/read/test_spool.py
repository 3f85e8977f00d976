"""Frames that are set aside on disk come back as they were."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from loader.errors import NoRoom
from loader.read import scratch
from loader.read.spool import Partitions, Spool

SCHEMA: dict[str, pl.DataType] = {"s": pl.String(), "n": pl.Int64()}


def frame(*rows: tuple[str | None, int | None]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), SCHEMA, orient="row")


def test_a_spool_gives_frames_in_the_order_they_came() -> None:
    with Spool(SCHEMA) as spool:
        assert list(spool) == []
        for each in (frame(("a", 1), (None, 2)), frame(), frame(("b", None))):
            spool.append(each)
        assert spool.rows == 3
        assert [each.rows() for each in spool] == [[("a", 1), (None, 2)], [("b", None)]]


def test_a_spool_cuts_long_frames() -> None:
    with Spool(SCHEMA, at_once=2) as spool:
        for each in (frame(("a", 1), ("b", 2), (None, 3)), frame(("c", None))):
            spool.append(each)
        cut = [each.rows() for each in spool]
    assert cut == [[("a", 1), ("b", 2)], [(None, 3)], [("c", None)]]


def test_partitions_come_in_the_order_of_their_keys_joined() -> None:
    with Partitions(SCHEMA) as partitions:
        for key, row in ((2, ("c", 3)), (1, ("a", 1)), (2, ("d", 4)), (3, ("e", None))):
            partitions.append((key,), frame(row))
        assert partitions.read((2,)).rows() == [("c", 3), ("d", 4)]
        joined = [each.rows() for each in partitions.frames(2)]
    assert joined == [[("a", 1), ("c", 3), ("d", 4)], [("e", None)]]


def test_a_temporary_directory_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scratch.tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(NoRoom, match="there is no room for what is set aside in") as caught:
        Spool(SCHEMA).append(frame(("a", 1)))
    assert "TMPDIR" in str(caught.value.hint)
