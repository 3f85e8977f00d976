"""Runs the checks in order. A refusal of the server is a finding, and the other checks go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from loader.db.rows import Session, connect
from loader.errors import DatabaseError, MdloadError, SchemaOutOfDate
from loader.survey.doctor import activity, citus, disk, server, software, tables, timescale, tuning
from loader.survey.doctor.check import Check
from loader.survey.doctor.rights import rights

#: The checks of a server that answers, by the name under which a refusal is reported.
_LOOKS: Final[dict[str, Callable[[Session], list[Check]]]] = {
    "server": server.server,
    "clock": server.clock,
    "schema": lambda session: [tables.tables(session)],
    "tables": lambda session: [tables.bars(session)],
    "rights": lambda session: [rights(session)],
    "citus": citus.citus,
    "timescaledb": lambda session: [timescale.timescaledb(session)],
    "settings": tuning.settings,
    "space": lambda session: [disk.of_the_server(session)],
    "runs": lambda session: [activity.runs(session)],
    "locks": lambda session: [activity.locks(session)],
}

#: PostgreSQL's code for a missing privilege.
_FORBIDDEN: Final = "42501"


def examine(url: str, *, embedded: bool = False) -> Iterator[Check]:
    """Yields each check of the database `url` and of this machine as it is done.

    `embedded`: it is mdload's own server, which loads migrate without being asked.
    """
    try:
        session = connect(url)
    except DatabaseError as error:
        yield from unreachable(error)
        return
    with session:
        session.rows("doctor_session")
        for name, look in _LOOKS.items():
            try:
                for check in look(session):
                    yield tables.left_to_loads(check) if embedded else check
            except SchemaOutOfDate:
                pass  # a table that is not there: the finding on the schema says so
            except DatabaseError as error:
                if error.sqlstate == _FORBIDDEN:
                    yield Check(name, "warn", "this role may not look at that", "see rights")
                else:
                    yield Check(name, "fail", str(error), error.hint)
    yield from _of_this_machine()


def unreachable(error: MdloadError) -> Iterator[Check]:
    """The checks that remain when `error` keeps the server from answering."""
    yield Check("server", "fail", str(error), error.hint)
    yield from _of_this_machine()


def _of_this_machine() -> Iterator[Check]:
    yield disk.of_this_machine()
    yield from software.software()
