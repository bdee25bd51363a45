"""Time and peak memory of making mosaics, compared with drizzlepac if its environment is given; prints a table.

    python bench/mosaic.py [--peer .venv-conformance/bin/python] [--only ers,acs,add,recanvas,cell,price] [--work DIR]
    python bench/mosaic.py --profile [--only ers,acs]

ers: every layer of the ERS field, 16 exposures, from files to products. acs: 4 full-size ACS/WFC exposures, one layer.
add: adding one exposure to a layer of 10, 100 and 500, compared with reading and writing the product and drizzling the
exposure. recanvas: a wider canvas, compared with reading and writing. cell: 4 exposures on the canvas of a whole sky
cell, with the memory of a cell that is covered everywhere, and the same in bands. price: nights by each better method
beside nights by hap (prices.py). Each measurement is a separate process, on the same files and in the same run, after
everything written before is on disk. Measurements that are compared with each other alternate, and the fastest run of
each counts. Memory is the peak of the largest process, and of all processes together, which counts shared memory twice.
--profile: the shares of drizzle's C code, files, hashing and the rest in the time. Needs ../shared.
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
from bench.prices import measure_prices
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
"""Spare processors that a single job may use, as under `mvmdb reconcile`."""
GROWTH_TARGET = 1.5


@dataclass(frozen=True)
class Cost:
    """Wall time in seconds of a process and its children, and peak memory in MB: of the largest and of all together."""

    seconds: float
    peak: float
    together: float = 0.0

    def __str__(self) -> str:
        more = f" ({self.together:.0f} MB together)" if self.together > self.peak else ""
        return f"{self.seconds:.1f} s, {self.peak:.0f} MB{more}"


Row = tuple[str, str, str, str]


def run(command: Sequence[str], folder: Path, clean: bool = False) -> Cost:
    """Run a command in a folder until it ends; raises SystemExit if it fails."""
    os.sync()
    environment = {key: value for key, value in os.environ.items() if not (clean and key == "PYTHONPATH")}
    started = perf_counter()
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
        together = 0.0
        while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
            together = max(together, memory_of(process.pid))
            sleep(LOOK_SECONDS)
    seconds = perf_counter() - started
    _, status, usage = ended
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        text = (folder / "log.txt").read_text()[-2000:]
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}, expected 0: {text}")
    return Cost(seconds, usage.ru_maxrss / 1024, together)


def memory_of(pid: int) -> float:
    """Memory of a process and its children in MB, from Linux's /proc; 0 on other systems, or if it has ended."""
    try:
        resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
        tasks = [(task / "children").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
    except OSError:
        return 0.0
    return resident + sum(memory_of(int(child)) for children in tasks for child in children.split())


def time_step(job: LayerJob, step: str, folder: Path) -> Cost:
    """The cost of one of `STEPS` in a separate process, without the start of the process."""
    (folder / "job.pickle").write_bytes(pickle.dumps((job, step)))
    whole = run([sys.executable, __file__, "--child", str(folder / "job.pickle")], folder)
    return replace(whole, seconds=float((folder / "log.txt").read_text().split()[-1]))


def time_in_turn(steps: dict[str, tuple[LayerJob, str]], folder: Path) -> dict[str, Cost]:
    """The fastest of several runs of each step; the steps alternate, and the product is restored after each."""
    target = Path(next(iter(steps.values()))[0].target)
    product = target.read_bytes()
    costs_of: dict[str, list[Cost]] = {name: [] for name in steps}
    for _ in range(REPEATS):
        for name, (job, step) in steps.items():
            costs_of[name].append(time_step(job, step, folder))
            if step == "make":
                target.write_bytes(product)
    return {name: min(costs, key=lambda cost: cost.seconds) for name, costs in costs_of.items()}


def read_and_write(job: LayerJob) -> None:
    """Read a product into arrays and write it to another file, with astropy."""
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
    """Drizzle the job's last member onto empty planes."""
    grid = LayerGrid(parse_cell_name(SKYCELL), "fine", job.canvas)
    member = job.members[-1]
    drizzle_members(Planes.empty(grid.shape), [DrizzledMember(member.ipppssoo, member.path, 0.0)], grid, job.recipe)


def make_covered(job: LayerJob) -> None:
    """Run the job with arrays that are filled, as by exposures all over the cell: otherwise they take less memory."""
    empty = Planes.empty

    def fill(shape: tuple[int, int], rows: range | None = None) -> Planes:
        planes = empty(shape, rows)
        planes.science.fill(0.0)
        planes.weight.fill(0.0)
        return planes

    bands.Planes = SimpleNamespace(empty=fill)
    make_product(job)


STEPS: dict[str, Callable[[LayerJob], object]] = {
    "make": make_product,
    "covered": make_covered,
    "copy": read_and_write,
    "drizzle": drizzle_alone,
}


def compare_whole(name: str, write: Callable[[Path, Path], None], target: float, work: Path, peer: Path | None) -> Row:
    """From exposures to products, with mvmdb and, if `peer` is given, with drizzlepac."""
    exposures = work / name
    exposures.mkdir()
    write(exposures, SHARED)
    poller = write_set_poller(exposures)
    (work / f"{name}-own").mkdir()
    ours = run(
        [sys.executable, "-c", "from mvmdb.cli import main; main()", "process", str(poller)], work / f"{name}-own"
    )
    if peer is None:
        return name, str(ours), "left out (no --peer)", ""
    folder = work / f"{name}-peer"
    shutil.copytree(exposures, folder)
    theirs = run([str(peer), str(DRIVER), poller.name], folder, clean=True)
    ratio = theirs.seconds / ours.seconds
    return name, str(ours), f"drizzlepac {theirs}", f"{ratio:.1f} times as fast, target {target:.0f}"


def profile_whole(name: str, write: Callable[[Path, Path], None], work: Path) -> dict[str, float]:
    """Seconds of each category of work from exposures to products, in a separate process."""
    exposures, answer = work / name, work / f"{name}.pickle"
    exposures.mkdir()
    write(exposures, SHARED)
    poller = write_set_poller(exposures)
    run([sys.executable, shares.__file__, str(poller), str(work / f"{name}-own"), str(answer)], work)
    seconds: dict[str, float] = pickle.loads(answer.read_bytes())
    return seconds


def write_copies(folder: Path, count: int) -> list[Path]:
    """Write dithered copies of one ERS exposure under other names, without ERR, SAMP and TIME, which are never read."""
    folder.mkdir()
    write_ers(folder, SHARED)
    source = min(folder.glob("*_f125w_*.fits"))
    rng = np.random.default_rng(1)
    with fits.open(source, memmap=False) as hdus:
        for path in folder.glob("*.fits"):
            path.unlink()
        for name in ("ERR", "SAMP", "TIME"):
            del hdus[name, 1]
        hdus[0].header["NEXTEND"] = len(hdus) - 1
        ra, dec = hdus["SCI", 1].header["CRVAL1"], hdus["SCI", 1].header["CRVAL2"]
        paths = []
        for number in range(count):
            root = f"ib6o04{DIGITS[number // 36]}{DIGITS[number % 36]}q"
            hdus[0].header["ROOTNAME"] = root
            dither = rng.uniform(-10, 10, 2) / 3600
            hdus["SCI", 1].header.update(CRVAL1=ra + dither[0], CRVAL2=dec + dither[1])
            paths.append(folder / f"{root}_flt.fits")
            hdus.writeto(paths[-1])
    return paths


def plan(paths: Sequence[Path], folder: Path, canvas: Canvas | None = None) -> LayerJob:
    """A job that drizzles WFC3/IR exposures onto `canvas`, by default one with a margin of 50 pixels around them."""
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
    """Make the product with known skies: 500 copies of one exposure would have 125,000 pairs to match."""
    make_product(replace(job, members=tuple(replace(m, sky=0.0) for m in job.members)))


def start_from(job: LayerJob, count: int) -> LayerJob:
    """The job as an addition to the product of its first `count` members."""
    skies = {member.ipppssoo: member.sky for member in read_product(job.target).members}
    members = [
        replace(m, drizzled=n < count, sky=skies[m.ipppssoo] if n < count else None) for n, m in enumerate(job.members)
    ]
    return replace(job, action=Action.ADD, members=tuple(members))


def measure_growth(work: Path, only: Sequence[str]) -> list[Row]:
    """Measure adding to layers of `COUNTS` members, and a wider canvas."""
    whole = plan(write_copies(work / "copies", max(COUNTS) + 1), work)
    rows = []
    for count in COUNTS if "add" in only else COUNTS[:1]:
        job = replace(whole, members=whole.members[:count])
        make_of_known_skies(job)
        steps = {"read + write": (job, "copy")}
        if count == COUNTS[0] and "recanvas" in only:
            c = job.canvas
            wide = Canvas(c.x_min - 30, c.x_max + 40, c.y_min - 20, c.y_max + 10)
            costs = time_in_turn({**steps, "job": (replace(job, action=Action.RECANVAS, canvas=wide), "make")}, work)
            rows.append(compare(f"recanvas of {count}", costs))
        if "add" in only:
            adding = start_from(replace(whole, members=whole.members[: count + 1]), count)
            costs = time_in_turn({**steps, "one exposure": (adding, "drizzle"), "job": (adding, "make")}, work)
            rows.append(compare(f"add 1 to {count}", costs))
    return rows


def compare(name: str, costs: dict[str, Cost]) -> Row:
    """A row of the table: a job, compared with the steps that it cannot do without."""
    job, steps = costs["job"], {step: cost for step, cost in costs.items() if step != "job"}
    ratio = job.seconds / sum(cost.seconds for cost in steps.values())
    needed = ", ".join(f"{step} {cost.seconds:.2f} s" for step, cost in steps.items())
    return name, f"{job.seconds:.2f} s, {job.peak:.0f} MB", needed, f"{ratio:.2f} times, target {GROWTH_TARGET}"


def measure_cell(work: Path) -> list[Row]:
    """Measure four exposures on the canvas of a whole sky cell, as if they covered it, in one piece and in bands."""
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
    parser.add_argument("--only", default="ers,acs,add,recanvas,cell,price")
    parser.add_argument("--work", type=Path, help="an empty folder to work in and keep (default: a temporary one)")
    parser.add_argument("--profile", action="store_true", help="show where the time of ers and acs goes")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        job, step = pickle.loads(options.child.read_bytes())
        started = perf_counter()
        STEPS[step](job)
        print(perf_counter() - started)
        return
    if not SHARED.is_dir():
        print(f"there is no {SHARED}; mosaics are skipped")
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
        if "price" in only:
            write_ers(work / "price", SHARED)
            rows += measure_prices(work, min((work / "price").glob("*_f125w_*.fits")))
        print(tabulate(rows, ["work", "mvmdb", "compared with", "ratio"]))


if __name__ == "__main__":
    main()
