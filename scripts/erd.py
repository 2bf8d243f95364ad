"""Draw how the streams of each platform refer to each other, as SVG.

A stream is left of those that it refers to. Lines that go past other streams have places of their
own between the boxes, and lines to the same field share them.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from dictionary import Dictionary, Table, dictionaries

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tap_chat.platforms.platform import Join, Platform

FOLDER = Path(__file__).parent.parent / "docs" / "pictures"

# Lengths in pixels of the site's column, of which a picture takes the whole width.
ROW, HEAD, PAD = 17, 22, 8
GAP_X, GAP_Y, MARGIN = 34, 16, 6
#: The height of the place of a line between boxes.
LANE = 6
WIDTH_OF_LETTER, WIDTH_OF_TITLE = 6.2, 7.4
SWEEPS = 24

STYLE = """\
<style>
  text { font: 11px system-ui, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; fill: #24292f }
  .title { font-weight: 600; font-size: 12px }
  .key { font-weight: 600 }
  .box { fill: #ffffff; stroke: #8c959f }
  .head { fill: #eaeef2; stroke: none }
  .option { stroke-dasharray: 4 3 }
  .line { fill: none; stroke: #6e7781; stroke-width: 1.2 }
  .dot { fill: #6e7781 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .box { fill: #161b22; stroke: #7d8590 }
    .head { fill: #30363d }
    .line { stroke: #8b949e }
    .dot { fill: #8b949e }
  }
</style>"""


@dataclass
class Place:
    """A box, or the place of a line between boxes.

    Attributes:
        name: The name of its table; of a line, that of the table and field that it leads to.
        layer: Its column, counted from the left.
        rows: The fields that are shown; none for a line.
        table: The table; None for a line.
        x: Its left edge.
        y: Its upper edge.
        width: Its width.
    """

    name: str
    layer: int
    rows: Sequence[str] = ()
    table: Table | None = None
    x: float = 0
    y: float = 0
    width: float = 0

    @property
    def height(self) -> float:
        """Its height."""
        return HEAD + ROW * len(self.rows) + 5 if self.table else LANE

    def row(self, name: str) -> float:
        """Return the middle of a field's row; of a line, its own."""
        if not self.table:
            return self.y + LANE / 2
        return self.y + HEAD + ROW * (self.rows.index(name) + 0.5) + 1


@dataclass
class Drawing:
    """The boxes and lines of a picture.

    Attributes:
        places: The boxes, and the places of lines, by name.
        lines: The lines, each from a field of a place to a field of another, and whether the
            field on the left is the one that is referred to.
    """

    places: dict[str, Place] = field(default_factory=dict)
    lines: dict[tuple[str, str, str, str], bool] = field(default_factory=dict)


def file_name(platform: Platform) -> str:
    """Return the name of the picture of a platform."""
    return f"erd-{platform.page}.svg"


def pictures() -> dict[Path, str]:
    """Return the text that each picture should have."""
    return {
        FOLDER / file_name(dictionary.platform): picture(dictionary)
        for dictionary in dictionaries()
        if dictionary.platform.joins
    }


def picture(dictionary: Dictionary) -> str:
    """Return the picture of a platform."""
    prefix = f"{dictionary.platform.name}_"
    joins = dictionary.platform.joins
    layers = _layers(joins)
    drawing = Drawing()
    alone = []
    for table in dictionary.tables:
        place = Place(table.name, layers.get(table.name, 0), _rows(table, joins), table)
        place.width = (
            max(
                len(table.name.removeprefix(prefix)) * WIDTH_OF_TITLE,
                *(len(row) * WIDTH_OF_LETTER for row in place.rows),
            )
            + 2 * PAD
            + 4
        )
        if table.name in layers:
            drawing.places[table.name] = place
        else:
            alone.append(place)
    _add_lines(drawing, joins)
    width, height = _set_places(drawing)
    bottom = _set_alone(alone, width, height)
    drawing.places |= {place.name: place for place in alone}
    size = f'width="{width:.0f}" height="{bottom:.0f}" viewBox="0 0 {width:.0f} {bottom:.0f}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}>',
        f"<title>{escape(dictionary.platform.title)}: how the streams refer to each other</title>",
        STYLE,
        *_curves(drawing),
        *(part for place in drawing.places.values() for part in _box(place, prefix)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _rows(table: Table, joins: Sequence[Join]) -> list[str]:
    """Return the fields that a box shows: the key, and those of joins."""
    own = [name for join in joins if join.stream == table.name for name in join.fields]
    referred = [name for join in joins if join.to == table.name for name in join.fields.values()]
    names = {item.column: item.name for item in table.fields}
    return list(dict.fromkeys([*(names[key] for key in table.key), *referred, *own]))


def _layers(joins: Sequence[Join]) -> dict[str, int]:
    """Return the column of each table with a join; those that refer to no other are last."""
    targets: dict[str, list[str]] = defaultdict(list)
    for join in joins:
        if join.stream != join.to and not _reaches(targets, join.to, join.stream):
            targets[join.stream].append(join.to)
    depths: dict[str, int] = {}

    def depth(name: str) -> int:
        if name not in depths:
            depths[name] = max((depth(other) + 1 for other in targets[name]), default=0)
        return depths[name]

    names = dict.fromkeys(name for join in joins for name in (join.stream, join.to))
    deepest = max(depth(name) for name in names)
    return {name: deepest - depth(name) for name in names}


def _reaches(targets: Mapping[str, Sequence[str]], start: str, end: str) -> bool:
    return start == end or any(_reaches(targets, name, end) for name in targets.get(start, ()))


def _add_lines(drawing: Drawing, joins: Sequence[Join]) -> None:
    """Add the lines of joins, and their places between boxes."""
    for join in joins:
        for pair in join.fields.items():
            ends = [(join.stream, pair[0]), (join.to, pair[1])]
            is_back = drawing.places[join.stream].layer > drawing.places[join.to].layer
            (previous, shown), (end, other) = reversed(ends) if is_back else ends
            for layer in range(drawing.places[previous].layer + 1, drawing.places[end].layer):
                lane = f"{end}.{other} {layer}"
                drawing.places.setdefault(lane, Place(lane, layer))
                drawing.lines[previous, shown, lane, ""] = is_back
                previous, shown = lane, ""
            drawing.lines[previous, shown, end, other] = is_back


def _set_places(drawing: Drawing) -> tuple[float, float]:
    """Order the places within their columns, and return the width and height of all."""
    count = 1 + max(place.layer for place in drawing.places.values())
    columns = [[p for p in drawing.places.values() if p.layer == layer] for layer in range(count)]
    neighbours: dict[str, list[str]] = defaultdict(list)
    for start, _, end, _ in drawing.lines:
        neighbours[start].append(end)
        neighbours[end].append(start)
    best: tuple[int, list[list[Place]]] | None = None
    for sweep in range(SWEEPS):
        for layer in range(count) if sweep % 2 else reversed(range(count)):
            _stack(columns[layer])
            centers = {
                place.name: place.y + place.height / 2 for column in columns for place in column
            }
            columns[layer].sort(
                key=lambda place: _mean([centers[name] for name in neighbours[place.name]], place)
            )
            _stack(columns[layer])
        crossings = _crossings(drawing)
        if best is None or crossings < best[0]:
            best = crossings, [list(column) for column in columns]
    columns = best[1] if best else columns
    height = max(map(_stack, columns))
    x: float = MARGIN
    for column in columns:
        width = max(place.width for place in column)
        spare = (height - _stack(column)) / 2
        for place in column:
            place.x, place.y = x, place.y + spare
            place.width = width
        x += width + GAP_X
    return x - GAP_X + MARGIN, height + MARGIN


def _mean(values: Sequence[float], place: Place) -> float:
    return sum(values) / len(values) if values else place.y


def _stack(column: Sequence[Place]) -> float:
    """Set the upper edges of the places of a column, and return its height."""
    y: float = MARGIN
    for place in column:
        place.y = y
        y += place.height + GAP_Y
    return y - GAP_Y


def _crossings(drawing: Drawing) -> int:
    """Return how many pairs of lines cross between two columns."""
    lines: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for start, name, end, other in drawing.lines:
        begin, stop = drawing.places[start], drawing.places[end]
        if begin.layer != stop.layer:
            lines[begin.layer].append((begin.row(name), stop.row(other)))
    return sum(
        (a[0] - b[0]) * (a[1] - b[1]) < 0
        for group in lines.values()
        for index, a in enumerate(group)
        for b in group[:index]
    )


def _set_alone(places: Sequence[Place], width: float, y: float) -> float:
    """Set the boxes without lines below the others, and return the height of the picture."""
    x, tallest = float(MARGIN), 0.0
    y += GAP_Y
    for place in places:
        if x + place.width > width - MARGIN and tallest:
            x, y, tallest = float(MARGIN), y + tallest + GAP_Y, 0.0
        place.x, place.y = x, y
        x += place.width + GAP_Y
        tallest = max(tallest, place.height)
    return y + tallest + MARGIN if places else y - GAP_Y + MARGIN


def _curves(drawing: Drawing) -> Iterator[str]:
    for (start, name, end, other), is_back in drawing.lines.items():
        begin, stop = drawing.places[start], drawing.places[end]
        y, y_end = begin.row(name), stop.row(other)
        x = begin.x + begin.width
        if start == end:  # a table that refers to itself
            yield f'<path class="line" d="M{x:.1f} {y:.1f} h9 V{y_end:.1f} h-9"/>'
        else:
            half = (stop.x - x) / 2
            yield (
                f'<path class="line" d="M{x:.1f} {y:.1f} C{x + half:.1f} {y:.1f}'
                f' {stop.x - half:.1f} {y_end:.1f} {stop.x:.1f} {y_end:.1f}"/>'
            )
        if (begin if is_back else stop).table:
            at = x if is_back or start == end else stop.x
            yield f'<circle class="dot" cx="{at:.1f}" cy="{y if is_back else y_end:.1f}" r="2.6"/>'
        if not begin.table:
            yield f'<path class="line" d="M{begin.x:.1f} {y:.1f} H{x:.1f}"/>'


def _box(place: Place, prefix: str) -> Iterator[str]:
    if not place.table:
        return
    x, y, width = place.x, place.y, place.width
    option = " option" if place.table.option else ""
    shape = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" rx="4"'
    keys = {item.name for item in place.table.fields if item.column in place.table.key}
    yield f'<rect class="box{option}" {shape} height="{place.height:.1f}"/>'
    yield (
        f'<rect class="head" x="{x + 1:.1f}" y="{y + 1:.1f}" width="{width - 2:.1f}"'
        f' height="{HEAD - 2}" rx="3"/>'
    )
    title = escape(place.name.removeprefix(prefix))
    yield f'<text class="title" x="{x + PAD:.1f}" y="{y + 15:.1f}">{title}</text>'
    for row in place.rows:
        style = ' class="key"' if row in keys else ""
        yield f'<text{style} x="{x + PAD:.1f}" y="{place.row(row) + 4:.1f}">{escape(row)}</text>'


if __name__ == "__main__":
    for path, text in pictures().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
