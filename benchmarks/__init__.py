"""Compares mdload with its alternatives: same rows, table, key and server, interleaved."""
