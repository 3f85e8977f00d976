"""Citus: whether it is installed, has the bars, and can commit on several servers together."""

from __future__ import annotations

from typing import Final

from loader.db.rows import Row, Session
from loader.store.citus import unsupported
from loader.survey.doctor.check import Check, State
from loader.text import counted

#: State, sentence and hint.
Finding = tuple[State, str, str | None]
_ENABLE: Final = "with nobody loading, as the owner of bars_ohlcv: mdload citus enable --yes"
_DAEMON: Final = (
    "raise max_worker_processes on the coordinator; until then, after a loss: "
    "SELECT recover_prepared_transactions();"
)


def citus(session: Session) -> list[Check]:
    """A database without it is fine, and needs no line."""
    found = session.rows("citus_extension")
    if not found:
        return []
    (state,) = session.rows("citus_state")
    (waiting,) = session.rows("citus_waiting")
    refused = unsupported(found[0], state)
    fault: Finding | None = refused and ("fail", *refused)
    well = f"bars_ohlcv is distributed by symbol over {counted(state['servers'], 'server')}"
    level, told, hint = (
        fault or _of_the_bars(state) or _of_commits(state, waiting) or ("ok", well, None)
    )
    return [Check("citus", level, f"version {found[0]['version']}, {told}", hint)]


def _of_the_bars(state: Row) -> Finding | None:
    if not state["bars"]:  # the finding on the schema has the next step
        return "ok", "without a table of bars yet", None
    if state["by"] is None:
        return "warn", "but bars_ohlcv is on the coordinator alone", _ENABLE
    if state["touches"]:
        told = "but the trigger bars_ohlcv_updated_at runs on shards, each with a time of its own"
        return "fail", told, _ENABLE
    return None


def _of_commits(state: Row, waiting: Row) -> Finding | None:
    if waiting["lost"]:
        told = f"{counted(waiting['lost'], 'server')} did not answer"
        return "fail", told, "see: SELECT * FROM citus_check_cluster_node_health();"
    if waiting["waiting"]:
        count = counted(waiting["waiting"], "transaction")
        told = f"{count} prepared and not committed yet: the bars in it do not show"
        return "warn", told, "SELECT recover_prepared_transactions();"
    if not state["maintained"]:
        return "warn", "no maintenance daemon runs, which ends commits after a loss", _DAEMON
    return None
