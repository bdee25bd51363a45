"""The manifest lists the products that are there after every run, whatever interrupted it or an earlier one."""

from __future__ import annotations

import numpy as np
import pytest
from archive import CELL, Archive, names_to_list

from mvmdb.mosaic.product.read import open_product
from mvmdb.mosaic.product.trailer import format_trailer
from mvmdb.reconcile import run as run_module

OTHER_CELL = "skycell-p1000x11y11"


def die(*args: object, **options: object) -> None:
    raise KeyboardInterrupt


def check_manifests(archive: Archive) -> None:
    for cell in (CELL, OTHER_CELL):
        folder = archive.products / cell
        manifest = (folder / f"{cell}_manifest.txt").read_text().split()
        assert manifest == names_to_list(path.name for path in folder.glob("*.fits")), cell
        for product in folder.glob("*.fits"):
            log = folder / names_to_list([product.name])[-1]
            assert log.read_bytes() == format_trailer(open_product(product))
        assert manifest


@pytest.fixture
def two_cells(archive: Archive) -> Archive:
    archive.expose()
    archive.expose("ib6o04twq", ra=139.088, dec=-13.997)
    archive.night()
    check_manifests(archive)
    return archive


@pytest.mark.parametrize("change", ["outdated", "missing"])
def test_what_the_first_look_saw_is_listed_where_an_exposure_is_refused(two_cells: Archive, change: str) -> None:
    archive = two_cells
    if change == "missing":  # all files were copied back but for the manifest, and the catalog made anew
        (archive.products / OTHER_CELL / f"{OTHER_CELL}_manifest.txt").unlink()
        archive.lose_catalog()
    else:
        (archive.products / OTHER_CELL / f"{OTHER_CELL}_manifest.txt").write_text("")
        for path in (archive.products / OTHER_CELL).glob("*.fits"):
            path.touch()
    archive.expose("ib6o04tzq", east=1, science=np.zeros((64, 64)))
    assert list(archive.night().reconcile.refused) == ["ib6o04tz"]
    check_manifests(archive)


def test_a_kill_before_the_manifest_is_made_up_for_though_a_look_came_between(
    two_cells: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = two_cells
    archive.expose("j8oz04kpq", detector="WFC", kind="flc", ra=139.088, dec=-13.997)  # one layer
    monkeypatch.setattr(run_module, "write_manifest", die)
    with pytest.raises(KeyboardInterrupt):
        archive.night()
    monkeypatch.undo()
    archive.look()  # records the product that the killed run made
    archive.reconcile()
    check_manifests(archive)
    assert archive.reasons() == {}
