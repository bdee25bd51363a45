"""Nights on a Dask cluster: the same mosaics as here, each once and whole, whoever of them is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest
from archive import CELL, COARSE, FINE, Archive, names_to_list
from cluster import PATIENCE, Cluster, run_cluster

from mvmdb.catalog.configure import follow_environment
from mvmdb.catalog.exposures.ingest import IngestReport, ingest_files
from mvmdb.catalog.open import open_catalog
from mvmdb.exposures.find import find_exposures
from mvmdb.jobs.report import ReconcileReport, failures
from mvmdb.mosaic.product.read import read_product
from mvmdb.reconcile.layer_jobs import Options
from mvmdb.reconcile.run import reconcile
from mvmdb.workers.choice import open_executor, parse_executor
from mvmdb.workers.executor import Workers

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A scheduler, and one good worker; tests add others, and kill these."""
    with run_cluster(tmp_path_factory.mktemp("dask") / "cluster", workers=1) as cluster:
        yield cluster


@pytest.fixture
def one(tmp_path: Path) -> Archive:
    """An empty archive on SQLite: workers never see the database, and its kind is one to them."""
    (tmp_path / "inbox").mkdir()
    archive = Archive(tmp_path, str(tmp_path / "mvm.db"))
    archive.use_hap()
    return archive


def expose_two_filters(archive: Archive) -> None:
    for number, name in enumerate(("F125W", "F140W")):
        archive.expose(f"ib6o04t{number}q", filters=name)
        archive.expose(f"ib6o05t{number}q", filters=name, east=2)


def ingest_on(archive: Archive, cluster: Cluster) -> IngestReport:
    with (
        open_executor(parse_executor(cluster.address)) as executor,
        open_catalog(archive.address, create=True) as engine,
    ):
        return ingest_files(engine, find_exposures([archive.inbox]).paths, workers=Workers(executor))


def reconcile_on(archive: Archive, cluster: Cluster) -> ReconcileReport:
    with open_executor(parse_executor(cluster.address)) as executor, open_catalog(archive.address) as engine:
        with engine.begin() as connection:
            policy = follow_environment(connection, {})
        return reconcile(engine, archive.products, policy, Options(), workers=Workers(executor))


def command(archive: Archive, *words: str) -> list[str]:
    return [sys.executable, "-m", "mvmdb.cli", "--db", archive.address, *words]


def check_whole(archive: Archive, layers: int) -> None:
    """Every expected product is there, once, whole and recorded; nothing else is, and nothing is stale."""
    records = {path.name: read_product(path, deep=True) for path in (archive.products / CELL).glob("*.fits")}
    expected = [name for (name,) in archive.rows("SELECT name FROM layer ORDER BY name")]
    assert sorted(record.layer for record in records.values()) == expected
    assert len(expected) == layers
    recorded = dict(archive.rows("SELECT filename, data_digest FROM product"))
    assert recorded == {name: record.data_digest for name, record in records.items()}
    assert not list(archive.products.rglob("*.tmp"))
    assert (archive.products / CELL / f"{CELL}_manifest.txt").read_text().split() == names_to_list(records)
    assert archive.reasons(deep=True) == {}


def test_a_worker_killed_at_its_mosaic_costs_nothing(archive: Archive, cluster: Cluster) -> None:
    expose_two_filters(archive)
    archive.ingest()
    victim = cluster.start_worker(preload="dies_before_rename")
    cluster.wait_for_workers(2)
    report = reconcile_on(archive, cluster)
    assert victim.wait(PATIENCE) == -signal.SIGKILL
    assert (report.drizzled, failures(report.layers)) == (4, [])
    assert len({outcome.layer for outcome in report.layers}) == len(report.layers) == 4
    check_whole(archive, 4)


@pytest.mark.parametrize("death", ["dies_before_rename", "dies_after_rename"])
def test_a_member_is_added_once_though_the_worker_that_added_it_is_killed(
    one: Archive, cluster: Cluster, death: str
) -> None:
    one.expose()
    one.expose("ib6o04twq", east=2)
    one.night()
    one.expose("ib6o04tyq", east=1)
    one.ingest()
    assert set(one.actions().values()) == {"add"}
    victim = cluster.start_worker(preload=death)
    cluster.wait_for_workers(2)
    report = reconcile_on(one, cluster)
    assert victim.wait(PATIENCE) == -signal.SIGKILL
    assert (report.added, failures(report.layers)) == (2, [])
    check_whole(one, 2)
    for layer in (FINE, COARSE):
        assert len(read_product(one.products / CELL / f"{layer}_drz.fits").members) == 3
    assert one.rows("SELECT count(*) FROM sky_pair") == [(3,)]
    assert not list(one.products.rglob(".*.findings"))


def test_a_cluster_makes_the_same_mosaics_as_this_process(one: Archive, cluster: Cluster) -> None:
    expose_two_filters(one)
    ingest_on(one, cluster)
    reconcile_on(one, cluster)
    digests = dict(one.rows("SELECT layer, data_digest FROM product"))
    assert len(digests) == 4
    one.reconcile(full=True)
    assert dict(one.rows("SELECT layer, data_digest FROM product")) == digests


def test_a_coordinator_that_is_killed_has_its_work_taken_up_by_the_next(one: Archive, cluster: Cluster) -> None:
    expose_two_filters(one)
    one.ingest()
    words = command(one, "reconcile", "-o", "products", "--executor", cluster.address)
    with subprocess.Popen(words, cwd=one.folder) as coordinator:
        deadline = monotonic() + PATIENCE
        while not one.product_files() and monotonic() < deadline:
            sleep(0.005)
        os.kill(coordinator.pid, signal.SIGKILL)
    assert one.product_files()
    reconcile_on(one, cluster)
    check_whole(one, 4)


def test_a_member_that_workers_cannot_see_fails_its_layers_alone(one: Archive, cluster: Cluster) -> None:
    expose_two_filters(one)
    one.ingest()
    gone = one.inbox / "ib6o04t0q_flt.fits"
    gone.unlink()
    report = reconcile_on(one, cluster)
    assert (report.drizzled, report.failed) == (2, 2)
    assert all(str(gone) in line for line in failures(report.layers))


def test_process_makes_a_poller_on_a_cluster_from_any_folder(one: Archive, cluster: Cluster) -> None:
    one.expose()
    (one.inbox / "list.out").write_text("ib6o04tuq_flt.fits\n")
    words = command(one, "process", "inbox/list.out", "-o", "out", "--executor", cluster.address)
    done = subprocess.run(words, cwd=one.folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert (one.folder / "out" / CELL / f"{FINE}_drz.fits").exists()


def test_files_are_read_by_the_cluster_and_bad_ones_quarantined(one: Archive, cluster: Cluster) -> None:
    expose_two_filters(one)
    (one.inbox / "ib6o09twq_flt.fits").write_text("nothing")
    report = ingest_on(one, cluster)
    assert (report.new, report.quarantined) == (4, 1)
    assert one.rows("SELECT count(*) FROM exposure") == [(4,)]
