"""What can go wrong, by who can fix it. A message is one sentence; a hint is the next step."""

from __future__ import annotations

from typing import Self

from loader.lazy import dataclass


@dataclass(frozen=True, slots=True)
class Where:
    """A place in the input: `file` as a person knows it (a path, a URL, a member of an archive, a
    line of a feed), and where known its data row, from 1, and its column."""

    file: str
    row: int | None = None
    column: str | None = None


class MdloadError(Exception):
    """A fault in mdload itself; subclasses stand for faults that others can fix.

    Attributes:
        exit_code: the exit code of the command line.
        hint: the next step for the reader, or None.
        retryable: whether the same command can succeed later.
        fault: the message without the place where it happened; equal for equal faults.
    """

    exit_code = 1
    retryable = False

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint
        self.fault = message


class LocatedError(MdloadError):
    """An error at a place in the input.

    Attributes:
        where: the place, or None where it is not known.
    """

    def __init__(
        self, message: str, *, where: Where | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.where = where

    @classmethod
    def at(
        cls,
        file: str,
        fault: str,
        *,
        row: int | None = None,
        column: str | None = None,
        hint: str | None = None,
    ) -> Self:
        """`a.csv: there is no column 'x'`: the fault is a sentence of its own."""
        return cls._located(f"{file}: {fault}", fault, Where(file, row, column), hint)

    @classmethod
    def of(
        cls,
        file: str,
        fault: str,
        *,
        row: int | None = None,
        column: str | None = None,
        hint: str | None = None,
    ) -> Self:
        """`a.csv is cut short`: the file is the subject of the sentence."""
        return cls._located(f"{file} {fault}", fault, Where(file, row, column), hint)

    @classmethod
    def _located(cls, message: str, fault: str, where: Where, hint: str | None) -> Self:
        error = cls(message, where=where, hint=hint)
        error.fault = fault
        return error


class SettingsError(MdloadError):
    """An option, an environment variable or the configuration file is wrong.

    Attributes:
        option: the option that is wrong as it is typed, e.g. `--price-divisor`, or None.
        problem: what is wrong with it, to stand behind the name of the option, or of the key of
            mdload.toml that means the same. The message is both.
    """

    exit_code = 2

    def __init__(self, problem: str, *, option: str | None = None, hint: str | None = None) -> None:
        super().__init__(f"{option} {problem}" if option else problem, hint=hint)
        self.option = option
        self.problem = problem


class OneForSeveral(LocatedError, SettingsError):
    """One option would be laid over several files that may be of different instruments."""


class UnknownRun(SettingsError):
    """There is no job run with the given id."""


class NoDatabase(SettingsError):
    """No database is named, and there is no embedded one."""


class NothingStored(SettingsError):
    """No stored bars match the request."""


class NoRoom(SettingsError):
    """The temporary directory is too small for the data that a load sets aside there."""


class ForkedProcess(SettingsError):
    """The process was forked from one in which Polars was at work, and cannot compute."""


class OutputLost(SettingsError):
    """What goes to standard output does not arrive: its disk is full, or it is closed."""


class ReaderGone(MdloadError):
    """The program that reads standard output has ended (`mdload … | head`)."""

    exit_code = 141


class TooLittleMemory(SettingsError):
    """The system gives the process less memory than its libraries need."""


class InputError(LocatedError):
    """The input cannot be read, or cannot be understood."""

    exit_code = 3


class UnreadableFile(InputError):
    """A file is missing, damaged, cut short or of a kind that mdload does not read."""


class NotThere(UnreadableFile):
    """A path or pattern matches no file."""


class SourceLost(UnreadableFile):
    """A source on the network cannot be reached now, or was lost in the middle."""

    retryable = True


class Unfinished(UnreadableFile):
    """A file ends too early, or changes while it is read: perhaps it is still being written."""


class UnknownDialect(InputError):
    """No dialect fits the file, or two fit it equally well."""


class ColumnMismatch(InputError):
    """A column that bars need is missing, ambiguous or of the wrong type."""


class LaidOver(InputError):
    """A file would be laid over another one of its load, and nothing tells their bars apart."""


class ProviderUnknown(ColumnMismatch):
    """Neither the file nor an option names the provider of its bars."""


class SymbolCollision(InputError):
    """Two spellings of one provider become the same symbol.

    Attributes:
        provider, symbol: the symbol that they become.
    """

    def __init__(
        self, message: str, *, provider: str, symbol: str, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.provider = provider
        self.symbol = symbol


class TooManyRejects(LocatedError):
    """More rows broke a rule than the settings allow; nothing of the file was merged."""

    exit_code = 4


class HistoryRefused(LocatedError):
    """A file would do to stored bars what looks like a mistake; nothing of it was merged."""

    exit_code = 4


class KnownLater(MdloadError):
    """The store knows more of a series than a dump that is said to be older."""

    exit_code = 4


class StalePlan(MdloadError):
    """A plan was applied before, or the store is not as it was when the plan was made."""

    exit_code = 4


class LaterChanges(MdloadError):
    """Other loads changed the same bars later, so that a rollback would harm them."""

    exit_code = 4


class DatabaseError(MdloadError):
    """The database refused or went away.

    Attributes:
        sqlstate: PostgreSQL's five-character code, or None where there was no server to give one.
        reason: the server's own sentence, or None where it gave none.
    """

    exit_code = 5

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        sqlstate: str | None = None,
        reason: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.sqlstate = sqlstate
        self.reason = reason


class ConnectionLost(DatabaseError):
    """The server could not be reached, or went away in the middle."""

    retryable = True


class SchemaOutOfDate(DatabaseError):
    """mdload's tables are missing or older than this version needs."""


class MergeFailed(DatabaseError):
    """The merge's own books do not balance; its transaction was rolled back."""


class Contended(DatabaseError):
    """Another writer got in the way (deadlock, serialization, unique key); run it again."""

    retryable = True


class BarsCompressed(Contended):
    """Bars to be locked are in a compressed chunk of TimescaleDB, which has no rows to lock."""


class RunFinished(DatabaseError):
    """A job run that has ended cannot change any more."""


class CheckFailed(MdloadError):
    """A check (stuck, gaps, verify, doctor) found something."""

    exit_code = 6


class JobHeld(MdloadError):
    """Another run holds the job."""

    exit_code = 7


class DeadlinePassed(MdloadError):
    """A job took longer than it may."""

    exit_code = 130


class Cancelled(MdloadError):
    """The person, or the system, asked mdload to stop."""

    exit_code = 130
