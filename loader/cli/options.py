"""Options that several commands share, and what they come to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import click
from click.core import ParameterSource

from loader.cli import completion
from loader.cli.context import Context
from loader.cli.numbers import Whole
from loader.errors import SettingsError, UnknownDialect
from loader.settings import Option, Settings
from loader.settings.kinds import Kind
from loader.settings.load import MEANING, OPTIONS, as_fields

F = TypeVar("F", bound=Callable[..., Any])

json_option: Final = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object on stdout."
)

#: A path as a shell completes it; whether it can be read shows when it is opened.
PATH: Final = click.Path(readable=False, allow_dash=True)


#: Options of a load about its record, and those that every command has.
_REPORTING: Final = ("job_name", "metrics_textfile", "push_gateway", "as_json")


class GroupedHelp(click.Command):
    """A command with the options of a load, listed in groups."""

    #: The title of its own options.
    own = "How to load"

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        groups: dict[str, list[tuple[str, str]]] = {
            "What the file does not say": [], self.own: [], "Reporting": [],
        }  # fmt: skip
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record and isinstance(param, click.Option):
                groups[self._group(param)].append(record)
        for title, records in groups.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)

    def _group(self, option: click.Option) -> str:
        if option.name in MEANING:
            return "What the file does not say"
        reports = option.name in _REPORTING or "--help" in option.opts
        return "Reporting" if reports else self.own


class GroupedReading(GroupedHelp):
    """The same, of a command that reads files and loads nothing."""

    own = "Options"


class Pair(click.ParamType[tuple[str, str]]):
    """Two texts around an equals sign; `form` shows them in errors. The second may be empty."""

    name = "pair"

    def __init__(self, form: str) -> None:
        self._form = form

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        name, equals, text = str(value).partition("=")
        if not equals or not name.strip():
            self.fail(f"{value!r} is not {self._form}", param, ctx)
        return name.strip(), text


class _Read(click.ParamType[Any]):
    """A value that its kind reads."""

    name = "value"

    def __init__(self, option: Option) -> None:
        self._option = option

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        try:
            return self._option.kind.read(value)
        except ValueError as error:
            problem = str(error) or f"must be {self._option.kind.word}, not {value!r}"
            raise SettingsError(problem, option=self._option.flag) from None


def click_option(option: Option, **attributes: Any) -> Callable[[F], F]:
    """The command line's option for a row of the table; `attributes` precede what the row says."""
    assert option.flag is not None
    made: dict[str, Any] = {"help": option.help, "metavar": option.metavar, "envvar": option.env}
    made |= _typed(option)
    if option.name in completion.LOAD:
        made["shell_complete"] = completion.LOAD[option.name]
    if option.default is not None and not made.get("is_flag"):
        made |= {"default": option.default, "show_default": True}
    return click.option(option.flag, option.name, **{**made, **attributes})


def _typed(option: Option) -> dict[str, Any]:
    kind: Kind = option.kind
    if kind.is_path:
        return {"type": click.Path(dir_okay=False)}
    match kind.schema:
        case {"type": "boolean"}:
            return {"is_flag": True}
        case {"type": "integer", "minimum": least}:
            return {"type": Whole(least, kind.schema.get("maximum"))}
        case {"enum": words}:
            return {"type": click.Choice(words)}
        case {"type": "object"}:
            return {"type": Pair(str(option.metavar)), "multiple": True, "callback": _as_table}
    return {} if kind.is_text else {"type": _Read(option)}


def _as_table(
    ctx: click.Context, param: click.Parameter, value: tuple[tuple[str, str], ...]
) -> dict[str, str]:
    for name, text in value:
        if not text:
            raise click.BadParameter(f"{name + '='!r} is not {param.metavar}", ctx, param)
        if any(other == name and words != text for other, words in value):
            raise click.BadParameter(f"{name!r} is given twice, with different values", ctx, param)
    return dict(value)


def load_options(command: F) -> F:
    """Every option of a load."""
    return _with(command, OPTIONS)


def replay_options(command: F) -> F:
    """As `load_options`, without those about bars that a whole file does not have."""
    absent = ("max_gone", "delete_gone")
    return _with(command, {name: each for name, each in OPTIONS.items() if name not in absent})


def meaning_options(command: F) -> F:
    """The options that decide what a file means and whether it is refused, and how much of it is
    read at a time."""
    more = {name: OPTIONS[name] for name in ("max_rejects", "batch_rows")}
    return _with(command, {**MEANING, **more})


def inspection_options(command: F) -> F:
    """As `meaning_options`, and what the guard allows."""
    more = ("max_rejects", "max_restated", "max_gone", "accept", "batch_rows")
    return _with(command, {**MEANING, **{name: OPTIONS[name] for name in more}})


def _with(command: F, options: Mapping[str, Option]) -> F:
    for option in reversed(list(options.values())):
        if option.flag is not None:
            command = click_option(option)(command)
    return command


def settings_of(ctx: Context, given: Mapping[str, Any]) -> Settings:
    """What a command is asked to do by options of the table, checked; `given` are its parameters.

    Raises:
        SettingsError, UnknownDialect: an option is wrong, or what `[defaults]` has in its place.
    """
    from loader.check.file import check_settings

    with blamed(ctx):
        settings = Settings(**as_fields(_nearest(given)), own_dialects=ctx.dialects)
        check_settings(settings)
    return settings


def _nearest(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """`given`, where a typed `--known-at` stands in place of a rule that was not typed."""
    source = click.get_current_context().get_parameter_source("known_at_from")
    if given.get("known_at") is None or source is ParameterSource.COMMANDLINE:
        return given
    return {**given, "known_at_from": None}


@contextmanager
def blamed(ctx: Context) -> Iterator[None]:
    """Gives errors about an option the place that its value is from: the line of mdload.toml or the
    environment variable, unless it was typed."""
    try:
        yield
    except (SettingsError, UnknownDialect) as error:
        from loader.jobs.config.blame import about, key_of

        if (key := key_of(error)) is None:
            raise
        source = click.get_current_context().get_parameter_source(key)
        if source is ParameterSource.DEFAULT_MAP:
            raise ctx.config.wrong(error, "defaults", key) from error
        if source is ParameterSource.ENVIRONMENT:
            said = about(str(OPTIONS[key].env), error)
            raise SettingsError(said, hint=error.hint) from error
        raise
