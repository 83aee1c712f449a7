"""Parts of a self-contained HTML page: tables, line charts and pictures.

Every function escapes the texts that it is given. A page needs no script and
loads nothing.
"""

import base64
import html
import math
import os
from typing import Mapping, Sequence

COLOURS = ("#2563a8", "#c2410c", "#15803d", "#7e22ce", "#a16207", "#0e7490")
_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".gif": "image/gif"}
PICTURES = tuple(_TYPES)
NONE = "–"  # In place of a value that a run lacks.
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 340, 190, 64, 24, 10
_MOST_POINTS = 400
_STYLE = """
:root { color-scheme: light dark; --ink: #1b2430; --soft: #5c6773;
  --line: #dde2e8; --paper: #ffffff; --ground: #f5f6f8; --good: #15803d;
  --link: #2563a8; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ed;
  --soft: #a2acb8; --line: #38414c; --paper: #1d232b; --ground: #14181d;
  --good: #4ade80; --link: #7db4ec; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 76rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; }
h2 { font-size: 1.2rem; margin: 2.25rem 0 .75rem; }
h3 { font-size: 1rem; margin: 1.25rem 0 .5rem; }
p { margin: .25rem 0 .75rem; max-width: 48rem; }
a { color: var(--link); }
nav { display: flex; flex-wrap: wrap; gap: .25rem 1rem; }
.soft { color: var(--soft); font-size: .875rem; }
.card { background: var(--paper); border: 1px solid var(--line);
  border-radius: .5rem; padding: .75rem; overflow-x: auto; }
.grid { display: grid; gap: .75rem;
  grid-template-columns: repeat(auto-fill, minmax(min(20rem, 100%), 1fr)); }
.wide { grid-template-columns:
  repeat(auto-fit, minmax(min(26rem, 100%), 1fr)); }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .4rem .6rem;
  border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
tr:last-child td { border-bottom: 0; }
th { overflow-wrap: break-word; } th + th { min-width: 5rem; }
th:first-child { min-width: 8rem; }
@media (max-width: 32rem) { table { font-size: .8rem; }
  th, td { padding: .35rem .3rem; } .soft { font-size: .78rem; }
  th + th { min-width: 3.5rem; } }
code, pre { font: .85rem/1.5 ui-monospace, monospace; }
pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
td .soft { display: block; }
.number { white-space: nowrap; }
.best { font-weight: 700; color: var(--good); }
figure { margin: 0; } figcaption { margin-bottom: .4rem; }
img, svg { display: block; max-width: 100%; height: auto; }
img { background: #fff; border-radius: .25rem; margin: 0 auto; }
svg { width: 100%; } svg text { fill: var(--soft); font-size: 11px; }
.dot { display: inline-block; width: .7em; height: .7em; border-radius: 50%;
  margin-right: .4em; }
.legend span { margin-right: 1.25rem; white-space: nowrap; }
"""


def page(title: str, introduction: str, sections: Mapping[str, str]) -> str:
    """A whole page.

    Args:
        title: Its title, as text.
        introduction: Line below the title, as text.
        sections: Heading -> HTML; empty sections are left out.
    """
    found = {name: body for name, body in sections.items() if body}
    links = "".join(f'<a href="#s{i}">{text(name)}</a>'
                    for i, name in enumerate(found))
    bodies = "".join(f'<section id="s{i}"><h2>{text(name)}</h2>{body}</section>'
                     for i, (name, body) in enumerate(found.items()))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{text(title)}</title><style>{_STYLE}</style></head><body>"
        f"<main><h1>{text(title)}</h1><p>{text(introduction)}</p>"
        f"<nav>{links}</nav>{bodies}</main></body></html>\n")


def text(value: object) -> str:
    """A value as escaped text; floats with four digits."""
    if isinstance(value, float):
        value = f"{value:.4g}"
    elif isinstance(value, (tuple, list)):
        value = ", ".join(map(str, value))
    return html.escape(str(value))


def paragraph(value: str) -> str:
    """A paragraph of explanation."""
    return f'<p class="soft">{text(value)}</p>'


def code(lines: Sequence[str]) -> str:
    """Lines to copy, or a text as it is."""
    return f'<div class="card"><pre>{text(chr(10).join(lines))}</pre></div>'


