"""The sets of exposures that drizzlepac and mvmdb drizzle, and the poller of each; run.py drizzles them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Collection
from pathlib import Path

from astropy.io import fits

from conformance.pixels.simulate import Camera, Shot, make_acs, make_uvis, simulate
from mvmdb.names import parse_cell_name
from mvmdb.pollers.files import PollerRow, format_poller_name, write_poller
from mvmdb.sky.tessellation import cell_wcs

SKYCELL = "skycell-p0726x10y04"
MIDDLE = (2900, 9000)  # fine pixels of the sky cell; its eastern border, at x = 0.5, is 116 arcsec away
# Dithered and rolled, the last one across the sky cell's border; skies differ by tens of percent.
SHOTS = (
    ("1", 520.0, 0.0, 0.0, 9.0, 0.110),
    ("2", 520.0, 7.3, -4.1, 9.0, 0.140),
    ("3", 348.0, -21.7, 33.9, 101.5, 0.095),
    ("4", 610.0, 71.3, -12.6, 236.0, 0.160),
)


_WHEELS = {"WFC3": ("FILTER",), "ACS": ("FILTER1", "FILTER2"), "WFPC2": ("FILTNAM1", "FILTNAM2")}


def write_ers(folder: Path, shared: Path) -> None:
    """Write the real exposures of the ERS field, 12 of F125W and 4 of F140W; grism exposures enter no layer."""
    maker = [sys.executable, str(shared / "tools" / "make_ers_flts.py"), "--names", "svm", str(folder)]
    subprocess.run(maker, check=True, stdout=subprocess.DEVNULL)
    for path in folder.glob("*_g141_*"):
        path.unlink()


def write_acs(folder: Path, shared: Path) -> None:
    """Write four full-size ACS/WFC exposures."""
    _write(folder, make_acs(shared / "data" / "headers"), "jdmo01b{}q")


def write_uvis(folder: Path, shared: Path) -> None:
    """Write four full-size WFC3/UVIS exposures."""
    _write(folder, make_uvis(shared / "data" / "headers"), "idmo01b{}q")


def write_wfpc2(folder: Path, shared: Path) -> None:
    """Write three full-size exposures of WFPC2, with unlike gains."""
    from conformance.pixels.wfpc2 import simulate_wfpc2  # which needs the tests' modules

    ra, dec = (float(value) for value in cell_wcs(parse_cell_name(SKYCELL), "fine").wcs_pix2world(*MIDDLE, 1))
    simulate_wfpc2(folder, ra, dec)


SETS: dict[str, Callable[[Path, Path], None]] = {
    "ers": write_ers, "acs": write_acs, "uvis": write_uvis, "wfpc2": write_wfpc2,
}  # fmt: skip


def write_set_poller(folder: Path, skycell: str = SKYCELL, names: Collection[str] | None = None) -> Path:
    """Write a full poller of exposures in a folder (None: all; or by ipppssoo), all of them NEW, into that folder."""
    rows = []
    for path in sorted(folder.glob("hst_*_fl?.fits")):
        header = fits.getheader(path)
        if names is not None and header["ROOTNAME"].strip()[:8] not in names:
            continue
        wheels = [header[key].strip() for key in _WHEELS[header["INSTRUME"].strip()] if header[key].strip()]
        root = header["ROOTNAME"].strip()
        rows.append(
            PollerRow(
                path.name, header["PROPOSID"], root[1:4].upper(), root[4:6], header["EXPTIME"], ";".join(wheels),
                header["DETECTOR"].strip(), skycell, "NEW", path.name,
            )
        )  # fmt: skip
    target = folder / format_poller_name(skycell)
    write_poller(target, rows)
    return target


def _write(folder: Path, camera: Camera, root: str) -> None:
    ra, dec = (float(value) for value in cell_wcs(parse_cell_name(SKYCELL), "fine").wcs_pix2world(*MIDDLE, 1))
    optics = camera.optics
    for letter, *numbers in SHOTS:
        shot = Shot(root.format(letter), *numbers)
        name = f"hst_90002_01_{optics.instrument}_{optics.detector}_{camera.filter.lower()}_{shot.root[:8]}_flc.fits"
        simulate(camera, shot, ra, dec).writeto(folder / name, overwrite=True)
