"""What killed runs leave in any sky cell is removed, and what is not mvmdb's, or may still be written, is not."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from mvmdb.mosaic.product.leftovers import sweep_leftovers
from mvmdb.mosaic.product.write import sweep_temporaries

CELL = "skycell-p0726x11y11"
PRODUCT = f"hst_{CELL}_wfc3_ir_f125w_all_drz.fits"
START = 2_000_000_000 * 10**9
SECOND = 10**9
DAY = 86400 * SECOND


def leave(folder: Path, name: str, mtime_ns: int) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"half")
    os.utime(path, ns=(mtime_ns, mtime_ns))
    return path


def test_leftovers_of_every_kind_of_file_are_swept_in_every_cell(tmp_path: Path) -> None:
    here = socket.gethostname()
    for cell in (CELL, "skycell-p1000x11y11"):
        for target in (f"hst_{cell}_acs_wfc_f814w_coarse-all_drc.fits", f"{cell}_manifest.txt", f"{cell}_input.out"):
            leave(tmp_path / cell, f".{target}.{here}.4711.tmp", START - SECOND)
        leave(tmp_path / cell, f".hst_{cell}_acs_wfc_f814w_coarse-all_drc.fits.findings", START - SECOND)
        leave(tmp_path / cell, f".hst_{cell}_acs_wfc_f814w_coarse-all_drc.fits.findings.{here}.1.tmp", START - SECOND)
        leave(tmp_path / cell, f".{cell}_input.planned.4711.tmp", START - SECOND)
    assert len(sweep_leftovers(tmp_path, START)) == 12
    assert not list(tmp_path.glob("*/.*"))


def test_files_of_this_run_and_of_machines_that_may_still_write_stay(tmp_path: Path) -> None:
    folder, here = tmp_path / CELL, socket.gethostname()
    kept = {
        leave(folder, f".{PRODUCT}.{here}.1.tmp", START),
        leave(folder, f".{PRODUCT}.findings", START),
        leave(folder, f".{PRODUCT}.node-7.example.org.1.tmp", START - DAY + SECOND),
    }
    leave(folder, f".{PRODUCT}.node-7.example.org.2.tmp", START - DAY - SECOND)
    assert sweep_leftovers(tmp_path, START) == [f".{PRODUCT}.node-7.example.org.2.tmp"]
    assert set(folder.iterdir()) == kept


def test_files_of_others_stay(tmp_path: Path) -> None:
    names = [
        f".{PRODUCT}.tmp", f"{PRODUCT}.1.tmp", ".notes.txt.1.tmp", f".{PRODUCT}.bak", PRODUCT, f"{PRODUCT}.findings",
        ".hst_skycell-p1000x11y11_wfc3_ir_f125w_all_drz.fits.host.1.tmp",
    ]  # fmt: skip
    for name in names:
        leave(tmp_path / CELL, name, 0)
    leave(tmp_path / "elsewhere", f".{PRODUCT}.host.1.tmp", 0)
    leave(tmp_path, f".{PRODUCT}.host.1.tmp", 0)
    assert sweep_leftovers(tmp_path, START) == []


def test_folders_of_such_names_stay(tmp_path: Path) -> None:
    folder = tmp_path / CELL / f".{PRODUCT}.host.1.tmp"
    folder.mkdir(parents=True)
    os.utime(folder, ns=(0, 0))
    assert sweep_leftovers(tmp_path, START) == []
    assert sweep_temporaries(folder.parent) == []
    assert folder.is_dir()
