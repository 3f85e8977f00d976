"""Paths for a narrow terminal: shortened in their middle, and still told apart."""

from __future__ import annotations

from collections.abc import Sequence

from loader import text


def shortened(paths: Sequence[str], room: int) -> list[str]:
    """`paths`, each no longer than `room` characters. A folder that all long ones share goes first;
    where two would always become the same text, all stay as they are, for the terminal to fold."""
    long = [path for path in paths if len(path) > room]
    shared = _begun(long).rpartition("/")[0] if len(long) > 1 else ""
    for ahead in (room // 3, room // 2, room - 4, 2):
        done = [
            path if len(path) <= room else _without(shared, path, room, ahead) for path in paths
        ]
        if len(set(done)) == len(set(paths)):
            return done
    return [*paths]


def _begun(texts: Sequence[str]) -> str:
    """What all `texts` begin with."""
    least, most = min(texts), max(texts)
    pairs = enumerate(zip(least, most, strict=False))
    same = next((n for n, pair in pairs if len({*pair}) > 1), None)
    return least[:same]


def _without(shared: str, path: str, room: int, ahead: int) -> str:
    """`path` without its middle: `shared` first, and if that is not enough, all but `ahead`
    characters of its beginning and what there is room for of its end."""
    rest = path[len(shared) :]
    if shared and len(rest) < room:
        return f"{path[: room - 1 - len(rest)]}…{rest}"
    return text.shortened(f"…{rest}" if shared else path, room, ahead)
