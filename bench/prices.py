"""What each better method costs beside hap: whole nights of copies of a real exposure, in ratios; used by mosaic.py.

Two sets of exposures: `deep`, of which each overlaps all others, and `shallow`, a row of which each overlaps the next.
Each night is a process of its own, from files to products of two scales with an empty catalog; nights of unlike
settings take turns, and of each the least processor time counts. A night of no exposures is subtracted: the start of
the program, and the making of the catalog.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits

DEEP, SHALLOW = 4, 4
ROUNDS = 3
SETTINGS: dict[str, dict[str, str]] = {
    "hap": {"method": "hap"},
    "hap, shifts of pairs not measured": {"method": "hap", "measure": "no"},
    "mvmdb: one flux, skies by differences": {"method": "mvmdb"},
    "mvmdb, frames align": {"method": "mvmdb", "frames": "align"},
    "hap, weight ivm": {"method": "hap", "weight": "ivm"},
    "shallow: hap": {"method": "hap", "shallow": "hap"},
    "shallow: hap, shallow match": {"method": "hap", "shallow": "match"},
    "shallow: mvmdb, shallow hap": {"method": "mvmdb", "shallow": "hap"},
    "shallow: mvmdb": {"method": "mvmdb", "shallow": "match"},
}
"""The settings of `mvmdb init` for each row; those of a row whose name begins with shallow are for that set."""
NIGHT = """
import json, sys
from pathlib import Path
from mvmdb.archive.archive import open_archive
from mvmdb.reconcile.shifts import ShiftSurvey
folder, settings, paths = Path(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3:]
if settings.pop("measure", "yes") == "no":
    ShiftSurvey.settle = lambda self, lines: False
archive = open_archive(folder / "catalog.db", create=True, executor="serial")
archive.configure(products=folder / "products", **settings)
report = archive.nightly(*paths).report.reconcile
if report.failed or (paths and not report.drizzled):
    raise SystemExit(f"{report.drizzled} layers were drizzled, {report.failed} failed; expected some and none")
"""


@dataclass(frozen=True)
class Price:
    """Processor seconds and peak memory in MB of a night's process."""

    seconds: float
    peak: float


def measure_prices(work: Path, source: Path) -> list[tuple[str, str, str, str]]:
    """Rows of a table: the work, its cost, that of hap, and their ratio. `source` is a WFC3/IR FLT with ERR."""
    sets = {
        "deep": _copy(source, work / "deep", np.random.default_rng(1).uniform(-10, 10, (DEEP, 2))),
        "shallow": _copy(source, work / "shallow", [(90.0 * n, 0.0) for n in range(SHALLOW)]),
        "none": [],
    }
    nights = {
        name: (setting, sets["shallow" if name.startswith("shallow") else "deep"]) for name, setting in SETTINGS.items()
    }
    nights["none"] = SETTINGS["hap"], sets["none"]
    costs: dict[str, list[Price]] = {name: [] for name in nights}
    for _ in range(ROUNDS):
        for name, (setting, paths) in nights.items():
            costs[name].append(_time_night(work / "night", setting, paths))
    least = {name: min(found, key=lambda price: price.seconds) for name, found in costs.items()}
    start = least["none"].seconds
    rows = []
    for name in SETTINGS:
        beside = least["shallow: hap" if name.startswith("shallow") else "hap"]
        cost, ratio = least[name], (least[name].seconds - start) / (beside.seconds - start)
        rows.append((
            name, f"{cost.seconds - start:.1f} s of processor, {cost.peak:.0f} MB",
            f"hap {beside.seconds - start:.1f} s, {beside.peak:.0f} MB",
            f"{ratio:.2f} times, memory {cost.peak / beside.peak:.2f} times",
        ))  # fmt: skip
    return rows


def _copy(source: Path, folder: Path, offsets: Sequence[tuple[float, float]] | np.ndarray) -> list[Path]:
    """Copies of an exposure under other names, moved by `offsets` in arcsec."""
    folder.mkdir()
    paths = []
    with fits.open(source, memmap=False) as hdus:
        ra, dec = hdus["SCI", 1].header["CRVAL1"], hdus["SCI", 1].header["CRVAL2"]
        for number, (east, north) in enumerate(offsets):
            root = f"ib6o04{number:02d}q"
            hdus[0].header["ROOTNAME"] = root
            moved = ra + east / 3600 / np.cos(np.radians(dec)), dec + north / 3600
            hdus["SCI", 1].header.update(CRVAL1=moved[0], CRVAL2=moved[1])
            paths.append(folder / f"{root}_flt.fits")
            hdus.writeto(paths[-1])
    return paths


def _time_night(folder: Path, settings: dict[str, str], paths: Sequence[Path]) -> Price:
    """The cost of a night in a new folder; raises SystemExit if it fails."""
    folder.mkdir()
    command = [sys.executable, "-c", NIGHT, str(folder), json.dumps(settings), *map(str, paths)]
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"a night with {settings} failed: {(folder / 'log.txt').read_text()[-2000:]}")
    shutil.rmtree(folder)
    return Price(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
