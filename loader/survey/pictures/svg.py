"""One SVG picture, element by element. All text is escaped here, and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from loader.text import visible

#: Longer names are cut in pictures; tables and titles have them whole.
_LONGEST: Final = 200


def shown(text: object, most: int = _LONGEST) -> str:
    """Text for a picture or a page: without what steers a reader's eye, and at most so long."""
    plain = visible(str(text), "")
    return plain if len(plain) <= most else plain[: most - 1] + "…"


class Drawing:
    """A picture of `width` × `height` units, which scales to the room that it has.

    Args:
        label: what it shows, for those who do not see it.
        style: CSS to carry along, for a picture that stands alone.
    """

    def __init__(
        self, width: float, height: float, label: str, *, kind: str = "", style: str = ""
    ) -> None:
        self.width, self.height = width, height
        self._label, self._kind, self._style = label, kind, style
        self._parts: list[str] = []

    def rect(self, x: float, y: float, width: float, height: float, kind: str,
             title: str | None = None, **more: object) -> None:  # fmt: skip
        self._add("rect", kind, title, x=x, y=y, width=width, height=height, **more)

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str) -> None:
        self._add("line", kind, None, x1=x1, y1=y1, x2=x2, y2=y2)

    def path(self, d: str, kind: str, title: str | None = None) -> None:
        self._add("path", kind, title, d=d)

    def text(self, x: float, y: float, text: object, kind: str = "ax", anchor: str = "start",
             most: int = 60) -> None:  # fmt: skip
        place = _attributes({"x": x, "y": y, "text-anchor": anchor, "class": kind})
        self._parts.append(f"<text{place}>{escape(shown(text, most))}</text>")

    def legend(self, x: float, y: float, items: Sequence[tuple[str, str, float]]) -> None:
        """Squares with words behind them: class, words, and the width of both."""
        for kind, text, width in items:
            self.rect(x, y, 10.0, 10.0, kind)
            if text:
                self.text(x + 15, y + 9, text)
            x += width

    def _add(self, tag: str, kind: str, title: str | None, **attributes: object) -> None:
        text = _attributes({"class": kind, **attributes})
        inner = f"<title>{escape(shown(title))}</title>" if title else ""
        self._parts.append(f"<{tag}{text}>{inner}</{tag}>" if inner else f"<{tag}{text}/>")

    def __str__(self) -> str:
        box = f"0 0 {number(self.width)} {number(self.height)}"
        alone = {"xmlns": "http://www.w3.org/2000/svg", "width": self.width, "height": self.height}
        head = _attributes({
            **(alone if self._style else {}), "viewBox": box, "class": self._kind, "role": "img",
            "aria-label": shown(self._label),
        })  # fmt: skip
        style = f"<style>{self._style}</style>" if self._style else ""
        ground = '<rect class="bg" width="100%" height="100%"/>' if self._style else ""
        return f"<svg{head}>{style}{ground}{''.join(self._parts)}</svg>"


def number(value: float) -> str:
    """In at most one decimal place."""
    return f"{value:.1f}".removesuffix(".0")


def _attributes(named: dict[str, object]) -> str:
    return "".join(
        f' {name}="{escape(number(value) if isinstance(value, float) else str(value))}"'
        for name, value in named.items()
        if value not in ("", None)
    )
