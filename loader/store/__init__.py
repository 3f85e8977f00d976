"""Bars and books in tables: merge, comparison, quarantine, schema, runs."""
