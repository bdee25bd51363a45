"""Parses and formats the names of sky cells, layers, products and exposures; parse and format are inverses."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from mvmdb.errors import NameFormatError

N_PROJECTION_CELLS = 2644
CELLS_PER_SIDE = 21
CELLS_PER_PROJECTION_CELL = CELLS_PER_SIDE**2

Scale = Literal["fine", "coarse"]
Kind = Literal["flt", "flc"]
ObsMode = tuple[str, str, str]
"""(instrument, detector, filter) in lower case: what distinguishes the layers of one sky cell."""

_CELL = re.compile(r"(?:skycell-)?p(\d{4})x(\d{2})y(\d{2})", re.IGNORECASE)
_FIELD = re.compile(r"skycell-p(\d{4})-ra\d{1,3}d\d{4}-dec[ns]\d{1,2}d\d{4}")
_LAYER = re.compile(
    r"hst_(?P<skycell>skycell-p\d{4}(?:x\d{2}y\d{2}|-ra[\dd]+-dec[ns][\dd]+))_(?P<instrument>[a-z0-9]+)_(?P<detector>[a-z0-9]+)"
    r"_(?P<filter>[a-z0-9-]+)_(?P<label>[a-z0-9.-]+)"
)
_PRODUCT = re.compile(r"(?P<layer>hst_skycell-.+)_(?P<suffix>dr[cz])\.fits")
_ROOTNAME = re.compile(r"[a-z0-9]{9}")
_PIPELINE = re.compile(r"(?P<root>[a-z0-9]{9})_(?P<kind>fl[tc]|c0m)\.fits", re.IGNORECASE)
_HAP = re.compile(r"hst_.+_(?P<root>[a-z0-9]{8})_(?P<kind>fl[tc])\.fits", re.IGNORECASE)


@dataclass(frozen=True, slots=True, order=True)
class CellId:
    """One sky cell: `projection_cell` from 0 to 2643, column `x` and row `y` from 1 to 21."""

    projection_cell: int
    x: int
    y: int

    @property
    def index(self) -> int:
        """The number of the cell, 0 to 1,166,003, unique on the sky; its key in the catalog."""
        return self.projection_cell * CELLS_PER_PROJECTION_CELL + (self.y - 1) * CELLS_PER_SIDE + self.x - 1

    @classmethod
    def from_index(cls, index: int) -> CellId:
        """The cell with this `index`."""
        projection_cell, rest = divmod(int(index), CELLS_PER_PROJECTION_CELL)
        y, x = divmod(rest, CELLS_PER_SIDE)
        return cls(projection_cell, x + 1, y + 1)

    def __str__(self) -> str:
        return format_cell_name(self)


def parse_cell_name(text: str) -> CellId:
    """Read `skycell-p1889x07y19`, or `p1889x07y19`, in upper or lower case.

    Raises NameFormatError if the form is wrong or a number is out of range.
    """
    match = _CELL.fullmatch(text.strip())
    if match is None:
        raise NameFormatError(f"{text!r} is not a sky cell; expected a name like skycell-p1889x07y19")
    cell = CellId(*(int(digits) for digits in match.groups()))
    if cell.projection_cell >= N_PROJECTION_CELLS:
        raise NameFormatError(f"{text!r}: there is no projection cell {cell.projection_cell}; expected p0000 to p2643")
    if not (1 <= cell.x <= CELLS_PER_SIDE and 1 <= cell.y <= CELLS_PER_SIDE):
        raise NameFormatError(f"{text!r}: found x={cell.x:02d}, y={cell.y:02d}; expected x and y from 01 to 21")
    return cell


def format_cell_name(cell: CellId) -> str:
    """Write a cell as `skycell-p%04dx%02dy%02d`."""
    return f"skycell-p{cell.projection_cell:04d}x{cell.x:02d}y{cell.y:02d}"


def is_cell_name(text: str) -> bool:
    """Whether a text is the name of a sky cell as `format_cell_name` writes it, which that of a folder must be."""
    try:
        return format_cell_name(parse_cell_name(text)) == text
    except NameFormatError:
        return False


def format_field_name(projection_cell: int, ra: float, dec: float) -> str:
    """The name of a rectangle in a projection cell, from the ra and dec of its centre in degrees.

    drizzlepac names custom mosaics in this way (`make_custom_mosaic.py`).

    >>> format_field_name(726, 53.059, -27.7059)
    'skycell-p0726-ra53d0590-decs27d7059'
    """
    east = f"{ra % 360:.4f}".replace(".", "d")
    north = f"{abs(dec):.4f}".replace(".", "d")
    return f"skycell-p{projection_cell:04d}-ra{east}-dec{'n' if dec >= 0 else 's'}{north}"


def reference_cell(skycell: str) -> CellId:
    """The sky cell that numbers the pixels of a layer's canvas, from the `skycell` in the layer's name.

    This is the sky cell itself. For a rectangle named by `format_field_name`, it is the first cell of the projection
    cell, because its pixels have the same numbers as the projection cell's. Raises NameFormatError for any other text.
    """
    field = _FIELD.fullmatch(skycell.strip().lower())
    if field is None:
        return parse_cell_name(skycell)
    return parse_cell_name(f"skycell-p{field[1]}x01y01")


@dataclass(frozen=True, slots=True, order=True)
class LayerName:
    """The parts of a layer's name, all in lower case. `label` is `all`, `coarse-all`, or the label of a sub-layer.

    `skycell` is the name of a sky cell or of a rectangle (`format_field_name`).
    """

    skycell: str
    instrument: str
    detector: str
    filter: str
    label: str

    @property
    def scale(self) -> Scale:
        """The pixel scale that the label stands for."""
        return "coarse" if self.label.startswith("coarse-") else "fine"

    def __str__(self) -> str:
        return f"hst_{self.skycell}_{self.instrument}_{self.detector}_{self.filter}_{self.label}"


def parse_layer_name(text: str) -> LayerName:
    """Read a layer's name, e.g. `hst_skycell-p1889x07y19_wfc3_ir_f125w_coarse-all`, in upper or lower case.

    Raises NameFormatError for any other text.
    """
    match = _LAYER.fullmatch(text.strip().lower())
    if match is None:
        raise NameFormatError(
            f"{text!r} is not a layer; expected a name like hst_skycell-p1889x07y19_wfc3_ir_f125w_coarse-all"
        )
    reference_cell(match["skycell"])
    return LayerName(**match.groupdict())


def format_product_name(layer: str, kind: Kind) -> str:
    """The file name of a layer's mosaic: `<layer>_drc.fits` if its members are FLCs, else `<layer>_drz.fits`."""
    return f"{layer}_{'drc' if kind == 'flc' else 'drz'}.fits"


