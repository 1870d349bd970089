"""Draws docs/processes.svg and docs/rooms.svg from the tables and imports: `python -m docs.diagrams [--check]`."""

from __future__ import annotations

import ast
import itertools
import re
import sys
import tomllib
from collections.abc import Sequence
from html import escape
from pathlib import Path

from streaming.schema.processes import FORWARD, PROCESSES, REVERSE, Process
from streaming.system.generated_pages import write_or_check

ROOT = Path(__file__).resolve().parents[1]
Point = tuple[float, float]
STYLE = """<style>
  text { font: 14px system-ui, "Segoe UI", "DejaVu Sans", sans-serif; fill: #263238; text-anchor: middle; }
  .small { font-size: 11px; fill: #546e7a; }
  .box { fill: #eceff1; stroke: #546e7a; stroke-width: 1.2; }
  .reverse { fill: #fbe9e7; }
  .other { fill: #fffde7; }
  .arrow { fill: none; stroke: #546e7a; stroke-width: 1.3; marker-end: url(#head); }
  .side { stroke-dasharray: 4 3; stroke: #bf360c; }
</style>
<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
  <path d="M0 0 8 4 0 8z" fill="#546e7a"/></marker></defs>
"""
BOX_W, BOX_H = 120, 46


def _svg(width: float, height: float, title: str, parts: list[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img">\n'
    back = f'<rect width="{width:g}" height="{height:g}" rx="6" fill="#fff"/>\n'
    return head + f"<title>{escape(title)}</title>\n" + STYLE + back + "\n".join(parts) + "\n</svg>\n"


def _box(at: Point, name: str, kind: str = "") -> str:
    x, y = at
    frame = f'x="{x - BOX_W / 2:g}" y="{y - BOX_H / 2:g}" width="{BOX_W}" height="{BOX_H}" rx="5"'
    return f'<rect class="box {kind}" {frame}/><text x="{x:g}" y="{y + 5:g}">{escape(name)}</text>'


def _line(start: Point, end: Point, bend: float = 0.0, kind: str = "") -> str:
    """An arrow from box to box, bent sideways by so many pixels."""
    (x0, y0), (x1, y1) = _edge(start, end, bend), _edge(end, start, bend)
    middle = ((x0 + x1) / 2, (y0 + y1) / 2 + bend)
    return f'<path class="arrow {kind}" d="M{x0:g} {y0:g} Q{middle[0]:g} {middle[1]:g} {x1:g} {y1:g}"/>'


def _edge(of: Point, towards: Point, bend: float) -> Point:
    """Where an arrow to or from `towards` meets the border of the box at `of`."""
    x, y = of
    if bend:
        return x + (18 if towards[0] > x else -18), y + (BOX_H / 2 if bend > 0 else -BOX_H / 2)
    if abs(towards[1] - y) < BOX_H:
        return x + (BOX_W / 2 if towards[0] > x else -BOX_W / 2), y
    return x, y + (BOX_H / 2 if towards[1] > y else -BOX_H / 2)


def processes_svg() -> str:
    """Every process of the table, and the topics between them."""
    publishing = [row for row in PROCESSES.values() if row.output]
    forward = [row for row in publishing if row.inputs and set(row.directions) == set(FORWARD)]
    reverse = [row for row in publishing if row.inputs and set(row.directions) == set(REVERSE)]
    sources = [row for row in publishing if row not in forward + reverse]
    readers = [row for row in PROCESSES.values() if not row.output]
    right = 100 + 170 * (max(len(forward), len(reverse)) - 1)
    at: dict[str, Point] = {row.name: (100 + 170 * i, 110) for i, row in enumerate(forward)}
    at |= {row.name: (right - 170 * i, 270) for i, row in enumerate(reverse)}
    at |= {row.name: (right - 340 - 170 * i, 410) for i, row in enumerate(sources)}
    at |= {row.name: (100, 480 + 60 * i) for i, row in enumerate(readers)}
    parts = [_box(at[row.name], row.name) for row in forward]
    parts += [_box(at[row.name], row.name, "reverse") for row in [*reverse, *sources]]
    for row in readers:
        x, y = at[row.name]
        place = f'style="text-anchor:start" x="{x + BOX_W / 2 + 12:g}" y="{y + 5:g}"'
        parts += [
            _box((x, y), row.name, "other"),
            f'<text class="small" {place}>reads {", ".join(row.inputs)}</text>',
        ]
    for row in publishing:
        parts += [_topic(at, topic, row, forward, reverse) for topic in row.inputs]
    parts.append('<text class="small" style="text-anchor:start" x="40" y="76">video to music</text>')
    parts.append(f'<text class="small" style="text-anchor:end" x="{right + 60}" y="314">music to video</text>')
    parts.append(f'<text class="small" x="{right / 2 + 50:g}" y="24">dashed: what is read beside the chain</text>')
    height = 460 + 60 * len(readers)
    return _svg(right + 100, height, "The processes and the topics between them", parts)


def _topic(at: dict[str, Point], topic: str, row: Process, forward: list[Process], reverse: list[Process]) -> str:
    chains = [[one.name for one in chain] for chain in (forward, reverse)]
    for chain in chains:
        if topic in chain and row.name in chain:
            steps = chain.index(row.name) - chain.index(topic)
            if steps == 1:
                return _line(at[topic], at[row.name])
            up = -40 - 12 * abs(steps) if chain is chains[0] else 40 + 12 * abs(steps)
            return _line(at[topic], at[row.name], up, "side")
    return _line(at[topic], at[row.name], 0, "side")


def _rooms() -> list[list[str]]:
    """The layers of the contract on streaming's rooms, from what runs down to the tables."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    contract = next(one for one in contracts if one.get("containers") == ["streaming"])
    return [re.split(r"\s*[|:]\s*", layer) for layer in contract["layers"]]


def room_imports() -> dict[str, set[str]]:
    """The rooms of streaming that each room imports from, read in the code."""
    imports: dict[str, set[str]] = {}
    for path in sorted((ROOT / "streaming").glob("*/**/*.py")):
        room = path.relative_to(ROOT / "streaming").parts[0]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module == "streaming":
                names += [f"streaming.{alias.name}" for alias in node.names]
            rooms = {name.split(".")[1] for name in names if name.startswith("streaming.")}
            imports.setdefault(room, set()).update(rooms - {room})
    return {room: {one for one in rooms if one in imports} for room, rooms in imports.items()}


def reduced(arrows: dict[str, set[str]]) -> dict[str, set[str]]:
    """The arrows without those that two or more others already say."""

    def reach(room: str) -> set[str]:
        return set().union(*({one} | reach(one) for one in arrows[room]))

    return {room: ends - set().union(*(reach(one) for one in ends)) for room, ends in arrows.items()}


def _hidden(at: dict[str, Point], arrows: list[tuple[str, str]]) -> int:
    """How many boxes lie on arrows that do not concern them."""
    count = 0
    for start, end in arrows:
        (x0, y0), (x1, y1) = at[start], at[end]
        for room, (x, y) in at.items():
            if room not in (start, end) and y0 < y < y1:
                count += abs(x0 + (x1 - x0) * (y - y0) / (y1 - y0) - x) < BOX_W / 2 + 8
    return count


def _crossings(at: dict[str, Point], arrows: list[tuple[str, str]]) -> int:
    """How many pairs of arrows between the same two layers cross."""
    count = 0
    for (a, b), (c, d) in itertools.combinations(arrows, 2):
        if at[a][1] == at[c][1] and at[b][1] == at[d][1]:
            count += (at[a][0] - at[c][0]) * (at[b][0] - at[d][0]) < 0
    return count


def rooms_svg() -> str:
    """The rooms of streaming by layer, in the order in which arrows hide least."""
    layers, width = _rooms(), 760.0
    names = {room for layer in layers for room in layer}
    imports = {room: ends & names for room, ends in room_imports().items() if room in names}
    arrows = [(room, end) for room, ends in sorted(reduced(imports).items()) for end in sorted(ends)]
    orders = itertools.product(*(list(itertools.permutations(layer)) for layer in layers))
    places = [
        {
            room: (width * (i + 1) / (len(layer) + 1), 50 + 92.0 * level)
            for level, layer in enumerate(order)
            for i, room in enumerate(layer)
        }
        for order in orders
    ]
    at = min(places, key=lambda place: (_hidden(place, arrows), _crossings(place, arrows)))
    parts = [_line(at[room], at[end]) for room, end in arrows] + [_box(place, room) for room, place in at.items()]
    return _svg(width, 92.0 * len(layers) + 10, "The rooms of streaming and their imports", parts)


PICTURES = {"processes.svg": processes_svg, "rooms.svg": rooms_svg}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the pictures, or with `--check` only compare them; returns the exit status."""
    return write_or_check("docs.diagrams", {ROOT / "docs" / name: draw for name, draw in PICTURES.items()}, arguments)


if __name__ == "__main__":
    sys.exit(main())
