"""Reads the catalog that exposures are aligned to, and moves its stars to an exposure's date."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mvmdb.correction import sky_to_tangent, tangent_to_sky
from mvmdb.errors import InputError
from mvmdb.tables.formats.source import next_chunk, open_table
from mvmdb.tables.values import read_numbers

Float = NDArray[np.float64]

COLUMNS = {
    "ra": ("ra", "raj2000", "ra_icrs", "ra_deg", "_ra"),
    "dec": ("dec", "dej2000", "decj2000", "de_icrs", "dec_deg", "_de"),
    "pmra": ("pmra", "pm_ra", "pmra_cosdec"),
    "pmdec": ("pmdec", "pm_dec", "pmde"),
    "epoch": ("ref_epoch", "epoch", "refepoch"),
}
"""Names of columns, without regard to case: Gaia's, VizieR's and the obvious ones. The first that is there counts."""
_BATCH = 50_000
_J2000, _YEAR = 51544.5, 365.25  # MJD of the epoch J2000.0, days of a Julian year


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """Stars of a reference catalog: ra, dec in degrees (ICRS) at `epoch` (Julian years); (n,) each.

    `pmra` (with cos dec) and `pmdec` in milliarcsec a year, 0 where the table has none. `name` is the file's,
    `digest` that of its bytes.
    """

    name: str
    digest: str
    ra: Float
    dec: Float
    pmra: Float
    pmdec: Float
    epoch: Float

    def __len__(self) -> int:
        return len(self.ra)

    @property
    def moves(self) -> bool:
        """Whether any star has a proper motion."""
        return bool(np.any(self.pmra) or np.any(self.pmdec))

    def at(self, mjd: float | None) -> tuple[Float, Float]:
        """Positions (degrees) at a date; those of the catalog where the date is not known.

        Motion along a great circle, without parallax and radial velocity (ESA 1997, The Hipparcos and Tycho
        Catalogues, 1.5.5, to first order): over 30 years that is exact to 0.1 milliarcsec for stars below 1 arcsec/yr.
        """
        if mjd is None or not self.moves:
            return self.ra, self.dec
        years = 2000.0 + (mjd - _J2000) / _YEAR - self.epoch
        return tangent_to_sky(self.ra, self.dec, self.pmra * years / 1000, self.pmdec * years / 1000)

    def around(self, ra: float, dec: float, radius: float) -> Reference:
        """The stars within some arcsec of a position in degrees."""
        near = np.abs(self.dec - dec) * 3600 < radius
        xi, eta = sky_to_tangent(ra, dec, self.ra[near], self.dec[near])
        ahead = np.cos(np.radians(self.ra[near] - ra)) > 0  # not on the other side of the sky, or across the pole
        near[near] = (np.hypot(xi, eta) < radius) & (ahead | (abs(dec) > 89))
        columns = (column[near] for column in (self.ra, self.dec, self.pmra, self.pmdec, self.epoch))
        return Reference(self.name, self.digest, *columns)


def read_reference(path: str | os.PathLike[str]) -> Reference:
    """Read a reference catalog: CSV, ECSV, VOTable, FITS or Parquet, with columns for `ra` and `dec` at least.

    `COLUMNS` lists the names that columns may have. Rows without a position are left out. Raises InputError if the
    file cannot be read, lacks a column, or has proper motions without an epoch.
    """
    name = os.fspath(path)
    with open_table(name) as source:
        known = {column.strip().lower(): position for position, column in reversed(list(enumerate(source.names)))}
        positions = {
            field: known[found]
            for field, names in COLUMNS.items()
            if (found := next((one for one in names if one in known), None)) is not None
        }
        _check_columns(name, source.names, positions)
        values: dict[str, list[float]] = {field: [] for field in positions}
        chunks = source.chunks(list(positions.values()), _BATCH, lambda number, why: None)
        while (chunk := next_chunk(chunks, name)) is not None:
            for field, column in zip(positions, chunk.columns, strict=True):
                numbers = read_numbers(column, field, lambda row, why: None)
                values[field] += [np.nan if number is None else number for number in numbers]
    return _build(name, {field: np.array(numbers, dtype=np.float64) for field, numbers in values.items()})


def _check_columns(name: str, columns: tuple[str, ...], positions: dict[str, int]) -> None:
    missing = [field for field in ("ra", "dec") if field not in positions]
    if not missing and ("pmra" in positions or "pmdec" in positions):
        missing = [field for field in ("pmra", "pmdec", "epoch") if field not in positions]
    if missing:
        expected = "; ".join(f"{field}: {', '.join(COLUMNS[field])}" for field in missing)
        raise InputError(
            f"{name} has no column for {', '.join(missing)}: its columns are {', '.join(columns[:20])}; "
            f"expected one of: {expected}; rename the column"
        )


def _build(name: str, values: dict[str, Float]) -> Reference:
    ra, dec = values["ra"], values["dec"]
    kept = (ra >= -360) & (ra <= 360) & (np.abs(dec) <= 90)
    n = len(ra)
    pmra, pmdec = (np.nan_to_num(values.get(field, np.zeros(n))) for field in ("pmra", "pmdec"))
    epoch = values.get("epoch", np.full(n, 2000.0))
    kept &= np.isfinite(epoch) | ((pmra == 0) & (pmdec == 0))
    if not kept.any():
        raise InputError(f"{name} has {n} rows and no star with ra and dec in degrees; expected at least one")
    return Reference(
        Path(name).name, _digest_file(name), ra[kept] % 360, dec[kept], pmra[kept], pmdec[kept],
        np.nan_to_num(epoch[kept], nan=2000.0),
    )  # fmt: skip


def _digest_file(path: str) -> str:
    digest = hashlib.blake2b(digest_size=16)
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
