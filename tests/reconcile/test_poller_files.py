"""Poller files say the state after a run, whatever became of it; what it was going to do is kept beside them."""

from __future__ import annotations

from pathlib import Path

import pytest
from archive import CELL, FINE, Archive
from click.testing import CliRunner
from databases import ON_SQLITE

from mvmdb.catalog.configure import configure_layers
from mvmdb.catalog.exposures.standing import withdraw
from mvmdb.catalog.open import open_catalog
from mvmdb.catalog.settings import read_policy
from mvmdb.cli import commands
from mvmdb.pollers.files import read_poller
from mvmdb.reconcile import run as run_module

OTHER_CELL = "skycell-p1000x11y11"


def file_of(archive: Archive, cell: str = CELL, kind: str = "input.out") -> Path:
    return archive.products / cell / f"{cell}_{kind}"


def flags(path: Path) -> dict[str, str]:
    """NEW or OLD by the file name of each exposure."""
    return {row.filename[:8]: row.flag for row in read_poller(path).rows}


def take_out(archive: Archive, *names: str) -> None:
    with open_catalog(archive.address) as engine, engine.begin() as connection:
        withdraw(connection, names, "", read_policy(connection))


def test_after_a_night_the_poller_says_all_old_and_the_plan_is_kept_beside_it(two: Archive) -> None:
    assert flags(file_of(two)) == {"ib6o04tu": "OLD", "ib6o04tw": "OLD"}
    assert flags(file_of(two, kind="input.planned")) == {"ib6o04tu": "NEW", "ib6o04tw": "NEW"}
    assert list(two.products.glob("*/*.out")) == [file_of(two)], "no pattern of poller files finds the plan"


def test_after_withdraw_and_reconcile_the_poller_does_not_name_the_exposure(two: Archive) -> None:
    take_out(two, "ib6o04tw")
    assert two.reconcile().problems == []
    assert flags(file_of(two)) == {"ib6o04tu": "OLD"}
    assert flags(file_of(two, kind="input.planned")) == {"ib6o04tu": "NEW"}
    take_out(two, "ib6o04tu")
    two.reconcile()
    assert list((two.products / CELL).glob("*_input.*")) == []


def test_reconcile_makes_no_poller_where_there_is_none(archive: Archive) -> None:
    archive.expose()
    archive.ingest()
    archive.reconcile()
    assert list(archive.products.glob("*/*_input.*")) == []


def test_while_a_run_works_the_poller_says_the_state_before_it(two: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    two.expose("ib6o04tzq", east=1)
    flags_seen = []
    real = run_module.record_product

    def look(*args: object, **options: object) -> None:
        flags_seen.append(flags(file_of(two)))
        real(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(run_module, "record_product", look)
    two.night()
    assert flags_seen == [{"ib6o04tu": "OLD", "ib6o04tw": "OLD"}] * 2
    assert set(flags(file_of(two)).values()) == {"OLD"}


def test_a_layer_that_failed_is_new_after_the_run_and_old_once_it_is_made(two: Archive) -> None:
    path = two.products / CELL / f"{FINE}_drz.fits"
    path.unlink()
    path.mkdir()
    two.night()
    assert set(flags(file_of(two)).values()) == {"NEW"}
    path.rmdir()
    two.reconcile()
    assert set(flags(file_of(two)).values()) == {"OLD"}


def pollers_of(archive: Archive) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in archive.products.glob("*/*_input.*")}


def test_a_run_that_is_killed_and_repeated_ends_with_the_same_pollers(
    two: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    two.expose("ib6o05twq", ra=139.088, dec=-13.997)
    two.night()
    for path in two.products.glob("*/*.fits"):
        path.unlink()
    two.night()
    whole = pollers_of(two)
    real = run_module.record_product
    for survived in (0, 1, 2, 3):
        for path in two.products.glob("*/*.fits"):
            path.unlink()
        left = [None] * survived

        def die(*args: object, left: list[None] = left, **options: object) -> None:
            if not left:
                raise KeyboardInterrupt
            left.pop()
            real(*args, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(run_module, "record_product", die)
        with pytest.raises(KeyboardInterrupt):
            two.night()
        monkeypatch.undo()
        two.night()
        assert pollers_of(two) == whole, survived


def test_a_kill_after_the_last_layer_is_made_up_for_by_the_next_run(
    two: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    two.expose("ib6o04tzq", east=1)

    def die(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mvmdb.reconcile.poller_files.write_pollers", die)
    with pytest.raises(KeyboardInterrupt):
        two.night()
    monkeypatch.undo()
    assert two.night().reconcile.layers == []
    assert flags(file_of(two)) == {"ib6o04tu": "OLD", "ib6o04tw": "OLD", "ib6o04tz": "OLD"}


@ON_SQLITE
def test_a_file_that_moved_is_named_where_it_is_now(two: Archive) -> None:
    old = two.inbox / "ib6o04twq_flt.fits"
    new = two.folder / "elsewhere" / old.name
    new.parent.mkdir()
    old.rename(new)
    two.ingest(new)
    assert two.reconcile().layers == []
    assert str(new) in file_of(two).read_text()
    assert str(old) not in file_of(two).read_text()


@ON_SQLITE
def test_a_poller_that_names_a_file_that_is_gone_is_a_problem(two: Archive) -> None:
    (two.inbox / "ib6o04twq_flt.fits").unlink()
    two.expose("ib6o04tzq", east=1)
    report = two.night()
    assert report.poller_problems == []
    (line,) = report.gone
    assert f"{two.inbox / 'ib6o04twq_flt.fits'}, which is gone" in line
    take_out(two, "ib6o04tz")
    assert line in two.reconcile().problems


@ON_SQLITE
def test_a_poller_that_cannot_be_written_is_written_by_a_later_run(two: Archive) -> None:
    two.expose("ib6o04tzq", east=1)
    file_of(two).unlink()
    file_of(two).mkdir()
    assert len(two.night().poller_problems) == 1
    assert len(two.night().poller_problems) == 1, "still behind"
    file_of(two).rmdir()
    two.expose("ib6o05twq", ra=139.088, dec=-13.997)
    assert two.night().poller_problems == []


def test_layers_that_were_never_made_and_are_expected_no_more_leave_the_poller(archive: Archive) -> None:
    archive.expose()
    archive.ingest()
    with open_catalog(archive.address) as engine, engine.begin() as connection:
        configure_layers(connection, {"epochs": "2030-01-01,2031-01-01"})
    archive.night()
    file_of(archive).parent.mkdir(exist_ok=True)
    file_of(archive).write_text("anything")
    archive.environ = {"MVM_ONLY_CTE": "on"}
    archive.night()
    assert not file_of(archive).exists()


def test_a_poller_that_a_command_wrote_says_the_state_after_the_next_run(two: Archive) -> None:
    planned = file_of(two, kind="input.planned")
    two.night()
    kept = planned.read_bytes()
    away = two.folder / "away"
    product = two.products / CELL / f"{FINE}_drz.fits"
    product.rename(away)
    assert CliRunner().invoke(commands, ["--db", two.address, "poller"]).exit_code == 0
    assert set(flags(file_of(two)).values()) == {"NEW"}
    away.rename(product)
    assert CliRunner().invoke(commands, ["--db", two.address, "status"]).exit_code == 0, "which records it"
    assert two.night().reconcile.layers == []
    assert set(flags(file_of(two)).values()) == {"OLD"}
    assert planned.read_bytes() == kept
