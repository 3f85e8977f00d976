"""What mdload asks each server of a cluster, on plain PostgreSQL with servers that are made up."""

from __future__ import annotations

import psycopg

from loader.db.rows import connect
from loader.store.citus import unsupported

EXTENSION = {"version": "14.0-1", "number": 180006, "prepared": 200}
#: Of Citus only what `citus_state` asks. `b` answers what the test's own server does, `c` not.
SERVERS = """
CREATE TABLE pg_dist_node (isactive boolean, noderole text, shouldhaveshards boolean);
CREATE TABLE pg_dist_partition (logicalrelid regclass, partkey text, partmethod char);
CREATE FUNCTION column_to_column_name(regclass, text) RETURNS text LANGUAGE sql AS 'SELECT $2';
CREATE FUNCTION run_command_on_workers(command text)
RETURNS TABLE (nodename text, nodeport integer, success boolean, result text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE command INTO result;
    RETURN QUERY VALUES ('a', 5432, true, '64'), ('b', 5433, true, result), ('c', 5432, false, '');
END
$$
"""


def test_a_server_that_cannot_prepare_is_named(one_url: str) -> None:
    """The servers of the tests have max_prepared_transactions = 0, as PostgreSQL begins."""
    with psycopg.connect(one_url, autocommit=True) as connection:
        connection.execute(SERVERS)
    with connect(one_url, doing="asking") as session:
        (state,) = session.rows("citus_state")
    assert state["unprepared"] == "b:5433"
    found = unsupported(EXTENSION, state)
    assert found is not None
    assert found[0].startswith("max_prepared_transactions is 0 on b:5433")
    assert unsupported(EXTENSION, {**state, "unprepared": None}) is None
    (coordinator, _) = unsupported({**EXTENSION, "prepared": 0}, state) or ("", "")
    assert coordinator.startswith("the coordinator has max_prepared_transactions = 0")
