"""Exposures that come one by one end as a rebuild, and sky cells agree where they share pixels.

What is told by every place that tells of stale layers is in test_moved_skies.py.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from archive import CELL, CENTER, Archive, call
from solvedfield import BORDER, EAST, WEST, Mosaic, begin, expose, mosaic, read_mosaic, solved, subtracted
from staleness import agreed_reasons

from mvmdb.mosaic.product.read import open_product, read_product
from mvmdb.pollers.files import write_basic_poller
from mvmdb.process import process_poller
from mvmdb.records import Policy
from mvmdb.workers.processes import IN_THIS_PROCESS

pytestmark = pytest.mark.slow

PIXEL = 0.1282500028610229**2
"""IDCSCALE^2 of WFC3/IR: from electrons/s/arcsec^2 to electrons/s of a pixel."""
UVIS = f"hst_{CELL}_wfc3_uvis_f606w_all"
COARSE_WEST = WEST.replace("_all", "_coarse-all")
NIGHTS = (
    ((0, -17.0, 1.0), (1, -16.5, 2.0)),
    ((2, -14.5, 1.5),),
    ((3, -12.0, 0.25), (4, -11.0, 0.5)),
    ((5, -8.0, 0.125), (6, -7.0, 1.5)),
    ((7, -3.5, 0.0625), (8, 0.5, 0.0625), (9, 4.5, 0.0625), (10, 8.5, 0.03125), (12, 12.5, 0.5)),
    ((11, 16.0, 0.0078125),),
)
"""Number, arcsec east of the border, and sky (electrons/s, exact in binary) of what comes in each night: a chain that
goes from one sky cell into the next, and gets darker."""


Chain = tuple[Archive, list[dict[str, str]]]
"""An archive after NIGHTS, and the action of each layer in each night."""


def make(archive: Archive) -> dict[str, str]:
    """Run a night, and check that the next look finds nothing to do; the action of each layer."""
    report = archive.night().reconcile
    assert report.failed == 0, report.layers
    assert archive.look().plan.layers == ()
    return {one.layer: str(one.action) for one in report.layers}


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """The archive after all nights, with ERR planes, and the actions of each."""
    folder = tmp_path_factory.mktemp("chain")
    archive = begin(Archive(folder, str(folder / "mvm.db")), errors=True)
    actions = []
    for night in NIGHTS:
        for number, east, sky in night:
            expose(archive, number, BORDER + east, 0.0, sky)
        actions.append(make(archive))
    return archive, actions


def shared_pixels(west: Mosaic, east: Mosaic) -> np.ndarray:
    """(n, 2) the values of both where both have pixels."""
    ours, theirs = west.on_the_sky(), east.on_the_sky()
    return np.array([(ours[place], theirs[place]) for place in ours.keys() & theirs.keys()])


def test_22_exposures_that_come_one_by_one_end_as_a_rebuild(tmp_path: Path) -> None:
    archive = begin(Archive(tmp_path, str(tmp_path / "mvm.db")))
    rng = np.random.default_rng(2)
    actions: Counter[str] = Counter()
    for number in range(22):
        east, north = rng.uniform(-0.4, 0.4, 2).tolist()  # of 1.6 arcsec
        expose(archive, number, east, north, float(rng.uniform(0.5, 2.0)), noise=0.05, detector="UVIS", exptime=100.0)
        actions.update(make(archive).values())
    assert actions.keys() <= {"drizzle", "add"}
    assert agreed_reasons(archive) == {}
    assert subtracted(archive, UVIS) == solved(archive)
    grown = mosaic(archive, UVIS)
    assert archive.reconcile(resky=True).failed == 0
    assert min(solved(archive).values()) == 0.0
    rebuilt = mosaic(archive, UVIS)
    np.testing.assert_allclose(grown.weight, rebuilt.weight, rtol=1e-5)
    deep = rebuilt.weight > 0.5 * rebuilt.weight.max()
    off = np.abs(grown.science - rebuilt.science)[np.isfinite(rebuilt.science)]
    assert off.max() < 0.02 * rebuilt.science[deep].std()


def test_a_level_that_falls_is_added_or_shifted_and_never_drizzled(chain: Chain) -> None:
    _, actions = chain
    for layer in (WEST, COARSE_WEST):
        assert [night.get(layer) for night in actions] == ["drizzle", "add", "add", "add", "add", "shift"]
    assert actions[-1][EAST] == "add"


def test_injected_skies_are_found_whatever_came_when(chain: Chain) -> None:
    archive, _ = chain
    skies = {f"ib6o{number:02d}tu": sky for night in NIGHTS for number, _, sky in night}
    lowest = min(skies.values())
    found = {name: value * PIXEL for name, value in solved(archive).items()}
    assert found == pytest.approx({name: sky - lowest for name, sky in skies.items()}, abs=1e-6)
    assert subtracted(archive, WEST) | subtracted(archive, EAST) == solved(archive)


def test_neighbouring_sky_cells_agree_where_they_share_pixels(chain: Chain) -> None:
    archive, _ = chain
    both = shared_pixels(mosaic(archive, WEST), mosaic(archive, EAST))
    assert len(both) > 50_000
    assert np.abs(both[:, 0] - both[:, 1]).max() < 1e-7  # of a step of 0.06 electrons/s without a common solution


def test_a_shifted_mosaic_is_that_of_a_rebuild(chain: Chain) -> None:
    archive, _ = chain
    grown = {layer: (mosaic(archive, layer), rows_of(archive, layer)) for layer in (WEST, COARSE_WEST)}
    assert archive.reconcile(full=True).failed == 0
    for layer, (shifted, rows) in grown.items():
        rebuilt = mosaic(archive, layer)
        np.testing.assert_allclose(shifted.science, rebuilt.science, atol=3e-7)
        np.testing.assert_allclose(shifted.weight, rebuilt.weight, rtol=1e-5)
        np.testing.assert_allclose(shifted.error, rebuilt.error, rtol=1e-5)
        again = rows_of(archive, layer)
        assert [row[:2] for row in rows] == [row[:2] for row in again]
        assert [row[2] for row in rows] == pytest.approx([row[2] for row in again])


def rows_of(archive: Archive, layer: str) -> list[tuple[str, float, float]]:
    """What HDRTAB says was subtracted from each chip: electrons/s/arcsec^2, and in the chip's own unit."""
    stored = open_product(next(archive.products.glob(f"*/{layer}_drz.fits")))
    return [(row.ipppssoo, row.sky, row.subtracted) for row in stored.rows]


