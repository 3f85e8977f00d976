"""The objects that a URL names: one, those that a glob matches, or those below a folder."""

from __future__ import annotations

import glob
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Final

from loader.errors import NotThere, SettingsError
from loader.read import tables
from loader.read.objects import buckets, web
from loader.read.objects.path import ObjectPath

_WEB: Final = ("http", "https")


def find(url: str, known: Callable[[str], bool]) -> list[ObjectPath]:
    """The objects that `url` names, in the store's order.

    In a bucket it may be a glob (`**` too) or a folder, below which everything is taken whose name
    is `known` and not hidden. On the web it is one object, query and all.

    Raises:
        SettingsError: it is of another kind, or has a user or a password of a bucket in it.
        NotThere: it names nothing.
        UnreadableFile: the store cannot be reached, or does not allow it.
    """
    check(url)
    scheme, _, rest = url.partition("://")
    if scheme in _WEB:
        return [web.find(url)]
    name, _, key = rest.partition("/")
    bucket = buckets.Bucket(scheme, name, url)
    if glob.has_magic(key):
        return _globbed(bucket, key, known)
    if key and not key.endswith("/"):
        try:
            return [bucket.object(key)]
        except NotThere as absent:
            return _below(bucket, f"{key}/", known, absent)
    return _below(bucket, key, known, None)


def check(url: str) -> None:
    """Looks at the text of `url` only.

    Raises:
        SettingsError: it is of a kind that is not read, or has a user or password of a bucket.
    """
    scheme, _, rest = url.partition("://")
    if scheme in _WEB:
        return
    if scheme not in buckets.KINDS:
        kinds = ", ".join(f"{kind}://" for kind in (*buckets.KINDS, *_WEB))
        raise SettingsError(
            f"{scheme}:// is a kind of URL that mdload does not read: it reads {kinds}",
            hint="download it first, or pipe it in: … | mdload backfill -",
        )
    name = rest.partition("/")[0]
    if "@" in name or not name:
        raise SettingsError(
            f"{scheme}:// is followed by the name of a bucket, and nothing else",
            hint=f"name {scheme}://BUCKET/PATH; {buckets.KINDS[scheme].credentials}",
        )


def _below(
    bucket: buckets.Bucket, folder: str, known: Callable[[str], bool], absent: NotThere | None
) -> list[ObjectPath]:
    """What lies in a folder; where nothing does, `absent` is what was meant."""
    some = False
    found = []
    described: list[tuple[str, tables.Kind]] = []
    for path in bucket.below(folder):
        some = True
        if table := tables.kind_of_name("/".join(_parts(path, bucket))):
            described.append(table)
        if _wanted(_parts(path, bucket)[folder.count("/") :], known):
            found.append(path)
    if found:
        _refuse_tables(found, described, bucket)
        return found
    if some or absent is None:
        raise NotThere(
            f"the folder {bucket.url(folder)} holds no object that mdload reads",
            hint="from a folder it takes what has the name of a table; name others one by one",
        )
    raise absent


def _globbed(
    bucket: buckets.Bucket, pattern: str, known: Callable[[str], bool]
) -> list[ObjectPath]:
    """As for files: what a glob matches are objects, and folders with all that is in them."""
    wanted = pattern.split("/")
    plain = next(at for at, part in enumerate(wanted) if glob.has_magic(part))
    if wanted[-1] == "**":  # a folder, to the bottom
        wanted = wanted[:-1] if len(wanted) > 1 else ["*"]
        plain = min(plain, len(wanted))
    exact = "." in wanted[-1]  # `data/*` means the data, not the README beside it
    found = []
    described: list[tuple[str, tables.Kind]] = []
    for path in bucket.below("".join(f"{part}/" for part in wanted[:plain])):
        parts = _parts(path, bucket)
        if table := tables.kind_of_name("/".join(parts)):
            described.append(table)
        itself = _matches(parts, wanted) and (exact or known(path.name))
        in_folder = any(
            _matches(parts[:depth], wanted) and _wanted(parts[depth:], known)
            for depth in range(1, len(parts))
        )
        if itself or in_folder or "/".join(parts) == pattern:
            found.append(path)
    if not found:
        raise NotThere(
            f"nothing matches {bucket.url(pattern)}",
            hint="check the pattern, and quote it so that the shell leaves it alone",
        )
    _refuse_tables(found, described, bucket)
    return found


def _refuse_tables(
    found: list[ObjectPath], described: list[tuple[str, tables.Kind]], bucket: buckets.Bucket
) -> None:
    """Raises:
    UnreadableFile: objects that were found belong to a table, in one of the folders `described`.
    """
    for path in found:
        key = "/".join(_parts(path, bucket))
        for folder, kind in described:
            if key.startswith(folder) and tables.has_rows(key):
                raise tables.in_bucket(bucket.url(folder), kind)


def _parts(path: ObjectPath, bucket: buckets.Bucket) -> list[str]:
    return path.as_posix().removeprefix(f"/{bucket.name}/").split("/")


def _wanted(parts: list[str], known: Callable[[str], bool]) -> bool:
    hidden = any(part.startswith(".") for part in parts)
    return not hidden and known("/".join(parts))


def _matches(parts: list[str], wanted: list[str]) -> bool:
    if not wanted:
        return not parts
    if wanted[0] == "**":
        return any(
            _matches(parts[at:], wanted[1:])
            for at in range(len(parts) + 1)
            if not any(part.startswith(".") for part in parts[:at])
        )
    if not parts or (parts[0].startswith(".") and not wanted[0].startswith(".")):
        return False
    return fnmatchcase(parts[0], wanted[0]) and _matches(parts[1:], wanted[1:])
