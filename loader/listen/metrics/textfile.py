"""The textfile for node_exporter, in which each process goes on from where the last one ended."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from loader.errors import SettingsError
from loader.text import account_name

if sys.platform != "win32":
    import fcntl

#: A sample's name and labels.
Key = tuple[str, frozenset[tuple[str, str]]]
_FOREIGN: Final = "it holds something else than metrics of mdload"


class Textfile:
    """A file that is replaced whole, so that no reader ever sees half of it.

    Counters and histograms grow by what this process adds to them, and gauges that it does not set
    stay: the file reads like the metrics of one process that never ends. Processes that write to
    it at the same time wait for each other.

    Raises:
        SettingsError: its folder is absent or may not be written to, or it holds something else
            than metrics of mdload.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(os.path.realpath(path))
        self._added: dict[Key, float] = {}
        self.name = path
        if not self._path.parent.is_dir():
            raise SettingsError(
                f"{path} cannot be written: its folder does not exist", option="--metrics-textfile"
            )
        if not os.access(self._path.parent, os.R_OK | os.W_OK | os.X_OK):
            raise SettingsError(
                f"{path} cannot be written: {account_name()} may not write into its folder",
                option="--metrics-textfile",
            )
        try:
            self._found = self._read()
        except (OSError, ValueError) as error:
            raise SettingsError(
                f"{path} cannot be continued: {getattr(error, 'strerror', None) or error}",
                option="--metrics-textfile",
                hint="name a file of its own, which ends in .prom for node_exporter to find it",
            ) from error

    def values(self, label: str) -> frozenset[str]:
        """The values that `label` had in the file."""
        keys = (key for family in self._found.values() for key in family)
        return frozenset(value for _, labels in keys for name, value in labels if name == label)

    def send(self, registry: CollectorRegistry) -> None:
        """Brings the file up to date.

        Raises:
            OSError, ValueError: it cannot be written, or holds something else by now.
        """
        families = list(registry.collect())
        with _alone(self._path.parent):
            before = self._read()
            merged = [self._merged(family, before.get(family.name, {})) for family in families]
            _replace(self._path, generate_latest(_Collected(merged)))
        self._added = {_key(s): s.value for f in families if f.type != "gauge" for s in f.samples}

    def _merged(self, family: Metric, before: dict[Key, float]) -> Metric:
        values = dict(before)
        for sample in family.samples:
            key = _key(sample)
            if sample.name.endswith("_created"):
                continue
            if family.type != "gauge":
                values[key] = values.get(key, 0.0) + sample.value - self._added.get(key, 0.0)
            elif family.name.endswith("_timestamp_seconds"):  # another process may be ahead
                values[key] = max(values.get(key, 0.0), sample.value)
            else:
                values[key] = sample.value
        merged = Metric(family.name, family.documentation, family.type)
        for (name, labels), value in values.items():
            merged.add_sample(name, dict(sorted(labels)), value)
        return merged

    def _read(self) -> dict[str, dict[Key, float]]:
        """What the file says, by family."""
        try:
            families = list(text_string_to_metric_families(self._path.read_text("utf-8")))
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise ValueError(_FOREIGN) from error
        if families and not any(family.name.startswith("store_") for family in families):
            raise ValueError(_FOREIGN)
        return {f.name: {_key(sample): sample.value for sample in f.samples} for f in families}


class _Collected(CollectorRegistry):
    """A registry of what was collected already."""

    def __init__(self, families: list[Metric]) -> None:
        super().__init__()
        self._collected = families

    def collect(self) -> Iterator[Metric]:
        return iter(self._collected)


def _key(sample: Sample) -> Key:
    return sample.name, frozenset(sample.labels.items())


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Waits until no other process writes in `folder`. The lock is on the folder itself, because
    the file is another one after each write."""
    if sys.platform == "win32":
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(path: Path, content: bytes) -> None:
    # Hidden and without .prom at its end: node_exporter passes it by.
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(temporary).chmod(0o644)  # node_exporter runs under an account of its own
        Path(temporary).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(temporary).unlink()
        raise
