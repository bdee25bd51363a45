"""An independent judge of coverage: points spread evenly over the sky, and half-spaces; no plane and no line."""

from __future__ import annotations

import healpy
import numpy as np
import shapely

from mvmdb.sky.footprints import Footprints

ARCMIN2 = (180 * 60 / np.pi) ** 2
PLACES = {
    "plain": (52.7, -27.8),
    "RA 0": (0.0, 12.0),
    "pole": (77.0, 90.0),
    "south pole": (200.0, -89.98),
    "corner of the cube": (45.0, 35.2644),
    "edge of the cube": (45.0, 3.0),
    "across projection cells": (56.3, -27.9),
}
"""Positions where something special could happen."""


def vectors(ra, dec):
    a, d = np.deg2rad(np.asarray(ra)), np.deg2rad(np.asarray(dec))
    return np.stack([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)], axis=-1)


def chip(ra, dec, width, height, roll, east=0.0, north=0.0):
    """The corners (4, 2) in degrees of a chip of this size (arcsec), turned, whose middle is offset before it is."""
    t = np.deg2rad(roll)
    x = np.deg2rad((np.array([-1, -1, 1, 1]) * width / 2 + east) / 3600)
    y = np.deg2rad((np.array([-1, 1, 1, -1]) * height / 2 + north) / 3600)
    xi, eta = x * np.cos(t) + y * np.sin(t), y * np.cos(t) - x * np.sin(t)
    a, d = np.deg2rad([ra, dec])
    e, n = np.array([-np.sin(a), np.cos(a), 0]), np.array([-np.sin(d) * np.cos(a), -np.sin(d) * np.sin(a), np.cos(d)])
    v = vectors(ra, dec) + xi[:, None] * e + eta[:, None] * n
    return np.column_stack(
        [np.rad2deg(np.arctan2(v[:, 1], v[:, 0])) % 360, np.rad2deg(np.arctan2(v[:, 2], np.hypot(v[:, 0], v[:, 1])))]
    )


def field(place, n, seed=1, spread=60.0):
    """`n` exposures of two chips with a gap, or of one, around a position: polygons, footprints and seconds."""
    rng = np.random.default_rng(seed)
    ra, dec = PLACES[place]
    polygons = []
    for _ in range(n):
        east, north, roll = *rng.normal(0, spread, 2), rng.uniform(0, 360)
        middle = chip(ra, dec, 1e-3, 1e-3, 0.0, east, north).mean(axis=0) if abs(dec) < 89 else (ra, dec)
        if rng.random() < 0.6:
            sizes = (200, 100, roll, 0.0, -51.5), (200, 100, roll, 0.0, 51.5)
        else:
            sizes = ((136, 123, roll, 0.0, 0.0),)
        polygons.append([chip(*middle, w, h, r, e + east * (abs(dec) >= 89), m) for w, h, r, e, m in sizes])
    return polygons, Footprints.from_polygons(polygons), np.round(rng.uniform(100, 900, n), 1)


def inside(points, polygon):
    """Which points (m, 3) are in a convex polygon (k, 2): on the same side of every edge."""
    corners = vectors(*polygon.T)
    side = np.stack([points @ np.cross(a, b) for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True)])
    return ((side >= 0).all(axis=0) | (side <= 0).all(axis=0)) & (points @ corners.mean(axis=0) > 0)


def sample(place, radius=340.0, nside=1 << 16):
    """Points (m, 3) of HEALPix around a position, and the area of each in square arcmin; 3.2 arcsec apart."""
    pixels = healpy.query_disc(nside, vectors(*PLACES[place]), np.deg2rad(radius / 3600), nest=True)
    return np.stack(healpy.pix2vec(nside, pixels, nest=True), axis=-1), healpy.nside2pixarea(nside) * ARCMIN2


def depths_at(points, polygons, exptime, chosen=None):
    """Number of exposures and seconds at each point."""
    number, seconds = np.zeros(len(points), int), np.zeros(len(points))
    for i, chips in enumerate(polygons):
        if chosen is None or chosen[i]:
            hit = np.any([inside(points, polygon) for polygon in chips], axis=0)
            number[hit] += 1
            seconds[hit] += exptime[i]
    return number, seconds


def union_in_plane(place, polygons):
    """The area in square arcmin of the union of all chips, by shapely in the plane that touches the sky at a place.

    Within 10 arcmin of it, the plane is right to 2e-5.
    """
    ra, dec = np.deg2rad(PLACES[place])
    east = np.array([-np.sin(ra), np.cos(ra), 0])
    north = np.array([-np.sin(dec) * np.cos(ra), -np.sin(dec) * np.sin(ra), np.cos(dec)])
    shapes = []
    for polygon in (polygon for chips in polygons for polygon in chips):
        v = vectors(*polygon.T)
        depth = v @ vectors(*PLACES[place])
        shapes.append(shapely.Polygon(np.column_stack([v @ east / depth, v @ north / depth])))
    return float(shapely.union_all(shapes).area) * ARCMIN2
