"""Bytes to `RawBatch`: sources and objects are opened, containers are recognised and read."""
