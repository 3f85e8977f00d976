"""Files and rows into the datasets of a tenant, under row-level security: see docs/datasets.md."""
