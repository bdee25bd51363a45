"""Time and peak memory of making mosaics, beside drizzlepac where its environment is given; a table, and what was met.

    python bench/mosaic.py [--peer .venv-conformance/bin/python] [--only ers,acs,add,recanvas,cell] [--work DIR]
    python bench/mosaic.py --profile [--only ers,acs]

ers: every layer of the ERS field, 16 exposures, from files to products. acs: 4 full-size ACS/WFC exposures, one layer.
add: one exposure more in a layer of 10, 100 and 500, beside reading and writing the product and drizzling the exposure.
recanvas: a wider canvas, beside reading and writing. cell: 4 exposures on the canvas of a whole sky cell, with the
memory that a cell covered everywhere takes, and the same in bands. Every measurement is a process of its own, on the
same files and in the same run, when what was written before is on disk. What is measured beside something else takes
turns with it, and the quickest counts. Memory is the peak of the largest process, and of all together, which counts
what they share twice. --profile: which share of the time is drizzle's C code, files, hashing and the rest. Needs
../shared.
"""

from __future__ import annotations

import argparse
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter, sleep
from types import SimpleNamespace

import numpy as np
from astropy.io import fits
from tabulate import tabulate

from bench import shares
from conformance.pixels import exposures
from conformance.pixels.exposures import SKYCELL, write_acs, write_ers, write_set_poller
from mvmdb.exposures.read import read_exposure
from mvmdb.layers.recipes import choose_recipe
from mvmdb.mosaic.drizzle import bands
from mvmdb.mosaic.drizzle.members import DrizzledMember, drizzle_members
from mvmdb.mosaic.drizzle.planes import Planes
from mvmdb.mosaic.grid import LayerGrid
from mvmdb.mosaic.make import make_product
from mvmdb.mosaic.product.read import read_product
from mvmdb.names import format_product_name, parse_cell_name
from mvmdb.records import Action, Canvas, LayerJob, MemberInput
from mvmdb.sky.region import parse_region

SHARED = Path(os.environ.get("MVMDB_SHARED") or Path(__file__).resolve().parents[2] / "shared").resolve()
DRIVER = Path(exposures.__file__).with_name("run_peer.py")
COUNTS = (10, 100, 500)
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
FULL = Canvas(1, 21954, 1, 21954)
BANDS_MB = 1000
REPEATS = 5
LOOK_SECONDS = 0.02
SPARE = max(0, (os.cpu_count() or 1) - 1)
"""Processors that a job of its own has beside its first, as `mvmdb reconcile` would let it have them."""
GROWTH_TARGET = 1.5


@dataclass(frozen=True)
class Cost:
    """Wall time in seconds of a process and its children, and peak memory in MB: of the largest, and of them all."""

    seconds: float
    peak: float
    together: float = 0.0

    def __str__(self) -> str:
        more = f" ({self.together:.0f} MB together)" if self.together > self.peak else ""
        return f"{self.seconds:.1f} s, {self.peak:.0f} MB{more}"


Row = tuple[str, str, str, str]


def run(command: Sequence[str], folder: Path, clean: bool = False) -> Cost:
    """Run a command in a folder to its end."""
    os.sync()
    environment = {key: value for key, value in os.environ.items() if not (clean and key == "PYTHONPATH")}
    started = perf_counter()
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
        together = 0.0
        while not (found := os.wait4(process.pid, os.WNOHANG))[0]:
            together = max(together, memory_of(process.pid))
            sleep(LOOK_SECONDS)
    seconds = perf_counter() - started
    _, status, usage = found
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        text = (folder / "log.txt").read_text()[-2000:]
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}, expected 0: {text}")
    return Cost(seconds, usage.ru_maxrss / 1024, together)


