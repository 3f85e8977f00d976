"""Options of the commands that work with jobs of mdload.toml."""

from __future__ import annotations

from datetime import date
from typing import Final

import click

from loader.cli.options import Pair


class Day(click.ParamType[date]):
    """A date such as 2024-03-05."""

    name = "day"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> date:
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is not a date such as 2024-03-05")


date_option: Final = click.option(
    "--date",
    "day",
    metavar="DAY",
    type=Day(),
    help="The day of the job, instead of today.",
)
set_option: Final = click.option(
    "--set", "given", metavar="KEY=VALUE", type=Pair("KEY=VALUE"), multiple=True,
    help="Override a key of the job: --set workers=4.",
)  # fmt: skip
