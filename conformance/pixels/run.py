"""Runs the same exposures through drizzlepac and mvmdb, and prints a table of the differences; exits with 1 off target.

    python -m conformance.pixels.run --peer .venv-conformance/bin/python [--work DIR] [--reuse] [ers acs uvis]

drizzlepac runs three times on each set. Without its static mask: this is the comparison. Corrected: its coordinates
are computed at every pixel instead of every tenth, and its sky matching finds overlaps from the true outlines of chips,
which separates its approximations from all other differences. As shipped: unchanged.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from conformance.adopt.check import check_adoption
from conformance.pixels.compare import Difference, compare_products
from conformance.pixels.exposures import SETS, SKYCELL, write_set_poller
from conformance.places import shared_folder

DRIVER = Path(__file__).with_name("run_peer.py")
PEER_RUNS = {
    "no static mask": ("--static", "off"),
    "corrected": ("--static", "off", "--step", "1", "--outlines", "true"),
    "as shipped": (),
}
SCIENCE_MEDIAN, SCIENCE_MOST, WEIGHT_MOST, SKY, COVER = 0.001, 0.01, 1e-4, 0.02, 1e-5
VERSIONS = "from importlib.metadata import version as v; print(*[f'{n} {v(n)}' for n in %r], sep=', ')"
HEADINGS = (
    "layer", "drizzlepac", "pixels", "SCI median", "99%", "99.9%", "largest", "WHT 99%", "99.9%", "over 1e-4",
    "sky", "exposed in one", "SCI at no WHT",
)  # fmt: skip


def main() -> int:
    """Compare the requested sets, print the table and return the number of differences that are off target."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", type=Path, required=True, help="the interpreter of drizzlepac's environment")
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"any of {', '.join(SETS)} (default: all)")
    parser.add_argument("--work", type=Path, help="a folder to work in and keep (default: a temporary one)")
    parser.add_argument("--reuse", action="store_true", help="reuse drizzlepac's products that --work holds already")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.sets if name not in SETS]
    if unknown:
        parser.error(f"found {', '.join(unknown)}; expected sets of {', '.join(SETS)}")
    shared = shared_folder()
    peer = arguments.peer.absolute()  # not resolved: the interpreter of a virtual environment is a symbolic link
    print_versions(sys.executable, "mvmdb", "drizzle", "astropy", "numpy")
    print_versions(str(peer), "drizzlepac", "spherical_geometry", "stsci.skypac", "astropy", "numpy")
    with tempfile.TemporaryDirectory() as scratch:
        work = (arguments.work or Path(scratch)).resolve()
        off_target = [
            fault
            for name in arguments.sets or SETS
            for fault in compare_set(name, work / name, shared, peer, arguments.reuse)
        ]
    print("\n".join(["", *off_target]) if off_target else "\nall on target")
    return len(off_target)


def print_versions(interpreter: str, *packages: str) -> None:
    """Print the versions of packages in an interpreter's environment."""
    subprocess.run([interpreter, "-c", VERSIONS % (packages,)], check=True)


def compare_set(name: str, folder: Path, shared: Path, peer: Path, reuse: bool) -> list[str]:
    """Drizzle one set with both, print its rows of the table, and return what is off target."""
    exposures = folder / "exposures"
    if not exposures.exists():
        exposures.mkdir(parents=True)
        SETS[name](exposures, shared)
    poller = write_set_poller(exposures)
    seconds = run_mvmdb(poller, folder / "mvmdb")
    print(f"\n{name}: {len(list(exposures.glob('*.fits')))} exposures; mvmdb {seconds:.0f} s", flush=True)
    print(f"\n| {' | '.join(HEADINGS)} |\n|{'---|' * len(HEADINGS)}", flush=True)
    off_target = []
    for label, options in PEER_RUNS.items():
        peer_folder = folder / label.replace(", ", "-").replace(" ", "-")
        if not (reuse and list(peer_folder.glob("*_dr?.fits"))):
            run_peer(poller, peer_folder, peer, options)
        theirs = sorted(peer_folder.glob("*_dr?.fits"))
        ours = sorted((folder / "mvmdb" / SKYCELL).glob("*_dr?.fits"))
        if [path.name for path in theirs] != [path.name for path in ours]:
            raise SystemExit(f"{name}: drizzlepac made {theirs}; expected the products of mvmdb, {ours}")
        for peer_path, our_path in zip(theirs, ours, strict=True):
            difference = compare_products(peer_path, our_path)
            print(format_row(label, difference), flush=True)
            off_target += [f"{our_path.name}, drizzlepac {label}: {fault}" for fault in judge(label, difference)]
        if label == "as shipped":
            off_target += [f"{name}, adopted: {fault}" for fault in check_adoption(exposures, peer_folder)]
    return off_target


def run_mvmdb(poller: Path, folder: Path, method: str = "hap") -> float:
    """Make mvmdb's products of a poller anew in `folder`, by default as drizzlepac does; returns seconds."""
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "-m", "mvmdb", "process", str(poller), "-o", str(folder), "--method", method]
    started = time.monotonic()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"mvmdb ended with {done.returncode}: {done.stderr[-2000:]}")
    return time.monotonic() - started


def run_peer(poller: Path, folder: Path, peer: Path, options: tuple[str, ...]) -> None:
    """Make drizzlepac's products of a poller in `folder`, from copies of the exposures, as it writes to them."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(poller.parent, folder)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    log = folder / "drizzlepac.log"
    with log.open("w") as stream:
        result = subprocess.run(
            [str(peer), str(DRIVER), poller.name, *options],
            cwd=folder, env=environment, stdout=stream, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
    if result.returncode:
        raise SystemExit(f"drizzlepac ended with {result.returncode}: {log.read_text()[-2000:]}")
    for path in folder.glob("hst_*_fl?.fits"):
        path.unlink()


def judge(label: str, diff: Difference) -> list[str]:
    """What is off target. Weights are judged against the corrected run only, as they follow the coordinate grid.

    The difference of the skies has its own target, so it is subtracted from the median.
    """
    faults = list(diff.wcs)
    if label == "as shipped":
        return faults
    if not (diff.science[0] - diff.sky < SCIENCE_MEDIAN and diff.science[1] < SCIENCE_MOST):  # NaN is off target
        faults.append(f"SCI differs by {diff.science[0]:.4f} (median), {diff.science[1]:.4f} (99%) sky sigma")
    if not diff.sky < SKY:
        faults.append(f"sky differs by {diff.sky:.4f} sky sigma")
    if diff.ours_nan:
        faults.append(f"{diff.ours_nan} pixels are NaN with weight, or numbers without")
    if label == "corrected" and not diff.weight[1] < WEIGHT_MOST:
        faults.append(f"WHT differs by {diff.weight[1]:.1e} (99%)")
    if label == "corrected" and diff.only_peer >= COVER * diff.pixels:
        faults.append(f"{diff.only_peer} pixels have weight in drizzlepac's product alone")
    return faults


def format_row(label: str, diff: Difference) -> str:
    """One row of the table."""
    layer = diff.product.removeprefix(f"hst_{SKYCELL}_").rsplit("_", 1)[0]
    cells = [
        layer, label, f"{diff.pixels:,}", *(f"{value:.5f}" for value in diff.science[:3]),
        f"{diff.science[3]:.2g}", *(f"{value:.1e}" for value in diff.weight[1:3]), f"{diff.weight_share:.2%}",
        f"{diff.sky:.5f}", f"{diff.only_peer}, {diff.only_ours}", f"{diff.filled:,}",
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
