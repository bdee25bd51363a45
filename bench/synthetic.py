"""A synthetic archive with Hubble's mix of instruments, which returns to the same fields as Hubble does.

Fields lie anywhere on the sky. The number of exposures per field follows a long-tailed law: most have few, some have
thousands. A visit observes one position in its field with one detector and roll, dithered, in several filters. The
shares of cameras and the spread of visits are chosen so that a million exposures have about as many memberships and
layers as the archive has (2.6 of 2.75 million, and 1.9 million), with up to some hundred members.
"""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np

from mvmdb.exposures.batch import ExposureBatch
from mvmdb.sky.footprints import Footprints
from mvmdb.sky.sphere import deproject, tangent_frame, vector_to_sky

# instrument, detector, kind, share of exposures, sides of a chip in x and y (arcsec), chips, filters
CAMERAS = (
    ("wfc3", "uvis", "flc", 0.32, (162.0, 80.5), 2, ("F275W", "F336W", "F438W", "F555W", "F606W", "F814W", "F350LP")),
    ("wfc3", "ir", "flt", 0.24, (136.0, 123.0), 1, ("F098M", "F105W", "F110W", "F125W", "F140W", "F160W", "G141")),
    ("acs", "wfc", "flc", 0.42, (202.0, 101.0), 2, ("F435W", "F475W", "F606W", "F625W", "F775W", "F814W", "F850LP")),
    ("acs", "hrc", "flt", 0.015, (29.0, 26.0), 1, ("F220W", "F330W", "F435W", "F606W")),
    ("acs", "sbc", "flt", 0.005, (34.6, 30.8), 1, ("F115LP", "F125LP", "F150LP")),
)
_DIGITS = np.array(list("0123456789abcdefghijklmnopqrstuvwxyz"))


def make_batches(n: int, seed: int = 1, size: int = 25_000, start: int = 0) -> Iterator[ExposureBatch]:
    """`n` exposures in batches; `start` is the number of the first, so that a later night gets other names."""
    rng = np.random.default_rng(seed)
    for first in range(0, n, size):
        yield make_batch(rng, min(size, n - first), start + first)


def write_table(path: Path, n: int) -> None:
    """Write `n` exposures as a CSV table with the columns of ObsCore."""
    columns = ("rootname", "filters", "exptime", "expstart", "expend", "target", "proposal_id", "s_region")
    names = ("obs_id", "filters", "t_exptime", "t_min", "t_max", "target_name", "proposal_id", "s_region")
    with path.open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow((*names, "instrument_name", "dataproduct_type"))
        for batch in make_batches(n):
            cameras = [
                f"{instrument.upper()}/{detector.upper()}"
                for instrument, detector in zip(batch.columns["instrument"], batch.columns["detector"], strict=True)
            ]
            values = [batch.columns[name] for name in columns]
            rows.writerows(zip(*values, cameras, ["image"] * batch.n, strict=True))


def import_catalog(address: Path, n: int, folder: Path) -> None:
    """Make a catalog of `n` exposures by the command `import`, of a table that is written to the folder."""
    table = folder / "table.csv"
    write_table(table, n)
    subprocess.run([sys.executable, "-m", "mvmdb", "--db", str(address), "import", str(table)], check=True)


