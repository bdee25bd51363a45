"""An archive that nobody damaged is sound, whatever happened to it; its catalog may be one that cannot be written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from archive import FINE, Archive, call
from verifying import SMALL, fill

from mvmdb.mosaic import make as make_module
from mvmdb.reconcile import run as run_module

TABLE = """obs_id,instrument_name,filters,t_exptime,s_region
ib6o04t1q,WFC3/IR,F125W,100,"POLYGON ICRS 52.67 -26.01 52.69 -26.01 52.69 -25.99 52.67 -25.99"
ib6o04t2q,WFC3/IR,F160W,100,"POLYGON ICRS 52.67 -26.01 52.69 -26.01 52.69 -25.99 52.67 -25.99"
j8oz04t3q,ACS/WFC,F606W,10,"POLYGON ICRS 359.99 10.0 0.02 10.0 0.02 10.03 359.99 10.03"
"""


DEEP = ("--deep", "--executor", "serial")


def require_sound(archive: Archive, *options: str) -> None:
    done = call(archive, "verify", *options)
    assert (done.exit_code, done.output.splitlines()[-1].rpartition(": ")[2]) == (0, "nothing found"), done.output


def test_nothing_is_found_after_nights_withdrawals_tables_and_divisions(tmp_path: Path) -> None:
    archive = Archive(tmp_path, str(tmp_path / "mvm.db"))
    fill(archive)
    require_sound(archive)
    archive.expose("ib6o04tyq", east=40, **SMALL)  # the canvas grows
    (archive.inbox / "broken_flt.fits").write_bytes(b"SIMPLE  =                    T" + b" " * 3000)
    archive.expose("ib6o04u1q", east=3, science=np.zeros((32, 32)), **SMALL)  # empty
    archive.ingest()
    require_sound(archive)
    assert archive.night().reconcile.refused
    require_sound(archive)
    assert call(archive, "withdraw", "ib6o04tw", "--why", "test").exit_code == 0
    require_sound(archive)
    (archive.folder / "table.csv").write_text(TABLE)
    assert call(archive, "import", str(archive.folder / "table.csv")).exit_code == 0
    require_sound(archive)
    archive.reconcile(available=True)
    require_sound(archive, *DEEP)
    assert call(archive, "init", "--epochs", "yearly", "--layers", "classes").exit_code == 0
    require_sound(archive)
    archive.night()
    require_sound(archive, *DEEP)


@pytest.mark.parametrize("killed_in", [(run_module, "record_product"), (make_module, "write_product")])
def test_nothing_is_found_after_the_night_that_follows_a_killed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_in: tuple[object, str]
) -> None:
    def die(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    archive = Archive(tmp_path, str(tmp_path / "mvm.db"))
    archive.expose(**SMALL)
    monkeypatch.setattr(*killed_in, die)
    with pytest.raises(KeyboardInterrupt):
        archive.night()
    monkeypatch.undo()
    done = json.loads(call(archive, "verify", "--json").output)
    assert {problem["kind"] for problem in done["problems"]} <= {"product-unrecorded", "leftover"}
    archive.night()
    require_sound(archive)


def test_a_catalog_that_cannot_be_written_is_verified(tmp_path: Path) -> None:
    archive = Archive(tmp_path, str(tmp_path / "mvm.db"))
    archive.expose(**SMALL)
    archive.night()
    before = (tmp_path / "mvm.db").read_bytes()
    (tmp_path / "mvm.db").chmod(0o444)
    next(archive.products.glob(f"*/{FINE}_drz.fits")).unlink()
    done = call(archive, "verify")
    assert done.exit_code == 1
    assert "product-missing (1)" in done.output
    assert (tmp_path / "mvm.db").read_bytes() == before
