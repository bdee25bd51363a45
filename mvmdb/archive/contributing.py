"""The archive's methods that tell which exposures are in which pixel of a mosaic."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mvmdb.archive.access import Access
from mvmdb.catalog.open import open_catalog

if TYPE_CHECKING:
    from mvmdb.archive.positions import Position
    from mvmdb.mosaic.contributing.pixel import Contributors


def contributors(
    mosaic: str | os.PathLike[str], x: float | None = None, y: float | None = None, *, at: Position | None = None
) -> Contributors:
    """The chips that contribute to a pixel of a mosaic, from its own table, HDRTAB; no catalog is needed.

    `mosaic`: the file's path. `x`, `y`: the pixel, from 1 as in headers; or `at`: a SkyCoord, or ra and dec in degrees.
    A chip contributes where it covers a part of the pixel. Which pixels were left out as bad is not known; `some_bad`
    says whether some were. Raises ProductError if the mosaic is missing, damaged or not mvmdb's, UsageError for a place
    off the mosaic.
    """
    from mvmdb.archive.positions import to_degrees
    from mvmdb.errors import UsageError
    from mvmdb.mosaic.contributing.pixel import contributors_at

    if (x is None) != (y is None):
        raise UsageError("found one of x and y; expected both, or neither")
    pixel = None if x is None or y is None else (float(x), float(y))
    return contributors_at(mosaic, pixel, None if at is None else to_degrees(at))


def context_image(mosaic: str | os.PathLike[str], output: str | os.PathLike[str]) -> str:
    """Write a context image of a mosaic, as drizzlepac's CTX, from its own table; returns its path.

    Bit i % 32 of plane i // 32 of the extension CTX is set in the pixels to which the chip in row i (from 0) of the
    mosaic's HDRTAB contributes, by its outline: pixels that were left out as bad are not known. HDRTAB is in the file,
    too. It has 4 bytes for each pixel and 32 chips. Raises ProductError if the mosaic is missing, damaged or not
    mvmdb's, InputError if the file cannot be written.
    """
    from mvmdb.mosaic.contributing.image import write_context
    from mvmdb.remote.address import require_local

    return str(write_context(mosaic, require_local(output)))


class Contributing(Access):
    """Who is in which pixel."""

    def contributors(
        self,
        mosaic: str | os.PathLike[str],
        x: float | None = None,
        y: float | None = None,
        *,
        at: Position | None = None,
    ) -> Contributors:
        """As `mvmdb.contributors`, with the exposures' files where the catalog has them.

        The mosaic need not be the archive's. All but the path of exposures follows from its own table: what the mosaic
        holds is told, whatever the catalog has learned since. Without a catalog, paths are None. The command
        `contributors`.
        """
        found = contributors(mosaic, x, y, at=at)
        paths = self._paths_of({chip.ipppssoo for chip in found.chips})
        return replace(found, chips=tuple(replace(chip, path=paths.get(chip.ipppssoo)) for chip in found.chips))

    def context_image(self, mosaic: str | os.PathLike[str], output: str | os.PathLike[str]) -> str:
        """As `mvmdb.context_image`. The command `contributors` with `--image`."""
        return context_image(mosaic, output)

    def _paths_of(self, exposures: set[str]) -> dict[str, str]:
        """The files of exposures (ipppssoo), of those that the catalog has; none where there is no catalog."""
        if "://" not in self.address and not Path(self.address).expanduser().exists():
            return {}
        from mvmdb.catalog.ask.point import find_paths

        with open_catalog(self.address, read_only=True) as engine, engine.connect() as connection:
            return find_paths(connection, exposures)
