"""One module per provider, each with a `DIALECT` value."""
