"""Infinite and NaN pixels without a flag: left out of mosaics, and told where an operator looks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from archive import CELL, FINE, Archive
from astropy.io import fits
from click.testing import CliRunner

from mvmdb.cli import commands
from mvmdb.console.render import reconcile_json, reconcile_words
from mvmdb.pollers.files import write_basic_poller
from mvmdb.process import process_poller
from mvmdb.records import Policy
from mvmdb.workers.processes import IN_THIS_PROCESS

FIVE = "5 pixels of SCI are infinite or NaN without a flag in DQ"


def odd_pixels() -> tuple[np.ndarray, np.ndarray]:
    """SCI and DQ with five pixels that are not finite and not flagged, and one that is flagged."""
    science = np.random.default_rng(1).normal(1.0, 0.1, (64, 64)).astype("f4")
    science[20, 20:23] = np.inf
    science[20, 23] = -np.inf
    science[40, 40] = science[41, 41] = np.nan
    dq = np.zeros((64, 64), np.int16)
    dq[41, 41] = 4
    return science, dq


def expose_odd(archive: Archive, **options: object) -> Path:
    science, dq = odd_pixels()
    return archive.expose(science=science, dq=dq, **options)


def warnings_of(archive: Archive) -> dict[str, str]:
    return dict(archive.rows("SELECT ipppssoo, warnings FROM exposure"))


def test_pixels_that_are_not_finite_are_told_by_the_report_the_catalog_and_explain(archive: Archive) -> None:
    expose_odd(archive)
    archive.expose("ib6o04twq", east=2)
    archive.ingest()
    assert warnings_of(archive) == {"ib6o04tu": "", "ib6o04tw": ""}, "ingest reads no pixels"
    report = archive.night().reconcile
    assert (report.drizzled, report.failed, report.warnings) == (2, 0, {"ib6o04tu": FIVE})
    assert f"warning: ib6o04tu: {FIVE}" in reconcile_words(report)
    assert reconcile_json(report)["warnings"] == {"ib6o04tu": FIVE}
    assert warnings_of(archive) == {"ib6o04tu": FIVE, "ib6o04tw": ""}
    said = CliRunner().invoke(commands, ["--db", archive.address, "explain", "ib6o04tu"]).output
    assert f"Warning: {FIVE}." in said


def test_pixels_that_are_not_finite_are_in_no_pixel_of_the_mosaic(archive: Archive) -> None:
    expose_odd(archive)
    archive.night()
    with fits.open(archive.products / CELL / f"{FINE}_drz.fits") as hdus:
        science, weight = hdus["SCI"].data, hdus["WHT"].data
    assert not np.isinf(science).any()
    assert np.isfinite(weight).all()
    assert (np.isnan(science) == (weight == 0)).all()


def test_a_member_that_is_added_is_told_of_too(archive: Archive) -> None:
    archive.use_hap()
    archive.expose("ib6o04twq", east=2)
    archive.expose("ib6o04tyq")
    archive.night()
    expose_odd(archive, east=1)
    report = archive.night().reconcile
    assert (report.added, report.warnings) == (2, {"ib6o04tu": FIVE})


def test_the_warning_stays_with_the_pixels_and_leaves_with_them(archive: Archive) -> None:
    path = expose_odd(archive, primary={"FGSLOCK": "GYROS"})
    archive.night()
    guided = "FGSLOCK is GYROS: the telescope may have drifted"
    assert warnings_of(archive) == {"ib6o04tu": f"{FIVE}; {guided}"}
    path.touch()
    archive.ingest()
    assert warnings_of(archive) == {"ib6o04tu": f"{FIVE}; {guided}"}
    archive.expose(primary={"FGSLOCK": "GYROS"})
    archive.ingest()
    assert warnings_of(archive) == {"ib6o04tu": guided}
    assert archive.night().reconcile.warnings == {}
    assert warnings_of(archive) == {"ib6o04tu": guided}


def test_mosaics_without_a_catalog_tell_of_them_too(archive: Archive, tmp_path: Path) -> None:
    expose_odd(archive)
    poller = archive.inbox / "basic.out"
    write_basic_poller(poller, ["ib6o04tuq_flt.fits"])
    report = process_poller(poller, tmp_path / "out", Policy(), workers=IN_THIS_PROCESS)
    assert (report.drizzled, report.warnings, report.refused) == (2, {"ib6o04tu": FIVE}, {})


def test_bands_count_each_pixel_once(archive: Archive) -> None:
    expose_odd(archive, shape=(64, 64))
    archive.expose("ib6o04twq", north=30)
    archive.ingest()
    words = ["reconcile", "-o", str(archive.products), "--jobs", "1", "--json", "--memory", "402"]
    done = CliRunner().invoke(commands, ["--db", archive.address, *words])
    assert json.loads(done.stdout)["warnings"] == {"ib6o04tu": FIVE}


def test_a_file_of_nothing_but_nan_is_refused(archive: Archive) -> None:
    archive.expose(science=np.full((64, 64), np.nan, "f4"))
    report = archive.night().reconcile
    assert (report.failed, report.warnings) == (0, {})
    assert "no good pixel of" in report.refused["ib6o04tu"]
