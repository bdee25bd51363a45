"""Mosaics that several processes drizzle: the same bytes, and no trace of a process that is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shapely
from mosaic_field import Field
from processes import is_alive, wait_for_end

from mvmdb.errors import MemberUnusableError, ProductError
from mvmdb.layers.recipes import choose_recipe
from mvmdb.mosaic.drizzle import helpers as helping
from mvmdb.mosaic.drizzle.bands import BandedDrizzle, in_file_order, share_rows
from mvmdb.mosaic.drizzle.helpers import Helper, start_helpers
from mvmdb.mosaic.drizzle.members import DrizzledMember
from mvmdb.mosaic.drizzle.planes import Block
from mvmdb.mosaic.grid import LayerGrid
from mvmdb.mosaic.make import make_product
from mvmdb.names import parse_layer_name
from mvmdb.records import Action, LayerJob


@pytest.fixture(autouse=True)
def _small_jobs_are_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(helping, "HELP_BYTES", 1)


def expose(field: Field) -> list[Path]:
    offsets = (("aa", 0, 0), ("bb", 2.5, 1.1), ("cc", -1.7, 4.3))
    return [field.expose(name, east=e, north=n, sky=1.0, noise=0.1, chips=2, detector="UVIS") for name, e, n in offsets]


def work_of(job: LayerJob) -> BandedDrizzle:
    grid = LayerGrid.of_layer(parse_layer_name(job.layer), job.canvas)
    members = [DrizzledMember(member.ipppssoo, member.path, 0.0) for member in job.members]
    return BandedDrizzle(grid, job.recipe, members, [(0.0, 1e9)] * len(members), None)


@pytest.mark.parametrize(("helpers", "errors"), [(1, False), (3, False), (2, True)])
def test_products_do_not_depend_on_how_many_processes_make_them(field: Field, helpers: int, errors: bool) -> None:
    recipe = replace(choose_recipe("wfc3", "uvis", "f606w", "fine", 2), errors=errors)
    job = field.job(expose(field), recipe=recipe)
    alone = make_product(job)
    with start_helpers(replace(job, helpers=helpers)) as started:
        assert len(started) == helpers
    shared = make_product(replace(job, helpers=helpers))
    assert shared.data_digest == alone.data_digest
    assert (shared.members, shared.pairs, shared.size) == (alone.members, alone.pairs, alone.size)


def test_few_pixels_or_bounded_memory_need_no_helper(field: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    job = replace(field.job(expose(field)), helpers=1)
    for other in (replace(job, helpers=0), replace(job, memory_mb=2000), replace(job, action=Action.RECANVAS)):
        with start_helpers(other) as started:
            assert started == []
    monkeypatch.setattr(helping, "HELP_BYTES", 1 << 30)
    with start_helpers(job) as started:
        assert started == []


def test_helper_that_dies_fails_the_job_and_leaves_the_product(field: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    job = field.job(expose(field))
    before = make_product(job)
    drizzle = Helper.drizzle

    def begin_and_die(helper: Helper, *work: object) -> Iterator[Block]:
        blocks = drizzle(helper, *work)  # type: ignore[arg-type]
        os.kill(helper.pid, signal.SIGKILL)
        return blocks

    monkeypatch.setattr(Helper, "drizzle", begin_and_die)
    with pytest.raises(ProductError, match=r"process that drizzled rows \d+ to \d+ died .* -9; expected its pixels"):
        make_product(replace(job, helpers=1))
    assert Path(job.target).stat().st_mtime_ns == before.mtime_ns
    assert [path.name for path in Path(job.target).parent.iterdir()] == [Path(job.target).name]


def test_helper_tells_what_stopped_it(field: Field) -> None:
    paths = expose(field)
    job = field.job(paths)
    work = work_of(job)
    paths[1].unlink()
    helper = Helper()
    try:
        with pytest.raises(ProductError, match=r"member ib6o04bb cannot be read"):
            list(helper.drizzle(work, range(10)))
    finally:
        helper.close()


def test_what_is_printed_does_not_get_among_the_pixels() -> None:
    class Loud:
        def __reduce__(self) -> tuple[object, ...]:
            return eval, (
                "__import__('types').SimpleNamespace(start=lambda _: (print('noise', flush=True), iter([])))",
            )

    helper = Helper()
    try:
        assert list(helper.drizzle(Loud(), range(1))) == []  # type: ignore[arg-type]
    finally:
        helper.close()


def test_empty_member_is_refused_as_without_helpers(field: Field) -> None:
    paths = [*expose(field), field.expose("zz", sky=0.0, chips=2, detector="UVIS")]
    with pytest.raises(MemberUnusableError) as refused:
        make_product(replace(field.job(paths), helpers=1))
    assert refused.value.ipppssoo == "ib6o04zz"


def test_no_helper_outlives_its_job_or_its_asker(field: Field) -> None:
    with start_helpers(replace(field.job(expose(field)), helpers=2)) as started:
        pids = [helper.pid for helper in started]
        assert all(map(is_alive, pids))
    assert not any(map(is_alive, pids))
    asker = subprocess.Popen([sys.executable, "-c", _ASK.format(path=sys.path)], stdout=subprocess.PIPE, text=True)
    assert asker.stdout is not None
    pid = int(asker.stdout.readline())
    asker.kill()
    asker.wait()
    asker.stdout.close()
    wait_for_end(pid)


_ASK = """
import sys, time
sys.path[:] = {path!r}
from mvmdb.mosaic.drizzle.helpers import Helper
class Forever:
    def __reduce__(self):
        return eval, ("__import__('types').SimpleNamespace(start=lambda bands: __import__('time').sleep(600))",)
helper = Helper()
helper.drizzle(Forever(), range(1))
print(helper.pid, flush=True)
time.sleep(600)
"""


def test_shares_are_all_rows_and_of_equal_work() -> None:
    boxes = [shapely.box(-10, 100, 49, 300), shapely.box(20, 250, 79, 400)]
    shape = (1000, 60)
    shares = share_rows(boxes, shape, 3)
    assert [row for share in shares for row in share] == list(range(1000))
    pixels = np.zeros(shape, int)
    pixels[100:300, :49] += 1
    pixels[250:400, 20:] += 1
    work = [pixels[share.start : share.stop].sum() for share in shares]
    assert np.ptp(work) < 0.1 * sum(work)


def test_more_parts_than_rows_are_rows() -> None:
    assert share_rows([], (2, 5), 4) == [range(1), range(1, 2)]


def test_bands_come_array_by_array() -> None:
    nothing = np.zeros((1, 1), np.float32)

    def band(first: int) -> list[Block]:
        return [(name, row, nothing) for name in ("SCI", "WHT") for row in (first, first + 1)]

    blocks = [(name, row) for name, row, _ in in_file_order([iter(band(0)), iter(band(2))])]
    assert blocks == [(name, row) for name in ("SCI", "WHT") for row in range(4)]
