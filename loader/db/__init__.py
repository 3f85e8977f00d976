"""PostgreSQL, whichever driver: `arrow` streams frames over ADBC, `rows` asks through psycopg.

The only room that imports a driver. This page imports nothing, so that a command that asks for one
row does not wait for ADBC.
"""
