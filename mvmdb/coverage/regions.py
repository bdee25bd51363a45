"""Regions of the sky that coverage is asked for, and the parts of footprints within them; areas are measured elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely

from mvmdb.errors import NameFormatError
from mvmdb.names import parse_cell_name
from mvmdb.sky.area import measure_area
from mvmdb.sky.footprints import Footprints, expand_ranges
from mvmdb.sky.region import format_region, normalize_polygon, parse_region
from mvmdb.sky.sphere import FloatArray, deproject, project, sky_to_vector, tangent_frame, vector_to_sky
from mvmdb.sky.tessellation import cell_corners

_FARTHEST = 0.2  # cosine of 78 degrees: farther off, no footprint meets a polygon of at most 30 degrees


@dataclass(frozen=True, slots=True)
class SkyRegion:
    """A part of the sky by its polygons, each (n, 2) in degrees and in normal form; `name` is what the user wrote."""

    name: str
    polygons: tuple[FloatArray, ...]

    @property
    def s_region(self) -> str:
        """The region as text: one POLYGON ICRS per polygon."""
        return format_region(self.polygons)

    def circles(self) -> list[tuple[float, float, float]]:
        """(ra, dec, radius) in degrees of a circle around each polygon."""
        circles = []
        for polygon in self.polygons:
            vector = sky_to_vector(polygon[:, 0], polygon[:, 1])
            centre = vector.sum(axis=1)
            centre /= np.linalg.norm(centre)
            chord = np.sqrt(((vector - centre[:, None]) ** 2).sum(axis=0)).max()
            ra, dec = vector_to_sky(centre)
            circles.append((float(ra), float(dec), float(np.rad2deg(2 * np.arcsin(chord / 2))) + 1e-9))
        return circles

    def area(self) -> float:
        """The area of the region in square arcmin, overlaps of its polygons counted once.

        A region may span projection cells, which have no common plane, so spherical_geometry measures it on the sphere.
        """
        from spherical_geometry.polygon import SphericalPolygon

        if len(self.polygons) == 1:
            return measure_area(self.s_region)
        shapes = [
            SphericalPolygon.from_radec(polygon[:, 0], polygon[:, 1], center=circle[:2])
            for polygon, circle in zip(self.polygons, self.circles(), strict=True)
        ]
        overlap = any(a.intersects_poly(b) for n, a in enumerate(shapes) for b in shapes[:n])
        union = SphericalPolygon.multi_union(shapes) if overlap else None
        if union is None:
            return sum(measure_area(format_region([polygon])) for polygon in self.polygons)
        return float(union.area()) * (180 * 60 / np.pi) ** 2


def read_sky_region(text: str) -> SkyRegion:
    """The region of a text: POLYGONs and CIRCLEs as S_REGION has them, or the name of a sky cell.

    Raises InputError for any other text.
    """
    try:
        cell = parse_cell_name(text)
    except NameFormatError:
        return SkyRegion(text, tuple(parse_region(text)))
    return SkyRegion(str(cell), (normalize_polygon(cell_corners(cell)),))


def clip(footprints: Footprints, regions: Sequence[SkyRegion]) -> Footprints:
    """The parts of footprints that lie within any of the regions; an exposure that has none there has no polygon.

    Exact: in the plane that touches the sky at a polygon's centre, great circles are straight. Parts in overlapping
    regions come twice, and are one outline where chips of one exposure are joined.
    """
    pieces: list[list[FloatArray]] = [[] for _ in range(footprints.n)]
    vectors = sky_to_vector(footprints.ra, footprints.dec)
    sizes = np.diff(footprints.polygon_start)
    for region in regions:
        for polygon, (ra, dec, _) in zip(region.polygons, region.circles(), strict=True):
            frame = tangent_frame(ra, dec)
            ours = shapely.make_valid(
                shapely.Polygon(np.column_stack(project(frame, sky_to_vector(polygon[:, 0], polygon[:, 1]))))
            )
            depth = np.minimum.reduceat(frame.centre @ vectors, footprints.polygon_start[:-1]) if len(sizes) else sizes
            near = np.flatnonzero(depth > _FARTHEST)
            vertices = expand_ranges(footprints.polygon_start[near], sizes[near])
            rings = shapely.linearrings(
                np.column_stack(project(frame, vectors[:, vertices])), indices=np.repeat(np.arange(len(near)), sizes[near])
            )
            shapely.prepare(ours)
            chips = shapely.polygons(rings)
            within = shapely.contains_properly(ours, chips)
            cut = np.flatnonzero(~within & shapely.intersects(ours, chips))
            chips[cut] = shapely.intersection(shapely.make_valid(chips[cut]), ours)
            for number in np.union1d(np.flatnonzero(within), cut).tolist():
                owner = int(footprints.owner[near[number]])
                pieces[owner] += [_to_sky(frame, part) for part in _polygons_of(chips[number])]
    return Footprints.from_polygons(pieces)


def _polygons_of(shape: shapely.Geometry) -> list[shapely.Geometry]:
    parts = shapely.get_parts(shapely.get_parts(shape))
    return [part for part in parts if shapely.get_dimensions(part) == 2]


def _to_sky(frame: object, part: shapely.Geometry) -> FloatArray:
    """The outline of a part, open; two outlines without holes meet in parts without holes."""
    xi, eta = shapely.get_coordinates(shapely.get_exterior_ring(part))[:-1].T
    return np.column_stack(vector_to_sky(deproject(frame, xi, eta)))  # type: ignore[arg-type]
