"""The archive's method that plots."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack, get_args

from mvmdb.archive.covering import Covering
from mvmdb.archive.searching import Conditions, question_of
from mvmdb.catalog.open import Connection, open_catalog
from mvmdb.errors import UsageError
from mvmdb.remote.address import require_local

if TYPE_CHECKING:
    from mvmdb.plots.sky import Projection
    from mvmdb.plots.style import Figure

Kind = Literal["sky", "pole", "cell", "skycell", "layer", "history", "coverage"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Draw = Callable[["Figure"], None]

_SIZES: dict[Kind, tuple[float, float]] = {
    "sky": (10, 6.2), "pole": (7.5, 7.8), "cell": (9, 8.4), "skycell": (9.5, 6.4), "layer": (11, 5.2),
    "history": (9, 7), "coverage": (10, 6),
}  # fmt: skip
_NAMED = {"cell": "the number of a projection cell", "skycell": "a sky cell", "layer": "a layer"}
_WITHOUT_CONDITIONS = ("skycell", "layer")


class Plotting(Covering):
    """Plots of the tessellation and of the archive."""

    def plot(
        self,
        kind: Kind,
        name: str | int | None = None,
        *,
        output: str | os.PathLike[str] | None = None,
        coverage: bool | None = None,
        projection: Projection = "aitoff",
        south: bool = False,
        **conditions: Unpack[Conditions],
    ) -> Figure:
        """Plot the tessellation, a sky cell, a layer, the history or what is covered, as a figure of matplotlib.

        `sky`: all projection cells, in the `projection` aitoff or mollweide. `pole`: those around the north pole, or
        the `south` pole. `cell`: the sky cells of a projection cell, whose number is the `name`. These three have
        exposure time on them (`coverage`; None: if there is a catalog). `skycell`: the footprints of a sky cell's
        members. `layer`: a layer's mosaic, weights and depth. `history`: exposures over time, and fresh and stale
        layers. `coverage`: exposure time and area by filter. The `conditions` of `search` choose exposures, but for a
        sky cell and a layer.

        The figure is written to `output`, a path that ends in `.png` or `.svg`, if it is given. Raises UsageError for a
        name that is not known, another ending, or where matplotlib is not installed; InputError if the file cannot be
        written. The command `plot`.
        """
        from mvmdb.plots.style import new_figure, require_form, require_plots, styled, write_figure

        require_plots()
        path = None if output is None else require_local(output)
        if path is not None:
            require_form(path)
        if kind not in KINDS:
            raise UsageError(f"{kind!r} cannot be plotted; expected one of {', '.join(KINDS)}")
        if (name is not None) != (kind in _NAMED):
            found = f"the name {name!r} is given" if name is not None else "no name is given"
            raise UsageError(f"{found} for a plot of {kind!r}; expected {_NAMED.get(kind, 'none')}")
        if conditions and kind in _WITHOUT_CONDITIONS:
            raise UsageError(f"{', '.join(conditions)} choose no part of a {kind}; expected no conditions")
        draw = self._drawing(kind, str(name), coverage, projection, south, conditions)
        with styled():
            figure = new_figure(*_SIZES[kind])
            draw(figure)
        if path is not None:
            write_figure(figure, path)
        return figure

    def _drawing(
        self, kind: Kind, name: str, coverage: bool | None, projection: Projection, south: bool, conditions: Conditions
    ) -> Draw:
        """What draws a plot; the catalog is let go before."""
        if kind in ("sky", "pole", "cell"):
            return self._tessellation(kind, name, coverage, projection, south, conditions)
        if kind == "coverage":
            return self._totals(conditions)
        with open_catalog(self.address, read_only=True) as engine, engine.connect() as connection:
            return {"skycell": _skycell, "layer": _layer, "history": _history}[kind](connection, name, conditions)

    def _tessellation(
        self, kind: Kind, name: str, coverage: bool | None, projection: Projection, south: bool, conditions: Conditions
    ) -> Draw:
        from mvmdb.catalog.ask.plotted import has_catalog, load_positions, load_seconds
        from mvmdb.plots.cell import draw_cell
        from mvmdb.plots.sky import PROJECTIONS, draw_pole, draw_sky

        if projection not in PROJECTIONS:
            raise UsageError(f"{projection!r} is no projection; expected one of {', '.join(PROJECTIONS)}")
        number = _cell_number(name) if kind == "cell" else 0
        positions = seconds = None
        if coverage or conditions or (coverage is None and has_catalog(self.address)):
            question = question_of("exposures", conditions)
            with open_catalog(self.address, read_only=True) as engine, engine.connect() as connection:
                if kind == "cell":
                    seconds = load_seconds(connection, question, number)
                else:
                    positions = load_positions(connection, question)
        if kind == "cell":
            return lambda figure: draw_cell(figure, number, seconds)
        if kind == "pole":
            return lambda figure: draw_pole(figure, positions, south=south)
        return lambda figure: draw_sky(figure, positions, projection)

    def _totals(self, conditions: Conditions) -> Draw:
        from mvmdb.plots.history import draw_coverage

        wanted = ("camera", "filter", "n_exposures", "exptime", "area_arcmin2")
        with self.covered(by=("camera", "filter"), **conditions) as (names, rows, _):
            places = [list(names).index(name) for name in wanted]
            totals: list[Any] = [tuple(row[place] for place in places) for row in rows]
        return lambda figure: draw_coverage(figure, totals)


def _cell_number(text: str) -> int:
    """The number of a projection cell, given as `647` or `p0647`. Raises UsageError for any other text."""
    from mvmdb.sky.tessellation import ring_of

    digits = text.strip().lower().removeprefix("skycell-").removeprefix("p")
    if not (digits.isascii() and digits.isdecimal()):
        raise UsageError(f"{text!r} is no projection cell; expected a number from 0 to 2643")
    ring_of(int(digits))
    return int(digits)


def _skycell(connection: Connection, name: str, _conditions: Conditions) -> Draw:
    from mvmdb.catalog.ask.plotted import load_cell
    from mvmdb.plots.cell import draw_skycell

    cell, held = load_cell(connection, name)
    return lambda figure: draw_skycell(figure, cell, held)


def _layer(connection: Connection, name: str, _conditions: Conditions) -> Draw:
    from mvmdb.catalog.ask.plotted import load_layer
    from mvmdb.plots.layer import draw_layer, read_small

    file = load_layer(connection, name)

    def draw(figure: Figure) -> None:
        draw_layer(figure, read_small(Path(file.path), file.name, file.s_regions, file.exptime))

    return draw


def _history(connection: Connection, _name: str, conditions: Conditions) -> Draw:
    from mvmdb.catalog.ask.plotted import load_positions
    from mvmdb.catalog.ask.standing import load_standing
    from mvmdb.plots.history import draw_history

    positions, standing = load_positions(connection, question_of("exposures", conditions)), load_standing(connection)
    return lambda figure: draw_history(figure, positions, standing)
