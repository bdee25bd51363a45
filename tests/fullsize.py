"""Exposures as long as those of the archive, with real headers; their pixels are holes in the file."""

from __future__ import annotations

from pathlib import Path

from astropy.io import fits

_TABLE = (64, 32)
_IMAGES = ("SCI", "ERR", "DQ", "SAMP", "TIME")


def write_full_size(source: Path, target: Path, chip: tuple[int, int] = (4096, 2051)) -> Path:
    """Copy headers, headerlets and tables of a file whose arrays were cut, with arrays of their real sizes;
    `chip` is (columns, rows)."""
    with fits.open(source) as hdus, target.open("wb") as out:
        for hdu in hdus:
            header = hdu.header.copy()
            sides = (
                chip
                if hdu.name in ("SCI", "ERR", "DQ", "SAMP", "TIME")
                else _TABLE
                if hdu.name.endswith("ARR")
                else None
            )
            if sides is None:
                out.write(header.tostring().encode("ascii"))
                start, span = hdu.fileinfo()["datLoc"], hdu.fileinfo()["datSpan"]
                with source.open("rb") as original:
                    original.seek(start)
                    out.write(original.read(span))
                continue
            header["NAXIS1"], header["NAXIS2"] = sides
            out.write(header.tostring().encode("ascii"))
            size = abs(header["BITPIX"]) // 8 * sides[0] * sides[1]
            out.truncate(out.tell() + -(-size // 2880) * 2880)
            out.seek(0, 2)
    return target
