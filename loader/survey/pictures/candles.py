"""Bars of one series as candles; revised ones with what they were before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from loader.survey.pictures.axes import round_steps
from loader.survey.pictures.svg import Drawing, number

_WIDTH: Final = 980
_HEIGHT: Final = 380
_LEFT: Final = 64
_TOP: Final = 12
_PRICES: Final = 290
_VOLUMES: Final = 350


def candles(bars: Sequence[dict[str, Any]], label: str) -> Drawing:
    """`bars`: in order of time, with `ts`, open, high, low, close, volume, and `before`, the values
    of before or None. At least one."""
    drawing = Drawing(_WIDTH, _HEIGHT, label, kind="pic zoom")
    before = [bar["before"] for bar in bars if bar["before"]]
    low = min(one["low"] for one in (*bars, *before))
    high = max(one["high"] for one in (*bars, *before))
    room = (high - low) or abs(high) or 1.0

    def y(price: float) -> float:
        return float(_PRICES - (price - low) / room * (_PRICES - _TOP))

    step = (_WIDTH - _LEFT - 10) / max(len(bars), 20)
    for price in round_steps(low, high, 6):
        drawing.line(_LEFT, y(price), _WIDTH - 10, y(price), "gr")
        drawing.text(_LEFT - 6, y(price) + 4, f"{price:,.10g}", anchor="end", most=14)
    most = max((bar["volume"] or 0 for bar in bars), default=0) or 1
    daily = all((bar["ts"].hour, bar["ts"].minute) == (0, 0) for bar in bars)
    every = max(1, len(bars) // 8)
    for place, bar in enumerate(bars):
        x = _LEFT + (place + 0.5) * step
        if place % every == every // 2:
            drawing.text(x, _HEIGHT - 10, f"{bar['ts']:{'%Y-%m-%d' if daily else '%m-%d %H:%M'}}",
                         anchor="middle")  # fmt: skip
        if old := bar["before"]:
            _ghost(drawing, x, step, old, y)
        _candle(drawing, x, step, bar, y)
        tall = (bar["volume"] or 0) / most * (_VOLUMES - _PRICES - 12)
        drawing.rect(x - step * 0.35, _VOLUMES - tall, step * 0.7, tall, "vo")
        if bar["before"]:
            drawing.path(f"M{number(x - 3)} {_VOLUMES + 8}h6l-3 -5z", "rv")
    drawing.text(_LEFT - 6, _VOLUMES - 2, "volume", anchor="end")
    return drawing


def _candle(drawing: Drawing, x: float, step: float, bar: dict[str, Any], y: Any) -> None:
    up = bar["close"] >= bar["open"]
    a, b = sorted((y(bar["open"]), y(bar["close"])))
    drawing.line(x, y(bar["high"]), x, y(bar["low"]), "uw" if up else "dw")
    drawing.rect(x - step * 0.35, a, step * 0.7, max(b - a, 1.0), "up" if up else "dn", told(bar))


def _ghost(drawing: Drawing, x: float, step: float, old: dict[str, Any], y: Any) -> None:
    a, b = sorted((y(old["open"]), y(old["close"])))
    half = step * 0.35
    drawing.path(
        f"M{number(x)} {number(y(old['high']))}V{number(a)}M{number(x)} {number(b)}"
        f"V{number(y(old['low']))}M{number(x - half)} {number(a)}h{number(2 * half)}"
        f"v{number(max(b - a, 1.0))}h-{number(2 * half)}z", "gh",
    )  # fmt: skip


def told(bar: dict[str, Any]) -> str:
    """A bar in words, and what it was before."""
    text = f"{bar['ts']:%Y-%m-%d %H:%M}Z  {_values(bar)}"
    if old := bar["before"]:
        text += (
            f"; before {_values(old)}, changed {old['known_at']:%Y-%m-%d} by run {old['run_id']}"
        )
    return text


def _values(bar: dict[str, Any]) -> str:
    return " ".join(
        f"{name[0].upper()} {bar[name]:,.10g}" for name in ("open", "high", "low", "close")
    )
