"""What is exported, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Format = Literal["moc", "obscore", "ds9", "aladin", "geojson", "parquet"]
FORMATS: tuple[Format, ...] = get_args(Format)

Grouping = Literal["filter", "layer", "program", "instrument", "camera"]
GROUPINGS: tuple[Grouping, ...] = get_args(Grouping)

Dimensions = Literal["space", "time", "space-time"]
DIMENSIONS: tuple[Dimensions, ...] = get_args(Dimensions)


@dataclass(frozen=True, slots=True)
class Written:
    """One file: its `path`, the number of exposures (and mosaics) in it, and of those `left_out` as they lack a date.

    `area_arcmin2`: the area of a map of coverage; None for other formats and for maps of time alone.
    """

    path: str
    rows: int
    left_out: int = 0
    area_arcmin2: float | None = None
