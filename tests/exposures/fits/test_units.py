"""How units of pixels are read: each way to write electrons per second, and no other unit."""

from __future__ import annotations

import gzip
import re
import tarfile
from pathlib import Path

import astropy.units as u
import pytest

from mvmdb.exposures.fits.units import is_rate_unit


@pytest.mark.parametrize(
    "unit",
    ["ELECTRONS/S", "ELECTRON/S", "electrons/s", " ELECTRONS/SEC", "ELECTRONS / S", "e-/s", "electrons/second"]
    + ["electron s-1", "ELECTRONS*S**-1", "s**(-1) electron", "electron.s-1"]
    + [(u.electron / u.s).to_string(form) for form in ("generic", "console")],
)
def test_rates_may_be_written_in_several_ways(unit: str) -> None:
    assert is_rate_unit(unit) is True


@pytest.mark.parametrize(
    ("unit", "rate"),
    [("ELECTRONS", False), ("electron", False), ("e-", False), ("Electrons ", False)]
    + [(unit, None) for unit in ("", "COUNTS", "COUNTS/S", "DN", "ELECTRONS/S/S", "S/ELECTRON", "ELECTRONS S", "S-1")],
)
def test_counts_are_no_rates_and_other_units_are_neither(unit: str, rate: bool | None) -> None:
    assert is_rate_unit(unit) is rate


@pytest.mark.shared
def test_every_unit_of_the_pixels_of_real_headers_is_known(shared: Path) -> None:
    units = {
        bunit: is_rate_unit(bunit)
        for path in sorted((shared / "data" / "headers").iterdir())
        for bunit in sci_units(path)
    }
    assert units == {"ELECTRONS": False, "electrons": False, "ELECTRONS/S": True}


def sci_units(path: Path) -> set[str]:
    """BUNIT of each SCI extension in a file, an archive of files, or a text of headers."""
    if path.name.endswith(".tar.gz"):
        with tarfile.open(path) as archive:
            content = b"".join(archive.extractfile(member).read() for member in archive if member.isfile())
    else:
        content = path.read_bytes()
        content = gzip.decompress(content) if path.suffix == ".gz" else content
    cards = content.replace(b"\n", b"")
    found = set()
    for extension in cards.split(b"XTENSION= ")[1:]:
        header = extension.split(b"END     ")[0]
        if re.search(rb"EXTNAME = 'SCI", header) and (unit := re.search(rb"BUNIT   = '([^']*)'", header)):
            found.add(unit[1].decode().rstrip())
    return found
