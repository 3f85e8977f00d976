"""Files loaded by worker processes: of this machine, or of a Dask cluster.

The client lists the files, begins the run, hands out tasks and counts the results. A task has one
large file, or some small ones, which the worker loads together as a thread of `--workers` does,
with connections of its own. `spread` is the client's side, `given` says which files a task has,
`task` is the worker's side, and `brief` what goes from one to the other beforehand.
"""
