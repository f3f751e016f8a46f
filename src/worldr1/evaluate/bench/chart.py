"""The summary as a picture."""

from __future__ import annotations

from html import escape

from worldr1.evaluate.bench.catalogue import CASES, MIDDLE
from worldr1.evaluate.bench.demands import WEAK, Summary
from worldr1.evaluate.bench.table import names_of

_ROW, _LABEL, _BAR, _GAP = 15, 190, 170, 15
_COLOURS = {"oracle": "#3b6ea8", "estimated": "#d1793b", "classical": "#5b8c5a"}
_OTHER = "#777777"


def chart(summary: Summary) -> str:
    """An SVG: accuracy at middle severity by corruption and hack, a bar for each judge."""
    judges = list(summary)
    names = [*names_of(summary, "corruption"), *names_of(summary, "hack")]
    width, height = _LABEL + len(judges) * (_BAR + _GAP), 40 + _ROW * len(names)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
        ' font-family="sans-serif" font-size="10">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for column, judge in enumerate(judges):
        left = _LABEL + column * (_BAR + _GAP)
        colour = _COLOURS.get(judge, _OTHER)
        out.append(f'<text x="{left}" y="16" font-weight="bold" fill="{colour}">{escape(judge)}</text>')
        for share in (0.5, WEAK, 1.0):
            x = left + share * _BAR
            out.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="24" y2="{height - 12}" stroke="#ccc"/>')
            out.append(f'<text x="{x:.1f}" y="{height - 2}" text-anchor="middle" fill="#555">{share:g}</text>')
        for line, name in enumerate(names):
            value = summary[judge]["cases"][name]["severities"][MIDDLE]["value"]
            if value is not None:
                y = 26 + _ROW * line
                out.append(f'<rect x="{left}" y="{y}" width="{value * _BAR:.1f}" height="{_ROW - 5}" fill="{colour}"/>')
    for line, name in enumerate(names):
        label = escape(name) + (" †" if CASES[name].held_out else "")
        out.append(f'<text x="{_LABEL - 6}" y="{35 + _ROW * line}" text-anchor="end">{label}</text>')
    return "\n".join([*out, "</svg>", ""])
