"""Exposures and mosaics as a Parquet table: the columns of ObsCore, and bounds by which readers skip rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, BinaryIO

import numpy as np

from mvmdb.errors import UsageError
from mvmdb.formats.obscore import Row, complete_rows, describe_table, standard_columns
from mvmdb.formats.shapes import AT_ONCE, Outline, in_batches
from mvmdb.sky.sphere import FloatArray, sky_to_vector

BOUNDS = {
    "ra_min": "Least right ascension of the region; 0 if it crosses RA 0 or holds a pole",
    "ra_max": "Greatest right ascension of the region; 360 if it crosses RA 0 or holds a pole",
    "dec_min": "Least declination of the region",
    "dec_max": "Greatest declination of the region",
}
"""The columns after those of ObsCore, in degrees, with their meanings."""
_VERSION = {"IVOA.VOTable-Parquet.version": "1.0"}
"""The convention VOParquet 1.0 of the IVOA: the file's metadata hold a VOTable without data."""


def require_parquet() -> Any:
    """The library that writes Parquet. Raises UsageError, with the remedy, where it is not installed."""
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise UsageError("Parquet needs pyarrow, which is not installed; run: pip install 'mvmdb[tables]'") from error
    return pyarrow


def write_parquet(rows: Iterable[Row], file: BinaryIO) -> int:
    """Write a Parquet file with the rows that `complete_rows` takes, sorted as they are; returns their number.

    Each column's metadata have its unit, UCD, utype and meaning; the file's describe all columns as a VOTable does
    (VOParquet, which TOPCAT and astropy know).
    """
    pyarrow = require_parquet()
    schema = _schema(pyarrow)
    n = 0
    with pyarrow.parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        for batch in in_batches(complete_rows(rows), AT_ONCE):
            listed = [(*row, *_bounds(outline)) for row, outline in batch]
            columns = [list(values) for values in zip(*listed, strict=True)]
            arrays = [pyarrow.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
            writer.write_batch(pyarrow.record_batch(arrays, schema=schema))
            n += len(listed)
    return n


def _schema(pyarrow: Any) -> Any:
    kinds = {"char": pyarrow.string(), "int": pyarrow.int32(), "long": pyarrow.int64(), "double": pyarrow.float64()}
    fields = [
        pyarrow.field(
            column.name,
            kinds[column.kind],
            metadata={
                "unit": column.unit or "",
                "ucd": column.ucd,
                "utype": f"obscore:{column.utype}",
                "description": column.meaning,
            },
        )
        for column in standard_columns()
    ]
    fields += [
        pyarrow.field(name, pyarrow.float64(), metadata={"unit": "deg", "description": meaning})
        for name, meaning in BOUNDS.items()
    ]
    return pyarrow.schema(fields, metadata=_VERSION | {"IVOA.VOTable-Parquet.content": describe_table(BOUNDS)})


def _bounds(outline: Outline | None) -> tuple[float | None, ...]:
    """The bounds of an outline, its edges being great circles."""
    if outline is None:
        return None, None, None, None
    ra, dec = outline.vertices.T
    turn = (np.diff(ra, append=ra[0]) + 180.0) % 360.0 - 180.0
    low, high = _declinations(outline.vertices)
    if abs(turn.sum()) > 180.0:  # it holds a pole
        return (0.0, 360.0, low, 90.0) if dec.mean() > 0 else (0.0, 360.0, -90.0, high)
    if ra.max() - ra.min() > 180.0:
        return 0.0, 360.0, low, high
    return float(ra.min()), float(ra.max()), low, high


def _declinations(vertices: FloatArray) -> tuple[float, float]:
    """The least and the greatest declination of a polygon: of a vertex, or of the top of an edge (a great circle)."""
    start = sky_to_vector(vertices[:, 0], vertices[:, 1])
    end = np.roll(start, -1, axis=1)
    normal = np.cross(start, end, axis=0)
    length = np.linalg.norm(normal, axis=0)
    normal = normal / np.where(length > 0, length, 1.0)
    top = np.stack([-normal[0] * normal[2], -normal[1] * normal[2], 1.0 - normal[2] ** 2])
    low, high = float(vertices[:, 1].min()), float(vertices[:, 1].max())
    for point, sign in ((top, 1.0), (-top, -1.0)):
        ahead = np.einsum("ij,ij->j", np.cross(start, point, axis=0), normal)
        behind = np.einsum("ij,ij->j", np.cross(point, end, axis=0), normal)
        on_edge = (ahead > 0) & (behind > 0) & (length > 0)
        if on_edge.any():
            height = np.degrees(np.arccos(np.clip(np.abs(normal[2][on_edge]), -1, 1)))
            low, high = min(low, *(sign * height).tolist()), max(high, *(sign * height).tolist())
    return low, high
