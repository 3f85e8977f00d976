"""mdload.toml as JSON Schema, for editors that complete and check TOML by one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from loader.jobs.config.keys import DATABASE, DEFAULTS, JOB, Key

_VARIABLE: Final = {"type": "string", "pattern": r"\$\{"}
_OWN: Final[dict[str, dict[str, Any]]] = {
    "text": {"type": "string", "minLength": 1},
    "list of text": {"type": "array", "items": {"type": "string"}},
    "table of text": {"type": "object", "additionalProperties": {"type": "string"}},
    "power of ten": {"type": "integer", "minimum": 1},
    "true or false": {"type": "boolean"},
}


def json_schema(dialect_keys: Mapping[str, str]) -> dict[str, Any]:
    """The schema; `dialect_keys` are `loader.dialects.own.KEYS`."""
    own = {name: _OWN[word] for name, word in dialect_keys.items()}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "mdload.toml",
        "description": "The loads of mdload, written down once: see docs/configuration.md.",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "database": _section("The server to use.", DATABASE),
            "defaults": _section("For backfill, inspect and live, and for every job.", DEFAULTS),
            "jobs": _tables("Named loads, for mdload run.", _section("A job.", JOB, ["source"])),
            "dialects": _tables(
                "Dialects of one's own: see docs/dialects.md.",
                {"type": "object", "additionalProperties": False, "properties": own},
            ),
        },
    }


def _section(
    description: str, keys: Mapping[str, Key], required: list[str] | None = None
) -> dict[str, Any]:
    return {
        "type": "object",
        "description": description,
        "additionalProperties": False,
        "properties": {name: _property(key) for name, key in keys.items()},
        **({"required": required} if required else {}),
    }


def _tables(description: str, each: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "description": description, "additionalProperties": each}


def _property(key: Key) -> dict[str, Any]:
    schema = dict(key.kind.schema)
    if schema.get("type") != "string":  # a variable may stand for any value
        schema = {"anyOf": [*schema.get("anyOf", [schema]), _VARIABLE]}
    if key.default is not None:
        schema["default"] = key.default
    return {"description": key.doc, **schema}
