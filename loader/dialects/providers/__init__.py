"""One module per provider dump, each a `DIALECT` value. Data, and nothing else."""
