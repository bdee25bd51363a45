"""Exposures of one star field with pointings that are wrong by a known shift and roll, for tests of alignment.

The stars are drawn with the true WCS, and the header gets one that a rotation of the whole sphere has moved.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from fitsfiles import write_exposure
from mosaic_field import Star, measure_star

from mvmdb.demo.render import StarTable, add_stars, find_star_pixels

RA, DEC = 53.05903846302, -27.70586104406
EPOCH = 2016.0


@dataclass(frozen=True)
class Shot:
    """One exposure: true offset from the field's middle, and the error of its header: arcsec, and degrees of roll."""

    name: str
    east: float = 0.0
    north: float = 0.0
    wrong_east: float = 0.0
    wrong_north: float = 0.0
    wrong_roll: float = 0.0
    options: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class SkyField:
    """`n` stars in a square of `side` arcsec about `center`, of proper motions of about `motion` milliarcsec a year."""

    n: int = 60
    side: float = 50.0
    motion: float = 0.0
    seed: int = 5
    center: tuple[float, float] = (RA, DEC)

    def stars(self) -> dict[str, np.ndarray]:
        """Columns of a reference catalog: ra, dec, pmra, pmdec, ref_epoch; and rate in electrons/s."""
        rng = np.random.default_rng(self.seed)
        east, north = rng.uniform(-self.side / 2, self.side / 2, (2, self.n))
        pmra, pmdec = rng.normal(0, self.motion, (2, self.n)) + self.motion * np.array([[1.0], [-1.0]])
        dec = self.center[1] + north / 3600
        return {
            "ra": self.center[0] + east / 3600 / np.cos(np.radians(dec)), "dec": dec, "pmra": pmra, "pmdec": pmdec,
            "ref_epoch": np.full(self.n, EPOCH), "rate": np.exp(rng.uniform(np.log(60), np.log(2000), self.n)),
        }  # fmt: skip

    def write_reference(self, path: Path, every: int = 1) -> Path:
        """A CSV with every so manieth star."""
        stars = self.stars()
        names = [name for name in stars if name != "rate"]
        rows = zip(*(stars[name][::every].tolist() for name in names), strict=True)
        path.write_text("\n".join([",".join(names), *(",".join(map(repr, row)) for row in rows)]) + "\n")
        return path

    def errors_in(self, product: Path) -> np.ndarray:
        """(n, 2): x, y of bright, isolated stars in a fine mosaic from where the reference has them, milliarcsec."""
        stars = self.stars()
        errors = []
        for number in np.argsort(-stars["rate"])[:12]:
            east = (stars["ra"] - stars["ra"][number]) * np.cos(np.radians(stars["dec"])) * 3600
            distance = np.hypot(east, (stars["dec"] - stars["dec"][number]) * 3600)
            if np.sort(distance)[1] > 2.0:
                star = Star(*(float(stars[name][number]) for name in ("ra", "dec", "rate")))
                with np.errstate(invalid="ignore"):  # no pixels around stars beside the mosaic
                    errors.append(measure_star(product, star, radius_arcsec=0.5)[1:])
        return 40 * np.array([error for error in errors if np.isfinite(error).all()])

    def expose(self, folder: Path, shot: Shot, *, cosmic_rays: int = 0, **options: object) -> tuple[Path, list[WCS]]:
        """Write an exposure with a wrong header; the true WCS of its chips are returned as well."""
        chosen: dict[str, object] = {"shape": (256, 256), "expstart": 55093.0, **shot.options, **options}
        detector = str(chosen.get("detector", "IR"))
        chosen["rootname"] = ("ib6o04" if detector in ("IR", "UVIS") else "j8oz04") + shot.name + "q"
        ra, dec = self.center
        chosen |= {"ra": ra + shot.east / 3600 / np.cos(np.radians(dec)), "dec": dec + shot.north / 3600}
        shape = chosen["shape"]
        blank = write_exposure(folder, **chosen, science=np.zeros(shape))  # type: ignore[arg-type]
        rng = np.random.default_rng(sum(str(chosen["rootname"]).encode()))
        pictures, flags, true = [], [], []
        with fits.open(blank) as hdus:
            exptime, per_second = hdus[0].header["EXPTIME"], hdus["SCI", 1].header["BUNIT"].endswith("/S")
            for chip in range(1, int(chosen.get("chips", 1)) + 1):  # type: ignore[call-overload]
                wcs = WCS(hdus["SCI", chip].header, hdus)
                image, dq = self._render(wcs, shape, float(hdus["SCI", chip].header["IDCSCALE"]), exptime, rng, chosen)
                for _ in range(cosmic_rays):
                    _hit(image, rng)
                pictures.append(image if per_second else image * exptime)
                flags.append(dq)
                true.append(wcs)
        path = write_exposure(folder, **chosen, science=pictures, dq=flags)  # type: ignore[arg-type]
        misplace(path, shot.wrong_east, shot.wrong_north, shot.wrong_roll)
        return path, true

    def _render(
        self, wcs: WCS, shape: object, scale: float, exptime: float, rng: np.random.Generator, chosen: dict[str, object]
    ) -> tuple[np.ndarray, np.ndarray]:
        stars = self.stars()
        years = 2000 + (float(chosen["expstart"]) - 51544.5) / 365.25 - EPOCH  # type: ignore[arg-type]
        ra = stars["ra"] + stars["pmra"] * years / 3.6e6 / np.cos(np.radians(stars["dec"]))
        table = StarTable(ra, stars["dec"] + stars["pmdec"] * years / 3.6e6, stars["rate"])
        rate = np.full(shape, 0.6)  # type: ignore[call-overload]
        x, y, near = find_star_pixels(wcs, rate.shape, table)
        add_stars(rate, wcs, x, y, table.rate[near], scale)
        noise = np.sqrt(rate * exptime + 15.0**2) / exptime
        image = rate + noise * rng.standard_normal(rate.shape)
        dq = np.zeros(rate.shape, "i2")
        bad = rng.integers(0, rate.size, rate.size // 300)
        image.ravel()[bad], dq.ravel()[bad] = 30.0, 4
        return image, dq


def _hit(image: np.ndarray, rng: np.random.Generator) -> None:
    """Add the track of one cosmic ray, which DQ knows nothing of."""
    length, angle, rate = rng.exponential(4), rng.uniform(0, np.pi), rng.exponential(8) + 2
    start = rng.uniform(10, np.array(image.shape) - 10)
    for step in np.linspace(-length / 2, length / 2, max(1, int(3 * length))):
        row, column = (start + step * np.array([np.cos(angle), np.sin(angle)])).astype(int)
        if 2 <= row < image.shape[0] - 2 and 2 <= column < image.shape[1] - 2:
            image[row, column] += rate


def misplace(path: Path, east: float, north: float, roll: float) -> None:
    """Turn the sky under all chips of a file: arcsec, and degrees from north to east about their middle."""
    with fits.open(path, mode="update") as hdus:
        chips = [hdu for hdu in hdus if hdu.name == "SCI"]
        vectors = [_vector(hdu.header["CRVAL1"], hdu.header["CRVAL2"]) for hdu in chips]
        middle = np.sum(vectors, axis=0) / np.linalg.norm(np.sum(vectors, axis=0))
        to_north = np.array([0, 0, 1]) - middle[2] * middle
        to_north /= np.linalg.norm(to_north)
        to_east = np.cross(to_north, middle)
        # A right-handed turn about the line of sight takes east to north.
        turn = _rotation(middle, -np.radians(roll))
        turn = _rotation(np.cross(middle, to_north), np.radians(north / 3600)) @ turn
        turn = _rotation(np.cross(middle, to_east), np.radians(east / 3600)) @ turn
        for hdu, vector in zip(chips, vectors, strict=True):
            header, new = hdu.header, turn @ vector
            up = np.array([0, 0, 1]) - vector[2] * vector
            new_up = np.array([0, 0, 1]) - new[2] * new
            moved, new_up = turn @ (up / np.linalg.norm(up)), new_up / np.linalg.norm(new_up)
            angle = np.arctan2(moved @ np.cross(new_up, new), moved @ new_up)  # from north to east
            matrix = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
            cd = matrix @ [[header[f"CD{i}_{j}"] for j in (1, 2)] for i in (1, 2)]
            header["CRVAL1"] = float(np.degrees(np.arctan2(new[1], new[0])) % 360)
            header["CRVAL2"] = float(np.degrees(np.arcsin(new[2])))
            for i in (1, 2):
                for j in (1, 2):
                    header[f"CD{i}_{j}"] = float(cd[i - 1, j - 1])


def _vector(ra: float, dec: float) -> np.ndarray:
    a, d = np.radians([ra, dec])
    return np.array([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)])


def _rotation(axis: np.ndarray, angle: float) -> np.ndarray:
    """The matrix of a right-handed turn (Rodrigues)."""
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