def cell(value: object, note: str = "", is_best: bool = False) -> str:
    """Contents of a cell of `table`, with a note below in smaller type.

    Names break after underscores on a narrow screen.
    """
    found = text(value).replace("_", "_<wbr>")
    if isinstance(value, (int, float)):
        found = f'<span class="number">{found}</span>'
    if is_best:
        found = f'<span class="best">{found}</span>'
    return found + (
        f'<span class="soft">{text(note)}</span>' if note else "")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; it scrolls sideways on a narrow screen.

    Args:
        head: Texts of the first row.
        rows: Cells as HTML, by `cell` or `text`.
    """
    first = "".join(f"<th>{text(name)}</th>" for name in head)
    rest = "".join("<tr>" + "".join(f"<td>{part}</td>" for part in row)
                   + "</tr>" for row in rows)
    return (f'<div class="card"><table><thead><tr>{first}</tr></thead>'
            f"<tbody>{rest}</tbody></table></div>")


def legend(names: Sequence[str]) -> str:
    """Names beside the colours of their curves."""
    return '<p class="legend">' + "".join(
        f'<span><i class="dot" style="background:{_colour(i)}"></i>'
        f"{text(name)}</span>" for i, name in enumerate(names)) + "</p>"


def chart(title: str, curves: Sequence[Sequence[tuple[float, float]]]) -> str:
    """A line chart as inline SVG, one colour for each curve.

    Args:
        title: Caption.
        curves: Points (step, value) of each curve; values that are not finite
            are left out.

    Returns:
        HTML; "" if there is no point.
    """
    curves = [[(x, y) for x, y in curve if math.isfinite(y)]
              for curve in curves]
    points = [point for curve in curves for point in curve]
    if not points:
        return ""
    (left, right), (low, high) = (
        (min(values), max(values)) for values in zip(*points))
    if low == high:
        low, high = low - (abs(low) or 1) / 2, high + (abs(high) or 1) / 2

    def at(x, y):
        across = (x - left) / (right - left) if right > left else 0.5
        return (_LEFT + across * (_WIDTH - _LEFT - 12),
                _HEIGHT - _BOTTOM - (y - low) / (high - low)
                * (_HEIGHT - _BOTTOM - _TOP))
    parts = []
    for value in (low, (low + high) / 2, high):
        _, y = at(left, value)
        parts.append(f'<line x1="{_LEFT}" x2="{_WIDTH - 12}" y1="{y:.1f}" '
                     f'y2="{y:.1f}" stroke="currentColor" opacity=".15"/>'
                     f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" '
                     f'text-anchor="end">{value:.3g}</text>')
    for value, anchor in {left: "start", right: "end"}.items():
        x, _ = at(value, low)
        parts.append(f'<text x="{x:.1f}" y="{_HEIGHT - 6}" '
                     f'text-anchor="{anchor}">{value:g}</text>')
    for i, curve in enumerate(curves):
        every = -(-len(curve) // _MOST_POINTS) or 1
        places = [at(*point) for point in curve[::every]]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{line}" fill="none" stroke-width="1.6"'
                     f' stroke="{_colour(i)}"/>' + (
                         "" if len(places) > 20 else "".join(
                             f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.2" '
                             f'fill="{_colour(i)}"/>' for x, y in places)))
    return (f'<figure class="card"><figcaption>{text(title)}</figcaption>'
            f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
            f'aria-label="{text(title)}">{"".join(parts)}</svg></figure>')


def picture(path: str, caption: str) -> str:
    """A picture that is part of the page.

    Args:
        path: A file that ends with one of `PICTURES`.
        caption: Text above it.
    """
    kind = _TYPES[os.path.splitext(path)[1].lower()]
    with open(path, "rb") as file:
        content = base64.b64encode(file.read()).decode("ascii")
    return (f'<figure class="card"><figcaption>{text(caption)}</figcaption>'
            f'<img alt="{text(caption)}" src="data:{kind};base64,{content}">'
            "</figure>")


def grid(parts: Sequence[str], is_wide: bool = False) -> str:
    """Charts or pictures beside each other, as many as the screen has place
    for; "" if there is none."""
    found = "".join(parts)
    return found and (
        f'<div class="grid{" wide" if is_wide else ""}">{found}</div>')


def _colour(i):
    return COLOURS[i % len(COLOURS)]
