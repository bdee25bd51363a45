"""What is reported of long work: every file and layer once, totals first, the plan where a catalog made it."""

from __future__ import annotations

from pathlib import Path

import pytest
from archive import CELL, CENTER, COARSE, FINE, Archive
from monitors import NotingMonitor

from mvmdb.catalog.open import open_catalog
from mvmdb.exposures.find import find_exposures
from mvmdb.monitor import SILENT, LayerOutcome
from mvmdb.nightly import run_night
from mvmdb.process import process_poller
from mvmdb.records import Action, Policy
from mvmdb.rectangles.geometry import rectangle_at
from mvmdb.workers.processes import IN_THIS_PROCESS


@pytest.fixture
def one(tmp_path: Path) -> Archive:
    (tmp_path / "inbox").mkdir()
    archive = Archive(tmp_path, str(tmp_path / "mvm.db"))
    archive.expose()
    return archive


def night(archive: Archive, monitor: NotingMonitor) -> None:
    paths = find_exposures([archive.inbox]).paths
    with open_catalog(archive.address, create=True) as engine:
        run_night(engine, paths, archive.products, Policy(), workers=IN_THIS_PROCESS, monitor=monitor)


def test_a_night_reports_its_files_its_plan_and_its_layers(one: Archive) -> None:
    monitor = NotingMonitor()
    night(one, monitor)
    assert (monitor.announced, sum(monitor.read)) == ([1], 1)
    ((n_layers, plan),) = monitor.plans
    assert plan is not None
    assert (n_layers, [line.name for line in plan.layers], plan.fresh) == (2, [FINE, COARSE], 0)
    assert [(outcome.layer, outcome.error) for outcome in monitor.done] == [(FINE, ""), (COARSE, "")]


def test_a_quiet_night_reports_that_nothing_is_to_be_done(one: Archive) -> None:
    night(one, NotingMonitor())
    monitor = NotingMonitor()
    night(one, monitor)
    assert (monitor.announced, sum(monitor.read)) == ([1], 1)
    ((n_layers, plan),) = monitor.plans
    assert plan is not None
    assert (n_layers, plan.fresh, monitor.done) == (0, 2, [])


def test_what_a_night_will_do_is_written_before_the_plan_is_reported(one: Archive) -> None:
    poller = one.products / CELL / f"{CELL}_input.planned"
    seen: list[bool] = []

    class Looking(NotingMonitor):
        def plan_known(self, *given: object) -> None:
            seen.append(poller.exists())

    night(one, Looking())
    assert seen == [True]


BOX = rectangle_at(*CENTER, 0.5).canvas


@pytest.mark.parametrize("limits", [None, (BOX.x_min, BOX.x_max, BOX.y_min, BOX.y_max)], ids=["cells", "rectangle"])
def test_a_poller_reports_the_number_of_its_layers_and_each(
    one: Archive, tmp_path: Path, limits: tuple[int, int, int, int] | None
) -> None:
    night(one, NotingMonitor())
    poller = one.products / CELL / f"{CELL}_input.planned"
    monitor = NotingMonitor()
    process_poller(poller, tmp_path / "out", Policy(), workers=IN_THIS_PROCESS, monitor=monitor, limits=limits)
    assert monitor.plans == [(2, None)]
    assert [outcome.error for outcome in monitor.done] == ["", ""]


def test_a_monitor_does_nothing_by_itself() -> None:
    SILENT.files_announced(1)
    SILENT.files_read(1)
    SILENT.plan_known(1)
    SILENT.layer_done(LayerOutcome("a", Action.DRIZZLE, "a.fits", 1.0))
    assert vars(SILENT) == {}
