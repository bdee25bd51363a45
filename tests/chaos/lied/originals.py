"""True exposures of each kind of detector, small, as bytes that mutants are made of; nothing is wrong with them."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from astropy.io import fits
from fitsfiles import add_headerlet, write_exposure

CARD, BLOCK = 80, 2880


@dataclass(frozen=True)
class Part:
    """Where one HDU lies: its header begins at `start`, its data at `data`, the next HDU at `end`."""

    name: str
    start: int
    data: int
    end: int


@dataclass(frozen=True)
class Original:
    """One whole file. `root` is the text that names it in its headers, and `ending` that of its file name."""

    label: str
    root: str
    ending: str
    content: bytes
    parts: tuple[Part, ...]

    def renamed(self, root: str) -> Original:
        """The same file of another name, of the same length, wherever the name stands."""
        assert len(root) == len(self.root)
        content = self.content.replace(self.root.encode(), root.encode())
        return Original(self.label, root, self.ending, content, self.parts)

    @property
    def filename(self) -> str:
        return self.root + self.ending


EXPOSURES: dict[str, dict[str, Any]] = {
    "ir": {"shape": (24, 24)},
    "ir with tables": {"shape": (20, 30), "lookup_tables": True},
    "uvis": {"detector": "UVIS", "shape": (16, 32), "chips": 2, "lookup_tables": True, "kind": "flc"},
    "wfc": {"detector": "WFC", "shape": (16, 32), "chips": 2, "lookup_tables": True},
    "wfc without errors": {"detector": "WFC", "shape": (16, 32), "chips": 2, "kind": "flc", "errors": False},
    "hrc": {"detector": "HRC", "shape": (32, 32)},
    "sbc": {"detector": "SBC", "shape": (32, 32)},
    "wfpc2": {"detector": "PC", "shape": (24, 24), "chips": 3},
    "near the pole": {"shape": (24, 24), "dec": -89.97, "ra": 12.0},
    "on the meridian": {"shape": (24, 24), "dec": 40.0, "ra": 0.0},
}
"""By label, what `write_exposure` is asked for."""
_ROOTS = {"IR": "ib6o04tuq", "UVIS": "ib4606c5q", "WFC": "j8oz04kpq", "HRC": "j8bt06nyq", "SBC": "j9l701a1q",
          "PC": "u2mc0301t"}  # fmt: skip


def make_originals() -> list[Original]:
    """One of each kind. Each has a target at its place, and one has a headerlet and checksums."""
    with tempfile.TemporaryDirectory() as folder:
        return [_make(label, Path(folder), options) for label, options in EXPOSURES.items()]


def _make(label: str, folder: Path, options: Mapping[str, Any]) -> Original:
    root, kind = _ROOTS[str(options.get("detector", "IR"))], str(options.get("kind", "flt"))
    target = {"RA_TARG": options.get("ra", 53.05903846302), "DEC_TARG": options.get("dec", -27.70586104406)}
    path = write_exposure(folder, rootname=root, primary=target, **options)
    if label == "ir with tables":
        add_headerlet(path)
    return read_original(label, root, f"_{kind}.fits", path.read_bytes())


def read_original(label: str, root: str, ending: str, content: bytes) -> Original:
    """A whole file as an original."""
    with fits.open(io.BytesIO(content), lazy_load_hdus=False) as hdus:
        places = [(hdu.name, hdus.fileinfo(number)) for number, hdu in enumerate(hdus)]
    parts = tuple(
        Part(name, int(at["hdrLoc"]), int(at["datLoc"]), int(at["datLoc"]) + int(at["datSpan"])) for name, at in places
    )
    assert parts[-1].end == len(content)
    return Original(label, root, ending, content, parts)


def number_root(root: str, number: int) -> str:
    """The root name of another exposure of the same instrument; no two numbers below 36**5 have the same."""
    digits = ""
    for _ in range(5):
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return root[0] + digits + "ab" + root[-1]
