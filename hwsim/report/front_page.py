"""Pareto fronts as one page that needs no other file: an SVG whose points say what they are, and a table of each front.

matplotlib draws the SVG; every point that it drew becomes something that a mouse or a keyboard finds, with its
configuration as its name. A few lines of JavaScript show that name at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from io import StringIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from hwsim import __version__
from hwsim.report.files import write_whole
from hwsim.report.front import goal_cells, heading, label, listed, members, notes, nothing, value, varied
from hwsim.report.front_plot import FRONT, OTHERS, draw, drawn
from hwsim.report.records import Record
from hwsim.search.results.front import Front, Fronts, distinct

#: Drawn in place of the page's colour of text, which the page decides.
_INK = "#010203"

_SVG, _LINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"

#: Rows of a table; more would make the page large.
MOST_ROWS = 500

_STYLE = """
:root { color-scheme: light dark; --ink: #1f2933; --paper: #ffffff; --line: #d5dae0; --tip: #1f2933; --tip-ink: #fff; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e7eb; --paper: #14181d; --line: #3e4c59; --tip: #f5f7fa; --tip-ink: #14181d; }
}
body { color: var(--ink); background: var(--paper); font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto;
  max-width: 62rem; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.15rem; margin-top: 2.5rem; }
svg { width: 100%; height: auto; } svg text { font-family: inherit !important; }
.point { cursor: pointer; } .point:focus { outline: none; }
.point:hover, .point:focus { stroke: var(--ink) !important; stroke-width: 2.5px !important; opacity: 1 !important; }
.scroll, pre { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.9rem; } th, td { padding: 0.25rem 0.8rem; text-align: left;
  border-bottom: 1px solid var(--line); white-space: nowrap; } .number { text-align: right; }
#tip { position: absolute; display: none; background: var(--tip); color: var(--tip-ink); padding: 0.4rem 0.6rem;
  border-radius: 4px; font-size: 0.85rem; white-space: pre-line; pointer-events: none; max-width: 24rem; z-index: 1; }
"""

_SCRIPT = """
const tip = document.getElementById("tip");
const hide = () => { tip.style.display = "none"; };
const show = (event) => {
  const point = event.target.closest(".point");
  if (!point) { hide(); return; }
  tip.textContent = point.getAttribute("aria-label");
  tip.style.display = "block";
  const at = point.getBoundingClientRect();
  const left = Math.min(at.right + 8, document.documentElement.clientWidth - tip.offsetWidth - 8);
  const above = at.top > tip.offsetHeight + 8;
  tip.style.left = Math.max(8, left) + window.scrollX + "px";
  tip.style.top = (above ? at.top - tip.offsetHeight - 4 : at.bottom + 4) + window.scrollY + "px";
};
const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
const move = (event) => {
  if (event.key === "Escape") { hide(); return; }
  const point = event.target.closest(".point"), step = steps[event.key];
  if (!point || !step) { return; }
  const all = [...point.closest("svg").querySelectorAll(".point")].sort((a, b) => a.dataset.rank - b.dataset.rank);
  const next = all[all.indexOf(point) + step];
  event.preventDefault();
  if (next) { next.focus(); }
};
document.addEventListener("mouseover", show);
document.addEventListener("focusin", show);
document.addEventListener("focusout", hide);
document.addEventListener("keydown", move);
"""


def write_page(path: Path, fronts: Fronts) -> None:
    """Write the page.

    Raises:
        SpecError: the file cannot be written.
    """
    write_whole(path, lambda file: file.write_text(page(fronts), encoding="utf-8"))


def page(fronts: Fronts) -> str:
    """All of the page."""
    name = str(fronts.points.space.get("name") or fronts.points.path.name)
    goals = listed([label(goal.name) for goal in fronts.goals])
    about = f"Pareto fronts of {name}: {goals}"
    missing = [f"<p>{escape(line)}</p>" for line in nothing(fronts) if line]
    sections = "\n".join([*(_section(fronts, front) for front in fronts.fronts), *missing])
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="hwsim {escape(__version__)}">
<title>{escape(about)}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{escape(about)}</h1>
<p>Point at a design, or reach the picture with Tab and go on with the arrow keys, to see what it is.</p>
{sections}
<div id="tip" aria-hidden="true"></div>
<script>{_SCRIPT}</script>
</body>
</html>
"""


