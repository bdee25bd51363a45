"""Rectangles that no worker has the memory for: refused with numbers before anything is made."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from archive import Archive

from mvmdb.catalog.ask.eligible import load_eligible_exposures
from mvmdb.catalog.open import open_catalog
from mvmdb.errors import UsageError
from mvmdb.records import Canvas, LayerJob, Policy
from mvmdb.rectangles.estimate import require_memory
from mvmdb.rectangles.geometry import Rectangle
from mvmdb.rectangles.plan import RectangleOptions, plan_rectangle
from mvmdb.sky.tessellation import PROJECTION_SIZE
from mvmdb.workers import memory_limit
from mvmdb.workers.memory_limit import memory_of_worker
from mvmdb.workers.processes import ProcessExecutor, SerialExecutor

WHOLE = Canvas(1, PROJECTION_SIZE, 1, PROJECTION_SIZE)
"""A projection cell: no machine has the memory."""


@pytest.fixture
def one(tmp_path: Path) -> Archive:
    (tmp_path / "inbox").mkdir()
    archive = Archive(tmp_path, str(tmp_path / "mvm.db"))
    archive.expose()
    archive.ingest()
    return archive


def jobs_of(archive: Archive, canvas: Canvas) -> list[LayerJob]:
    rectangle = Rectangle(726, canvas)
    with open_catalog(archive.address) as engine, engine.begin() as connection:
        exposures = load_eligible_exposures(connection, rectangle.cells, rectangle.name, ["f125w"])
    return plan_rectangle(exposures, rectangle, archive.folder, Policy(), RectangleOptions(), set())


def test_a_whole_projection_cell_is_refused_with_numbers_before_anything_is_made(one: Archive) -> None:
    shutil.copy(next(one.inbox.glob("*.fits")), one.folder)
    (one.folder / "basic.out").write_text("ib6o04tuq_flt.fits\n")
    limits = ("--limits", WHOLE.x_min, WHOLE.x_max, WHOLE.y_min, WHOLE.y_max)
    words = [sys.executable, "-m", "mvmdb.cli", "process", "basic.out", *map(str, limits), "-o", "out"]
    done = subprocess.run(words, cwd=one.folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert "has 450287 x 450287 pixels and needs 1622.4 GB of memory; expected at most " in line
    assert line.endswith("choose a smaller rectangle, or drizzle it in bands with --memory MB")
    assert not (one.folder / "out").exists()


def test_the_largest_mosaic_decides_and_bands_fit_always(one: Archive) -> None:
    jobs = jobs_of(one, WHOLE)
    assert len(jobs) == 2
    needed = 8 * PROJECTION_SIZE**2 + 300_000_000
    require_memory(jobs, needed, None)
    with pytest.raises(UsageError, match=r"hst_.*_f125w_all has 450287 x 450287 pixels and needs 1622\.\d GB"):
        require_memory(jobs, needed - 1, None)
    require_memory(jobs, 1, 2000)
    require_memory(jobs, None, None)
    require_memory([], 1, None)


def test_a_coarse_mosaic_has_a_ninth_of_the_pixels(one: Archive) -> None:
    (coarse,) = [job for job in jobs_of(one, WHOLE) if "coarse" in job.layer]
    with pytest.raises(UsageError, match=r"has 150096 x 150096 pixels and needs 180\.5 GB"):
        require_memory([coarse], 180_000_000_000, None)


def test_a_worker_has_the_machines_memory_or_what_a_container_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "number").write_text("123456\n")
    (tmp_path / "max").write_text("max\n")
    monkeypatch.setattr(memory_limit, "_CGROUP_LIMITS", (tmp_path / "max", tmp_path / "missing"))
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert memory_of_worker(SerialExecutor()) == memory_of_worker(ProcessExecutor(4)) == machine
    monkeypatch.setattr(memory_limit, "_CGROUP_LIMITS", (tmp_path / "max", tmp_path / "number"))
    assert memory_of_worker(ProcessExecutor(4)) == 123456
