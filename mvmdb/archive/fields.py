"""The archive's method that makes mosaics of any field."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from mvmdb.archive.searching import Conditions, Searching, Texts, texts_of
from mvmdb.archive.values import Reconciled
from mvmdb.errors import UsageError
from mvmdb.remote.address import require_local

if TYPE_CHECKING:
    from mvmdb.archive.positions import Position
    from mvmdb.archive.working import PathLike
    from mvmdb.names import Scale
    from mvmdb.rectangles.estimate import Estimate
    from mvmdb.rectangles.geometry import Rectangle


class Fields(Searching):
    """Mosaics of fields of the sky."""

    def mosaic(
        self,
        position: Position | None = None,
        size: object = None,
        filters: Texts = (),
        *,
        fit: Conditions | None = None,
        like: PathLike | None = None,
        exclude: Texts = (),
        detector: str | None = None,
        scale: Scale | None = None,
        trim: bool | None = None,
        output: PathLike | None = None,
        wait: float = 0.0,
        picture: bool = False,
        agree: Callable[[Estimate], object] | None = None,
    ) -> Reconciled:
        """Make the mosaics of a rectangle of the sky, across sky cells, from the catalog's exposures.

        The rectangle is a square about `position` (a SkyCoord, or ra and dec in degrees, ICRS) with sides of `size` (a
        Quantity of an angle, or arcmin); or it covers all exposures that meet the conditions of `fit`, as for `search`;
        or it is that of the image `like`, if this is on the grid of its projection cell. There is one mosaic per camera
        and filter (`filters`: none for all). `exclude`: exposures that are left out. `detector`, `scale`: only these.
        `trim`: leave out rows and columns without data (None: unless it is to be like an image). The catalog does not
        record such mosaics. They go to `output/skycell-p<cell>-ra<ra>-dec<dec>/` (None: below the current folder).
        `picture`: a JPEG beside each mosaic, with the extra `pictures`.
        `agree` is told the estimated cost first, and raises to refuse it; None refuses more than 2 GB.

        Raises UsageError for an impossible position, size or filter, for mosaics that are too large, and if a file is
        in the way; NothingViableError if no exposure is there; BusyError if another run works in the folder. The
        command `mosaic`.
        """
        from mvmdb.catalog.ask.describe import find_exposure
        from mvmdb.catalog.ask.eligible import load_eligible_exposures, load_skies
        from mvmdb.catalog.skies.solution import load_solved
        from mvmdb.pictures.mosaics import require_pictures, write_picture
        from mvmdb.rectangles.estimate import estimate_cost, require_small
        from mvmdb.rectangles.geometry import trim_rectangle
        from mvmdb.rectangles.make import make_rectangle
        from mvmdb.rectangles.plan import RectangleOptions, plan_rectangle

        if picture:
            require_pictures()
        wanted = texts_of(filters)
        rectangle, scale_there = self._rectangle(position, size, wanted, fit, like)
        if scale_there is not None and scale not in (None, scale_there):
            raise UsageError(f"{like} has {scale_there} pixels; expected no other scale than that, found {scale}")
        chosen_scale = scale if scale_there is None else scale_there
        folder = require_local(output or ".").absolute()
        with self._reading() as (begin, policy):
            with begin() as connection:
                left_out = [find_exposure(connection, name) for name in texts_of(exclude)]
                exposures = load_eligible_exposures(
                    connection, rectangle.cells, rectangle.name, wanted, detector, left_out
                )

            def skies(layer: str, members: Sequence[str]) -> dict[str, float]:
                with begin() as connection:
                    return load_skies(connection, layer, list(members))

            def solved(members: Sequence[str]) -> dict[str, float]:
                with begin() as connection:
                    return load_solved(connection, members)

            if like is None if trim is None else trim:
                rectangle = trim_rectangle(rectangle, [exposure.s_region for exposure in exposures])
            chosen = RectangleOptions(chosen_scale, skies, solved=solved)
            planned = plan_rectangle(exposures, rectangle, folder / rectangle.name, policy, chosen, set())
            estimate = estimate_cost(planned, exposures)
            (agree or require_small)(estimate)
            with self._work.open() as workers:
                report = make_rectangle(
                    exposures, rectangle, folder, policy, chosen, workers=workers, monitor=self._monitor, wait=wait
                )
        done = Reconciled(report, estimate)
        return replace(done, pictures=tuple(str(write_picture(path)) for path in done.products)) if picture else done

    def _rectangle(
        self,
        position: object,
        size: object,
        filters: tuple[str, ...],
        fit: Conditions | None,
        like: PathLike | None,
    ) -> tuple[Rectangle, Scale | None]:
        """The rectangle that is asked for, and its scale if that is given with it."""
        from mvmdb.archive.positions import to_arcmin, to_degrees
        from mvmdb.rectangles.geometry import rectangle_around, rectangle_at

        if [position is not None, fit is not None, like is not None].count(True) != 1 or (position is None) != (
            size is None
        ):
            raise UsageError("the field is not clear; expected one of: a position with a size, fit, or like")
        if like is not None:
            from mvmdb.rectangles.like import rectangle_like

            return rectangle_like(like)
        if fit is None:
            return rectangle_at(*to_degrees(position), to_arcmin(size)), None
        conditions = cast(Conditions, {"filters": filters, **fit, "columns": ("s_region", "standing")})
        with self.found("exposures", **conditions) as (_, rows):
            return rectangle_around([region for region, standing in rows if standing == "member"]), None