def _section(fronts: Fronts, front: Front) -> str:
    shown = [_figure(fronts, front), _table(fronts, front)] if len(front.designs) else []
    said = [f"<p>{escape(line)}</p>" if line == line.lstrip() else _command(line) for line in notes(fronts, front)]
    return "\n".join(["<section>", f"<h2>{escape(heading(fronts, front))}</h2>", *shown, *said, "</section>"])


def _command(line: str) -> str:
    return f"<pre>{escape(line.strip())}</pre>"


def _table(fronts: Fronts, front: Front) -> str:
    """The front, equal designs once."""
    rows = distinct(front, fronts.goals)[:MOST_ROWS]
    varying = varied(front)
    several = any(count > 1 for _, count in rows)
    heads = [("members", ""), *((label(name), "") for name in varying)]
    heads += [(label(goal.name), "number") for goal in fronts.goals] + [("equal", "number")] * several
    body = []
    for row, count in rows:
        texts = [members(row), *(value(name, row[name]) for name in varying)]
        cells = [(text, "") for text in texts] + [(text, "number") for text in goal_cells(fronts, row)]
        body.append(_row("td", cells + [(f"{count:,}", "number")] * several))
    return f'<div class="scroll"><table>\n<thead>{_row("th", heads)}</thead>\n' + "\n".join(body) + "\n</table></div>"


def _row(tag: str, cells: Sequence[tuple[str, str]]) -> str:
    own = (f"<{tag}{f' class={kind}' if kind else ''}>{escape(text)}</{tag}>" for text, kind in cells)
    return f"<tr>{''.join(own)}</tr>"


def _figure(fronts: Fronts, front: Front) -> str:
    """The picture as SVG, its points named."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    look: Any = {"svg.fonttype": "none", "svg.hashsalt": heading(fronts, front), "font.size": 11}
    inked = ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color", "grid.color")
    with rc_context(look | dict.fromkeys(inked, _INK) | {"axes.facecolor": "none"}):
        figure = Figure(figsize=(9.5, 5.6), layout="constrained")
        draw(figure, fronts, front)
        written = StringIO()
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _LINK)  # which pages know by this name only
    root = ElementTree.fromstring(written.getvalue())
    for metadata in root.findall(f"{{{_SVG}}}metadata"):
        root.remove(metadata)
    groups = drawn(fronts, front)
    x, y = (goal.name for goal in fronts.goals[:2])
    order = sorted((row[x], row[y], group, i) for group, own in enumerate(groups) for i, (row, _) in enumerate(own))
    ranks = {(group, i): rank for rank, (*_, group, i) in enumerate(order)}
    for group, (name, own) in enumerate(zip((FRONT, OTHERS), groups, strict=True)):
        _name(root, name, [(tip(fronts, front, row, count), ranks[group, i]) for i, (row, count) in enumerate(own)])
    root.set("role", "group")
    root.set("aria-label", heading(fronts, front))
    return ElementTree.tostring(root, encoding="unicode").replace(_INK, "currentColor")


def _name(root: ElementTree.Element, group: str, names: Sequence[tuple[str, int]]) -> None:
    """Give the points that were drawn under a name what they are; the first of the front is where Tab arrives."""
    inside = root.findall(f".//*[@id='{group}']/*")
    marks = [mark for child in inside if child.tag != f"{{{_SVG}}}defs" for mark in _leaves(child)]
    for number, (mark, (name, rank)) in enumerate(zip(marks, names, strict=True)):
        mark.set("class", "point")
        mark.set("role", "img")
        mark.set("aria-label", name)
        mark.set("data-rank", str(rank))
        mark.set("tabindex", "0" if group == FRONT and not number else "-1")


def _leaves(element: ElementTree.Element) -> list[ElementTree.Element]:
    """What is drawn: many marks are uses of one path, few are paths themselves."""
    kinds = (f"{{{_SVG}}}use", f"{{{_SVG}}}path")
    return [child for child in element.iter() if child.tag in kinds]


def tip(fronts: Fronts, front: Front, row: Record, count: int = 1) -> str:
    """What a point says of itself."""
    options = (f"{label(name)} {value(name, row[name])}" for name in varied(front))
    cells = goal_cells(fronts, row)
    goals = (f"{label(goal.name)}: {cell}" for goal, cell in zip(fronts.goals, cells, strict=True))
    more = [f"and {count - 1:,} more here"] * (count > 1)
    return "\n".join([members(row), ", ".join(options), *goals, *more])
