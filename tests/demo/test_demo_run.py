"""The demonstration as a whole: two nights, the right actions, and stars at their positions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from astropy.io import fits
from demonstration import Demo

from mvmdb.catalog.open import open_catalog
from mvmdb.demo.measure import measure_stars
from mvmdb.demo.run import run_demo
from mvmdb.demo.simulate import stars
from mvmdb.errors import UsageError
from mvmdb.schema import tables as t

pytestmark = pytest.mark.slow

CELLS = ("skycell-p0647x10y11", "skycell-p0647x11y11")


def product(demo: Demo, cell: str, layer: str) -> Path:
    (path,) = (demo.folder / "products" / cell).glob(f"hst_{cell}_{layer}_dr?.fits")
    return path


def test_stars_come_out_at_their_sky_positions_with_their_flux(demo: Demo) -> None:
    assert demo.code == 0
    products = sorted((demo.folder / "products").glob("*/*.fits"))
    assert len(products) == 10
    for path in products:
        check = measure_stars(path, stars())
        assert check.n >= 25, path.name
        assert check.offset.max() < 0.1, path.name
        assert np.abs(check.flux_error).max() < 0.01, path.name


def test_the_grism_exposure_stays_out(demo: Demo) -> None:
    assert any("idmo02g1 stays out" in line and "spectroscopic" in line for line in demo.story)
    for path in (demo.folder / "products").glob("*/*.fits"):
        with fits.open(path) as hdus:
            assert "idmo02g1" not in {name[:8] for name in hdus["HDRTAB"].data["ROOTNAME"]}


def test_all_other_exposures_are_members_of_both_sky_cells(demo: Demo) -> None:
    with open_catalog(str(demo.folder / "mvm.db"), read_only=True) as engine, engine.connect() as connection:
        query = sa.select(t.exposure.c.ipppssoo, t.skycell.c.name).select_from(
            t.membership.join(t.exposure, t.membership.c.exposure_id == t.exposure.c.id).join(
                t.skycell, t.membership.c.skycell_id == t.skycell.c.id
            )
        )
        pairs = {tuple(row) for row in connection.execute(query)}
        eligible = set(connection.scalars(sa.select(t.exposure.c.ipppssoo).where(t.exposure.c.eligible)))
    assert len(eligible) == 10
    assert {(exposure, cell) for exposure in eligible for cell in CELLS} <= pairs


def test_the_first_night_drizzles_and_the_second_adds_and_pads(demo: Demo) -> None:
    first, second = demo.nights
    assert "6 drizzled, 0 added to, 0 padded, 0 removed, 0 failed" in first
    assert "4 drizzled, 4 added to, 2 padded, 0 removed, 0 failed" in second
    assert "member-added (idmo02c1, idmo02c2)" in second
    assert "canvas-changed" in second


def test_both_chips_of_the_wfc_are_in_the_mosaic(demo: Demo) -> None:
    with fits.open(product(demo, CELLS[1], "acs_wfc_f814w_all")) as hdus:
        rows = {(row["ROOTNAME"][:8], row["EXTVER"]) for row in hdus["HDRTAB"].data}
    assert rows == {(root, chip) for root in ("jdmo01b1", "jdmo01b2") for chip in (1, 2)}


def test_cosmic_rays_are_removed_where_two_exposures_overlap(demo: Demo) -> None:
    """A hit has 40 electrons/s on average in one exposure; drizzled over 10 pixels, about 2 would remain."""
    with fits.open(product(demo, CELLS[1], "wfc3_ir_f125w_all")) as hdus:
        science, weight = hdus["SCI"].data, hdus["WHT"].data
        deep = weight > 0.5 * weight.max()  # three exposures or more
        sky = np.median(science[deep])
        bright = (science > sky + 1.0) & deep
        x, y = (np.rint(v).astype(int) for v in star_pixels(hdus["SCI"].header))
    for column, row in zip(x, y, strict=True):
        bright[max(0, row - 25) : max(0, row + 26), max(0, column - 25) : max(0, column + 26)] = False
    assert deep.sum() > 1e6
    assert bright.sum() == 0


def star_pixels(header: fits.Header) -> tuple[np.ndarray, np.ndarray]:
    """The stars' pixels by the tangent plane formula, 0-based: the mosaic's grid is not rotated or distorted."""
    catalog = stars()
    ra, dec = np.radians(catalog.ra - header["CRVAL1"]), np.radians(catalog.dec)
    dec0 = np.radians(header["CRVAL2"])
    depth = np.sin(dec0) * np.sin(dec) + np.cos(dec0) * np.cos(dec) * np.cos(ra)
    xi = np.degrees(np.cos(dec) * np.sin(ra) / depth)
    eta = np.degrees((np.cos(dec0) * np.sin(dec) - np.sin(dec0) * np.cos(dec) * np.cos(ra)) / depth)
    return header["CRPIX1"] - 1 - xi * 3600 / 0.04, header["CRPIX2"] - 1 + eta * 3600 / 0.04


def test_the_demo_refuses_a_folder_that_is_in_use(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        run_demo(tmp_path, [].append)
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]
