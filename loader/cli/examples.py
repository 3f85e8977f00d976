"""The example at the end of --help, which can be pasted however narrow the terminal is."""

from __future__ import annotations

from typing import Final

import click

from loader.lazy import regex

_EXAMPLE: Final = regex(r"(Example|First steps): ")
#: A word of a shell, with what it quotes.
_WORD: Final = regex(r"""(?:'[^']*'|"[^"]*"|[^\s'"])+""")
_CONTINUED: Final = 4


class Formatter(click.HelpFormatter):
    """Writes an example that is too long for a line as a shell takes it: with a backslash where it
    goes on, never within quotes or a word."""

    def write_text(self, text: str) -> None:
        if not _EXAMPLE.match(text):
            super().write_text(text)
            return
        indent = " " * self.current_indent
        lines, line = [], indent
        for word in _WORD.findall(text):
            longer = f"{line} {word}" if line.strip() else f"{line}{word}"
            if len(longer) > self.width - len(" \\") and line.strip():
                lines.append(f"{line} \\")
                longer = f"{indent}{' ' * _CONTINUED}{word}"
            line = longer
        self.write("\n".join([*lines, line]) + "\n")


class Context(click.Context):
    """What click knows of a command while it runs, with help as above."""

    formatter_class = Formatter
