"""Chart of an evaluation as SVG: figures over the threshold, and confidence against accuracy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

_SIDE, _LEFT, _TOP, _GAP = 320, 48, 40, 90
_LINES = (
    ("in_scope_accuracy", "in scope, right", "#0b6e4f"),
    ("out_of_scope_recall", "out of scope, refused", "#b3541e"),
    ("mcc", "Matthews correlation", "#3d4f9f"),
)


def draw_evaluation(result: Mapping[str, Any], title: str) -> str:
    """Draw the result of `evaluate_intents`; return the SVG text."""
    width, height = 2 * (_SIDE + _GAP), _SIDE + 130
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="sans-serif" font-size="12">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" fill="white"/>',
        _text(_LEFT, 22, title, size=15),
        *_curves(result["curve"], float(result["threshold"])),
        *_reliability(result["calibration"], float(result["ece"])),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _curves(curve: Sequence[Mapping[str, Any]], threshold: float) -> list[str]:
    parts = _axes(_LEFT, "threshold", "")
    place = _LEFT + threshold * _SIDE
    parts.append(
        f'<line x1="{place:.1f}" y1="{_TOP}" x2="{place:.1f}" y2="{_TOP + _SIDE}" '
        'stroke="#666" stroke-dasharray="4 3"/>'
    )
    parts.append(_text(place, _TOP - 4, f"automatic {threshold:.2f}", anchor="middle"))
    row = 0
    for key, name, colour in _LINES:
        points = [(point["threshold"], point[key]) for point in curve if point[key] is not None]
        if not points:
            continue
        path = " ".join(
            f"{_LEFT + x * _SIDE:.1f},{_TOP + (1 - max(y, 0.0)) * _SIDE:.1f}" for x, y in points
        )
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(_text(_LEFT, _TOP + _SIDE + 48 + 16 * row, "— " + name, colour=colour))
        row += 1
    return parts


def _reliability(bins: Sequence[Mapping[str, Any]], error: float) -> list[str]:
    left = _LEFT + _SIDE + _GAP
    parts = _axes(left, "confidence", "share that is right")
    bottom = _TOP + _SIDE
    parts.append(
        f'<line x1="{left}" y1="{bottom}" x2="{left + _SIDE}" y2="{_TOP}" '
        'stroke="#666" stroke-dasharray="4 3"/>'
    )
    most_rows = max((point["rows"] for point in bins), default=1)
    for point in bins:
        x = left + point["confidence"] * _SIDE
        y = _TOP + (1 - point["accuracy"]) * _SIDE
        radius = 3 + 9 * (point["rows"] / most_rows) ** 0.5
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="#3d4f9f" '
            f'fill-opacity="0.7"><title>{point["rows"]} rows</title></circle>'
        )
    parts.append(
        _text(left, bottom + 48, f"expected calibration error {error:.3f} (in scope); area: rows")
    )
    return parts


def _axes(left: int, below: str, beside: str) -> list[str]:
    bottom = _TOP + _SIDE
    parts = [
        f'<rect x="{left}" y="{_TOP}" width="{_SIDE}" height="{_SIDE}" fill="none" stroke="#999"/>'
    ]
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        x, y = left + tick * _SIDE, bottom - tick * _SIDE
        parts.append(f'<line x1="{left}" y1="{y}" x2="{left + _SIDE}" y2="{y}" stroke="#eee"/>')
        parts.append(_text(x, bottom + 15, f"{tick:g}", anchor="middle"))
        parts.append(_text(left - 6, y + 4, f"{tick:g}", anchor="end"))
    parts.append(_text(left + _SIDE, bottom + 30, below, anchor="end"))
    if beside:
        parts.append(_text(left, _TOP - 4, beside))
    return parts


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", colour: str = "#222", size: int = 12
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" '
        f'font-size="{size}">{escape(text)}</text>'
    )
