"""The archive's method that makes tiles of a filter's mosaics for sky atlases."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from mvmdb.archive.access import Access
from mvmdb.remote.address import require_local

if TYPE_CHECKING:
    from mvmdb.archive.working import PathLike
    from mvmdb.hips.values import MadeHips
    from mvmdb.names import Scale


class Tiling(Access):
    """Tiles for sky atlases."""

    def hips(
        self,
        wanted: str,
        output: PathLike,
        *,
        camera: str | None = None,
        scale: Scale = "fine",
        order: int | None = None,
        cut: tuple[float, float] | None = None,
        publisher: str | None = None,
        wait: float = 0.0,
    ) -> MadeHips:
        """Make a HiPS of a filter's intact mosaics in the folder `output`, or bring the one that is there up to date.

        Only tiles below which a mosaic changed, came or went are made again. `wanted`: the filter; `camera`: `WFC3/IR`,
        needed if several have the filter. `scale`: of the mosaics. `order`: of the smallest tiles, of 512 by 512 pixels
        (None: 14 for fine mosaics, 12 for coarse ones). `cut`: the values, in electrons/s per pixel of the mosaics,
        that are black and white in pictures. `publisher`: the authority in its identifier, `ivo://...`. `wait`: seconds
        to wait for another run in the folder. Needs the extra `hips`. Raises UsageError if the camera is not clear, and
        for a folder that holds something else; NothingViableError if there is no mosaic; InputError if one cannot be
        read; BusyError if another run works in the folder. The command `hips`.
        """
        from mvmdb.catalog.products.intact import choose_camera, load_intact
        from mvmdb.hips.make import make_hips
        from mvmdb.hips.values import HipsMosaic, HipsOptions

        with self._reading() as (begin, _), begin() as connection:
            instrument, detector = choose_camera(connection, wanted, camera, scale)
            found = load_intact(connection, wanted, (instrument, detector), scale)
        options = HipsOptions(wanted.lower(), f"{instrument}/{detector}".lower(), scale, order, cut)
        if publisher is not None:
            options = HipsOptions(options.filter, options.camera, scale, order, cut, publisher)
        mosaics = [HipsMosaic(each.layer, str(each.path), f"{each.data_digest} {each.place}") for each in found]
        with self._work.open() as workers:
            return make_hips(
                mosaics, options, require_local(output).absolute(), workers=workers, now=dt.datetime.now(dt.UTC),
                wait=wait, monitor=self._monitor,
            )  # fmt: skip
