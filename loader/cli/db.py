"""`mdload db`."""

import click


@click.group()
def db() -> None:
    """The database in use, and the embedded server."""
