"""Geometry of the report's inline charts; the template draws them.

Lengths are user units of the SVG's view box: x right, y down, origin at the top left.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 320.0, 190.0
LEFT, RIGHT, TOP, BOTTOM = 54.0, 308.0, 10.0, 152.0  # plot area; the rest is for tick and axis labels


@dataclass(frozen=True)
class Chart:
    """One line chart: raw values and a light smoothing of them."""

    title: str
    y_label: str
    raw: str  # SVG path data, empty where there is nothing to draw
    smooth: str
    x_ticks: tuple[tuple[float, str], ...]  # (position, label)
    y_ticks: tuple[tuple[float, str], ...]
    summary: str  # the chart in words


@dataclass(frozen=True)
class Interval:
    """A change and its confidence interval on an axis from 0 to 100 whose middle is "no change"."""

    low: float
    change: float
    high: float


def line_chart(title: str, y_label: str, xs: Sequence[float], ys: Sequence[float | None]) -> Chart:
    """Chart of ``ys`` over ``xs``; ``None`` and numbers that are not finite leave a gap.

    Raises ``ValueError`` when the two differ in length.
    """
    if len(xs) != len(ys):
        raise ValueError(f"{title}: {len(xs)} positions for {len(ys)} values; pass one position per value")
    values = [y if y is not None and math.isfinite(y) else None for y in ys]
    present = [y for y in values if y is not None]
    if not present:
        return Chart(title, y_label, "", "", (), (), f"{title}: no iteration has a value")
    smoothed = smooth(values)
    x_low, x_high = _widened(min(xs), max(xs))
    y_low, y_high = _widened(min(present), max(present))
    y_low, y_high = y_low - 0.06 * (y_high - y_low), y_high + 0.06 * (y_high - y_low)

    def place_x(x: float) -> float:
        return LEFT + (x - x_low) / (x_high - x_low) * (RIGHT - LEFT)

    def place_y(y: float) -> float:
        return BOTTOM - (y - y_low) / (y_high - y_low) * (BOTTOM - TOP)

    def path(curve: Sequence[float | None]) -> str:
        return _path([(place_x(x), None if y is None else place_y(y)) for x, y in zip(xs, curve, strict=True)])

    kept = [y for y in smoothed if y is not None]
    return Chart(
        title,
        y_label,
        path(values),
        path(smoothed),
        tuple((place_x(t), label) for t, label in ticks(x_low, x_high, whole=True) if min(xs) <= t <= max(xs)),
        tuple((place_y(t), label) for t, label in ticks(y_low, y_high)),
        f"{title}: smoothed, from {kept[0]:.3g} to {kept[-1]:.3g}; "
        f"raw values lie between {min(present):.3g} and {max(present):.3g}",
    )


def smooth(values: Sequence[float | None]) -> list[float | None]:
    """Centred mean over about a tenth of the run; gaps stay gaps, and a neighbouring gap is not a zero."""
    half = max(1, len(values) // 20)
    out: list[float | None] = []
    for i, value in enumerate(values):
        near = [v for v in values[max(0, i - half) : i + half + 1] if v is not None]
        out.append(None if value is None else sum(near) / len(near))
    return out


def ticks(low: float, high: float, whole: bool = False) -> list[tuple[float, str]]:
    """Two to five round positions within ``[low, high]`` and their labels; ``whole`` keeps to integers."""
    rough = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough)
    if whole:
        step = max(1.0, round(step))
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [(k * step, f"{k * step:.{decimals}f}".replace("-", "−")) for k in range(first, last + 1)]


def interval(low: float, change: float, high: float) -> Interval:
    """Places a change and its 95 % interval; the scale is the row's own, since units differ between metrics."""
    scale = max(abs(low), abs(change), abs(high)) * 1.1 or 1.0
    return Interval(50 + 50 * low / scale, 50 + 50 * change / scale, 50 + 50 * high / scale)


def _widened(low: float, high: float) -> tuple[float, float]:
    """A range that has a width, so that a constant curve is drawn in the middle."""
    if high - low > 1e-9 * max(1.0, abs(low), abs(high)):
        return low, high
    margin = 0.5 * abs(low) or 0.5
    return low - margin, high + margin


def _path(points: Sequence[tuple[float, float | None]]) -> str:
    """Path data through the points that exist; a point between gaps becomes a short dash, or it would not show."""
    runs: list[list[str]] = [[]]
    for x, y in points:
        if y is None:
            runs.append([])
        else:
            runs[-1].append(f"{x:.1f} {y:.1f}")
    return "".join("M" + "L".join(run) if len(run) > 1 else f"M{run[0]}m-2 0h4" for run in runs if run)