def test_explain_and_the_history_tell_of_a_shift(chain: Chain) -> None:
    archive, _ = chain
    told = call(archive, "history", "--kind", "layer-shifted").output
    assert WEST in told
    assert "sky-moved" in told
    assert call(archive, "verify", "--deep", "--executor", "serial").exit_code == 0


def test_a_rectangle_across_sky_cells_has_the_pixels_of_both(chain: Chain, tmp_path: Path) -> None:
    archive, _ = chain
    position = (str(CENTER[0] + BORDER / 3600 / np.cos(np.deg2rad(CENTER[1]))), str(CENTER[1]))
    words = ("mosaic", "--at", *position, "--size", "0.3", "--filter", "F125W", "--scale", "fine", "--no-trim")
    done = call(archive, *words, "-o", str(tmp_path), "--executor", "serial")
    assert done.exit_code == 0, done.output
    (path,) = tmp_path.glob("*/*_drz.fits")
    rectangle = read_mosaic(path, read_product(path).canvas, (0, 0))
    for layer in (WEST, EAST):
        both = shared_pixels(rectangle, mosaic(archive, layer))
        assert len(both) > 50_000
        assert np.abs(both[:, 0] - both[:, 1]).max() < 1e-7


def test_a_poller_of_two_sky_cells_is_solved_as_one(chain: Chain, tmp_path: Path) -> None:
    archive, _ = chain
    poller = archive.inbox / "basic.out"
    write_basic_poller(poller, [path.name for path in sorted(archive.inbox.glob("*.fits"))])
    out = Archive(tmp_path, archive.address)
    report = process_poller(poller, out.products, Policy(method="mvmdb"), workers=IN_THIS_PROCESS)
    poller.unlink()
    assert report.failed == 0
    both = shared_pixels(mosaic(out, WEST), mosaic(out, EAST))
    assert np.abs(both[:, 0] - both[:, 1]).max() < 1e-7
    assert np.nanmax(np.abs(mosaic(out, WEST).science - mosaic(archive, WEST).science)) < 1e-6
