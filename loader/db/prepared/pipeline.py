"""Statements that go to the server together and are answered together, in one round trip."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from datetime import datetime
from itertools import count
from typing import Any, Final, NamedTuple

import psycopg
from psycopg.pq import ConnStatus, ExecStatus, Format
from psycopg.pq.abc import PGconn, PGresult
from psycopg.waiting import Ready, Wait

from loader.db.prepared.arrays import Array
from loader.db.rows import PsycopgConnection, translated

_FAILED: Final = ExecStatus.FATAL_ERROR


class Command(NamedTuple):
    """A statement with its parameters. `doing` completes "the database failed while …"."""

    name: str
    sql: str
    params: Sequence[object]
    doing: str


def ask(name: str, sql: str, params: Sequence[object]) -> Command:
    """Query `name`."""
    return Command(name, sql, params, f"running {name}")


class Pipeline:
    """The prepared statements of `connection`: psycopg's own pipelines take longer than the round
    trips that they save on one machine."""

    def __init__(self, connection: PsycopgConnection) -> None:
        self._connection = connection
        #: By text, the name under which the server knows it.
        self._names: dict[str, bytes] = {}
        self._numbers = count()

    def run(self, commands: Sequence[Command]) -> PGresult:
        """Executes them in their order, up to the first that fails. Gives the result of the last.

        Raises:
            DatabaseError: the server refused one of them.
            ConnectionLost: it is away; whatever it had not answered may have been done.
        """
        with translated(commands[-1].doing):
            asked = self._asked(commands)
        for command, result in asked:
            if result.status == _FAILED:
                self._names.clear()  # not all of them need be there
                with translated(command.doing):
                    raise psycopg.errors.error_from_result(result)
        return asked[-1][1]

    def forget(self) -> None:
        """Makes the server forget the statements; each is prepared again at its next use.

        Raises:
            psycopg.Error: it did not.
        """
        self._names.clear()
        self._connection.pgconn.exec_(b"DEALLOCATE ALL")

    def _asked(self, commands: Sequence[Command]) -> list[tuple[Command, PGresult]]:
        encoded = [_encoded(command.params) for command in commands]
        server, sent = self._connection.pgconn, list[Command]()
        server.enter_pipeline_mode()
        try:
            for command, (values, formats) in zip(commands, encoded, strict=True):
                if (name := self._names.get(command.sql)) is None:
                    name = f"{command.name} {next(self._numbers)}".encode()
                    self._names[command.sql] = name
                    server.send_prepare(name, command.sql.encode())
                    sent.append(command)
                server.send_query_prepared(name, values, formats)
                sent.append(command)
            server.pipeline_sync()
            results = self._connection.wait(_results(server, len(sent)))
        except BaseException:
            self._names.clear()
            raise
        finally:
            _leave(server)
        return list(zip(sent, results, strict=False))


def _results(server: PGconn, number: int) -> Generator[Wait, Ready | int, list[PGresult]]:
    """Waits for that many results. There are fewer of them if the last is the server's farewell."""
    while server.flush():
        if (yield Wait.RW) & Ready.R:
            server.consume_input()
    results: list[PGresult] = []
    try:
        while True:
            while server.is_busy():
                yield Wait.R
                server.consume_input()
            result = server.get_result()
            if result is None:  # the end of one command's results
                if server.status == ConnStatus.BAD:
                    raise psycopg.OperationalError("the connection is lost")
            elif result.status == ExecStatus.PIPELINE_SYNC:
                return results
            else:
                results.append(result)
    except psycopg.OperationalError:
        if results and results[-1].status == _FAILED:
            return results
        raise


def _leave(server: PGconn) -> None:
    """Ends the mode of pipelines. A connection that has not been answered cannot, and is closed."""
    try:
        server.exit_pipeline_mode()
    except psycopg.Error:
        server.finish()


def _encoded(params: Sequence[object]) -> tuple[list[bytes | None], list[int]]:
    """The parameters as the server takes them, and the format of each: it knows their types."""
    values = [_text(param) for param in params]
    return values, [Format.BINARY if type(param) is Array else Format.TEXT for param in params]


def _text(param: Any) -> bytes | None:
    match param:
        case None | Array():
            return param
        case str():
            if "\0" in param:  # the driver would cut the text off here
                raise psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")
            return param.encode()
        case int():
            return b"%d" % param
        case float():
            return float.__repr__(param).encode()
        case datetime():
            return param.isoformat().encode()
    raise TypeError(f"a statement cannot take a {type(param).__name__}")
