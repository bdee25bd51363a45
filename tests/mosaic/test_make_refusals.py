"""Mosaics that cannot be made: unusable members and damaged products are named, and old products are kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fitsfiles import realign, set_keywords, set_pixels
from mosaic_field import Field, dithered, refusal, with_members

from mvmdb.errors import MemberUnusableError
from mvmdb.exposures.fits.digest import digest_pixels
from mvmdb.layers.recipes import choose_recipe
from mvmdb.mosaic.drizzle import members as drizzling
from mvmdb.mosaic.make import make_product
from mvmdb.mosaic.product.findings import drop_findings
from mvmdb.records import Action


def test_a_missing_member_is_named(field: Field) -> None:
    job = field.job([path := field.expose("aa")])
    path.unlink()
    assert "ib6o04aa" in refusal(job)


def test_a_member_that_was_realigned_since_is_refused(field: Field) -> None:
    job = field.job([path := field.expose("aa")])
    realign(path, dec_arcsec=0.3)
    assert "WCS digest" in refusal(job)


def test_a_member_whose_header_tells_of_other_pixels_is_refused(field: Field) -> None:
    job = field.job([path := field.expose("aa")])
    set_keywords(path, ("SCI", 1), {"GOODMEAN": 17.0})
    assert "pixel token" in refusal(job)


def test_a_member_with_other_pixels_is_refused_once_their_digest_is_known(field: Field) -> None:
    path = field.expose("aa")
    job = with_members(field.job([path]), pixel_digest=digest_pixels(path))
    assert make_product(job).members[0].pixel_digest == digest_pixels(path)
    set_pixels(path, np.full((64, 64), 3.0))
    assert "pixel digest" in refusal(job)


def test_a_member_that_changes_while_it_is_drizzled_is_refused(field: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    job = field.job([path := field.expose("aa")])
    read = drizzling.read_member_chips

    def read_and_change(*arguments: str) -> object:
        yield from read(*arguments)
        with path.open("ab") as file:
            file.write(b"\0" * 2880)

    monkeypatch.setattr(drizzling, "read_member_chips", read_and_change)
    assert "changed while" in refusal(job)


def test_a_member_of_zeros_is_unusable_as_empty(field: Field) -> None:
    paths = [field.expose("aa"), field.expose("bb", sky=0.0)]
    for mean in (1, 2):
        with pytest.raises(MemberUnusableError) as caught:
            make_product(field.job(paths, mean=mean))
        assert (caught.value.ipppssoo, caught.value.rule) == ("ib6o04bb", "empty")


def test_one_chip_of_zeros_is_no_empty_member(field: Field) -> None:
    path = field.expose("aa", detector="WFC", chips=2, shape=(30, 60))
    set_pixels(path, np.zeros((30, 60)), extver=2)
    assert len(make_product(field.job([path], mean=1)).members) == 1


def test_counts_that_are_no_electrons_are_unusable(field: Field) -> None:
    path = field.expose("aa", sci={"BUNIT": "COUNTS"})
    with pytest.raises(MemberUnusableError, match="COUNTS"):
        make_product(field.job([path]))


def test_failure_in_the_middle_leaves_the_old_product_and_nothing_else(
    field: Field, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = field.job(dithered(field))
    make_product(job)
    drop_findings(Path(job.target))  # as a run does that has recorded them
    before = Path(job.target).read_bytes()
    calls = []
    project = drizzling.map_chip

    def fail_later(*arguments: object) -> object:
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("the power went")
        return project(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(drizzling, "map_chip", fail_later)
    with pytest.raises(RuntimeError, match="power"):
        make_product(job)
    assert Path(job.target).read_bytes() == before
    assert [path.name for path in field.products.iterdir()] == [Path(job.target).name]


def test_inputs_are_as_they_were_after_all(field: Field) -> None:
    paths = dithered(field)
    before = [(path.read_bytes(), path.stat().st_mtime_ns) for path in paths]
    job = field.job(paths)
    make_product(job)
    assert [(path.read_bytes(), path.stat().st_mtime_ns) for path in paths] == before


def test_a_target_that_is_not_the_layers_file_is_refused(field: Field) -> None:
    path = field.expose("aa")
    assert "expected hst_" in refusal(replace(field.job([path]), target=str(path)))


@pytest.mark.parametrize("action", [Action.ADD, Action.RECANVAS])
def test_add_and_recanvas_refuse_a_damaged_product(field: Field, action: Action) -> None:
    paths = dithered(field)
    job = field.job(paths[:2])
    make_product(job)
    start = replace(
        job,
        action=action,
        members=tuple(replace(member, drizzled=True) for member in job.members),
    )
    if action is Action.ADD:
        new = field.job(paths).members[2]
        start = replace(start, members=(*start.members, new))
    target = Path(job.target)
    data = bytearray(target.read_bytes())
    data[2880 * 20] ^= 1
    target.write_bytes(data)
    assert "damaged" in refusal(start)
    target.write_bytes(data[:-2880])
    assert "damaged" in refusal(start)
    target.unlink()
    assert "does not exist" in refusal(start)


def test_add_and_recanvas_refuse_another_product_than_the_jobs(field: Field) -> None:
    paths = dithered(field)
    job = field.job(paths)
    make_product(job)
    assert "expected ib6o04aa to start from" in refusal(
        field.job(paths, action=Action.ADD, kept={"ib6o04aa": 0.0}, drizzled=["ib6o04aa"])
    )
    other_recipe = choose_recipe("wfc3", "ir", "f125w", "fine", 1)
    assert "recipe" in refusal(replace(job, action=Action.RECANVAS, recipe=other_recipe))
    assert "version" in refusal(with_members(replace(job, action=Action.RECANVAS), wcs_digest="f" * 32))


def test_a_folder_that_cannot_be_written_is_named(field: Field) -> None:
    job = field.job([field.expose("aa")])
    (field.folder / "occupied").write_text("a file, not a folder")
    assert "occupied" in refusal(replace(job, target=str(field.folder / "occupied" / Path(job.target).name)))