def memory_of(pid: int) -> float:
    """The memory of a process and its children in MB, as Linux tells it; 0 elsewhere, and when it has ended."""
    try:
        own = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
        tasks = [(task / "children").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
    except OSError:
        return 0.0
    return own + sum(memory_of(int(child)) for children in tasks for child in children.split())


def time_step(job: LayerJob, step: str, folder: Path) -> Cost:
    """One step (of `STEPS`) in a process of its own, without its start."""
    (folder / "job.pickle").write_bytes(pickle.dumps((job, step)))
    whole = run([sys.executable, __file__, "--child", str(folder / "job.pickle")], folder)
    return replace(whole, seconds=float((folder / "log.txt").read_text().split()[-1]))


def time_in_turn(steps: dict[str, tuple[LayerJob, str]], folder: Path) -> dict[str, Cost]:
    """The quickest of some runs of each step, one after the other and again; a product is put back each time."""
    target = Path(next(iter(steps.values()))[0].target)
    kept = target.read_bytes()
    found: dict[str, list[Cost]] = {name: [] for name in steps}
    for _ in range(REPEATS):
        for name, (job, step) in steps.items():
            found[name].append(time_step(job, step, folder))
            if step == "make":
                target.write_bytes(kept)
    return {name: min(costs, key=lambda cost: cost.seconds) for name, costs in found.items()}


def read_and_write(job: LayerJob) -> None:
    """A product read into arrays and written as another file, by astropy."""
    with fits.open(job.target, memmap=False) as hdus:
        for hdu in hdus:
            hdu.data  # noqa: B018 - read now
        copy = Path(f"{job.target}.copy")
        with copy.open("wb") as file:
            hdus.writeto(file)
            file.flush()
            os.fsync(file.fileno())
    copy.unlink()


def drizzle_alone(job: LayerJob) -> None:
    """The job's last member drizzled onto empty planes."""
    grid = LayerGrid(parse_cell_name(SKYCELL), "fine", job.canvas)
    member = job.members[-1]
    drizzle_members(Planes.empty(grid.shape), [DrizzledMember(member.ipppssoo, member.path, 0.0)], grid, job.recipe)


def make_covered(job: LayerJob) -> None:
    """The job with its arrays touched everywhere, as by exposures all over the cell: else they take less memory."""
    empty = Planes.empty

    def touch(shape: tuple[int, int], rows: range | None = None) -> Planes:
        planes = empty(shape, rows)
        planes.science.fill(0.0)
        planes.weight.fill(0.0)
        return planes

    bands.Planes = SimpleNamespace(empty=touch)
    make_product(job)


STEPS: dict[str, Callable[[LayerJob], object]] = {
    "make": make_product,
    "covered": make_covered,
    "copy": read_and_write,
    "drizzle": drizzle_alone,
}


def compare_whole(name: str, write: Callable[[Path, Path], None], target: float, work: Path, peer: Path | None) -> Row:
    """From exposures to products, with both."""
    exposures = work / name
    exposures.mkdir()
    write(exposures, SHARED)
    poller = write_set_poller(exposures)
    (work / f"{name}-own").mkdir()
    own = run(
        [sys.executable, "-c", "from mvmdb.cli import main; main()", "process", str(poller)], work / f"{name}-own"
    )
    if peer is None:
        return name, str(own), "left out (no --peer)", ""
    folder = work / f"{name}-peer"
    shutil.copytree(exposures, folder)
    theirs = run([str(peer), str(DRIVER), poller.name], folder, clean=True)
    ratio = theirs.seconds / own.seconds
    return name, str(own), f"drizzlepac {theirs}", f"{ratio:.1f} times as fast, to reach {target:.0f}"


def profile_whole(name: str, write: Callable[[Path, Path], None], work: Path) -> dict[str, float]:
    """Seconds of each kind of work from exposures to products, in a process of its own."""
    exposures, answer = work / name, work / f"{name}.pickle"
    exposures.mkdir()
    write(exposures, SHARED)
    poller = write_set_poller(exposures)
    run([sys.executable, shares.__file__, str(poller), str(work / f"{name}-own"), str(answer)], work)
    found: dict[str, float] = pickle.loads(answer.read_bytes())
    return found


def write_copies(folder: Path, count: int) -> list[Path]:
    """Dithered copies of one ERS exposure under names of their own, without ERR, SAMP and TIME, which nobody reads."""
    folder.mkdir()
    write_ers(folder, SHARED)
    source = min(folder.glob("*_f125w_*.fits"))
    rng = np.random.default_rng(1)
    with fits.open(source, memmap=False) as hdus:
        for other in folder.glob("*.fits"):
            other.unlink()
        for name in ("ERR", "SAMP", "TIME"):
            del hdus[name, 1]
        hdus[0].header["NEXTEND"] = len(hdus) - 1
        place = hdus["SCI", 1].header["CRVAL1"], hdus["SCI", 1].header["CRVAL2"]
        paths = []
        for number in range(count):
            root = f"ib6o04{DIGITS[number // 36]}{DIGITS[number % 36]}q"
            hdus[0].header["ROOTNAME"] = root
            dither = rng.uniform(-10, 10, 2) / 3600
            hdus["SCI", 1].header.update(CRVAL1=place[0] + dither[0], CRVAL2=place[1] + dither[1])
            paths.append(folder / f"{root}_flt.fits")
            hdus.writeto(paths[-1])
    return paths


def plan(paths: Sequence[Path], folder: Path, canvas: Canvas | None = None) -> LayerJob:
    """A drizzle of WFC3/IR exposures onto a canvas that holds them with 50 pixels to spare, or onto the one given."""
    grid = LayerGrid(parse_cell_name(SKYCELL), "fine", FULL)
    members, corners = [], []
    for path in paths:
        exposure = read_exposure(path).exposure
        corners += [np.column_stack(grid.sky_to_pixel(*polygon.T)) for polygon in parse_region(exposure.s_region)]
        members.append(MemberInput(exposure.ipppssoo, str(path), exposure.pixels, None, exposure.wcs_digest or "", "g"))
    low, high = np.concatenate(corners).min(axis=0) - 50, np.concatenate(corners).max(axis=0) + 50
    layer = f"hst_{SKYCELL}_wfc3_ir_f125w_all"
    return LayerJob(
        layer=layer,
        action=Action.DRIZZLE,
        kind="flt",
        canvas=canvas or Canvas(int(low[0]), int(high[0]), int(low[1]), int(high[1])),
        recipe=choose_recipe("wfc3", "ir", "f125w", "fine", 2),
        recipe_digest="0" * 32,
        members=tuple(members),
        target=str(folder / format_product_name(layer, "flt")),
        helpers=SPARE,
    )


def make_of_known_skies(job: LayerJob) -> None:
    """The product of a job whose members' skies are known: 500 copies of one exposure have 125,000 pairs."""
    make_product(replace(job, members=tuple(replace(m, sky=0.0) for m in job.members)))


def start_from(job: LayerJob, count: int) -> LayerJob:
    """The job as an addition to the product of its first `count` members."""
    kept = {member.ipppssoo: member.sky for member in read_product(job.target).members}
    members = [
        replace(m, drizzled=n < count, sky=kept[m.ipppssoo] if n < count else None) for n, m in enumerate(job.members)
    ]
    return replace(job, action=Action.ADD, members=tuple(members))


def measure_growth(work: Path, only: Sequence[str]) -> list[Row]:
    """Adding to layers of `COUNTS` members, and a wider canvas."""
    whole = plan(write_copies(work / "copies", max(COUNTS) + 1), work)
    rows = []
    for count in COUNTS if "add" in only else COUNTS[:1]:
        job = replace(whole, members=whole.members[:count])
        make_of_known_skies(job)
        steps = {"read + write": (job, "copy")}
        if count == COUNTS[0] and "recanvas" in only:
            c = job.canvas
            wide = Canvas(c.x_min - 30, c.x_max + 40, c.y_min - 20, c.y_max + 10)
            found = time_in_turn({**steps, "job": (replace(job, action=Action.RECANVAS, canvas=wide), "make")}, work)
            rows.append(compare(f"recanvas of {count}", found))
        if "add" in only:
            adding = start_from(replace(whole, members=whole.members[: count + 1]), count)
            found = time_in_turn({**steps, "one exposure": (adding, "drizzle"), "job": (adding, "make")}, work)
            rows.append(compare(f"add 1 to {count}", found))
    return rows


def compare(name: str, found: dict[str, Cost]) -> Row:
    """A row of the table: a job beside what it cannot do without."""
    cost, parts = found["job"], {part: cost for part, cost in found.items() if part != "job"}
    ratio = cost.seconds / sum(part.seconds for part in parts.values())
    beside = ", ".join(f"{part} {found.seconds:.2f} s" for part, found in parts.items())
    return name, f"{cost.seconds:.2f} s, {cost.peak:.0f} MB", beside, f"{ratio:.2f} times, to reach {GROWTH_TARGET}"


def measure_cell(work: Path) -> list[Row]:
    """Four exposures on the canvas of a whole sky cell, as if it were covered, in one piece and in bands."""
    rows = []
    planes = 2 * 4 * FULL.shape[0] * FULL.shape[1] / 2**20
    for name, memory_mb in (("whole cell", None), (f"whole cell in {BANDS_MB} MB", BANDS_MB)):
        job = replace(plan(write_copies(work / f"cell{memory_mb}", 4), work, FULL), memory_mb=memory_mb)
        cost = time_step(job, "covered", work)
        rows.append((name, str(cost), f"its two arrays {planes:.0f} MB", f"{cost.peak / planes:.2f} times the arrays"))
        Path(job.target).unlink()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", type=Path, help="the interpreter of drizzlepac's environment")
    parser.add_argument("--only", default="ers,acs,add,recanvas,cell")
    parser.add_argument("--work", type=Path, help="an empty folder to work in, which is left; else one that goes")
    parser.add_argument("--profile", action="store_true", help="say where the time goes, of ers and acs")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        job, step = pickle.loads(options.child.read_bytes())
        started = perf_counter()
        STEPS[step](job)
        print(perf_counter() - started)
        return
    if not SHARED.is_dir():
        print(f"there is no {SHARED}; mosaics are left out")
        return
    only, peer = options.only.split(","), options.peer and options.peer.absolute()
    with tempfile.TemporaryDirectory(prefix="mvmdb-bench-") as scratch:
        work = (options.work or Path(scratch)).resolve()
        if options.profile:
            sets = {name: write for name, write in (("ers", write_ers), ("acs", write_acs)) if name in only}
            print(shares.show_shares({name: profile_whole(name, write, work) for name, write in sets.items()}))
            return
        rows: list[Row] = []
        if "ers" in only:
            rows.append(compare_whole("ers", write_ers, 6, work, peer))
        if "acs" in only:
            rows.append(compare_whole("acs", write_acs, 5, work, peer))
        if {"add", "recanvas"} & set(only):
            rows += measure_growth(work, only)
        if "cell" in only:
            rows += measure_cell(work)
        print(tabulate(rows, ["work", "mvmdb", "beside", "ratio"]))


if __name__ == "__main__":
    main()
