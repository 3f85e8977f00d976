"""What a load is asked to do: one frozen value, built once at the edge. No I/O here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, fields
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

from loader.errors import SettingsError
from loader.lazy import dataclass
from loader.settings import dated, place, shard
from loader.settings.kinds import FLAG, LIMIT, PAIRS, PATH, POWER, SIGNS, TEXT, choice, whole
from loader.settings.limit import RejectLimit
from loader.settings.option import Option, by_name, setting, table_of
from loader.settings.part import WHOLE, Part
from loader.settings.place import Place
from loader.settings.shard import Shard

if TYPE_CHECKING:
    from loader.bars.symbol_map import SymbolMap


def _read_map(path: str) -> SymbolMap:
    from loader.bars import symbol_map  # noqa: PLC0415 - with Polars, which --help must not wait for

    return symbol_map.read(path)


def _moment(text: str) -> datetime:
    """A date or a time, in UTC unless it has an offset."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise SettingsError(
            f"{text!r} is neither a date nor a time", hint="for example 2021-03-05T18:00Z"
        ) from None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


#: Fields of `Meaning` that every fingerprint has. A field that came later is in it only if it is
#: not at its default: a new option must not make files unknown that are loaded already.
_ALWAYS: Final = frozenset({
    "provider", "interval", "symbol", "dialect", "timezone", "time_format", "stamp",
    "price_exponent", "volume_exponent", "columns", "symbol_convention", "symbol_map",
    "keep_skipped", "allow_nonpositive_prices", "check_grid", "own_dialects",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Meaning:
    """Everything that decides which bars a file turns into; all of it is in the fingerprint.

    `provider`, `interval`, `symbol` and `timezone` supply what a file lacks and never override what
    it contains. `columns` maps bar fields (and `time_of_day`) to the file's names. `time_format` is
    a strptime format or the unit of numbers since 1970. Prices and volume are the file's numbers
    times ten to the exponents; `decimal` and `thousands` are the marks in numbers that are text.
    `symbol_map` takes precedence over `symbol_convention`. `where` selects rows by a column's
    value, or one of several with `|` between them. `name_pattern` says what the files' names give:
    see `loader.dialects.patterns`. `own_dialects` are tables as in mdload.toml.

    Each field that people can set is a row of the table of options.
    """

    provider: str | None = setting(None, TEXT, "Source of the bars, e.g. polygon.", metavar="P")
    interval: str | None = setting(None, TEXT, "Length of a bar: 1m, 5m, 1h, 1d, …", metavar="I")
    symbol: str | None = setting(
        None, TEXT, "Symbol, for a file without a symbol column.", metavar="S"
    )
    dialect: str | None = setting(
        None, TEXT, "Read the file as this format; mdload providers lists them.", metavar="NAME"
    )
    timezone: str | None = setting(
        None, TEXT, "Time zone of timestamps without an offset, e.g. America/New_York.",
        metavar="TZ",
    )  # fmt: skip
    time_format: str | None = setting(
        None, TEXT, "Format of timestamps: as in strptime (%d/%m/%Y), or s, ms, us, ns for numbers "
        "since 1970.", metavar="FORMAT",
    )  # fmt: skip
    stamp: Literal["start", "end"] | None = setting(
        None, choice("start", "end"), "Whether timestamps mark the start or the end of a bar."
    )
    price_exponent: int | None = setting(
        None, POWER, "Prices are whole numbers in units of 1/N: 100, 10000, 1000000000.",
        name="price_divisor", metavar="N", convert=lambda power: 1 - len(power),
    )  # fmt: skip
    volume_exponent: int | None = setting(
        None, POWER, "Volume is in lots of N: 100, 1000.",
        name="volume_factor", metavar="N", convert=lambda power: len(power) - 1,
    )  # fmt: skip
    decimal: str | None = setting(
        None, choice(".", ","), "Mark before the fraction of a number: , in 1.234,5."
    )
    thousands: str | None = setting(
        None, TEXT, "Mark between groups of three digits: . in 1.234,5, or a blank.", metavar="MARK"
    )
    columns: Mapping[str, str] = setting(
        dict, PAIRS, "The file's column for a field of a bar, e.g. close=Settle.",
        flag="--column", metavar="FIELD=NAME",
    )  # fmt: skip
    where: Mapping[str, str] = setting(
        dict, PAIRS, "Load only rows with this value in a column of the file, e.g. SERIES=EQ.",
        metavar="COLUMN=VALUE",
    )  # fmt: skip
    name_pattern: str | None = setting(
        None, TEXT, "What the files' names give, e.g. '{symbol}_{interval}.csv' or "
        "'{symbol}/*.csv'.", name="name", metavar="PATTERN",
    )  # fmt: skip
    symbol_convention: str | None = setting(
        None, TEXT, "How symbols are spelled, e.g. cqs (ABRpA), yahoo (ABR-PA), cms (ABR PRA).",
        metavar="NAME",
    )  # fmt: skip
    symbol_map: SymbolMap | None = setting(
        None, PATH, "CSV file of your own names for symbols, with the columns from, to, provider, "
        "valid_from and valid_to.", metavar="FILE", convert=_read_map,
    )  # fmt: skip
    keep_skipped: bool = setting(
        False, FLAG, "Load rows that the format skips: fillers, a bar that is still open."
    )
    allow_nonpositive_prices: bool = setting(
        False, FLAG, "Load prices of zero and below, which some futures have."
    )
    check_grid: bool = setting(
        True, FLAG, "Load bars that do not start on the grid of their interval, or are spaced "
        "otherwise.",
        name="off_grid", written=False, convert=lambda off: not off,
    )  # fmt: skip
    own_dialects: Mapping[str, Mapping[str, Any]] = field(
        default_factory=lambda: MappingProxyType({})
    )

    def as_config(self) -> dict[str, object]:
        """The fields by name, for `compute_config_fingerprint`. A symbol map counts by what it
        says, wherever its file is."""
        plain = Meaning()
        values = {
            each.name: value
            for each in fields(Meaning)
            if (value := getattr(self, each.name)) != getattr(plain, each.name)
            or each.name in _ALWAYS
        }
        return {**values, "symbol_map": self.symbol_map and self.symbol_map.meaning()}


@dataclass(frozen=True, slots=True)
class Settings(Meaning):
    """One load: what its files mean, and how to load them.

    `job_name`, `dataset` and `mode` are recorded with the run; with a `tenant` the files hold rows
    of that dataset. `batch_rows` rows are in memory at a time; `commit_every` cuts a file into
    parts that commit one by one. `max_restated`, `max_gone`, `delete_gone` and `accept` are the
    guard's: see docs/guard.md. `workers` files load at a time, here or `on` other processes.
    `leaves_unfinished` passes over a file that is cut short and was written to a moment ago.
    `shard` is the share of the files that the load is for. `recompress` compresses the chunks of a
    hypertable that the load has written into. None of this changes which bars a file turns into;
    `part` says which of them are loaded.
    """

    max_rejects: RejectLimit = setting(
        RejectLimit(share=0.01), LIMIT, "Refuse a file that has more rejected rows than this.",
        written="1%", metavar="N|P%", convert=RejectLimit.parse,
    )  # fmt: skip
    max_restated: RejectLimit | None = setting(
        None, LIMIT, "Refuse a file that changes more of the stored bars that it meets than this.",
        metavar="N|P%", convert=RejectLimit.parse,
    )  # fmt: skip
    max_gone: RejectLimit | None = setting(
        None, LIMIT, "Refuse a file that lacks more than this of the bars stored within its span, "
        "or of the rows that it had before.",
        metavar="N|P%", convert=RejectLimit.parse,
    )  # fmt: skip
    delete_gone: bool = setting(
        False, FLAG, "Delete bars that are stored within the file's span and absent from it; on "
        "record, and undone by mdload rollback.",
    )  # fmt: skip
    accept: tuple[str, ...] = setting(
        tuple, SIGNS, "Load files that would be refused for this: shift, price_scale, "
        "volume_scale, other_series, restated, gone, shorter, period.", metavar="KIND[,KIND]",
    )  # fmt: skip
    workers: int = setting(
        1,
        whole(1, 64),
        "Files to load at a time: with threads, many small ones with processes.",
        metavar="N", env="MDLOAD_WORKERS",
    )  # fmt: skip
    batch_rows: int = setting(
        100_000, whole(1, 5_000_000), "Rows in memory at a time, of all workers.", metavar="ROWS"
    )
    commit_every: int | None = setting(
        None, whole(1), "Commit a huge file in parts of this many rows; a rerun resumes after the "
        "last part.", metavar="ROWS",
    )  # fmt: skip
    recompress: bool = setting(
        False, FLAG, "Recompress the TimescaleDB chunks that the load writes to. With "
        "--commit-every, the file is then loaded in order of time.",
    )  # fmt: skip
    job_name: str = setting(
        "backfill", TEXT, "Name under which the run is recorded.",
        metavar="NAME", sections=("defaults",),
    )  # fmt: skip
    dataset: str | None = setting(
        None, TEXT, "Name recorded with each run (dataset_name); with --tenant, the dataset to "
        "load: bars, fundamentals, news or options_snap.", metavar="NAME", sections=("jobs",),
    )  # fmt: skip
    tenant: str | None = setting(
        None, TEXT, "Load into the dataset of this tenant, under row-level security.",
        metavar="NAME|UUID", sections=("jobs",),
    )  # fmt: skip
    mode: Literal["backfill", "live"] = setting(
        "backfill", choice("backfill", "live"), "Mode that each run is recorded with.", flag=None
    )
    dry_run: bool = setting(
        False, FLAG, "Count exactly what would happen; write nothing.", sections=()
    )
    force: bool = setting(False, FLAG, "Load files again that are already loaded.", sections=())
    known_at: datetime | None = setting(
        None, TEXT, "When the bars were known, for archived files: 2021-03-05, "
        "2021-03-05T18:00Z.", metavar="TIME", sections=("jobs",), convert=_moment,
    )  # fmt: skip
    known_at_from: str | None = setting(
        None, TEXT, "Where each file says when it was known: 'name:%Y%m%d', 'name:REGEX', or "
        "mtime. Files are loaded in that order, one at a time.", metavar="WHERE",
        convert=dated.read,
    )  # fmt: skip
    shard: Shard | None = setting(
        None, TEXT, "Load one of several shards of the files: 3/16, or auto in a task of an array "
        "(Kubernetes with auto/16, Slurm, AWS Batch, Cloud Run).", metavar="K/N|auto",
        sections=(), convert=shard.read,
    )  # fmt: skip
    on: Place | None = setting(
        None, TEXT, "Load the files in other processes: local:8, or dask://HOST:PORT for the "
        "workers of a Dask scheduler (extra dask).", metavar="PLACE",
        sections=(), convert=place.read,
    )  # fmt: skip
    leaves_unfinished: bool = False
    part: Part = WHOLE

    @property
    def meaning(self) -> Meaning:
        return Meaning(**{each.name: getattr(self, each.name) for each in fields(Meaning)})

    @property
    def fingerprinted(self) -> dict[str, object]:
        """What decides which bars a load of a file stores: no part is taken for the whole."""
        return {**self.meaning.as_config(), **self.part.as_config()}

    @property
    def by_time(self) -> bool:
        """Whether a file is taken in order of time, so that compression can follow part by part."""
        return self.recompress and self.commit_every is not None

    @property
    def piece_rows(self) -> int:
        """Rows to read at a time: files that load side by side share a batch, down to 50,000 each.
        Half of that costs a quarter more processor time. No part that commits is larger."""
        shared = max(self.batch_rows // self.workers, min(self.batch_rows, 50_000))
        return min(self.batch_rows, self.commit_every) if self.commit_every else shared


#: Where the metrics of a load go; no part of `Settings`, as they go to a listener.
_METRICS: Final = by_name(
    Option("metrics_textfile", PATH,
           "Add the run's metrics to this file for node_exporter (*.prom).",
           flag="--metrics-textfile", metavar="FILE", env="MDLOAD_METRICS_TEXTFILE"),
    Option("push_gateway", TEXT,
           "Push the run's metrics to this Pushgateway when it starts and ends.",
           flag="--push-gateway", metavar="URL", env="MDLOAD_PUSH_GATEWAY"),
)  # fmt: skip

#: Every option of a load: options of the commands and keys of mdload.toml are made of these.
OPTIONS: Final[Mapping[str, Option]] = MappingProxyType({**table_of(Settings), **_METRICS})
#: Those that decide what files mean.
MEANING: Final = table_of(Meaning)


def as_fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by the names of their options, as fields of `Settings`. A value that is absent or
    None leaves the field its default.

    Raises:
        SettingsError: the symbol map cannot be read, or `max_rejects` is not a limit.
    """
    found = {}
    for name, option in OPTIONS.items():
        if option.field is None or values.get(name) is None:
            continue
        try:
            found[option.field] = option.convert(values[name])
        except SettingsError as error:
            if error.option is not None:
                raise
            raise SettingsError(str(error), option=option.flag, hint=error.hint) from error
    return found


def option_of(flag: str | None) -> Option | None:
    """The option that is typed as `flag`."""
    return next((each for each in OPTIONS.values() if flag and each.flag == flag), None)
