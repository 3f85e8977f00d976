"""Many small files, loaded by processes of this machine beside the threads of this one.

`ahead` says how many there may be, and starts them early; `team` hands the files out and takes the
results; `process` is one process as this side has it, `child` is what runs in it, and `brief` what
it has to know of the load beforehand.
"""
