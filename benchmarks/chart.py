"""Charts as SVG: bars, and lines over a logarithmic axis."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

WIDTH = 760
BAR = 26
LABEL = 170
COLOURS = ("#0b7285", "#3bc9db", "#868e96")
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#212529}.t{font-weight:600;font-size:15px}"
    ".s{fill:#868e96;font-size:11px}.a{stroke:#adb5bd}"
    "@media(prefers-color-scheme:dark){text{fill:#e9ecef}.s{fill:#adb5bd}}"
)
Bars = Mapping[str, Sequence[tuple[str, float | None]]]
Lines = Mapping[str, Sequence[tuple[float, float]]]


def draw(bars: Bars, title: str, lines: Lines, foot: str) -> str:
    """Draw the bar charts above the line chart; return the SVG text.

    Args:
        bars: Title → label and value; None is shown as not measured.
        title: Of the line chart.
        lines: Label → points (x > 0, y > 0); both axes are logarithmic.
    """
    parts: list[str] = []
    y = 10
    for name, rows in bars.items():
        drawn, y = _bars(name, rows, y)
        parts += drawn
    drawn, y = _lines(title, lines, y)
    parts += [*drawn, _text(10, y + 10, foot, "s")]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 20}" role="img" '
        f'aria-label="Speed charts"><style>{_STYLE}</style>{"".join(parts)}</svg>\n'
    )


def _bars(title: str, rows: Sequence[tuple[str, float | None]], y: int) -> tuple[list[str], int]:
    top = max((value for _, value in rows if value), default=1.0)
    parts = [_text(10, y + 14, title, "t")]
    y += 24
    for (label, value), colour in zip(rows, COLOURS, strict=False):
        parts.append(_text(10, y + 17, label))
        if value is None:
            parts.append(_text(LABEL, y + 17, "not measured", "s"))
        else:
            width = max(2, round((WIDTH - LABEL - 90) * value / top))
            parts.append(
                f'<rect x="{LABEL}" y="{y + 3}" width="{width}" height="{BAR - 6}" '
                f'rx="3" fill="{colour}"/>'
            )
            parts.append(_text(LABEL + width + 8, y + 17, f"{value:,.1f}"))
        y += BAR
    return parts, y + 16


def _lines(title: str, lines: Lines, y: int) -> tuple[list[str], int]:
    height, left, right = 200, 60, WIDTH - 20
    parts = [_text(10, y + 14, title, "t")]
    points = [point for line in lines.values() for point in line]
    if not points:
        return [*parts, _text(10, y + 38, "not measured", "s")], y + 56
    y += 30
    x_top = math.log10(max(10.0, max(x for x, _ in points)))
    low = math.floor(math.log10(min(v for _, v in points)))
    high = math.ceil(math.log10(max(v for _, v in points)) + 1e-9)

    def place(x: float, value: float) -> tuple[float, float]:
        across = left + (right - left) * math.log10(x) / x_top
        up = height * (math.log10(value) - low) / max(1, high - low)
        return round(across, 1), round(y + height - up, 1)

    for power in range(low, high + 1):
        level = place(1, 10.0**power)[1]
        parts.append(f'<line class="a" x1="{left}" x2="{right}" y1="{level}" y2="{level}"/>')
        parts.append(_text(8, level + 4, f"{10.0**power:,g}", "s"))
    for (label, line), colour in zip(lines.items(), (COLOURS[0], COLOURS[2]), strict=False):
        if not line:
            continue
        path = " ".join(f"{a},{b}" for a, b in (place(x, value) for x, value in line))
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for x, value in line:
            a, b = place(x, value)
            parts.append(f'<circle cx="{a}" cy="{b}" r="3" fill="{colour}"/>')
        a, b = place(*line[-1])
        parts.append(_text(min(a, right - 130), b - 9, f"{label}: {line[-1][1]:,.0f}"))
    for x in sorted({x for x, _ in points}):
        parts.append(_text(place(x, 10.0**low)[0] - 6, y + height + 16, f"{x:,.0f}", "s"))
    return parts, y + height + 30


def _text(x: float, y: float, words: str, kind: str = "") -> str:
    style = f' class="{kind}"' if kind else ""
    return f'<text x="{x}" y="{y}"{style}>{escape(words)}</text>'
