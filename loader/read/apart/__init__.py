"""Reading in a process of its own, for libraries that a damaged file can crash or hang.

The process has the file as its standard input. It answers on its standard output with one line of
JSON per message; after a line with `rows` follow the columns of those rows, each as numbers in the
machine's own form:

    {"columns": [["datetime", "uint64"], …], "rows": 3, "place": "data"}
    {"key": "SH600000", "rows": 2}      columns of 2 rows
    {"key": "SH600001", "rows": 1}      columns of 1 row
    {"end": true}

At any place of these may stand, as the last one, `{"fault": "is damaged: …", "hint": "…"}`.
"""
