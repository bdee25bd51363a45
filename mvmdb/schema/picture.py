"""The schema as a picture: a box for each table, a line for each reference; what they hold is decided in tables.py."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import Any

from sqlalchemy import Column, MetaData, Table

# References run between neighbours, so no line has to pass a box. A table without a place goes below the first column.
_PLACES = (
    ("dataset", "quarantine", "archive"),
    ("exposure",),
    ("membership", "layer_member", "recipe"),
    ("skycell", "layer"),
    ("product", "product_member"),
)
_WIDTH, _GUTTER, _MARGIN, _ROW, _HEAD, _BELOW, _LEGEND = 214, 44, 26, 17, 24, 26, 30
_LANE = 9
_STYLE = (
    "text{font:12px 'DejaVu Sans Mono',Menlo,Consolas,monospace;fill:#1b2733}"
    ".head{font-weight:bold;fill:#fff}.key{font-weight:bold}.type{fill:#6b7a88;text-anchor:end}"
    ".box{fill:#fff;stroke:#2f5d8a}.bar{fill:#2f5d8a}.dot{fill:#b5541c;stroke:#b5541c}"
    ".ring{fill:none;stroke:#b5541c}.line{fill:none;stroke:#b5541c}.tip{fill:#b5541c}"
)


@dataclass(frozen=True, slots=True)
class _Box:
    """One table in its place: `place` is its column of the picture, `x` and `y` its upper left corner in pixels."""

    table: Table
    place: int
    x: int
    y: int

    @property
    def height(self) -> int:
        return _HEAD + _ROW * len(self.table.columns) + 4

    def row(self, name: str) -> int:
        """The height at which a line meets the row of this column."""
        return self.y + _HEAD + _ROW * list(self.table.columns.keys()).index(name) + _ROW // 2 + 2


def draw_schema(metadata: MetaData) -> str:
    """The tables, their columns with types, and their references, as SVG text; the same for the same tables.

    A filled mark is a primary key (or a part of it), an open one a reference; `?` is a column that may be null.
    """
    boxes = _lay_out(metadata)
    width = 2 * _MARGIN + len(_PLACES) * _WIDTH + (len(_PLACES) - 1) * _GUTTER
    height = max(box.y + box.height for box in boxes.values()) + _LEGEND + _MARGIN
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">',
        f"<title>Tables of the catalog</title><style>{_STYLE}</style>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for box in boxes.values():
        lines += _draw_box(box)
    lines += _draw_references(boxes)
    lines += _draw_legend(height - _MARGIN)
    return "\n".join([*lines, "</svg>", ""])


def name_type(column: Column[Any]) -> str:
    """The type of a column in one word, `text` for text of either kind of comparison."""
    return column.type.__class__.__name__.replace("CaselessText", "Text").lower()


def _lay_out(metadata: MetaData) -> dict[str, _Box]:
    placed = {name for names in _PLACES for name in names}
    rest = sorted(name for name in metadata.tables if name not in placed)
    boxes: dict[str, _Box] = {}
    for place, names in enumerate(((*_PLACES[0], *rest), *_PLACES[1:])):
        y = _MARGIN
        for name in names:
            if name in metadata.tables:
                box = _Box(metadata.tables[name], place, _MARGIN + place * (_WIDTH + _GUTTER), y)
                boxes[name] = box
                y += box.height + _BELOW
    return boxes


def _draw_box(box: _Box) -> Iterable[str]:
    yield f'<rect class="box" x="{box.x}" y="{box.y}" width="{_WIDTH}" height="{box.height}" rx="3"/>'
    yield f'<rect class="bar" x="{box.x}" y="{box.y}" width="{_WIDTH}" height="{_HEAD - 3}" rx="3"/>'
    yield f'<text class="head" x="{box.x + 8}" y="{box.y + 15}">{escape(box.table.name)}</text>'
    for column in box.table.columns:
        y = box.row(column.name)
        if column.primary_key:
            yield f'<circle class="dot" cx="{box.x + 9}" cy="{y}" r="3"/>'
        elif column.foreign_keys:
            yield f'<circle class="ring" cx="{box.x + 9}" cy="{y}" r="3"/>'
        style = ' class="key"' if column.primary_key else ""
        kind = name_type(column) + ("?" if column.nullable else "")
        yield f'<text{style} x="{box.x + 18}" y="{y + 4}">{escape(column.name)}</text>'
        yield f'<text class="type" x="{box.x + _WIDTH - 8}" y="{y + 4}">{escape(kind)}</text>'


def _draw_references(boxes: dict[str, _Box]) -> Iterable[str]:
    lanes: dict[int, int] = {}  # how many lines each gutter holds already; gutter n is right of column n
    for source in boxes.values():
        for column in source.table.columns:
            for key in sorted(column.foreign_keys, key=lambda key: key.target_fullname):
                target = boxes[key.column.table.name]
                leftward = target.place < source.place
                gutter = source.place - 1 if leftward else source.place
                lane = lanes[gutter] = lanes.get(gutter, -1) + 1
                middle = _MARGIN + gutter * (_WIDTH + _GUTTER) + _WIDTH + 14 + _LANE * lane
                start = source.x + (0 if leftward else _WIDTH), source.row(column.name)
                end = target.x + (0 if target.place > source.place else _WIDTH), target.row(key.column.name)
                yield from _draw_line(start, middle, end, f"{source.table.name}.{column.name} {key.target_fullname}")


def _draw_line(start: tuple[int, int], middle: int, end: tuple[int, int], what: str) -> Iterable[str]:
    """From a row to the key that it refers to, with a tip at the key."""
    (x0, y0), (x1, y1) = start, end
    back = 7 if middle > x1 else -7
    yield f'<path class="line" d="M{x0} {y0}H{middle}V{y1}H{x1}"><title>{escape(what)}</title></path>'
    yield f'<path class="tip" d="M{x1} {y1}L{x1 + back} {y1 - 4}V{y1 + 4}Z"/>'


def _draw_legend(y: int) -> Iterable[str]:
    x = _MARGIN
    yield f'<circle class="dot" cx="{x + 9}" cy="{y}" r="3"/><text x="{x + 18}" y="{y + 4}">key</text>'
    yield f'<circle class="ring" cx="{x + 69}" cy="{y}" r="3"/><text x="{x + 78}" y="{y + 4}">reference</text>'
    yield f'<text x="{x + 166}" y="{y + 4}">? may be null</text>'
