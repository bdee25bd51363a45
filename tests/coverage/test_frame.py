"""Maps in the grids of mosaics, judged pixel by pixel with astropy's WCS and half-spaces."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from skypoints import chip, depths_at, vectors

from mvmdb.coverage import frame
from mvmdb.coverage.frame_file import write_exposure_map
from mvmdb.coverage.values import COLUMNS, columns_of
from mvmdb.names import CellId
from mvmdb.records import Canvas
from mvmdb.sky.region import format_region, normalize_polygon
from mvmdb.sky.tessellation import cell_wcs

CELL = CellId(1889, 7, 19)


def layer(scale, canvas):
    ra, dec = cell_wcs(CELL).all_pix2world((canvas.x_min + canvas.x_max) / 2, (canvas.y_min + canvas.y_max) / 2, 1)
    polygons = [[chip(float(ra), float(dec), 4.0, 2.0, 40 * n, n, s) for s in (-1.1, 1.1)] for n in range(5)]
    rows = []
    for n, chips in enumerate(polygons):
        region = format_region([normalize_polygon(p) for p in chips])
        row = dict.fromkeys(COLUMNS, "x") | {"id": n, "ipppssoo": f"ib6o04t{n}", "proposal_id": 1, "s_region": region}
        row |= {"exptime": 100.1 + n, "expstart": 55000.0, "expend": 55000.1, "astrometric_catalog": None}
        rows.append([row[name] for name in COLUMNS])
    return frame.FramedLayer("hst_x_all", CELL, scale, canvas, columns_of(rows)), polygons


@pytest.mark.parametrize("scale", ["fine", "coarse"])
def test_each_pixel_has_the_exposures_that_contain_its_centre(scale, tmp_path, monkeypatch):
    monkeypatch.setattr(frame, "_PIXELS_AT_ONCE", 5000)
    framed, polygons = layer(scale, Canvas(9000, 9180, 4000, 4140))
    paths = write_exposure_map(tmp_path, framed)
    with fits.open(paths[0]) as files:
        rows, columns = files["EXPTIME"].data.shape
        assert (rows, columns) == framed.shape == files["NEXP"].data.shape
        y, x = np.mgrid[:rows, :columns]
        ra, dec = WCS(files["NEXP"].header).all_pix2world(x.ravel(), y.ravel(), 0)
        number, seconds = depths_at(vectors(ra, dec), polygons, framed.exposures.exptime)
        assert np.array_equal(files["NEXP"].data.ravel(), number)
        assert files["EXPTIME"].data.ravel() == pytest.approx(seconds, rel=1e-6)
        assert files["EXPTIME"].header["BUNIT"] == "s"
    table = Table.read(paths[1])
    assert table["n_pixels"].sum() == number.sum()
    assert table["exptime"].unit == "s"
    assert table.meta["scale"] == scale


def test_a_footprint_that_reaches_beyond_the_canvas_is_cut():
    framed, _ = layer("fine", Canvas(9000, 9180, 4000, 4140))
    small = frame.FramedLayer("hst_x_all", CELL, "fine", Canvas(9080, 9100, 4060, 4075), framed.exposures)
    whole = np.concatenate([band.n_exposures for band in frame.iterate_bands(framed)])
    part = np.concatenate([band.n_exposures for band in frame.iterate_bands(small)])
    assert np.array_equal(part, whole[60:76, 80:101])
