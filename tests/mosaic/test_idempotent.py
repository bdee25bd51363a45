"""A job that is done twice: the second run returns the product of the first, and accepts nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from archive import Archive

from mvmdb.catalog.open import open_catalog
from mvmdb.errors import ProductError
from mvmdb.mosaic.idempotent import make_idempotently
from mvmdb.mosaic.product.findings import drop_findings, with_findings
from mvmdb.reconcile.layer_jobs import Options, find_work
from mvmdb.records import Action, LayerJob, Policy


@pytest.fixture
def job(tmp_path: Path) -> Iterator[LayerJob]:
    """To add a third exposure to a mosaic of two."""
    (tmp_path / "inbox").mkdir()
    archive = Archive(tmp_path, str(tmp_path / "mvm.db"))
    archive.expose()
    archive.expose("ib6o04twq", east=2)
    archive.night()
    archive.expose("ib6o04tyq", east=1)
    archive.ingest()
    with open_catalog(archive.address) as engine:
        line = archive.look().plan.layers[0]
        with engine.begin() as connection:
            work = find_work(connection, archive.products, line, Policy(), Options())
        assert work is not None
        assert work.job is not None
        assert work.job.action is Action.ADD
        yield work.job


def test_adding_twice_adds_once(job: LayerJob) -> None:
    first = make_idempotently(job)
    before = Path(job.target).read_bytes()
    second = make_idempotently(job)
    assert second == first
    assert second.pairs == first.pairs
    assert len(first.pairs) == 2
    assert Path(job.target).read_bytes() == before


def test_pairs_of_another_product_are_not_those_of_this_one(job: LayerJob) -> None:
    record = make_idempotently(job)
    assert with_findings(replace(record, pairs=())).pairs == record.pairs
    other = replace(record, pairs=(), recipe_digest="another")
    assert with_findings(other).pairs == ()
    unreadable = replace(record, pairs=(), recipe='{"of": "another version"}')
    assert with_findings(unreadable).pairs == ()
    drop_findings(Path(job.target))
    assert with_findings(replace(record, pairs=())).pairs == ()


def test_what_was_put_in_place_must_be_whole(job: LayerJob) -> None:
    make_idempotently(job)
    with Path(job.target).open("r+b") as file:
        file.seek(40000)
        file.write(b"\1\2\3\4")
    with pytest.raises(ProductError):
        make_idempotently(job)


def test_a_product_that_is_gone_is_still_an_error(job: LayerJob) -> None:
    Path(job.target).unlink()
    with pytest.raises(ProductError, match="does not exist"):
        make_idempotently(job)
