"""`--plot FILE`: a picture beside the table, as SVG or PNG."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

if TYPE_CHECKING:
    from loader.survey.pictures.svg import Drawing

F = TypeVar("F", bound=Callable[..., Any])
_KINDS: Final = (".svg", ".png")
#: Two pictures that differ only where there is a font.
_EMPTY: Final = '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20"></svg>'
_LETTER: Final = _EMPTY.replace("><", '><text y="15" style="font:11px sans-serif">M</text><')


def _picture(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value is not None and Path(value).suffix.lower() not in _KINDS:
        raise click.BadParameter(f"{value!r} is neither .svg nor .png")
    return value


plot_option: Final = click.option(
    "--plot", metavar="FILE", type=click.Path(dir_okay=False), callback=_picture,
    help="Draw a picture too: a .svg or .png file.",
)  # fmt: skip


def write_picture(drawing: Drawing, path: str) -> None:
    """Writes the picture, in the format of the file's name; it appears when it is whole.

    Raises:
        SettingsError: it cannot be written; or PNG needs the extra, or a font.
    """
    from loader.store.export.rows import whole_file

    picture = str(drawing)
    content = _png(picture) if path.lower().endswith(".png") else picture.encode()
    with whole_file(path) as file:
        file.write(content)


def _png(picture: str) -> bytes:
    from loader.errors import SettingsError

    try:
        import resvg_py
    except ImportError as error:
        raise SettingsError(
            "pictures as PNG need the package resvg-py",
            hint="install it with: pip install 'mdload[report]'; or name a .svg file",
        ) from error
    if resvg_py.svg_to_bytes(svg_string=_EMPTY) == resvg_py.svg_to_bytes(svg_string=_LETTER):
        raise SettingsError(
            "pictures as PNG need a font, and this machine has none",
            hint="install one, such as the package fonts-dejavu-core; or name a .svg file",
        )
    return bytes(resvg_py.svg_to_bytes(svg_string=picture, zoom=2))
