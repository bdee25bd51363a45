"""Mosaics of exposures with an alternate solution: pixels, skies, headers and digests follow it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from mosaic_field import DEC, RA, Field, Star, dithered, measure_star, refusal
from skyfield import misplace

from mvmdb.correction import Correction, digest_realigned, format_alternate
from mvmdb.mosaic.make import make_product
from mvmdb.mosaic.product.read import read_product
from mvmdb.records import LayerJob

STAR = Star(RA, DEC, 500.0)
CORRECTION = Correction(RA, DEC, -0.3, 0.21, -0.4)


def with_alternate(job: LayerJob, text: str) -> LayerJob:
    return replace(
        job,
        members=tuple(replace(m, alternate=text, wcs_digest=digest_realigned(m.wcs_digest, text)) for m in job.members),
    )


def test_a_misplaced_exposure_is_drizzled_where_its_alternate_puts_it(tmp_path: Path) -> None:
    field = Field(tmp_path)
    path = field.expose("aa", stars=[STAR], sky=0.0)
    misplace(path, 0.3, -0.21, 0.4)
    job = field.job([path])
    make_product(job)
    _, x, y = measure_star(Path(job.target), STAR)
    assert np.hypot(x, y) * 0.04 > 0.35
    corrected = with_alternate(job, format_alternate("gaia", CORRECTION))
    made = make_product(corrected)
    _, x, y = measure_star(Path(job.target), STAR)
    assert np.hypot(x, y) * 40 < 5  # milliarcsec
    (member,) = read_product(job.target).members
    assert member.wcsname == "IDC_w3m18525i alternate gaia"
    assert member.wcs_digest == corrected.members[0].wcs_digest != job.members[0].wcs_digest
    assert made.members == (member,)
    with fits.open(job.target) as hdus:
        assert hdus["HDRTAB"].data["WCSNAME"][0].strip() == "IDC_w3m18525i alternate gaia"


def test_skies_of_realigned_exposures_are_those_of_well_aligned_ones(tmp_path: Path) -> None:
    good, bad = Field(tmp_path / "good"), Field(tmp_path / "bad")
    paths = dithered(good, stars=[STAR]), dithered(bad, stars=[STAR])
    for path in paths[1]:
        misplace(path, 0.3, -0.21, 0.0)
    jobs = good.job(paths[0]), with_alternate(bad.job(paths[1]), f"gaia {replace(CORRECTION, roll=0.0)}")
    skies = [[member.sky for member in make_product(job).members] for job in jobs]
    assert skies[1] == pytest.approx(skies[0], rel=1e-4)


def test_a_file_that_was_realigned_since_is_refused(tmp_path: Path) -> None:
    field = Field(tmp_path)
    path = field.expose("aa", stars=[STAR])
    job = with_alternate(field.job([path]), format_alternate("gaia", CORRECTION))
    misplace(path, 0.3, -0.21, 0.4)
    assert "WCS digest" in refusal(job)
