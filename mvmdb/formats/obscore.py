"""Exposures and mosaics as a VOTable of ObsCore 1.1, with exact outlines; the view `obscore` has them in plain SQL.

In the VOTable, `s_region` is one simple polygon for each exposure and mosaic (shapes.py), and `s_fov` the diameter of
the circle around it; a mosaic is at the centre of its canvas. All else is as in the view.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, BinaryIO, Literal
from urllib.parse import quote
from xml.sax.saxutils import escape

from mvmdb.formats.shapes import AT_ONCE, Outline, canvas_outline, in_batches, join_outlines
from mvmdb.names import parse_cell_name
from mvmdb.records import Canvas
from mvmdb.sky.region import format_region

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class StandardColumn:
    """A mandatory column as ObsCore 1.1 defines it (appendix B): `kind` is its type in a VOTable."""

    name: str
    kind: Literal["char", "int", "long", "double"]
    unit: str | None
    utype: str
    ucd: str
    meaning: str


@cache
def standard_columns() -> tuple[StandardColumn, ...]:
    """The mandatory columns, in the order of the view; the facts are in obscore.csv."""
    with files("mvmdb.formats").joinpath("obscore.csv").open(encoding="ascii") as table:
        return tuple(
            StandardColumn(row["name"], row["kind"], row["unit"] or None, row["utype"], row["ucd"], row["meaning"])  # type: ignore[arg-type]
            for row in csv.DictReader(table)
        )


_WIDE = "target_name"
"""The column whose texts are a person's, so not always ASCII."""


@cache
def _places() -> dict[str, int]:
    return {column.name: n for n, column in enumerate(standard_columns())}


def complete_rows(rows: Iterable[Row]) -> Iterator[tuple[Row, Outline | None]]:
    """Each row of ObsCore with its exact geometry, and the outline itself; None where there is no footprint.

    `rows` have the columns of the view, then a footprint, or a sky cell and the bounds of a canvas.
    """
    width = len(standard_columns())
    for batch in in_batches(rows, AT_ONCE):
        footprints = join_outlines([row[width] or "" for row in batch])
        for row, footprint in zip(batch, footprints, strict=True):
            skycell, *bounds = row[width + 1 :]
            is_mosaic = skycell is not None
            outline = canvas_outline(parse_cell_name(skycell), Canvas(*bounds)) if is_mosaic else footprint
            yield _complete(row[:width], outline, is_mosaic=is_mosaic), outline


def write_votable(rows: Iterable[Row], file: BinaryIO) -> int:
    """Write a VOTable with the rows that `complete_rows` takes; returns their number."""
    before, end, after = describe_table().rpartition("</TABLE>")
    text = io.TextIOWrapper(file, encoding="utf-8", newline="\n")
    text.write(f"{before.rstrip()}\n<DATA>\n<TABLEDATA>\n")
    n = 0
    for row, _ in complete_rows(rows):
        text.write("<TR>" + "".join(f"<TD>{_cell(value)}</TD>" for value in row) + "</TR>\n")
        n += 1
    text.write(f"</TABLEDATA>\n</DATA>\n{end}{after}")
    text.flush()
    text.detach()
    return n


def _complete(row: Row, outline: Outline | None, *, is_mosaic: bool) -> Row:
    values, place = list(row), _places()
    url = values[place["access_url"]]
    if url is not None and not url.isascii():
        values[place["access_url"]] = quote(url, safe="%/:?#[]@!$&'()*+,;=~")
    if outline is not None:
        values[place["s_region"]] = format_region([outline.vertices])
        values[place["s_fov"]] = round(outline.fov, 9)
        if is_mosaic:
            values[place["s_ra"]], values[place["s_dec"]] = round(outline.ra, 9), round(outline.dec, 9)
    return tuple(values)


def describe_table(added: Mapping[str, str] | None = None) -> str:
    """A VOTable without data, as astropy writes it.

    It has the columns of ObsCore, then those `added` (names and meanings), in degrees.
    """
    from astropy.io.votable.tree import CooSys, Field, Info, Resource, TableElement, VOTableFile

    votable = VOTableFile(version="1.4")
    resource = Resource(name="obscore", type="results")
    votable.resources.append(resource)
    resource.infos.append(Info(name="QUERY_STATUS", value="OK"))  # DALI wants it of results
    resource.coordinate_systems.append(CooSys(ID="icrs", system="ICRS"))
    table = TableElement(votable, name="obscore", ID="obscore")
    table.description = "Exposures and mosaics of Hubble, as ObsCore 1.1 describes observations"
    resource.tables.append(table)
    table.fields.extend(_field(votable, Field, column) for column in standard_columns())
    for name, meaning in (added or {}).items():
        field = Field(votable, name=name, ID=name, datatype="double", unit="deg", ref="icrs")
        field.description = meaning
        table.fields.append(field)
    table.create_arrays(0)
    written = io.BytesIO()
    votable.to_xml(written)
    return written.getvalue().decode()


def _field(votable: Any, field: Any, column: StandardColumn) -> Any:
    text = column.kind == "char"
    kind = "unicodeChar" if column.name == _WIDE else column.kind
    made = field(
        votable,
        name=column.name,
        ID=column.name,
        datatype=kind,
        arraysize="*" if text else None,
        unit=column.unit,
        ucd=column.ucd,
        utype=f"obscore:{column.utype}",
        xtype="adql:REGION" if column.name == "s_region" else None,
        ref="icrs" if column.name in ("s_ra", "s_dec", "s_region") else None,
    )
    made.description = column.meaning
    return made


def _cell(value: Any) -> str:
    """A value as XML has it; empty for null. Characters that XML cannot hold become question marks."""
    if value is None:
        return ""
    if isinstance(value, str):
        return escape("".join(c if c >= " " and c not in "\ufffe\uffff" else "?" for c in value))
    return repr(value)
