"""Options are written once; docs and the schema for editors are made of their table."""

from __future__ import annotations

from tests.support.config_tables import PAGE, SCHEMA, page, schema


def test_the_tables_in_the_docs_are_made_of_the_options() -> None:
    """Written anew by: python -m tests.support.config_tables"""
    text = PAGE.read_text(encoding="utf-8")
    assert page(text) == text


def test_the_schema_for_editors_is_made_of_the_options() -> None:
    """Written anew by: python -m tests.support.config_tables"""
    assert SCHEMA.read_text(encoding="utf-8") == schema()
