"""Checks that drizzlepac works on what `mvmdb stage` writes, and mvmdb on what drizzlepac writes; exits with 1 if not.

    python -m conformance.downstream.run --peer .venv-conformance/bin/python [--work DIR]

Two nights of one sky cell, of real WFC3/IR exposures. On the first, drizzlepac makes all mosaics in the staged folder.
The second adds exposures to one layer and touches no other: drizzlepac must make that layer of all its members, and
leave the other alone. `mvmdb process` makes mosaics of the same names from the same pollers, with the same manifest.
It reads the poller that drizzlepac's `generate_poller_file` writes, and the parameters that drizzlepac writes mean the
recipes that mvmdb chooses.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from astropy.io import fits

from conformance.places import REPOSITORY, shared_folder
from mvmdb.mosaic.product.read import read_product
from mvmdb.pollers.files import format_poller_name, read_poller

DRIVER = REPOSITORY / "conformance/pixels/run_peer.py"
CELL = "skycell-p0726x10y04"
FIRST = ("ib6o04twq", "ib6o04u7q", "ib6o04ueq", "ib6o23rtq", "ib6o23rwq")  # three of F125W, two of F140W
SECOND = ("ib6o04tuq", "ib6o04uaq")  # of F125W, inside the canvas of the first night
METHOD = "hap"  # the documented one, whose mosaics are drizzlepac's
LAYERS = [f"hst_{CELL}_wfc3_ir_{name}_{label}" for name in ("f125w", "f140w") for label in ("all", "coarse-all")]
MAKE_POLLER = (
    "import sys; from drizzlepac.haputils.make_poller_files import generate_poller_file as make; make(*sys.argv[1:])"
)


def main() -> int:
    """Run both nights, print what is wrong, and return the number of faults."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", type=Path, required=True, help="the interpreter of drizzlepac's environment")
    parser.add_argument("--work", type=Path, help="a folder to work in and keep (default: a temporary one)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        work = (arguments.work or Path(scratch)).resolve() / "downstream"
        faults = list(run_nights(work, arguments.peer.absolute()))
    print("\n".join(faults) if faults else "downstream: as expected")
    return len(faults)


def run_nights(work: Path, peer: Path) -> Iterator[str]:
    """What is wrong after each night, in words."""
    shared = shared_folder()
    exposures, inbox = work / "exposures", work / "inbox"
    inbox.mkdir(parents=True)
    mvmdb(work, "init", "--method", METHOD)
    maker = [sys.executable, str(shared / "tools" / "make_ers_flts.py"), str(exposures)]
    subprocess.run(maker, check=True, stdout=subprocess.DEVNULL)
    staged = work / "staged" / CELL
    for night, roots in (("first", FIRST), ("second", SECOND)):
        for root in roots:
            (exposures / f"{root}_flt.fits").rename(inbox / f"{root}_flt.fits")
        mvmdb(work, "ingest", "inbox")
        print(mvmdb(work, "stage", CELL, "-o", "staged"), end="", flush=True)
        before = list_mosaics(staged)
        run_drizzlepac(staged, peer, "--parameters", str(work / f"{night}.json"))
        yield from judge_night(night, staged, before, FIRST if night == "first" else FIRST + SECOND)
        mvmdb(work, "process", staged / format_poller_name(CELL), "-o", f"{night}-mvmdb", "--method", METHOD)
        ours = work / f"{night}-mvmdb" / CELL
        yield from compare_manifests(night, staged, ours)
        mvmdb(work, "process", staged / format_poller_name(CELL), "-o", f"{night}-their-parameters",
              "--parameters", f"{night}.json", "--method", METHOD)  # fmt: skip
        yield from compare_recipes(night, ours, work / f"{night}-their-parameters" / CELL)
        mvmdb(work, "reconcile", "--skycell", CELL, "-o", "products")
    yield from read_their_poller(work, staged, peer)


def mvmdb(folder: Path, *words: object) -> str:
    """The output of a command on this folder's catalog."""
    command = [sys.executable, "-c", "from mvmdb.cli import main; main()", *map(str, words)]
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"mvmdb {' '.join(map(str, words))} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def run_drizzlepac(folder: Path, peer: Path, *options: str) -> None:
    """Make drizzlepac's mosaics of the poller in a folder, in that folder."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    with (folder / "drizzlepac.log").open("w") as log:
        command = [str(peer), str(DRIVER), format_poller_name(CELL), *options]
        done = subprocess.run(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise SystemExit(f"drizzlepac ended with {done.returncode}: {Path(log.name).read_text()[-2000:]}")


def list_mosaics(folder: Path) -> dict[str, bytes]:
    """The mosaics of a folder, by name."""
    return {path.name: path.read_bytes() for path in folder.glob("*_dr?.fits")}


def judge_night(night: str, folder: Path, before: dict[str, bytes], members: tuple[str, ...]) -> Iterator[str]:
    """What is wrong with drizzlepac's mosaics: layers made or left alone, and the number of their members."""
    due = {f"{layer}_drz.fits" for layer in LAYERS if night == "first" or "f125w" in layer}
    changed = {name for name, content in list_mosaics(folder).items() if before.get(name) != content}
    if changed != due:
        yield f"{night} night: drizzlepac made {sorted(changed)}; expected {sorted(due)}"
    for name in sorted(changed & due):
        expected = sum(root.startswith("ib6o04") == ("f125w" in name) for root in members)
        found = fits.getheader(folder / name)["NDRIZIM"]
        print(f"{night} night: {name} has NDRIZIM {found}", flush=True)
        if found != expected:
            yield f"{night} night: {name} has NDRIZIM {found}; expected {expected}"
    for row in read_poller(folder / format_poller_name(CELL)).rows:
        if not (folder / row.filename).is_file():
            yield f"{night} night: {row.filename} is gone from the staged folder"


def compare_manifests(night: str, theirs: Path, ours: Path) -> Iterator[str]:
    """The difference of the two manifests."""
    lists = [(folder / f"{CELL}_manifest.txt").read_text().split() for folder in (theirs, ours)]
    if lists[0] != lists[1]:
        yield f"{night} night: drizzlepac's manifest lists {lists[0]}; mvmdb's {lists[1]}"


def compare_recipes(night: str, chosen: Path, given: Path) -> Iterator[str]:
    """Mosaics whose recipe by drizzlepac's parameters is not the one that mvmdb chooses."""
    for path in sorted(chosen.glob("*_dr?.fits")):
        ours, theirs = (read_product(folder / path.name).recipe for folder in (chosen, given))
        if ours != theirs:
            yield f"{night} night: {path.name} has the recipe {ours}; by drizzlepac's parameters {theirs}"


def read_their_poller(work: Path, staged: Path, peer: Path) -> Iterator[str]:
    """What is wrong with mvmdb's mosaics of a poller that drizzlepac wrote."""
    names = [path.name for path in sorted(staged.glob("hst_*_ib6o04*_flt.fits"))]
    (staged / "names.txt").write_text("".join(f"{name}\n" for name in names))
    command = [str(peer), "-c", MAKE_POLLER, "names.txt", "mvm", "theirs.out", CELL]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    subprocess.run(command, cwd=staged, env=environment, check=True, capture_output=True)
    mvmdb(work, "process", staged / "theirs.out", "-o", "their-poller", "--method", METHOD)
    made = sorted(path.name for path in (work / "their-poller" / CELL).glob("*_dr?.fits"))
    expected = sorted(f"{layer}_drz.fits" for layer in LAYERS if "f125w" in layer)
    if made != expected:
        yield f"mvmdb made {made} of drizzlepac's poller; expected {expected}"


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
