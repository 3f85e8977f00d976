"""Colours by meaning, for light and dark grounds. Each of them stands out from its ground by 3:1
at least (WCAG 2.2, 1.4.11), text by 4.5:1, and no two meanings differ by red and green alone."""

from __future__ import annotations

from typing import Final

#: Class of an element, and its colour on a light and on a dark ground.
FILLS: Final = {
    "bg": ("#ffffff", "#12161b"), "ink": ("#1b2530", "#e6ebf0"), "ax": ("#4d5b69", "#a9b4bf"),
    # states of a cell: full, partial, missing, waived, after the last bar, nothing expected
    "sF": ("#2c7d77", "#3fa79f"), "sP": ("#b7791f", "#e0a93b"), "sM": ("#c2362b", "#ff6f61"),
    "sW": ("#748294", "#8a97a6"), "sA": ("#7a4fb5", "#b392f0"), "sN": ("#e6eaee", "#28303a"),
    # shares of what is expected: all, 99 %, 95 %, 80 %, 50 %, less, nothing
    "q6": ("#2c7d77", "#3fa79f"), "q5": ("#4f8a4a", "#6fb56a"), "q4": ("#8a8420", "#b9b13c"),
    "q3": ("#b7791f", "#e0a93b"), "q2": ("#c2581f", "#f08a4b"), "q1": ("#c2362b", "#ff6f61"),
    "q0": ("#8c1c13", "#ff9d94"),
    # changes, down and up: from 0, 1, 10, 100, 1,000 basis points
    "n4": ("#123a6b", "#cfe3ff"), "n3": ("#1f5f9e", "#93c0f5"), "n2": ("#2f7fc1", "#5b97d6"),
    "n1": ("#5492c9", "#4479b3"), "z0": ("#748294", "#8a97a6"), "p1": ("#cf7a2c", "#a9682f"),
    "p2": ("#b95c17", "#d68a45"), "p3": ("#94400f", "#f5b274"), "p4": ("#672808", "#ffdcb8"),
    # bars that moved in time
    "zs": ("#7a4fb5", "#b392f0"),
    # outcomes of runs
    "oS": ("#2c7d77", "#3fa79f"), "oF": ("#c2362b", "#ff6f61"), "oC": ("#748294", "#8a97a6"),
    "oR": ("#2f6fc1", "#6ea8f0"), "oK": ("#7a4fb5", "#b392f0"),
    # bars: up, down, revised; bars of counts
    "up": ("#2c7d77", "#3fa79f"), "dn": ("#b95c17", "#e0853b"), "rv": ("#7a4fb5", "#b392f0"),
    "ct": ("#4a6fa5", "#7aa2dc"), "vo": ("#a9b4bf", "#4d5966"),
}  # fmt: skip
#: The same for lines.
STROKES: Final = {
    "gr": ("#e0e5ea", "#2a323b"), "di": ("#748294", "#8a97a6"), "uw": ("#2c7d77", "#3fa79f"),
    "dw": ("#b95c17", "#e0853b"), "gh": ("#7a4fb5", "#b392f0"),
}  # fmt: skip
_SHAPES: Final = (
    "text{font:11px system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif}"
    ".gr,.di,.uw,.dw{stroke-width:1}.di{stroke-dasharray:4 4}"
    ".gh{fill:none;stroke-width:1;stroke-dasharray:2 1.5}"
)
_THRESHOLDS: Final = (1, 10, 100, 1_000)
_USUAL: Final = (("q6", 0.6), ("q4", 0.4), ("q3", 0.2))
_SHARES: Final = (("q6", 1.0), ("q5", 0.99), ("q4", 0.95), ("q3", 0.8), ("q2", 0.5))


def rules(*, dark: bool) -> str:
    """CSS for the classes."""
    place = 1 if dark else 0
    fills = "".join(f".{name}{{fill:{both[place]}}}" for name, both in FILLS.items())
    return fills + "".join(f".{name}{{stroke:{both[place]}}}" for name, both in STROKES.items())


def style(*, dark: bool = False) -> str:
    """CSS for a picture that stands alone."""
    return _SHAPES + rules(dark=dark)


def of_change(bps: float | None) -> str:
    """The class for a change in basis points, by its sign and size."""
    if bps is None or bps == 0:
        return "z0"
    size = sum(abs(bps) >= least for least in _THRESHOLDS)
    return f"{'n' if bps < 0 else 'p'}{max(size, 1)}"


def of_share(share: float) -> str:
    """The class for a share of what is expected, from 0 to 1."""
    for name, least in _SHARES:
        if share >= least:
            return name
    return "q1" if share > 0 else "q0"


def of_usual(share: float) -> str:
    """The class for a share of what is usual; nights, weekends and holidays let it vary."""
    for name, least in _USUAL:
        if share >= least:
            return name
    return "q1" if share > 0 else "q0"
