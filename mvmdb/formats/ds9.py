"""Footprints as a region file of SAOImage DS9: one polygon per chip, coloured by filter."""

from __future__ import annotations

import io
from typing import BinaryIO

from mvmdb.coverage.values import CoveringExposures
from mvmdb.formats.colours import colour_of
from mvmdb.formats.shapes import chips_of


def write_ds9(exposures: CoveringExposures, file: BinaryIO) -> None:
    """Write the chips of these exposures in the format "DS9 version 4.1", in degrees, frame ICRS.

    The first chip of an exposure is labelled with its name and filter. All chips carry tags, by which DS9 selects and
    groups them: the exposure, the camera, the filter and the program.
    """
    text = io.TextIOWrapper(file, encoding="ascii", newline="\n")
    text.write("# Region file format: DS9 version 4.1\n")
    text.write('global color=green width=1 font="helvetica 10 normal roman" select=1 edit=0 move=0 delete=1\nicrs\n')
    for n, chips in enumerate(chips_of(exposures.s_region.tolist())):
        instrument, detector, filter = exposures.instrument[n], exposures.detector[n], exposures.filter[n]
        colour = "#{:02x}{:02x}{:02x}".format(*colour_of(instrument, detector, filter))
        name = exposures.ipppssoo[n]
        tags = (name, f"{instrument}/{detector}".upper(), filter.upper(), str(exposures.proposal_id[n]))
        tagged = " ".join(f"tag={{{_plain(tag)}}}" for tag in tags)
        for number, chip in enumerate(chips):
            label = f" text={{{name} {_plain(filter.upper())}}}" if number == 0 else ""
            vertices = ",".join(f"{value:.9f}" for value in chip.ravel().tolist())
            text.write(f"polygon({vertices}) # color={colour}{label} {tagged}\n")
    text.flush()
    text.detach()


def _plain(text: str) -> str:
    """Text without what would end a label."""
    return "".join(c if c.isascii() and c.isprintable() and c not in "{}\"'" else "_" for c in text)
