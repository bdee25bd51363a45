"""Solved skies through losses: of the catalog, of exposures and their files, of runs that are killed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from archive import FINE, Archive, call
from fitsfiles import set_pixels
from solvedfield import begin, expose, mosaic, solved, subtracted
from staleness import agreed_reasons

from mvmdb.catalog.open import open_catalog
from mvmdb.catalog.products.made_digest import update_layers_of
from mvmdb.exposures.read import read_exposure
from mvmdb.jobs import sky_jobs
from mvmdb.reconcile import run, skies
from mvmdb.records import MeasuredSkies, SkyJob
from mvmdb.workers.executor import Workers
from mvmdb.workers.processes import IN_THIS_PROCESS

A, B, C, D = (f"ib6o0{number}tu" for number in range(4))
PIXEL = 0.1282500028610229**2
"""IDCSCALE^2 of WFC3/IR: from electrons/s/arcsec^2 to electrons/s of a pixel."""
SKIES = (1.0, 2.0, 1.5, 0.5)


def expose_some(archive: Archive, *numbers: int) -> None:
    """Exposures in a row: 4 arcsec apart and 5 wide, so that only neighbours overlap; each has a partner on it."""
    for number in numbers:
        expose(archive, number, 4.0 * number, 0.0, SKIES[number])
        expose(archive, number + 10, 4.0 * number, 0.5, SKIES[number])


@pytest.fixture
def three(tmp_path: Path) -> Archive:
    """An archive of three exposures in a row, and their partners, whose mosaics are made."""
    archive = begin(Archive(tmp_path, str(tmp_path / "mvm.db")))
    expose_some(archive, 0, 1, 2)
    assert archive.night().reconcile.failed == 0
    return archive


def rates(archive: Archive) -> dict[str, float]:
    """Solved skies of A to D in electrons/s."""
    return {name: value * PIXEL for name, value in sorted(solved(archive).items()) if name in (A, B, C, D)}


def night(archive: Archive) -> set[str]:
    report = archive.night().reconcile
    assert report.failed == 0, report.layers
    assert archive.look().plan.layers == ()
    return {str(one.action) for one in report.layers}


def test_a_lost_catalog_finds_its_skies_in_the_products_and_goes_on_from_them(three: Archive) -> None:
    skies_before = solved(three)
    assert call(three, "init", "--products", str(three.products), "--method", "mvmdb").exit_code == 0
    three.lose_catalog()
    done = call(three, "rebuild", str(three.inbox), "-o", str(three.products), "--executor", "serial")
    assert done.exit_code == 0, done.output
    assert solved(three) == {}
    assert agreed_reasons(three) == {}
    assert night(three) == set()
    expose_some(three, 3)  # darker than all
    assert night(three) == {"add"}
    assert rates(three) == pytest.approx({A: 0.5, B: 1.5, C: 1.0, D: 0.0}, abs=1e-6)
    assert subtracted(three, FINE) == solved(three)
    moved = {name: solved(three)[name] - value for name, value in skies_before.items()}
    assert len({round(value, 9) for value in moved.values()}) == 1


def test_skies_are_kept_to_the_bit_while_the_solution_is_within_its_limit(tmp_path: Path) -> None:
    archive = begin(Archive(tmp_path, str(tmp_path / "mvm.db")))
    for number in range(3):
        expose(archive, number, 0.3 * number, 0.0, SKIES[number], noise=0.02)
    night(archive)
    before = solved(archive)
    with open_catalog(archive.address) as engine, engine.begin() as connection:  # so that the limits are wide
        connection.execute(sa.text("UPDATE sky SET noise = 1000 * noise"))
    expose(archive, 3, 0.4, 0.0, SKIES[3] + 1.0, noise=0.02)
    assert night(archive) == {"add"}
    after = solved(archive)
    assert {name: after[name] for name in before} == before
    assert archive.reconcile(resky=True).failed == 0
    anew = solved(archive)
    assert anew != after
    assert {name: value * PIXEL for name, value in anew.items()} == pytest.approx(
        {name: value * PIXEL for name, value in after.items()}, abs=0.01
    )


def test_the_level_follows_when_the_darkest_exposure_leaves(three: Archive) -> None:
    assert rates(three) == pytest.approx({A: 0.0, B: 1.0, C: 0.5}, abs=1e-6)
    call(three, "withdraw", A, "ib6o10tu")
    assert {code for pairs in agreed_reasons(three).values() for code, _ in pairs} <= {
        "member-removed", "canvas-changed", "recipe-changed",
    }  # fmt: skip
    night(three)
    assert rates(three)[C] == pytest.approx(0.0, abs=1e-6)
    assert subtracted(three, FINE)[C] == solved(three)[C]
    call(three, "readmit", A, "ib6o10tu")
    night(three)
    assert rates(three) == pytest.approx({A: 0.0, B: 1.0, C: 0.5}, abs=1e-6)


def test_a_component_that_falls_apart_has_a_level_in_each_part(three: Archive) -> None:
    call(three, "withdraw", B, "ib6o11tu")
    night(three)
    assert {name: rates(three)[name] for name in (A, C)} == pytest.approx({A: 0.0, C: 0.0}, abs=1e-6)
    components = dict(three.rows("SELECT e.ipppssoo, s.component FROM sky s JOIN exposure e ON e.id = s.exposure_id"))
    assert (components[A], components[C]) == (A, C)
    call(three, "readmit", B, "ib6o11tu")
    assert night(three) == {"drizzle"}
    assert rates(three) == pytest.approx({A: 0.0, B: 1.0, C: 0.5}, abs=1e-6)


def test_other_pixels_are_measured_again_and_solved_anew(three: Archive) -> None:
    set_pixels(three.inbox / f"{B}q_flt.fits", np.full((40, 40), 2.25, "f4"))
    three.ingest()
    assert night(three) == {"drizzle"}
    assert rates(three)[B] == pytest.approx(1.25, abs=1e-6)


def test_an_exposure_without_pixels_is_refused_and_the_others_are_solved(three: Archive) -> None:
    expose(three, 3, 1.0, 0.0, 0.0)
    report = three.night().reconcile
    assert report.refused.keys() == {D}
    assert report.failed == 0
    assert three.look().plan.layers == ()
    assert D not in solved(three)


def test_files_that_are_away_fail_what_hangs_on_them_and_move_nothing(three: Archive) -> None:
    before = solved(three)
    expose_some(three, 3)
    three.ingest()
    paths = [three.inbox / f"{name}q_flt.fits" for name in (C, "ib6o12tu")]  # what joins D to the others
    away = [path.rename(path.with_suffix(".away")) for path in paths]
    report = three.reconcile()
    assert report.failed > 0
    assert all(C in one.error or "ib6o12tu" in one.error for one in report.layers)
    assert {name: value for name, value in solved(three).items() if name in before} == before
    assert D not in solved(three)
    for path in away:
        path.rename(path.with_suffix(".fits"))
    assert night(three) == {"add"}
    assert rates(three) == pytest.approx({A: 0.5, B: 1.5, C: 1.0, D: 0.0}, abs=1e-6)


def test_what_a_killed_run_measured_is_not_measured_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = begin(Archive(tmp_path, str(tmp_path / "mvm.db")))
    expose_some(archive, 0, 1, 2)
    archive.ingest()
    measured: list[tuple[str, str]] = []
    measure = sky_jobs.measure_on_workers

    def killed(jobs: Sequence[SkyJob], workers: Workers) -> Iterator[tuple[SkyJob, MeasuredSkies]]:
        for n, (job, result) in enumerate(measure(jobs, workers)):
            if n == 2:
                raise KeyboardInterrupt
            measured.extend(job.pairs)
            yield job, result

    monkeypatch.setattr(sky_jobs, "PAIRS_AT_ONCE", 3)
    monkeypatch.setattr(skies, "measure_on_workers", killed)
    with pytest.raises(KeyboardInterrupt):
        archive.reconcile()
    assert len(measured) == 6
    assert solved(archive) == {}

    def counted(jobs: Sequence[SkyJob], workers: Workers) -> Iterator[tuple[SkyJob, MeasuredSkies]]:
        assert not {pair for job in jobs for pair in job.pairs} & set(measured)
        yield from measure(jobs, workers)

    monkeypatch.setattr(skies, "measure_on_workers", counted)
    assert archive.reconcile().failed == 0
    assert rates(archive) == pytest.approx({A: 0.0, B: 1.0, C: 0.5}, abs=1e-6)
    assert np.nanmax(np.abs(mosaic(archive, FINE).science)) < 1.1 * (0.04**2 / PIXEL)  # the lowest sky is left


def test_a_run_that_is_overtaken_solves_with_what_came_meanwhile(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(archive)
    expose_some(archive, 0, 1, 2)
    archive.ingest()
    solve, measured = skies._Solver.solve, []

    def overtaken(solver: skies._Solver, layers: Sequence[str], *, anew: bool) -> set[str]:
        measured.append(set(solver.participants.exposures))
        if len(measured) == 1:  # another run registers, measures and solves more
            expose_some(archive, 3)
            archive.ingest()
            with open_catalog(archive.address) as engine:
                skies.solve_archive(engine, layers, IN_THIS_PROCESS)
            assert rates(archive)[D] == pytest.approx(0.0, abs=1e-6)
        return solve(solver, layers, anew=anew)

    monkeypatch.setattr(skies._Solver, "solve", overtaken)
    assert archive.reconcile().failed == 0
    assert [len(names) for names in measured] == [6, 8, 8]
    assert rates(archive) == pytest.approx({A: 0.5, B: 1.5, C: 1.0, D: 0.0}, abs=1e-6)
    assert subtracted(archive, FINE) == solved(archive)


def test_layers_of_the_members_that_have_a_file_take_the_solved_skies(tmp_path: Path) -> None:
    archive = begin(Archive(tmp_path, str(tmp_path / "mvm.db")))
    expose_some(archive, 0, 1)
    archive.ingest()
    expose(archive, 2, 8.0, 0.0, SKIES[2], folder=tmp_path / "elsewhere")
    e = read_exposure(tmp_path / "elsewhere" / f"{C}q_flt.fits").exposure
    table = tmp_path / "rows.csv"
    columns = "obs_id,instrument_name,filters,t_exptime,s_region,proposal_id"
    table.write_text(f"{columns}\n{C}q,WFC3/IR,{e.filters},{e.exptime},{e.s_region},{e.proposal_id}\n")
    assert call(archive, "import", str(table)).exit_code == 0
    assert archive.reconcile().layers == []
    assert solved(archive) == {}
    assert archive.reconcile(available=True).failed == 0
    assert rates(archive) == pytest.approx({A: 0.0, B: 1.0}, abs=1e-6)
    assert subtracted(archive, FINE) == solved(archive)
    assert archive.reconcile(available=True).layers == []
    (tmp_path / "elsewhere" / f"{C}q_flt.fits").rename(archive.inbox / f"{C}q_flt.fits")
    assert night(archive) == {"add"}
    assert rates(archive) == pytest.approx({A: 0.0, B: 1.0, C: 0.5}, abs=1e-6)


def raise_skies(archive: Archive, by: float) -> None:
    """Move all skies, in electrons/s/arcsec^2, as a solution does that has a darker exposure elsewhere."""
    with open_catalog(archive.address) as engine, engine.begin() as connection:
        connection.execute(sa.text("UPDATE sky SET value = value + :by"), {"by": by})
        update_layers_of(connection, connection.scalars(sa.text("SELECT ipppssoo FROM exposure")).all())


def test_a_shift_subtracts_one_number_and_goes_on_after_a_kill(three: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    before = mosaic(three, FINE)
    raise_skies(three, 30.0)
    assert night(three) == {"shift"}
    after = mosaic(three, FINE)
    exposed = np.isfinite(before.science)
    np.testing.assert_allclose(after.science[exposed], before.science[exposed] - 30.0 * 0.04**2, atol=2e-8)
    assert np.array_equal(np.isfinite(after.science), exposed)
    assert np.array_equal(after.weight, before.weight)
    raise_skies(three, -30.0)
    record = run.record_product

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "record_product", killed)
    with pytest.raises(KeyboardInterrupt):
        three.reconcile()
    monkeypatch.setattr(run, "record_product", record)
    assert night(three) == {"shift"}  # of the other scale; that of the first was found
    assert agreed_reasons(three) == {}
    assert subtracted(three, FINE) == solved(three)
    np.testing.assert_allclose(mosaic(three, FINE).science, before.science, atol=4e-8)
    assert "by a run that was killed" in call(three, "history", "--kind", "layer-shifted").output


def test_errors_and_canvases_follow_a_shift(tmp_path: Path) -> None:
    archive = begin(Archive(tmp_path, str(tmp_path / "mvm.db")), errors=True)
    expose_some(archive, 0, 1)
    night(archive)
    before = mosaic(archive, FINE)
    raise_skies(archive, 30.0)
    expose(archive, 9, 20.0, 20.0, 1.0, filters="F140W")  # the canvas grows
    archive.ingest()
    assert {str(line.action) for line in archive.look().plan.layers} == {"recanvas", "drizzle"}
    night(archive)
    ours, theirs = before.on_the_sky(), mosaic(archive, FINE).on_the_sky()
    assert ours.keys() == theirs.keys()
    assert max(abs(ours[place] - 30.0 * 0.04**2 - theirs[place]) for place in ours) < 2e-8
    after = mosaic(archive, FINE).error
    assert before.error is not None
    assert after is not None
    errors = [np.sort(error[np.isfinite(error)]) for error in (before.error, after)]
    np.testing.assert_array_equal(*errors)
