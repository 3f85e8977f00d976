"""A first mdload.toml: the database, and a job for the files that were found in a place."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path, PurePosixPath
from typing import Any, Final

from loader.dialects.siblings import Siblings
from loader.errors import MdloadError, NotThere
from loader.ingest.ways.inspection import Inspection, inspect_source
from loader.jobs.config.read import Config, ConfigError
from loader.jobs.lint import problems
from loader.lazy import dataclass, regex
from loader.read.objects import is_url
from loader.read.sources import find
from loader.settings import Settings
from loader.settings.file import toml
from loader.settings.load import OPTIONS, as_fields
from loader.text import counted

#: Suffixes that a compression adds to a name.
_PACKED: Final = (".gz", ".zst", ".xz", ".bz2", ".lzma")
_LOOKS: Final = 3
#: `--timezone`, `--name '{symbol}.csv'`, `--column close='Settle'`
_ASKED: Final = regex(r"--([a-z][a-z-]*)(?:[ =]([a-z_]+=)?('[^']*'|[^\s,;)]+))?")
_PASSWORD: Final = regex(r"^(\w+://[^:/@\s]*):([^@/\s]+)@")
#: The variable that a database's password goes to.
VARIABLE: Final = "MDLOAD_DB_PASSWORD"


@dataclass(frozen=True, slots=True)
class Found:
    """The files in a place.

    Attributes:
        pattern: what a job's `source` says to get them.
        files: how many there are.
        looks: at a few of them.
    """

    pattern: str
    files: int
    looks: Sequence[Inspection]

    @property
    def error(self) -> MdloadError | None:
        """What keeps one of them from being loaded."""
        return next((look.error for look in self.looks if look.error), None)


def look_at(place: str, values: Mapping[str, Any]) -> Found:
    """Looks at a folder, file, glob or URL; `values` are options of a load by their names.

    Raises:
        NotThere: there is nothing that mdload reads.
        SettingsError: a value is wrong.
    """
    settings = Settings(**as_fields(values))
    with find([place]) as sources:
        if not sources:
            raise NotThere(f"{place} has no files that mdload reads")
        pattern = place
        chosen = [*sources]
        if not is_url(place) and Path(place).is_dir():
            pattern, suffix = _pattern(place, [source.name for source in sources])
            chosen = [source for source in sources if source.name.endswith(suffix)]
        places = sorted({0, len(chosen) // 2, len(chosen) - 1})[:_LOOKS]
        siblings = Siblings(each.full_path for each in chosen)
        looks = [
            inspect_source(each, settings, siblings.unlike(each.full_path))
            for each in (chosen[at] for at in places)
        ]
        return Found(pattern, len(chosen), looks)


def _pattern(folder: str, names: Sequence[str]) -> tuple[str, str]:
    """The glob of most of the `names`, which lie in `folder`, and what they end in."""
    base = folder.rstrip("/")
    if not all(name.startswith(f"{base}/") for name in names):  # a table, or members of an archive
        return folder, ""
    suffix, _ = Counter(_suffix(name) for name in names).most_common(1)[0]
    alike = [name for name in names if name.endswith(suffix)]
    deep = any("/" in name[len(base) + 1 :] for name in alike)
    return f"{base}/{'**/' if deep else ''}*{suffix}", suffix


def _suffix(name: str) -> str:
    path = PurePosixPath(name.replace("!", "/"))
    if path.suffix in _PACKED:
        return PurePosixPath(path.stem).suffix + path.suffix
    return path.suffix


def asked_for(error: MdloadError, known: Mapping[str, Any]) -> tuple[str, str | None] | None:
    """The option, by its name, that the hint of `error` asks for, and a value that it suggests.
    None if it names no option, or only such as are `known`."""
    for flag, field, value in _ASKED.findall(error.hint or ""):
        name = next((name for name, each in OPTIONS.items() if each.flag == f"--{flag}"), None)
        if name is None or (name in known and name != "columns"):
            continue
        plain = value.strip("'")
        return name, f"{field}{plain}" if plain and not plain.isupper() else None
    return None


@dataclass(frozen=True, slots=True)
class First:
    """What the file is to say.

    Attributes:
        database: its URL, without a password of its own; None for the embedded server, or for what
            the environment names (`environment`).
        job, found, values: the job's name, its files, and its options.
    """

    job: str
    found: Found
    values: Mapping[str, Any]
    database: str | None = None
    environment: str | None = None

    def text(self, folder: Path) -> str:
        """The file, to be written into `folder`.

        Raises:
            ConfigError: it would not be a valid one.
        """
        text = "\n".join(
            (*self._head(), "", *self._database(), "", *_DEFAULTS, "", *self._job(folder), "")
        )
        config = Config(folder / "mdload.toml", text, toml.loads(text))
        for problem in problems(config):
            raise ConfigError("the new mdload.toml", problem)
        return text

    def _head(self) -> list[str]:
        return [
            f"# What mdload loads, and where to; made by mdload init on {date.today():%Y-%m-%d}.",
            "# mdload config show explains each value, and docs/configuration.md lists all keys.",
        ]

    def _database(self) -> list[str]:
        lines = ["[database]"]
        if self.database is not None:
            return [*lines, f"url = {_toml(self.database)}"]
        if self.environment is not None:
            lines += [f"# {self.environment} names the server; without it this would:"]
        else:
            lines += [
                "# Without a URL mdload runs a PostgreSQL of its own while it works. For another:"
            ]
        return [
            *lines,
            '# url = "postgresql://loader:${DB_PASSWORD}@db.example.com/market"',
        ]

    def _job(self, folder: Path) -> list[str]:
        found = self.found
        look = found.looks[0]
        seen = f"{counted(found.files, 'file')} when this was written"
        if look.dialect and look.dialect != "canonical":
            seen += f", read as {look.dialect}"
        return [
            f"[jobs.{self.job}]",
            f"# mdload run {self.job} loads it; mdload schedule prints it for cron or systemd.",
            f"# {seen}. Files that are loaded already are skipped.",
            "# In a path {date-1d:%Y-%m-%d} stands for the day before the run.",
            f"source = {_toml(_beside(found.pattern, folder))}",
            *(f"{name} = {_toml(value)}" for name, value in self.values.items() if value),
        ]


_DEFAULTS: Final = (
    "[defaults]",
    "# For every job, and for backfill, inspect and live. A file with more rejected rows than this",
    "# is refused as a whole:",
    'max_rejects = "1%"',
)


def without_password(url: str) -> tuple[str, str | None]:
    """`url` with a variable in place of its password, and the password as the URL has it."""
    found = _PASSWORD.match(url)
    if found is None:
        return url, None
    return f"{found[1]}:${{{VARIABLE}}}@{url[found.end() :]}", found[2]


def name_for(place: str) -> str:
    """A job's name for the files in `place`."""
    words = re.findall(r"[a-z0-9]+", Path(place.partition("*")[0]).name.lower())
    return "-".join(words)[:40] or "nightly"


def _beside(pattern: str, folder: Path) -> str:
    """`pattern`, which is relative to the working directory, relative to `folder`."""
    if is_url(pattern) or os.path.isabs(pattern):
        return pattern
    return os.path.relpath(pattern, folder)


def _toml(value: object) -> str:
    if isinstance(value, Mapping):
        pairs = (f"{_toml(name)} = {_toml(each)}" for name, each in value.items())
        return f"{{ {', '.join(pairs)} }}"
    return json.dumps(value, ensure_ascii=False)
