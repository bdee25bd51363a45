"""The picture of the schema: complete, well formed, and no line runs through a table."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import sqlalchemy as sa

from mvmdb.schema import metadata
from mvmdb.schema.picture import draw_schema

SVG = "{http://www.w3.org/2000/svg}"


def drawn(tables: sa.MetaData) -> ElementTree.Element:
    return ElementTree.fromstring(draw_schema(tables))


def texts(picture: ElementTree.Element, style: str | None) -> list[str]:
    return [text.text or "" for text in picture.iter(f"{SVG}text") if text.get("class") == style]


def boxes(picture: ElementTree.Element) -> list[tuple[float, float, float, float]]:
    """(left, right, top, bottom) of each table."""
    found = [rect for rect in picture.iter(f"{SVG}rect") if rect.get("class") == "box"]
    sides = [tuple(float(rect.get(name) or "nan") for name in ("x", "width", "y", "height")) for rect in found]
    return [(x, x + width, y, y + height) for x, width, y, height in sides]


def segments(picture: ElementTree.Element) -> list[tuple[float, float, float, float]]:
    """(left, right, top, bottom) of each straight piece of each reference's line."""
    found = []
    for line in picture.iter(f"{SVG}path"):
        if line.get("class") == "line":
            x0, y0, middle, y1, x1 = map(float, re.findall(r"\d+", line.get("d") or ""))
            found += [
                (*sorted((x0, middle)), y0, y0),
                (middle, middle, *sorted((y0, y1))),
                (*sorted((middle, x1)), y1, y1),
            ]
    return found


def test_every_table_and_column_and_reference_is_drawn_once() -> None:
    picture = drawn(metadata)
    tables = list(metadata.tables.values())
    assert sorted(texts(picture, "head")) == sorted(table.name for table in tables)
    names = texts(picture, None)[:-3] + texts(picture, "key")  # the last three are the legend's
    assert sorted(names) == sorted(column.name for table in tables for column in table.columns)
    assert sorted(texts(picture, "key")) == sorted(c.name for table in tables for c in table.primary_key)
    lines = [line.findtext(f"{SVG}title") for line in picture.iter(f"{SVG}path") if line.get("class") == "line"]
    keys = [f"{key.parent} {key.target_fullname}" for table in tables for key in table.foreign_keys]
    assert sorted(map(str, lines)) == sorted(keys)


def test_no_line_passes_a_table_and_no_table_hides_another() -> None:
    picture = drawn(metadata)
    placed = boxes(picture)
    assert len(placed) == len(metadata.tables)
    for a, b, c, d in [*segments(picture), *placed]:
        hits = [box for box in placed if a < box[1] and b > box[0] and c < box[3] and d > box[2]]
        assert hits in ([], [(a, b, c, d)])
    width, height = float(picture.get("width") or 0), float(picture.get("height") or 0)
    assert all(0 <= a <= b <= width and 0 <= c <= d <= height for a, b, c, d in [*segments(picture), *placed])


def test_a_table_without_a_place_is_drawn_too() -> None:
    more = sa.MetaData()
    sa.Table("archive", more, sa.Column("key", sa.Text, primary_key=True))
    sa.Table("<new>", more, sa.Column("key", sa.ForeignKey("archive.key")))
    assert texts(drawn(more), "head") == ["archive", "<new>"]
