"""Notes on the files of a load for a person: of many files, each sentence once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from loader.results import Note
from loader.results.events import Event, FileNote, RunDone, RunStarted
from loader.text import alike, counted

#: Sentences on one subject that are shown, of several files.
_SHOWN = 8


class Notes:
    """Tells notes through `tell`. Of several files, sentences that differ only in numbers are told
    with the first file, and counted for the others; `all` tells each of them."""

    def __init__(self, tell: Callable[[str], None], *, all: bool = False) -> None:
        self._tell = tell
        self._all = all
        self._several = False
        self._others: Counter[str] = Counter()
        self._texts: dict[str, str] = {}
        self._shown: Counter[str] = Counter()
        self._hidden = 0

    def __call__(self, event: Event) -> None:
        match event:
            case RunStarted(files=files):
                self._several = files > 1 and not self._all
            case FileNote(path, note) if self._several:
                self._heard(path, note)
            case FileNote(path, note):
                self._tell(f"{path}: {note.text}")
            case RunDone():
                self.finish()

    def _heard(self, path: str, note: Note) -> None:
        key = alike(note.text)
        if key in self._texts:
            self._others[key] += 1
            return
        if self._shown[note.kind] == _SHOWN:
            self._hidden += 1
            return
        self._shown[note.kind] += 1
        self._texts[key] = note.text
        self._tell(f"{path}: {note.text}")

    def finish(self) -> None:
        """Tells how many notes were not told, once."""
        for key, files in self._others.items():
            self._tell(f"{counted(files, 'other file')} likewise: {self._texts[key]}")
        if self._hidden:
            self._tell(f"{counted(self._hidden, 'more note')}: -v shows all, and so does --json")
        self._others.clear()
        self._hidden = 0
