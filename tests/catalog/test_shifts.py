"""Shifts of pairs are kept while they hold, told of, and followed by members and positions if that is asked for."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from archive import CELL, CENTER, FINE, Archive, call
from click.testing import CliRunner
from databases import ON_SQLITE
from fitsfiles import set_keywords
from skyfield import Shot, SkyField, misplace

import mvmdb
from mvmdb.catalog.configure import initialise
from mvmdb.catalog.open import open_catalog
from mvmdb.catalog.shifts.places import KEPT
from mvmdb.cli import commands
from mvmdb.errors import UsageError
from mvmdb.process import process_poller
from mvmdb.reconcile import shifts
from mvmdb.reconcile.layer_jobs import Options
from mvmdb.reconcile.shifts import ShiftSurvey
from mvmdb.records import Frames, Policy
from mvmdb.workers.processes import IN_THIS_PROCESS

pytestmark = pytest.mark.slow

FIELD = SkyField(n=40, side=36.0, seed=8, center=CENTER)
PIXEL = 0.12825  # arcsec, of WFC3/IR
WRONG = (0.1, -0.05)
"""arcsec: how far the header of one exposure is off, 0.87 pixels."""
SHOTS = (Shot("aa"), Shot("bb", 4, 3), Shot("cc", -3, 2, *WRONG), Shot("dd", 2, -4), Shot("ee", -1, -2))
GAIA = {"wcsname": "IDC_w3m18525i-FIT_SVM_GAIAeDR3"}


def expose(archive: Archive, shots: Sequence[Shot] = SHOTS, **options: object) -> None:
    for shot in shots:
        FIELD.expose(archive.inbox, shot, shape=(200, 200), **options)


@pytest.fixture
def made(archive: Archive) -> Archive:
    """An archive of five exposures, of which one lies elsewhere, and its mosaics."""
    expose(archive)
    archive.night()
    assert not archive.reasons()
    return archive


def set_frames(archive: Archive, frames: Frames) -> None:
    mvmdb.open(archive.address).configure(frames=frames)


def pairs(archive: Archive, columns: str = "dx, dy") -> dict[tuple[str, str], tuple[float, ...]]:
    rows = archive.rows(
        f"SELECT a.ipppssoo, b.ipppssoo, {columns} FROM shift_pair p JOIN exposure a ON a.id = p.first_id "
        "JOIN exposure b ON b.id = p.second_id ORDER BY 1, 2"
    )
    return {(row[0], row[1]): row[2:] for row in rows}


def members(archive: Archive) -> list[str]:
    return [name for (name,) in archive.rows(
        "SELECT ipppssoo FROM exposure e JOIN layer_member m ON m.exposure_id = e.id JOIN layer l ON l.id = m.layer_id "
        f"WHERE l.name = '{FINE}' ORDER BY ipppssoo"
    )]  # fmt: skip


def test_each_pair_is_measured_once_and_again_when_it_does_not_hold(
    made: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = pairs(made)
    assert len(found) == 10
    for names, shift in found.items():
        right = WRONG if names[1] == "ib6o04cc" else (-WRONG[0], -WRONG[1]) if names[0] == "ib6o04cc" else (0.0, 0.0)
        assert shift == pytest.approx(right, abs=0.05 * 0.128)
    measured = []
    really = shifts.measure_overlaps
    monkeypatch.setattr(
        shifts, "measure_overlaps", lambda overlaps, workers: measured.extend(overlaps) or really(overlaps, workers)
    )
    made.reconcile(full=True)
    assert not measured
    misplace(made.inbox / "ib6o04bbq_flt.fits", 0.0, 0.2, 0.0)
    made.night()
    assert {one.names for one in measured} == {names for names in found if "ib6o04bb" in names}
    assert pairs(made)["ib6o04aa", "ib6o04bb"] == pytest.approx((0.0, 0.2), abs=0.05 * 0.128)
    measured.clear()
    made.night()
    assert not measured


def test_status_report_explain_and_views_tell_of_members_that_do_not_agree(made: Archive) -> None:
    words = call(made, "status").output
    assert "warning: 2 layers: members do not lie together, which smears sources; worst: " in words
    assert "(ib6o04cc by 11" in words
    assert "frame none; 0." in words
    found = json.loads(call(made, "status", "--json").stdout)["astrometry"]
    assert (found["misaligned_layers"], found["mixed_layers"]) == (2, 0)
    (worst,) = found["farthest"]
    (apart,) = worst["apart"]
    assert (worst["layer"], apart["exposure"], apart["frame"]) == (FINE, "ib6o04cc", "none")
    assert apart["pixels"] == pytest.approx(np.hypot(*WRONG) / 0.12825, abs=0.05)
    ((area, overlap),) = made.rows(
        f"SELECT area_arcmin2, (SELECT max(overlap_arcmin2) FROM misaligned WHERE layer = '{FINE}') FROM layer "
        f"WHERE name = '{FINE}'"
    )
    assert overlap < worst["apart_arcmin2"] < area
    assert made.rows(f"SELECT first, second FROM misaligned WHERE layer = '{FINE}' ORDER BY 1, 2") == [
        names for names in pairs(made) if "ib6o04cc" in names
    ]
    text = call(made, "explain", FINE).output
    assert "Warning: its members do not lie together; two are 0.8" in text
    assert "ib6o04cc lies 11" in text
    assert "By shifts against 4 overlapping exposures" in call(made, "explain", "ib6o04cc").output
    listed = call(made, "astrometry", "--apart", "--csv").stdout.splitlines()
    assert listed[0] == "layer,n_exposures,frames,apart_pixels,apart_pairs,area_arcmin2"
    assert {line.split(",")[0] for line in listed[1:]} == {FINE, FINE.replace("_all", "_coarse-all")}
    assert {line.split(",")[-2] for line in listed[1:]} == {"4"}
    table = mvmdb.open(made.address).search("exposures", apart=True, columns=["ipppssoo"])
    assert len(table) == 5
    assert call(made, "astrometry", "--csv").stdout.splitlines()[1:] == []


@ON_SQLITE
def test_the_report_of_a_night_tells_of_the_layers_that_it_made(archive: Archive) -> None:
    expose(archive)
    report = archive.folder / "night.html"
    words = (str(archive.inbox), "-o", str(archive.products), "--executor", "serial", "--report", str(report))
    done = call(archive, "nightly", *words)
    assert "warning: 2 layers made: members do not lie together" in done.output
    page = report.read_text()
    assert "2 of the layers made, 2 in all: members do not lie together" in page
    assert "Members apart" in page
    assert "ib6o04cc by 11" in page


def test_align_corrects_shifts_and_leaves_inputs_alone(made: Archive) -> None:
    before = {path: path.read_bytes() for path in made.inbox.iterdir()}
    set_frames(made, "align")
    assert {reason for found in made.reasons().values() for reason in found} == {("member-realigned", "ib6o04cc")}
    assert not made.reconcile().failed
    assert not made.reasons()
    assert max(left for (left,) in pairs(made, "left_pixels").values()) < 0.1
    assert members(made) == [f"ib6o04{shot.name}" for shot in SHOTS]
    errors = FIELD.errors_in(next(made.products.glob(f"{CELL}/*_f125w_all_drz.fits")))
    assert np.hypot(*np.median(errors, axis=0)) < 5
    assert {path: path.read_bytes() for path in made.inbox.iterdir()} == before
    text = call(made, "explain", "ib6o04cc").output
    assert "As frames are to be aligned, layers move it by -" in text
    assert "Layers use its alternate solved: " in text
    assert "The alternate solution solved places ib6o04cc of them." in call(made, "explain", FINE).output
    assert "do not lie together" not in call(made, "status").output
    assert call(made, "verify", "--deep").exit_code == 0
    stamps = made.product_files()
    made.night()  # nothing new: what was decided stays
    assert made.product_files() == stamps
    set_frames(made, "any")
    assert {reason for found in made.reasons().values() for reason in found} == {("member-realigned", "ib6o04cc")}
    assert {row.frame for row in map(made.exposure, members(made))} == {"none"}


@ON_SQLITE
@pytest.mark.parametrize("frames", ["agree", "align"])
def test_the_first_night_measures_decides_and_drizzles_once(archive: Archive, frames: Frames) -> None:
    expose(archive)
    initialise(archive.address, frames=frames)
    report = archive.night()
    assert report.reconcile.drizzled == 2
    assert not archive.reasons()
    others = [f"ib6o04{shot.name}" for shot in SHOTS if shot.name != "cc"]
    assert members(archive) == (others if frames == "agree" else sorted([*others, "ib6o04cc"]))
    stamps = archive.product_files()
    assert not archive.night().reconcile.layers
    assert archive.product_files() == stamps


@ON_SQLITE
@pytest.mark.parametrize("frames", ["agree", "align"])
def test_any_order_of_nights_ends_alike(archive: Archive, frames: Frames) -> None:
    """The exposure that lies elsewhere comes first, with another one: until others come, neither is right."""
    initialise(archive.address, frames=frames)
    for some in (SHOTS[2:3], SHOTS[:1], SHOTS[1:2], SHOTS[3:]):
        expose(archive, some)
        archive.night()
        assert not archive.reasons()
    others = [f"ib6o04{shot.name}" for shot in SHOTS if shot.name != "cc"]
    assert members(archive) == (others if frames == "agree" else sorted([*others, "ib6o04cc"]))
    if frames == "align":
        assert max(left for (left,) in pairs(archive, "left_pixels").values()) < 0.1
        rows = archive.rows("SELECT ipppssoo, move_dx, move_dy, pixel FROM placement")
        assert {name for name, dx, dy, pixel in rows if np.hypot(dx, dy) > 3 * KEPT * pixel} == {"ib6o04cc"}


def test_agree_leaves_out_what_disagrees_and_says_why(made: Archive) -> None:
    set_frames(made, "agree")
    reasons = {reason for found in made.reasons().values() for reason in found}
    assert ("member-removed", "ib6o04cc") in reasons
    assert not made.reconcile().failed
    assert not made.reasons()
    text = call(made, "explain", "ib6o04cc").output
    assert "Layers: none, as its place is not that of most members of a layer." in text
    assert f"Left out of {FINE}: it lies 11" in text
    assert "from where 4 members agree." in text
    standing = mvmdb.open(made.address).search("exposures", columns=["ipppssoo", "standing"])
    assert dict(standing.iterrows())["ib6o04cc"] == "apart"
    assert call(made, "verify", "--deep").exit_code == 0
    assert "do not lie together" not in call(made, "status").output


def test_a_group_is_tied_to_gaia_and_moved_exposures_are_in_its_frame(archive: Archive) -> None:
    """Two exposures on Gaia, and three that agree with each other and lie elsewhere."""
    for number, shot in enumerate(SHOTS):
        east, north = (0.0, 0.0) if number < 2 else WRONG
        moved = Shot(shot.name, shot.east, shot.north, east, north)
        FIELD.expose(archive.inbox, moved, shape=(200, 200), **(GAIA if number < 2 else {}))
    initialise(archive.address, frames="align")
    archive.night()
    assert {row[0] for row in archive.rows("SELECT tied_to FROM placement")} == {"gaia"}
    moved = [name for name in members(archive) if archive.exposure(name).alternate]
    assert moved == ["ib6o04cc", "ib6o04dd", "ib6o04ee"]
    assert archive.rows(f"SELECT frames, mixed_arcmin2 FROM layer WHERE name = '{FINE}'") == [("gaia 5", 0.0)]
    assert call(archive, "verify", "--deep").exit_code == 0
    set_frames(archive, "agree")  # most of them lie elsewhere
    assert members(archive) == ["ib6o04cc", "ib6o04dd", "ib6o04ee"]
    set_frames(archive, "absolute")
    assert members(archive) == ["ib6o04aa", "ib6o04bb"]
    text = call(archive, "explain", "ib6o04cc").output
    assert "as frames are to be absolute, and its solution is of the frame none" in text
    assert call(archive, "search", "exposures", "--columns", "standing", "--csv").stdout.count("other frame") == 3


def test_shifts_are_added_to_an_alternate(made: Archive) -> None:
    stars = FIELD.write_reference(made.folder / "gaia.csv")
    opened = mvmdb.open(made.address, executor="serial")
    opened.align([CELL], reference=stars, name="best")
    opened.configure(alternate="best")
    assert max(left for (left,) in pairs(made, "left_pixels").values()) < 0.1
    set_frames(made, "align")
    assert not made.reconcile().failed
    assert not made.reasons()
    names = {text.split(" ")[0] for (text,) in made.rows("SELECT alternate FROM exposure")}
    assert names <= {"best", "best+solved"}
    assert max(left for (left,) in pairs(made, "left_pixels").values()) < 0.1
    assert call(made, "verify", "--deep").exit_code == 0


@pytest.mark.parametrize("frames", ["agree", "align"])
def test_what_layers_follow_outlives_a_lost_catalog(made: Archive, frames: Frames) -> None:
    set_frames(made, frames)
    opened = mvmdb.open(made.address, executor="serial")
    opened.reconcile(products=made.products)
    before = members(made), made.exposure("ib6o04cc").alternate
    stamps = made.product_files()
    made.lose_catalog()
    mvmdb.open(made.address, create=True, executor="serial").rebuild(made.inbox, products=made.products)
    assert (members(made), made.exposure("ib6o04cc").alternate) == before
    assert not made.reasons()
    made.night()
    assert made.product_files() == stamps
    assert len(pairs(made)) == 10


@ON_SQLITE
def test_a_withdrawn_exposure_has_no_say(archive: Archive) -> None:
    """Of three exposures two lie together; when one of these leaves, the first by name counts."""
    expose(archive, SHOTS[:3])
    initialise(archive.address, frames="align")
    archive.night()
    assert [bool(archive.exposure(name).alternate) for name in members(archive)] == [False, False, True]
    mvmdb.open(archive.address).withdraw("ib6o04bb", why="test")
    archive.reconcile()
    assert not archive.reasons()
    assert set(pairs(archive, "left_pixels")) >= {("ib6o04aa", "ib6o04cc")}
    assert archive.exposure("ib6o04cc").alternate
    set_keywords(archive.inbox / "ib6o04aaq_flt.fits", 0, {"TARGNAME": "OTHER"})
    archive.night()
    assert not archive.reasons()


@ON_SQLITE
def test_an_exposure_that_cannot_be_compared_stays_where_it_is(archive: Archive) -> None:
    """It has no sources; its layers take it, and explain says how many sources were common."""
    expose(archive, SHOTS[:2])
    SkyField(n=1, center=CENTER).expose(archive.inbox, Shot("zz", 1, 1), shape=(200, 200))
    initialise(archive.address, frames="agree")
    archive.night()
    assert members(archive) == ["ib6o04aa", "ib6o04bb", "ib6o04zz"]
    text = call(archive, "explain", "ib6o04zz").output
    assert "Its place among others is not known: too few sources are common (ib6o04aa 0 of 4" in text
    assert pairs(archive, "dx, n_sources < n_needed")["ib6o04aa", "ib6o04zz"] == (None, True)


def test_shifts_that_need_a_catalog_are_refused_without_one(tmp_path: Path) -> None:
    poller = tmp_path / "poller.out"
    with pytest.raises(UsageError, match="frames is align; expected any, absolute, gaia, same: measured"):
        process_poller(poller, tmp_path, Policy(frames="align"))
    done = CliRunner().invoke(commands, ["process", str(poller), "--frames", "agree"])
    assert done.exit_code == 2
    assert "'agree' is not one of 'any', 'absolute', 'gaia', 'same'" in done.output


@pytest.mark.shared
def test_real_exposures_are_aligned_to_a_tenth_of_a_pixel(ers_folder: Path, tmp_path: Path) -> None:
    """Shifts of 0.1 to 3 pixels are injected; no product is made of these large files."""
    folder = tmp_path / "inbox"
    folder.mkdir()
    injected = {"ib6o04tw": (0.5, 0.0), "ib6o04ua": (-2.0, 2.2), "ib6o04uw": (0.1, 0.1)}
    for source in sorted(ers_folder.glob("ib6o04*_flt.fits")):
        path = Path(shutil.copy(source, folder))
        east, north = injected.get(source.name[:8], (0.0, 0.0))
        misplace(path, east * PIXEL, north * PIXEL, 0.0)
    archive = Archive(tmp_path, str(tmp_path / "mvm.db"))
    initialise(archive.address, frames="align")
    archive.ingest(folder)
    with open_catalog(archive.address) as engine:
        survey = ShiftSurvey(engine, Policy(frames="align"), IN_THIS_PROCESS, Options())
        assert survey.settle(())
        assert not survey.settle(())
    left = pairs(archive, "left_pixels")
    assert len(left) == 15
    assert max(pixels for (pixels,) in left.values()) < 0.1
    for name, dx, dy in archive.rows("SELECT ipppssoo, move_dx, move_dy FROM placement"):
        east, north = injected.get(name, (0.0, 0.0))
        assert (dx, dy) == pytest.approx((-east * PIXEL, -north * PIXEL), abs=0.05 * PIXEL)
