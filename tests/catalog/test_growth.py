"""What a wrong place costs is told with numbers, by ingest and before mosaics are made; what is usual is not."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
from archive import CENTER, Archive
from click.testing import CliRunner
from fitsfiles import write_exposure

from mvmdb.catalog.layers import growth as catalog_growth
from mvmdb.catalog.layers.growth import find_stretching
from mvmdb.catalog.open import open_catalog
from mvmdb.cli import commands
from mvmdb.layers.growth import Growth, measure_growth
from mvmdb.records import Policy

FILTERS = ("F105W", "F125W", "F140W", "F160W")


def corners(folder: Path) -> None:
    """Four filters in one corner of a sky cell, and two small exposures of a visit in the opposite one."""
    for number, name in enumerate(FILTERS):
        write_exposure(folder, rootname=f"ib6o04t{number}q", filters=name, ra=CENTER[0] + 0.1, dec=CENTER[1] + 0.1)
    for number in range(2):
        write_exposure(folder, rootname=f"ib6o09t{number}q", ra=CENTER[0] - 0.1, dec=CENTER[1] - 0.1)


def test_a_visit_far_from_the_others_is_told_with_numbers(archive: Archive) -> None:
    corners(archive.inbox)
    report = archive.ingest()
    told = {found.visit: found for found in report.stretching}
    assert told.keys() == {"ib6o04", "ib6o09"}, "each is far from the other"
    found = told["ib6o09"]
    assert (found.exposures, found.growth.layers, found.growth.cells) == (2, 8, 1)
    ((width, height),) = archive.rows(
        "SELECT x_max - x_min + 1, y_max - y_min + 1 FROM skycell WHERE x_min < 9000 AND x_max > 12000"
    )
    canvas = width * height * 8 * 4 * (1 + 1 / 9)
    assert found.growth.bytes == pytest.approx(canvas, rel=0.01)
    assert f"{found.growth.bytes / 1e9:.1f} GB larger" in str(found)
    archive.ingest()
    assert archive.ingest().stretching == [], "nothing was registered"


def test_ingest_says_it_to_people_and_in_json(archive: Archive) -> None:
    corners(archive.inbox)
    done = CliRunner().invoke(commands, ["--db", archive.address, "ingest", str(archive.inbox)])
    assert "absurd canvas: visit ib6o09 (2 files, 0." in done.stdout
    assert done.exit_code == 0
    write_exposure(archive.inbox, rootname="ib6o09t4q", ra=CENTER[0] - 0.1, dec=CENTER[1] - 0.1)
    done = CliRunner().invoke(commands, ["--db", archive.address, "ingest", str(archive.inbox), "--json"])
    (said,) = json.loads(done.stdout)["stretching"]
    assert (said["visit"], said["exposures"], said["layers"], said["cells"]) == ("ib6o09", 3, 8, 1)
    assert said["bytes"] > 1e10 > said["size"] * 1000


def test_it_is_said_before_mosaics_are_made(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    corners(archive.inbox)
    archive.ingest()

    class ReachedError(Exception):
        pass

    def stop(*_: object, **__: object) -> None:
        raise ReachedError

    monkeypatch.setattr("mvmdb.reconcile.run.carry_out", stop)
    with caplog.at_level(logging.WARNING), pytest.raises(ReachedError):
        archive.reconcile()
    assert "visit ib6o09 (2 files" in caplog.text


def test_exposures_that_lie_together_are_not_told_of(archive: Archive) -> None:
    for number, name in enumerate(FILTERS):
        archive.expose(f"ib6o04t{number}q", filters=name, east=number)
    assert archive.ingest().stretching == []
    cells = [cell for (cell,) in archive.rows("SELECT id FROM skycell")]
    with open_catalog(archive.address) as engine, engine.begin() as connection:
        assert find_stretching(connection, cells, Policy()) == []


def test_a_canvas_shrinks_by_what_a_visit_alone_needs() -> None:
    box = np.array([[1, 10, 1, 10], [5, 20, 5, 10], [15, 20, 1, 5]])
    assert measure_growth(box, 2, 8.0) == {0: Growth((20 * 10 - 16 * 10) * 8.0, 2, 1)}
    assert measure_growth(box[:1], 3, 8.0) == {0: Growth(10 * 10 * 8.0, 3, 1)}


def brute_force(box: np.ndarray) -> dict[int, float]:
    def area(rows: np.ndarray) -> int:
        if not len(rows):
            return 0
        return (rows[:, 1].max() - rows[:, 0].min() + 1) * (rows[:, 3].max() - rows[:, 2].min() + 1)

    shrunk = {row: float(area(box) - area(np.delete(box, row, axis=0))) for row in range(len(box))}
    return {row: lost for row, lost in shrunk.items() if lost}


@pytest.mark.parametrize("seed", range(20))
def test_growth_is_that_of_brute_force(seed: int) -> None:
    rng = np.random.default_rng(seed)
    low = rng.integers(1, 8, (rng.integers(1, 7), 2))
    high = low + rng.integers(0, 8, low.shape)
    box = np.stack([low[:, 0], high[:, 0], low[:, 1], high[:, 1]], axis=1)
    assert {row: growth.bytes for row, growth in measure_growth(box, 1, 1.0).items()} == brute_force(box)


def test_a_mosaic_costs_what_it_is_said_to_cost(archive: Archive) -> None:
    archive.expose()
    archive.night()
    ((cell, width, height),) = archive.rows("SELECT id, x_max - x_min + 1, y_max - y_min + 1 FROM skycell")
    with open_catalog(archive.address) as engine, engine.begin() as connection:
        n_layers, planes = catalog_growth._count_layers(connection, [cell])[cell]
    sizes = sum(size for size, _ in archive.product_files().values())
    assert n_layers == len(archive.product_files())
    assert width * height * planes * 8 == pytest.approx(sizes, rel=0.6)  # headers are as large as these small arrays
