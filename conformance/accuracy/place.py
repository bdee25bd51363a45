"""How well shifts of exposures are measured, which are flagged, and what is left after `--frames align`.

The exposures are the real ones of the ERS field, in which headers are moved by known shifts (bench/shifts.py).
"""

from __future__ import annotations

import itertools
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from archive import Archive
from generated import Block
from skyfield import misplace

from bench.shifts import Flagged, Measured, flagged_of, measure_round, precision_of
from conformance.accuracy.ways import Setting, table
from mvmdb.catalog.configure import initialise
from mvmdb.catalog.open import open_catalog
from mvmdb.reconcile.layer_jobs import Options
from mvmdb.reconcile.shifts import ShiftSurvey
from mvmdb.records import Policy
from mvmdb.workers.processes import IN_THIS_PROCESS

COSMIC_RAYS = 2000
PIXEL = 0.12825  # arcsec, of WFC3/IR
INJECTED = {"ib6o04tw": (0.5, 0.0), "ib6o04ua": (-2.0, 2.2), "ib6o04uw": (0.1, 0.1)}
"""Pixels to the east and north by which headers of one visit are moved."""


def measure(setting: Setting, *, rounds: int = 2) -> Iterator[Block]:
    """The tables of shifts by their number of sources, of what is flagged, and of what is left after alignment."""
    source = setting.below("ers")
    maker = [sys.executable, str(setting.shared / "tools/make_ers_flts.py"), str(source)]
    subprocess.run(maker, check=True, stdout=subprocess.DEVNULL)
    rows, flagged = [], []
    for hits in (0, COSMIC_RAYS):
        pairs = [
            pair
            for number in range(rounds)
            for pair in measure_round(source, setting.folder / f"{hits}-{number}", number, hits)
        ]
        rows += say_precision(hits, pairs)
        apart, together = flagged_of(pairs)
        flagged.append([say_rays(hits), say_share(apart), say_share(together), f"{apart.too_few + together.too_few} of "
                        f"{apart.pairs + together.pairs}"])  # fmt: skip
    yield (
        "shifts",
        table(
            [
                "cosmic rays",
                "common sources",
                "pairs",
                "off by (median), pixels",
                "off by (95%)",
                "in units of the error",
            ],
            rows,
        ),
    )
    yield (
        "flagged",
        table(
            [
                "cosmic rays",
                "flagged of pairs half a pixel apart or more",
                "of pairs that lie together",
                "too few sources",
            ],
            flagged,
        ),
    )
    yield "aligned", measure_alignment(source, setting.below("aligned"))


def say_rays(hits: int) -> str:
    """Unflagged cosmic rays of each exposure."""
    return f"{hits:,} unflagged" if hits else "flagged ones"


def say_precision(hits: int, pairs: list[Measured]) -> list[list[str]]:
    """A row for each number of common sources."""
    return [
        [say_rays(hits), f"{one.low} to {one.high}" if one.high < 900 else f"{one.low} and more", str(one.pairs),
         f"{one.median:.3f}", f"{one.most:.3f}", f"{one.sigmas:.2f}"]
        for one in precision_of(pairs)
    ]  # fmt: skip


def say_share(some: Flagged) -> str:
    """`147 of 147`, in percent."""
    return f"{some.flagged} of {some.measured} ({some.flagged / max(some.measured, 1):.1%})"


def measure_alignment(source: Path, folder: Path) -> str:
    """The table of how far exposures of one visit lie apart, as their files say and after the solved shifts.

    No mosaics are made: what mosaics use are the solutions in the catalog.
    """
    inbox = folder / "inbox"
    inbox.mkdir()
    for path in sorted(source.glob("ib6o04*_flt.fits")):
        east, north = INJECTED.get(path.name[:8], (0.0, 0.0))
        misplace(Path(shutil.copy(path, inbox)), east * PIXEL, north * PIXEL, 0.0)
    archive = Archive(folder, str(folder / "mvm.db"))
    initialise(archive.address, frames="align")
    archive.ingest(inbox)
    with open_catalog(archive.address) as engine:
        ShiftSurvey(engine, Policy(frames="align"), IN_THIS_PROCESS, Options()).settle(())
    moves = {name: (dx, dy) for name, dx, dy in archive.rows("SELECT ipppssoo, move_dx, move_dy FROM placement")}
    shifts = {name: np.multiply(INJECTED.get(name, (0.0, 0.0)), PIXEL) for name in moves}
    pairs = list(itertools.combinations(sorted(moves), 2))
    before = [np.hypot(*(shifts[a] - shifts[b])) / PIXEL for a, b in pairs]
    after = [np.hypot(*(shifts[a] + moves[a] - shifts[b] - moves[b])) / PIXEL for a, b in pairs]
    ((left,),) = archive.rows("SELECT max(left_pixels) FROM shift_pair")
    rows = [
        ["largest true distance of a pair, pixels", f"{max(before):.2f}", f"{max(before):.2f}", f"{max(after):.3f}"],
        ["largest distance that the catalog has", "-", "-", f"{left:.3f}"],
    ]
    return table([f"{len(moves)} real exposures, {len(INJECTED)} of them moved", "drizzlepac", "`--frames any`",
                  "`--frames align`"], rows)  # fmt: skip