def parse_product_name(text: str) -> tuple[LayerName, Kind]:
    """(layer, kind of its members) from the file name of a mosaic. Raises NameFormatError for any other name."""
    match = _PRODUCT.fullmatch(text)
    if match is None or match["layer"] != match["layer"].strip():
        raise NameFormatError(f"{text!r} is not a mosaic; expected <layer>_drz.fits or <layer>_drc.fits")
    return parse_layer_name(match["layer"]), "flc" if match["suffix"] == "drc" else "flt"


def format_trailer_name(layer: str) -> str:
    """The file name of the log of a layer's mosaic: `<layer>_trl.txt`, as of drizzlepac's trailer file."""
    return f"{layer}_trl.txt"


def parse_trailer_name(text: str) -> str:
    """The layer (name) from the file name of the log of its mosaic. Raises NameFormatError for any other name."""
    layer = text.removesuffix("_trl.txt")
    if layer == text or str(parse_layer_name(layer)) != layer:
        raise NameFormatError(f"{text!r} is not the log of a mosaic; expected <layer>_trl.txt")
    return layer


def product_place(skycell: str, filename: str) -> str:
    """Where a product is in the products folder: `<skycell>/<filename>`.

    Raises NameFormatError unless these are the names of a sky cell and of a product: rows of a catalog may have been
    changed by hand, and `../x` would lead out of the folder.
    """
    if not (is_cell_name(skycell) and is_product_name(filename)):
        raise NameFormatError(
            f"the catalog has a product {filename!r} in {skycell!r}; expected names of a mosaic and a sky cell; "
            "run: mvmdb verify --repair"
        )
    return f"{skycell}/{filename}"


