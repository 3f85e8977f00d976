"""PostgreSQL, whichever driver: `arrow` streams frames over ADBC, `rows` gives rows over psycopg.

The only room that imports a driver; others run named queries through an `executor.Executor`. This
page imports nothing, so that a command that asks for one row does not wait for ADBC.
"""
