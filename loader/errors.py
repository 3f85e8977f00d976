"""What can go wrong, by who can mend it. A message is one sentence; a hint is the next step."""

from __future__ import annotations


class MdloadError(Exception):
    """A fault of mdload. Subclasses say whose fault it is instead.

    Attributes:
        exit_code: what the command line ends with.
        hint: the next step for the person who reads it, or None.
        retryable: whether doing the same again can succeed.
    """

    exit_code = 1
    retryable = False

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class SettingsError(MdloadError):
    """An option, an environment variable or the configuration file is wrong."""

    exit_code = 2


class UnknownRun(SettingsError):
    """There is no job run with the given id."""


class NothingStored(SettingsError):
    """No bars are stored of what was asked for."""


class NoRoom(SettingsError):
    """The temporary directory cannot hold what is set aside there during a load."""


class InputError(MdloadError):
    """The input cannot be read, or cannot be understood."""

    exit_code = 3


class UnreadableFile(InputError):
    """A file is absent, damaged, cut short or of a kind that mdload does not read."""


class NotThere(UnreadableFile):
    """A pattern names no file that is there."""


class SourceLost(UnreadableFile):
    """A source on the network cannot be reached now, or was lost in the middle."""

    retryable = True


class Unfinished(UnreadableFile):
    """A file ends too early, or changes while it is read: perhaps it is still being written."""


class UnknownDialect(InputError):
    """No dialect fits the file, or two fit it equally well."""


class ColumnMismatch(InputError):
    """A column that the bars need is absent, doubled or of a type that cannot be one."""


class SymbolCollision(InputError):
    """Two symbols of one provider come to the same one.

    Attributes:
        provider, symbol: the one that they come to.
    """

    def __init__(
        self, message: str, *, provider: str, symbol: str, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.provider = provider
        self.symbol = symbol


class TooManyRejects(MdloadError):
    """More rows broke a rule than the settings allow; nothing of the file was merged."""

    exit_code = 4


class KnownLater(MdloadError):
    """The store knows more of a series than a dump that is said to be older."""

    exit_code = 4


class LaterChanges(MdloadError):
    """Other loads changed the same bars later, so that a rollback would harm them."""

    exit_code = 4


class DatabaseError(MdloadError):
    """The database refused or went away.

    Attributes:
        sqlstate: PostgreSQL's five-character code, or None where there was no server to give one.
    """

    exit_code = 5

    def __init__(
        self, message: str, *, hint: str | None = None, sqlstate: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.sqlstate = sqlstate


class ConnectionLost(DatabaseError):
    """The server could not be reached, or went away in the middle."""

    retryable = True


class SchemaOutOfDate(DatabaseError):
    """mdload's tables are absent or older than this version needs."""


class MergeFailed(DatabaseError):
    """The merge's own books do not balance; its transaction was rolled back."""


class Contended(DatabaseError):
    """Another writer got in the way (deadlock, serialization, unique key); run it again."""

    retryable = True


class BarsCompressed(Contended):
    """Bars to be locked lie in a compressed chunk of TimescaleDB, which has no rows to lock."""


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
