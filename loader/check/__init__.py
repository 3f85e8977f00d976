"""`RawBatch` to good bars, bad rows and one bar per key. Pure: no clock, network or database."""
