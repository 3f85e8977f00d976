"""JSON Schema of mdload.toml, for editors that complete and check TOML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from loader.jobs.config.keys import DATABASE, DEFAULTS, JOB
from loader.settings import Option
from loader.settings.kinds import Kind

_VARIABLE: Final = {"type": "string", "pattern": r"\$\{"}


def json_schema(dialect_keys: Mapping[str, Kind]) -> dict[str, Any]:
    """The schema; `dialect_keys` are `loader.dialects.own.KEYS`."""
    own = {name: kind.schema for name, kind in dialect_keys.items()}
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
                "Your own dialects: see docs/dialects.md.",
                {"type": "object", "additionalProperties": False, "properties": own},
            ),
        },
    }


def _section(
    description: str, options: Mapping[str, Option], required: list[str] | None = None
) -> dict[str, Any]:
    return {
        "type": "object",
        "description": description,
        "additionalProperties": False,
        "properties": {name: _property(option) for name, option in options.items()},
        **({"required": required} if required else {}),
    }


def _tables(description: str, each: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "description": description, "additionalProperties": each}


def _property(option: Option) -> dict[str, Any]:
    schema = dict(option.kind.schema)
    if schema.get("type") != "string":  # a variable may stand for any value
        schema = {"anyOf": [*schema.get("anyOf", [schema]), _VARIABLE]}
    if option.default is not None:
        schema["default"] = option.default
    return {"description": option.help, **schema}
