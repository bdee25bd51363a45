"""The three ways in which the same exposures become mosaics: drizzlepac 3.11, mvmdb's method hap, and its method mvmdb.

The first two are `before`, the last is `after`. drizzlepac runs as it is shipped, in its own environment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from conformance.pixels.exposures import SKYCELL, write_set_poller
from conformance.pixels.run import run_peer
from mvmdb.mosaic.product.read import read_product
from mvmdb.names import parse_layer_name
from mvmdb.pollers.files import write_basic_poller
from mvmdb.process import process_poller
from mvmdb.records import Policy
from mvmdb.workers.processes import IN_THIS_PROCESS

WAYS = ("drizzlepac", "hap", "mvmdb")
NOT_RUN = "not run"
"""What a table says where there is no drizzlepac."""

_PRIMARY = {
    "DATE": "2016-09-17", "DATE-OBS": "2009-09-21", "TIME-OBS": "15:12:46", "APERTURE": "IR", "LINENUM": "04.001",
    "ASN_ID": "NONE", "IDCTAB": "iref$w3m18525i_idc.fits", "PA_V3": 28.9, "CCDAMP": "ABCD", "CCDGAIN": 2.5,
    **{f"ATODGN{amplifier}": 2.34 for amplifier in "ABCD"}, **{f"READNSE{amplifier}": 20.0 for amplifier in "ABCD"},
}  # fmt: skip
_SCIENCE = {
    "VAFACTOR": 1.0, "MEANDARK": 15.8, "OCX10": 0.00078, "OCX11": 0.13543, "OCY10": 0.12096, "OCY11": -0.00042,
    "IDCTHETA": 45.0, "IDCXREF": 507.0, "IDCYREF": 507.0, "IDCV2REF": 1.019, "IDCV3REF": -0.507,
}  # fmt: skip


@dataclass(frozen=True)
class Setting:
    """Where a part works and draws, drizzlepac's interpreter (None: it is not run), and the shared data."""

    folder: Path
    figures: Path
    peer: Path | None
    shared: Path

    def below(self, name: str) -> Path:
        """A new folder for some exposures."""
        folder = self.folder / name
        folder.mkdir(parents=True)
        return folder


def pipeline_name(ipppssoo: str) -> str:
    """The file name of a WFC3/IR exposure by the single-visit pipeline, by which drizzlepac knows its exposures."""
    return f"hst_90002_01_wfc3_ir_f125w_{ipppssoo}_flt.fits"


def complete(path: Path) -> Path:
    """Give an exposure of the tests those keywords of real ones that drizzlepac, and not mvmdb, needs."""
    with fits.open(path, mode="update") as hdus:
        hdus[0].header.update(_PRIMARY)
        hdus[0].header.setdefault("PHOTFLAM", hdus["SCI", 1].header.get("PHOTFLAM"))
        for hdu in hdus:
            if hdu.name == "SCI":
                hdu.header.update(_SCIENCE, EXPNAME=hdus[0].header["ROOTNAME"])
    return path


def make_all(exposures: Path, setting: Setting, skycell: str | None = SKYCELL) -> dict[str, dict[str, Path]]:
    """The mosaics of all exposures of a folder by each way that runs, by the names of layers.

    In one sky cell, or in all that they overlap (None).
    """
    if skycell is None:
        poller = exposures / "all.out"
        write_basic_poller(poller, sorted(path.name for path in exposures.glob("hst_*_fl?.fits")))
    else:
        poller = write_set_poller(exposures, skycell)
    made = {}
    for method in ("hap", "mvmdb"):
        out = exposures.parent / f"{exposures.name}-{method}"
        report = process_poller(poller, out, Policy(method=method), workers=IN_THIS_PROCESS)  # type: ignore[arg-type]
        if report.failed:
            raise SystemExit(f"{exposures.name}: {report.failed} layers failed by the method {method}; expected none")
        made[method] = by_layer(out.glob("skycell-*/*_dr?.fits"))
    poller.unlink()
    return {"drizzlepac": make_by_peer(exposures, made["hap"], setting), **made}


def make_by_peer(exposures: Path, expected: Mapping[str, Path], setting: Setting) -> dict[str, Path]:
    """drizzlepac's mosaics of the same sky cells and members as those of mvmdb; none where it is not run."""
    if setting.peer is None:
        return {}
    members: dict[str, set[str]] = {}
    for layer, path in expected.items():
        skycell = parse_layer_name(layer).skycell
        members.setdefault(skycell, set()).update(member.ipppssoo for member in read_product(path).members)
    made: dict[str, Path] = {}
    for skycell, names in sorted(members.items()):
        poller = write_set_poller(exposures, skycell, names)
        folder = exposures.parent / f"{exposures.name}-drizzlepac-{skycell}"
        run_peer(poller, folder, setting.peer, ())
        poller.unlink()
        made |= by_layer(folder.glob("*_dr?.fits"))
    if made.keys() != expected.keys():
        raise SystemExit(f"drizzlepac made {sorted(made)}; expected the layers of mvmdb, {sorted(expected)}")
    return made


def by_layer(paths: Iterable[Path]) -> dict[str, Path]:
    """Products by the names of their layers."""
    return {path.name.rsplit("_", 1)[0]: path for path in sorted(paths)}


def only_fine(products: Mapping[str, Path]) -> Path:
    """The one fine product."""
    (path,) = (path for layer, path in products.items() if not layer.endswith("coarse-all"))
    return path


def subtracted(product: Path) -> dict[str, float]:
    """MDRIZSKY of each exposure of one chip, in its own unit: electrons/s of a detector pixel for WFC3/IR."""
    with fits.open(product) as hdus:
        return {str(row["ROOTNAME"])[:8]: float(row["MDRIZSKY"]) for row in hdus["HDRTAB"].data}


@dataclass(frozen=True)
class Plane:
    """SCI with NaN where WHT is 0, and the place of its first pixel from the tangent point, in pixels."""

    science: NDArray[np.float64]
    left: int
    bottom: int

    def cut(self, left: int, bottom: int, shape: tuple[int, int]) -> NDArray[np.float64]:
        """The pixels of a rectangle, NaN where there are none."""
        cut = np.full(shape, np.nan)
        x, y = self.left - left, self.bottom - bottom
        rows, columns = self.science.shape
        to = np.s_[max(y, 0) : max(min(y + rows, shape[0]), 0), max(x, 0) : max(min(x + columns, shape[1]), 0)]
        inner = cut[to]
        first = max(-y, 0), max(-x, 0)
        inner[:] = self.science[first[0] : first[0] + inner.shape[0], first[1] : first[1] + inner.shape[1]]
        return cut


def read_plane(product: Path) -> Plane:
    """Read a product of either program. All products of a projection cell have one grid of pixels."""
    with fits.open(product) as hdus:
        header = hdus["SCI"].header
        science = np.where(hdus["WHT"].data > 0, hdus["SCI"].data, np.nan).astype(np.float64)
    return Plane(science, -round(header["CRPIX1"]), -round(header["CRPIX2"]))


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
