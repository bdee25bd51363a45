"""Footprints as a script for Aladin Desktop: one tool plane per filter, one polygon per chip."""

from __future__ import annotations

import io
from typing import BinaryIO

import numpy as np

from mvmdb.coverage.values import CoveringExposures
from mvmdb.formats.colours import colour_of
from mvmdb.formats.shapes import chips_of


def write_aladin(exposures: CoveringExposures, file: BinaryIO) -> None:
    """Write an Aladin script (.ajs) that draws the chips of these exposures, labelled with the exposure's name.

    Commands of Aladin's script manual: `draw mode(RADEC)`, `draw newtool(name)`, `draw colour polygon(x1, y1, ...,
    label)`; coordinates are degrees, ICRS.
    """
    text = io.TextIOWrapper(file, encoding="ascii", newline="\n")
    text.write("setconf frame=ICRS\ndraw mode(RADEC)\n")
    cameras = [f"{a}/{b} {c}".upper() for a, b, c in zip(*_names(exposures), strict=True)]
    groups, member = np.unique(np.array(cameras, dtype=str), return_inverse=True)
    for group, name in enumerate(groups.tolist()):
        chosen = exposures.select(np.flatnonzero(member == group))
        red, green, blue = colour_of(chosen.instrument[0], chosen.detector[0], chosen.filter[0])
        text.write(f"draw newtool({_plain(name)})\n")
        for exposure, chips in zip(chosen.ipppssoo, chips_of(chosen.s_region.tolist()), strict=True):
            for chip in chips:
                vertices = ", ".join(f"{value:.9f}" for value in chip.ravel().tolist())
                text.write(f"draw rgb({red},{green},{blue}) polygon({vertices}, {exposure})\n")
    text.flush()
    text.detach()


def _names(exposures: CoveringExposures) -> tuple[list[str], list[str], list[str]]:
    return exposures.instrument.tolist(), exposures.detector.tolist(), exposures.filter.tolist()


def _plain(text: str) -> str:
    """Text without what separates the parameters of a command."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "/-.") else "_" for c in text)
