"""Reference catalogs are read from tables of every format, and moved as astropy moves them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table
from astropy.time import Time
from skyfield import SkyField

from mvmdb.alignment.reference import read_reference
from mvmdb.errors import InputError


@pytest.mark.parametrize(
    ("name", "options"),
    [("a.csv", {}), ("a.ecsv", {}), ("a.vot", {"format": "votable"}), ("a.fits", {}), ("a.parquet", {})],
)
def test_every_format_gives_the_same_stars(tmp_path: Path, name: str, options: dict[str, str]) -> None:
    stars = SkyField(n=20, motion=5.0).stars()
    del stars["rate"]
    stars["RA"] = stars.pop("ra")
    Table(stars).write(tmp_path / name, **options)
    reference = read_reference(tmp_path / name)
    for column, values in (("ra", stars["RA"]), ("dec", stars["dec"]), ("pmra", stars["pmra"])):
        assert np.allclose(getattr(reference, column), values, atol=1e-12), column
    assert (reference.name, len(reference.digest)) == (name, 32)


def test_proper_motions_are_those_of_astropy(tmp_path: Path) -> None:
    field = SkyField(n=50, motion=300.0)
    reference = read_reference(field.write_reference(tmp_path / "stars.csv"))
    then = Time(50000.0, format="mjd")
    stars = SkyCoord(
        reference.ra * u.deg, reference.dec * u.deg, pm_ra_cosdec=reference.pmra * u.mas / u.yr,
        pm_dec=reference.pmdec * u.mas / u.yr, distance=1e6 * u.pc, obstime=Time(reference.epoch, format="jyear"),
    )  # fmt: skip
    moved = SkyCoord(*reference.at(then.mjd), unit="deg")
    assert moved.separation(stars.apply_space_motion(new_obstime=then)).mas.max() < 0.1
    assert reference.at(None)[0] is reference.ra


def test_what_a_table_lacks_is_said(tmp_path: Path) -> None:
    path = tmp_path / "stars.csv"
    for text, message in (
        ("x,y\n1,2\n", "has no column for ra, dec: its columns are x, y; expected one of: ra: ra, raj2000"),
        ("ra,dec,pmra,pmdec\n1,2,3,4\n", "has no column for epoch"),
        ("ra,dec\n,\nabc,95\n", "has 2 rows and no star with ra and dec in degrees"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            read_reference(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_reference(tmp_path / "absent.csv")


def test_rows_without_positions_or_dates_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "stars.csv"
    path.write_text("ra,dec,pmra,pmdec,epoch\n1,2,,,\n1,2,3,4,\n1,,3,4,2016\n-1,2,3,4,2016\n")
    reference = read_reference(path)
    assert reference.ra.tolist() == [1.0, 359.0]
    assert reference.around(0.0, 2.0, 4000.0).ra.tolist() == [1.0, 359.0]
    assert len(reference.around(180.0, 2.0, 4000.0)) == 0
