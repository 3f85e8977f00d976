"""The options of the whole command: before a subcommand, and after it too."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import click

from loader.cli import examples
from loader.cli.context import Context

#: Commands that take defaults from `[defaults]` of mdload.toml.
WITH_DEFAULTS: Final = ("backfill", "inspect", "verify", "live")

_OPTIONS: Final[tuple[tuple[tuple[str, ...], dict[str, Any]], ...]] = (
    (("--database",), {
        "metavar": "URL",
        "help": "Database to use; else MDLOAD_DATABASE_URL, DATABASE_URL, libpq's PG* variables, "
                "mdload.toml, or the embedded server."}),
    (("--config", "config_file"), {
        "metavar": "FILE", "type": click.Path(dir_okay=False), "envvar": "MDLOAD_CONFIG",
        "help": "Configuration; else MDLOAD_CONFIG, or mdload.toml of this folder, of "
                "~/.config/mdload, or of /etc/mdload."}),
    (("-v", "--verbose"), {
        "count": True, "help": "Print more on stderr; -vv prints everything."}),
    (("-q", "--quiet"), {"is_flag": True, "help": "Print only errors on stderr."}),
    (("--log-format",), {
        "type": click.Choice(["text", "json"]), "default": "text", "show_default": True,
        "help": "Format of messages on stderr."}),
)  # fmt: skip


def before() -> list[click.Parameter]:
    """The options for `mdload` itself."""
    return [click.Option(names, **attributes) for names, attributes in _OPTIONS]


def after(command: click.Command) -> click.Command:
    """`command`, which takes the options as well, and its subcommands. Its own options precede."""
    command.context_class = examples.Context
    if isinstance(command, click.Group):
        for subcommand in command.commands.values():
            after(subcommand)
        return command
    if command.ignore_unknown_options or command in _DONE:
        return command
    _DONE.append(command)
    own = {name for param in command.params for name in param.opts}
    for names, attributes in _OPTIONS:
        if own.isdisjoint(names):
            kept = {k: v for k, v in attributes.items() if k not in ("default", "envvar")}
            option = click.Option(
                names, **kept, hidden=True, is_eager=True, expose_value=False,
                callback=_given,
            )  # fmt: skip
            command.params.append(option)
    return command


_DONE: Final[list[click.Command]] = []


def _given(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    """Puts the value into the context, if there is one. Once the configuration is known, its
    defaults are the command's."""
    context = ctx.obj
    if value:
        ctx.meta[f"mdload.{param.name}"] = value  # for completion, which has no context
    if value and isinstance(context, Context):
        match param.name:
            case "verbose":
                context = replace(context, verbosity=context.verbosity + value)
            case "quiet":
                context = replace(context, verbosity=-1)
            case name:
                context = replace(context, **{str(name): value})
        ctx.obj = context
        context.configure_log()
    if param.name == "config_file" and ctx.info_name in WITH_DEFAULTS and context is not None:
        ctx.default_map = defaults_of(context, str(ctx.info_name))


def defaults_of(context: Context, command: str) -> dict[str, Any]:
    """What `[defaults]` has for `command`."""
    defaults = dict(context.config.defaults) if context.has_config else {}
    if command == "live":  # the name of the backfill's runs, not of a feed's
        defaults.pop("job_name", None)
    return defaults
