"""What covers one position, as rows and as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from mvmdb.shown import Shown, Told

if TYPE_CHECKING:
    from astropy.table import Table

    from mvmdb.catalog.ask.point import AtPosition


class Rows(NamedTuple):
    """Rows with the names of their columns, and the meanings and units of these."""

    names: Sequence[str]
    rows: Sequence[Sequence[Any]]
    meanings: Mapping[str, tuple[str, str | None]]

    def table(self) -> Table:
        """The rows as a table of astropy."""
        from mvmdb.archive.tables import to_table

        return to_table(self.names, self.rows, self.meanings)


@dataclass(frozen=True, slots=True, repr=False)
class PointCoverage(Shown):
    """The exposures and the layers at a position (`ra`, `dec` in degrees), as tables and as rows."""

    ra: float
    dec: float
    found: AtPosition

    @property
    def exposures(self) -> Table:
        """The exposures whose footprint contains the position, by name."""
        return self.exposure_rows.table()

    @property
    def layers(self) -> Table:
        """The layers with such a member: their depth at the position, and its pixel (`x`, `y`, from 1) in the mosaic."""
        return self.layer_rows.table()

    @property
    def exposure_rows(self) -> Rows:
        """The rows of `exposures`."""
        from mvmdb.catalog.ask.point import EXPOSURE_COLUMNS
        from mvmdb.catalog.ask.search.relations import meanings_of

        return Rows(EXPOSURE_COLUMNS, self.found.exposures, meanings_of("exposures"))

    @property
    def layer_rows(self) -> Rows:
        """The rows of `layers`."""
        from mvmdb.catalog.ask.point import LAYER_COLUMNS

        units = {"exptime": "s", "x": "pix", "y": "pix"}
        meanings = {name: (text, units.get(name)) for name, text in LAYER_COLUMNS.items()}
        return Rows(tuple(LAYER_COLUMNS), self.found.layers, meanings)

    @property
    def pair_rows(self) -> Rows:
        """One row for each exposure of each layer: `layer`, `x`, `y` and the columns of the exposure."""
        exposures, layers = self.exposure_rows, self.layer_rows
        of_layer = [layers.names.index(name) for name in ("layer", "x", "y")]
        rows = [
            (*(layers.rows[layer][place] for place in of_layer), *exposures.rows[exposure])
            for layer, exposure in self.found.pairs
        ]
        return Rows(("layer", "x", "y", *exposures.names), rows, {**exposures.meanings, **layers.meanings})

    def tell(self) -> Told:
        """How many there are, and the layers."""
        layers = self.layer_rows
        seconds = sum(row[6] for row in self.found.exposures)
        n = len(self.found.exposures)
        line = f"{n} exposures of {seconds:.1f} s and {len(layers.rows)} layers at {self.ra:.6f} {self.dec:+.6f}"
        return Told(line, layers.names, layers.rows)
