"""Blanks the arrays of a FITS file and compresses it: what remains is its headers and tables, byte by byte.

python -m conformance.adopt.blank PRODUCT TARGET.gz
"""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

from astropy.io import fits


def blank(source: Path, target: Path) -> None:
    """Write the file with every byte of its images 0; the same source gives the same bytes."""
    content = bytearray(source.read_bytes())
    with fits.open(source) as hdus:
        for number, hdu in enumerate(hdus):
            if isinstance(hdu, fits.ImageHDU) and hdu.data is not None:
                place = hdus.fileinfo(number)
                start, length = int(place["datLoc"]), int(place["datSpan"])
                content[start : start + length] = bytes(length)
    with target.open("wb") as stream, gzip.GzipFile("", "wb", 9, stream, mtime=0) as packed:
        packed.write(content)


if __name__ == "__main__":
    blank(Path(sys.argv[1]), Path(sys.argv[2]))
