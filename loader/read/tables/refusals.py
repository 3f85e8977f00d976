"""Why a table, or a part of one, is not read, and the next step."""

from __future__ import annotations

from pathlib import Path

from loader.errors import UnreadableFile
from loader.read.tables.folders import Kind


def one_of_its_files(name: str, table: Path, kind: Kind) -> UnreadableFile:
    """For a file that was named by itself."""
    return UnreadableFile.of(
        name,
        f"is a file of {kind.value}, {table}, which may have replaced or deleted rows of it",
        hint=f"load the table: mdload backfill '{table}'; or copy the file to another folder",
    )


def inside_archive(name: str, folder: str, kind: Kind) -> UnreadableFile:
    """For an archive that holds a table in `folder`."""
    where = f" in its folder {folder}" if folder else ""
    return UnreadableFile.of(
        name, f"holds {kind.value}{where}", hint="unpack it, and load the folder of the table"
    )


def in_bucket(url: str, kind: Kind) -> UnreadableFile:
    """For a table that is not on this machine."""
    return UnreadableFile.of(
        url,
        f"is {kind.value}: mdload reads tables from folders of this machine only",
        hint="copy its whole folder here and load that, or export the table to Parquet files",
    )


def hudi(name: str) -> UnreadableFile:
    return UnreadableFile.of(
        name,
        f"is {Kind.HUDI.value}, which mdload does not read",
        hint="export its latest snapshot to Parquet files in another folder, and load that",
    )


def moved(name: str, kind: Kind, place: str) -> UnreadableFile:
    """For a table with a file outside of its folder."""
    return UnreadableFile.of(
        name,
        f"is {kind.value} with files elsewhere: {place}",
        hint="load the table where it was written, or export it to Parquet files and load those",
    )


def damaged(name: str, kind: Kind, reason: object) -> UnreadableFile:
    return UnreadableFile.of(
        name,
        f"is {kind.value} that cannot be read: {str(reason).splitlines()[0].rstrip('.')}"
        if str(reason).strip()
        else f"is {kind.value} that cannot be read: {type(reason).__name__}",
        hint="check that its folder is whole, or export it to Parquet files and load those",
    )


def without_extra(name: str, kind: Kind, extra: str) -> UnreadableFile:
    return UnreadableFile.of(
        name,
        f"is {kind.value}, which needs the extra {extra!r}",
        hint=f"pip install 'mdload[{extra}]'",
    )
