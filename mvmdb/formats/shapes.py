"""Footprints as other programs take them: chip by chip, or as one simple polygon per exposure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mvmdb.names import CellId
from mvmdb.records import Canvas
from mvmdb.sky.depth import join_chips
from mvmdb.sky.footprints import Footprints
from mvmdb.sky.region import normalize_polygon
from mvmdb.sky.sphere import FloatArray, deproject, project, sky_to_vector, tangent_frame, vector_to_sky
from mvmdb.sky.tessellation import STEP, plane_to_sky

T = TypeVar("T")

MOST_VERTICES = 100
"""Vertices of a joined outline at most: the extension q3c of PostgreSQL takes no more."""
GAP = 4.0
"""Arcsec: chips that lie nearer than this to each other are joined; the chips of ACS/WFC are 2.5 arcsec apart."""
AT_ONCE = 5000
"""Exposures whose shapes are computed together: memory does not grow with their number."""
_TOLERANCES = (0.01, 0.05, 0.25, 1.0)  # arcsec: how far a vertex may be from the outline that leaves it out
_MITRE = 5.0
_ARCSEC = float(np.rad2deg(1.0)) * 3600.0


@dataclass(frozen=True, slots=True)
class Outline:
    """One simple polygon around an exposure: `vertices` (n, 2), ra and dec in degrees, counter-clockwise on the sky.

    `ra`, `dec`: its centre, and `fov`: the diameter of the smallest circle around it; in degrees.
    """

    vertices: FloatArray
    ra: float
    dec: float
    fov: float


def in_batches(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of `size` values, and what is left over."""
    source = iter(values)
    while batch := list(islice(source, size)):
        yield batch


def chips_of(regions: Sequence[str]) -> Iterator[list[FloatArray]]:
    """The polygons (n, 2) of each footprint that the catalog holds, in degrees."""
    for first in range(0, len(regions), AT_ONCE):
        footprints = Footprints.from_regions([str(text) for text in regions[first : first + AT_ONCE]])
        vertices = np.column_stack([footprints.ra, footprints.dec])
        polygons = np.split(vertices, footprints.polygon_start[1:-1]) if len(footprints.owner) else []
        ends = np.searchsorted(footprints.owner, np.arange(footprints.n), side="right")
        start = 0
        for end in ends.tolist():
            yield polygons[start:end]
            start = end


def join_outlines(regions: Sequence[str]) -> Iterator[Outline | None]:
    """One outline for each footprint that the catalog holds; None for an empty one.

    The outline of one simple polygon of at most MOST_VERTICES vertices is that polygon. Chips that are nearer to each
    other than GAP are joined, and the gap between them with them; if this does not give one polygon, it is the convex
    hull of all. Vertices are then left out that lie 0.01 arcsec from the outline without them, or more (up to 1) where
    there are too many.
    """
    for first in range(0, len(regions), AT_ONCE):
        yield from _join([str(text) for text in regions[first : first + AT_ONCE]])


def canvas_outline(cell: CellId, canvas: Canvas) -> Outline:
    """The rectangle of a mosaic: the edges of the canvas' fine pixels, which are great circles."""
    x = (cell.x - 1) * STEP + np.array([canvas.x_min - 0.5, canvas.x_max + 0.5] * 2)[[0, 1, 3, 2]]
    y = (cell.y - 1) * STEP + np.array([canvas.y_min - 0.5] * 2 + [canvas.y_max + 0.5] * 2)
    vertices = normalize_polygon(np.column_stack(plane_to_sky(cell.projection_cell, x, y)))
    ra, dec = plane_to_sky(cell.projection_cell, x.mean(), y.mean())
    corner = sky_to_vector(vertices[:, 0], vertices[:, 1])
    chord = np.sqrt(((corner - sky_to_vector(ra, dec)[:, None]) ** 2).sum(axis=0).max())
    return Outline(vertices, float(ra), float(dec), float(np.degrees(4 * np.arcsin(chord / 2))))


def _join(regions: Sequence[str]) -> list[Outline | None]:
    import shapely

    footprints = Footprints.from_regions(regions)
    owner_of_vertex = np.repeat(footprints.owner, np.diff(footprints.polygon_start))
    centers = footprints.centers()
    frame = tangent_frame(*vector_to_sky(centers))
    axes = type(frame)(*(axis[:, owner_of_vertex] for axis in frame))
    plane = np.column_stack(project(axes, sky_to_vector(footprints.ra, footprints.dec))) * _ARCSEC
    shapes = join_chips(plane, footprints.polygon_start, footprints.owner, footprints.n)
    joined, alike = _unite(shapes)
    diameters = 2 * shapely.minimum_bounding_radius(joined) / 3600
    counts = np.bincount(footprints.owner, minlength=footprints.n)
    starts = np.concatenate([[0], np.cumsum(counts)])
    found: list[Outline | None] = []
    ra, dec = vector_to_sky(centers)
    for n in range(footprints.n):
        if counts[n] == 0:
            found.append(None)
            continue
        own = type(frame)(*(axis[:, n] for axis in frame))
        if alike[n] and counts[n] == 1:
            part = slice(footprints.polygon_start[starts[n]], footprints.polygon_start[starts[n] + 1])
            vertices = np.column_stack([footprints.ra[part], footprints.dec[part]])
        else:
            vertices = _on_sky(own, shapely.get_coordinates(shapely.get_exterior_ring(joined[n]))[:-1])
        found.append(Outline(vertices, float(ra[n]), float(dec[n]), float(diameters[n])))
    return found


def _on_sky(frame: object, plane: FloatArray) -> FloatArray:
    xi, eta = plane.T / _ARCSEC
    return normalize_polygon(np.column_stack(vector_to_sky(deproject(frame, xi, eta))))  # type: ignore[arg-type]


def _unite(shapes: NDArray[np.object_]) -> tuple[NDArray[np.object_], NDArray[np.bool_]]:
    """One polygon without holes for each geometry, in arcsec; and which of them are the geometry itself."""
    import shapely

    parts = shapely.get_num_geometries(shapes)
    first = shapely.get_geometry(shapes, 0)
    small = shapely.get_num_coordinates(first) <= MOST_VERTICES + 1
    alike = (parts == 1) & (shapely.get_num_interior_rings(first) == 0) & small
    joined = np.where(alike, first, shapes)
    rest = np.flatnonzero(~alike & (parts > 0))
    if len(rest):
        style = {"join_style": "mitre", "mitre_limit": _MITRE}
        closed = shapely.buffer(shapely.buffer(shapes[rest], GAP / 2, **style), -GAP / 2, **style)
        lone = shapely.get_type_id(closed) == shapely.GeometryType.POLYGON
        lone &= ~shapely.is_empty(closed)
        single = np.where(lone, shapely.polygons(shapely.get_exterior_ring(np.where(lone, closed, None))), None)
        joined[rest] = _thin(np.where(lone, single, shapely.convex_hull(shapes[rest])))
    return joined, alike


def _thin(polygons: NDArray[np.object_]) -> NDArray[np.object_]:
    """The polygons with as many vertices as are needed, and MOST_VERTICES at most."""
    import shapely

    for tolerance in _TOLERANCES:
        thinner = shapely.simplify(polygons, tolerance, preserve_topology=True)
        many = shapely.get_num_coordinates(polygons) > MOST_VERTICES + 1
        change = many | (tolerance == _TOLERANCES[0])
        polygons = np.where(change, thinner, polygons)
    many = shapely.get_num_coordinates(polygons) > MOST_VERTICES + 1
    return np.where(many, shapely.minimum_rotated_rectangle(polygons), polygons)