def is_product_of(layer: str, skycell: str, filename: str) -> bool:
    """Whether a file of this name in the folder of this sky cell is the product of this layer, by their names.

    Rows of a catalog may have been changed by hand, and what a row of one layer names may be the mosaic of another.
    """
    try:
        named, _ = parse_product_name(filename)
    except NameFormatError:
        return False
    return str(named) == layer and named.skycell == skycell


def is_product_in(skycell: str, filename: str) -> bool:
    """Whether a file name is that of a mosaic of this sky cell."""
    return is_product_name(filename) and parse_product_name(filename)[0].skycell == skycell


def is_product_name(text: str) -> bool:
    """Whether a file name is that of a mosaic."""
    try:
        parse_product_name(text)
    except NameFormatError:
        return False
    return True


def parse_exposure_name(text: str) -> tuple[str, Kind] | None:
    """(ipppssoo, kind) from an exposure's file name, of the pipeline or of HAP; None for any other name.

    The kind of a WFPC2 exposure in two files (`_c0m.fits`, with its flags in `_c1m.fits`) is flt.

    >>> parse_exposure_name("jcz906dvq_flc.fits")
    ('jcz906dv', 'flc')
    >>> parse_exposure_name("hst_10524_06_acs_wfc_f606w_jcz906dv_flc.fits")
    ('jcz906dv', 'flc')
    """
    match = _PIPELINE.fullmatch(text) or _HAP.fullmatch(text)
    if match is None:
        return None
    kind: Kind = "flc" if match["kind"].lower() == "flc" else "flt"
    return match["root"][:8].lower(), kind


def parse_rootname(text: str) -> tuple[str, str]:
    """(rootname, ipppssoo), in lower case, from ROOTNAME in a header, e.g. `ib6o04tuq`.

    Raises NameFormatError for anything but nine letters and digits, so that no path separator gets into file names.
    """
    root = text.strip().lower()
    if _ROOTNAME.fullmatch(root) is None:
        raise NameFormatError(f"ROOTNAME is {text!r}; expected nine letters and digits like ib6o04tuq")
    return root, root[:8]


def format_layer_filter(filters: str) -> str:
    """The filter in a layer's name, from filter wheels joined with `;` as in a poller file.

    Only the first two wheels count; a polariser goes second; without any filter it is `clear` (as in the HAP pipeline).

    >>> [format_layer_filter(wheels) for wheels in ("CLEAR1L;F814W", "POL60V;F606W", "CLEAR1S;CLEAR2S")]
    ['f814w', 'f606w-pol60v', 'clear']
    """
    used = [name.lower() for name in _list_used(filters.split(";")[:2])]
    used.sort(key=lambda name: name.startswith("pol"))  # stable: a polariser goes second
    return "-".join(used) or "clear"


def format_header_filter(filters: str) -> str:
    """FILTER in the header of a product: the wheels in use, joined with `;`, as drizzlepac writes it.

    >>> [format_header_filter(wheels) for wheels in ("CLEAR1L;F814W", "POL60V;F606W", "CLEAR1S;CLEAR2S")]
    ['F814W', 'POL60V;F606W', 'clear']
    """
    return ";".join(_list_used(filters.split(";"))) or "clear"


def _list_used(wheels: Iterable[str]) -> list[str]:
    """The wheels that are neither clear nor absent."""
    names = [wheel.strip() for wheel in wheels]
    return [name for name in names if name and name.lower() != "n/a" and not name.lower().startswith("clear")]