def make_batch(rng: np.random.Generator, n: int, start: int) -> ExposureBatch:
    """One batch: whole fields, in the order in which they were observed."""
    ra, dec, roll, camera, filters = _point(rng, n)
    vertices, polygon_start, owner = _outline(ra, dec, roll, camera)
    names = _names(camera, start)
    exptime = np.round(rng.lognormal(6.0, 0.9, n), 1).tolist()
    mjd = np.sort(rng.uniform(52400, 61000, n)).tolist()
    regions = _format(vertices, polygon_start, owner, n)
    filter_names = [CAMERAS[c][6][f] for c, f in zip(camera.tolist(), filters.tolist(), strict=True)]
    grism = [name.startswith("G") for name in filter_names]
    cameras = [CAMERAS[c] for c in camera.tolist()]
    columns = {
        "ipppssoo": names,
        "rootname": [f"{name}q" for name in names],
        "kind": [c[2] for c in cameras],
        "instrument": [c[0] for c in cameras],
        "detector": [c[1] for c in cameras],
        "filters": filter_names,
        "filter": [name.lower() for name in filter_names],
        "proposal_id": (9000 + (start + np.arange(n)) // 60).tolist(),
        "program": [name[1:4].upper() for name in names],
        "visit": [name[4:6].upper() for name in names],
        "target": ["FIELD"] * n,
        "exptime": exptime,
        "expstart": mjd,
        "expend": [start_ + time / 86400 for start_, time in zip(mjd, exptime, strict=True)],
        "ra": np.round(ra, 9).tolist(),
        "dec": np.round(dec, 9).tolist(),
        "s_region": regions,
        "s_region_given": [None] * n,
        "n_chips": [c[5] for c in cameras],
        "wcsname": ["IDC_x-FIT_REL_GAIAeDR3"] * n,
        "distortion": ["IDC_x"] * n,
        "fit": ["FIT_REL"] * n,
        "astrometric_catalog": ["GAIAeDR3"] * n,
        "wcs_digest": [f"r:{name}" for name in names],
        "pixels": [f"r:{name}" for name in names],
        "eligible": [not flag for flag in grism],
        "ineligible_rule": ["spectroscopic element" if flag else "" for flag in grism],
        "ineligible_reason": ["a grism" if flag else "" for flag in grism],
        "warnings": [""] * n,
        "filename": [f"{name}q_{c[2]}.fits" for name, c in zip(names, cameras, strict=True)],
    }
    footprints = Footprints(vertices[:, 0].copy(), vertices[:, 1].copy(), polygon_start, owner, n)
    return ExposureBatch(n, columns, footprints)


def _point(rng: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:
    """ra, dec, roll (degrees), camera and filter of n exposures: dithers within visits within fields."""
    per_field = np.minimum(np.ceil(rng.pareto(1.1, n) * 3), 20_000).astype(int) + 1
    per_field = per_field[: np.searchsorted(np.cumsum(per_field), n) + 1]
    field = np.repeat(np.arange(len(per_field)), per_field)[:n]
    edges = np.cumsum(rng.choice([2, 4, 4, 6, 8], n))
    visit = np.searchsorted(edges, np.arange(n), side="right")
    visit = np.unique(np.stack([field, visit]), axis=1, return_inverse=True)[1]
    n_visits = visit.max() + 1
    field_ra = rng.uniform(0, 360, len(per_field))
    field_dec = np.rad2deg(np.arcsin(rng.uniform(-1, 1, len(per_field))))
    # Degrees: fields with many exposures are wider, and are either deep or mosaics.
    spread = 0.01 + rng.choice([0.005, 0.15], len(per_field), p=[0.4, 0.6]) * np.sqrt(per_field / 8)
    camera = rng.choice(len(CAMERAS), n_visits, p=[c[3] for c in CAMERAS])[visit]
    n_filters = np.array([len(c[6]) for c in CAMERAS])[camera]
    filters = (
        rng.integers(0, 100, n_visits)[visit] + np.cumsum(rng.random(n) < 0.8)
    ) % n_filters  # some filters are dithered
    offset = rng.normal(0, 1, (2, n_visits))[:, visit] * spread[field] + rng.normal(0, 0.0008, (2, n))
    ra, dec = vector_to_sky(deproject(tangent_frame(field_ra[field], field_dec[field]), *np.deg2rad(offset)))
    return ra, dec, rng.uniform(0, 360, n_visits)[visit], camera, filters


def _outline(ra: np.ndarray, dec: np.ndarray, roll: np.ndarray, camera: np.ndarray) -> tuple[np.ndarray, ...]:
    """Vertices (m, 2) rounded to 9 decimals, counter-clockwise; polygon_start; owner."""
    chips = np.array([c[5] for c in CAMERAS])[camera]
    side = np.array([c[4] for c in CAMERAS])[camera]
    owner = np.repeat(np.arange(len(ra)), chips)
    which = np.arange(len(owner)) - np.repeat(np.cumsum(chips) - chips, chips)
    shift = np.where(chips[owner] == 2, (which - 0.5) * (side[owner, 1] + 2.5), 0.0)
    x = np.array([-0.5, -0.5, 0.5, 0.5])[None, :] * side[owner, :1]
    y = np.array([-0.5, 0.5, 0.5, -0.5])[None, :] * side[owner, 1:] + shift[:, None]
    angle = np.deg2rad(roll[owner])[:, None]
    xi, eta = -x * np.cos(angle) + y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)
    frame = tangent_frame(np.repeat(ra[owner], 4), np.repeat(dec[owner], 4))
    vertices = vector_to_sky(deproject(frame, np.deg2rad(xi.ravel() / 3600), np.deg2rad(eta.ravel() / 3600)))
    return np.round(np.column_stack(vertices), 9), np.arange(0, 4 * len(owner) + 1, 4), owner


def _format(vertices: np.ndarray, polygon_start: np.ndarray, owner: np.ndarray, n: int) -> list[str]:
    pattern = "POLYGON ICRS " + " ".join(["%.9f"] * 8)
    texts = [pattern % tuple(row) for row in vertices.reshape(-1, 8).tolist()]
    first = np.searchsorted(owner, np.arange(n + 1)).tolist()
    return [" ".join(texts[a:b]) for a, b in pairwise(first)]


def _names(camera: np.ndarray, start: int) -> list[str]:
    number = start + np.arange(len(camera))
    digits = [_DIGITS[number // 36**k % 36] for k in (4, 3, 2, 1, 0)]
    letters = ["i" if CAMERAS[c][0] == "wfc3" else "j" for c in camera.tolist()]
    return [
        f"{letter}{a}{b}0{c}{d}{e}0"
        for letter, a, b, c, d, e in zip(letters, *(column.tolist() for column in digits), strict=True)
    ]
