"""Files loaded by worker processes: of this machine, or of a Dask cluster.

The client lists the files, begins the run, hands out one file at a time and counts the results. A
worker loads its file through the same transaction as ever, with connections of its own. `spread` is
the client's side, `task` the worker's, and `brief` what goes from one to the other beforehand.
"""
