"""Mosaics that exist become products of this catalog: mvmdb's own by their provenance, drizzlepac's by what they say.

Which pixels another program's mosaic holds cannot be told. It is stale for that reason, unless the user trusts it.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from mvmdb.atomic import remove_file
from mvmdb.catalog.ask.cells import all_cells
from mvmdb.catalog.due_pollers import note_behind
from mvmdb.catalog.open import Connection, Engine
from mvmdb.catalog.products.adopted import Claimed, list_claimed, load_unknown
from mvmdb.catalog.products.load import load_layer
from mvmdb.catalog.products.observed import RecordedProduct, load_recorded
from mvmdb.catalog.products.record import record_product
from mvmdb.errors import ProductError
from mvmdb.inputs import open_plain
from mvmdb.jobs.lock import claim_folder
from mvmdb.layers.diff import is_fresh, recipe_changes
from mvmdb.layers.digests import digest_product
from mvmdb.layers.recipes import documented_recipe
from mvmdb.mosaic.product.foreign import BLOCK, ForeignProduct, digest_file, is_own, read_foreign
from mvmdb.mosaic.product.manifest import write_manifest
from mvmdb.mosaic.product.read import read_product
from mvmdb.mosaic.product.write import write_atomically
from mvmdb.names import is_product_name, is_product_of, parse_cell_name, parse_product_name, product_place
from mvmdb.reconcile.observe import observe_products, record_found
from mvmdb.records import Canvas, ExpectedLayer, ObservedProduct, Policy, ProductRecord, ProductState, Proof
from mvmdb.stamp import file_stamp

log = logging.getLogger(__name__)

NEAR = 10
"""Pixels by which each edge of drizzlepac's canvas may be off the layer's: it bounds members by their corners, which
leaves out up to 5 pixels (measured, docs/conformance.md)."""

Trust = Callable[[ProductRecord, ExpectedLayer], Proof | None]
"""How far a product of another program is trusted, given its record as a trusted one, and its layer; None to leave it
alone."""


@dataclass(frozen=True, slots=True)
class AdoptedProduct:
    """A mosaic that has become a product: its layer, where it was, and whether its pixels are proven."""

    layer: str
    path: str
    proof: Proof


@dataclass(slots=True)
class AdoptReport:
    """What an adoption did. `known` are paths of products that the catalog had; `left` maps others to the reason."""

    adopted: list[AdoptedProduct] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)


def adopt_products(
    engine: Engine, folder: Path, products: Path, policy: Policy, *, trust: bool = False, wait: float = 0.0
) -> AdoptReport:
    """Adopt the mosaics in a folder and in those below it (absolute paths), which may be the products folder.

    Files elsewhere are copied into the products folder, whole and synced; nothing is moved, and an intact product is
    replaced only if it is stale and the new one is fresh. With `trust`, mosaics whose pixels are unproven count as
    fresh, where this archive makes what drizzlepac does. Raises BusyError if another run works on the products folder,
    InputError if it cannot be written.
    """
    with claim_folder(products, wait=wait):
        paths = list(_search(folder))
        before = _load_recorded(engine, paths)
        _note_cells(engine, paths)
        observe_products(engine.begin, products, policy)
        return _adopt_each(engine, paths, products, policy, _trust_newly if trust else _distrust, before)


def adopt_again(engine: Engine, paths: Sequence[Path], products: Path, policy: Policy, trust: Trust) -> AdoptReport:
    """As `adopt_products`, these files of the products folder, each with its own trust, for a rebuilt catalog."""
    _note_cells(engine, paths)
    return _adopt_each(engine, paths, products, policy, trust, _load_recorded(engine, paths))


def _search(folder: Path) -> Iterator[Path]:
    """The files in and below a folder that have names of products, hidden folders aside; sorted."""
    for directory, subfolders, names in os.walk(folder):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        yield from (Path(directory, name) for name in sorted(names) if is_product_name(name))


def _note_cells(engine: Engine, paths: Iterable[Path]) -> None:
    """Note that the poller files of these sky cells will be out of date: before, as a run may be killed at any time."""
    cells = {parse_cell_name(_skycell(path)).index for path in paths}
    with engine.begin() as connection:
        note_behind(connection, cells.intersection(all_cells(connection)))


def _skycell(path: Path) -> str:
    return parse_product_name(path.name)[0].skycell


def _load_recorded(engine: Engine, paths: Iterable[Path]) -> dict[str, RecordedProduct]:
    with engine.begin() as connection:
        return load_recorded(connection, {str(parse_product_name(path.name)[0]) for path in paths})


def _adopt_each(
    engine: Engine,
    paths: Iterable[Path],
    products: Path,
    policy: Policy,
    trust: Trust,
    before: dict[str, RecordedProduct],
) -> AdoptReport:
    report = AdoptReport()
    for path in paths:
        adoption = _Adoption(engine, products, path, before)
        try:
            proof = adoption.adopt_own(policy) if is_own(path) else adoption.adopt_foreign(trust)
        except ProductError as error:
            report.left[str(path)] = str(error)
            continue
        if proof is None:
            report.known.append(str(path))
            continue
        log.info("adopted %s", path)
        report.adopted.append(AdoptedProduct(adoption.layer, str(path), proof))
    there = {_skycell(Path(path)) for path in [*report.known, *(one.path for one in report.adopted)]}
    for skycell in sorted(there):
        write_manifest(products / skycell, skycell)  # of what was known too: a run may have been killed before this
    return report


class _Adoption:
    """The adoption of one file, whose name is that of a product; `before` are the products recorded before it."""

    def __init__(self, engine: Engine, products: Path, path: Path, before: dict[str, RecordedProduct]) -> None:
        self.engine, self.products, self.path = engine, products, path
        name, self.kind = parse_product_name(path.name)
        self.layer, self.skycell, self.scale = str(name), name.skycell, name.scale
        self.target = products / self.skycell / path.name
        self.in_place = self.target.exists() and self.target.samefile(path)
        self.before = before.get(self.layer)

    def adopt_own(self, policy: Policy) -> Proof | None:
        """Adopt a mosaic that mvmdb made; None if it was recorded already. Raises ProductError if it must be left."""
        stamp = file_stamp(self.path.stat())
        record = read_product(self.path, deep=True)
        if record.layer != self.layer:
            raise ProductError(f"{self.path} holds {record.layer}; expected {self.layer}, as its name says")
        with self.engine.begin() as connection:
            now = load_recorded(connection, [self.layer]).get(self.layer)
            if self._is_recorded(now, record):  # the look at the products folder may have recorded it
                return None if self._is_recorded(self.before, record) else Proof.PROVEN
            layer, product = self._load(connection, [member.ipppssoo for member in record.members])
        self._place(layer, product, record.recipe_digest, digest_file(self.path), stamp)
        size, mtime_ns = file_stamp(self.target.stat())
        placed = replace(record, path=str(self.target), size=size, mtime_ns=mtime_ns)
        record_found(self.engine.begin, self.products, policy, [placed])
        return Proof.PROVEN

    def adopt_foreign(self, trust: Trust) -> Proof | None:
        """Adopt a mosaic of drizzlepac; None if it was adopted already. Raises ProductError if it must be left."""
        foreign = read_foreign(self.path)
        with self.engine.begin() as connection:
            layer, product = self._load(connection, [member.ipppssoo for member in foreign.members])
            now = load_recorded(connection, [self.layer]).get(self.layer)
            if now is not None and now.proof == Proof.TRUSTED and self._is_of(now, foreign.digest):
                trust = _keep_trust
            record = self._judge(connection, foreign, layer, trust)
        if now is not None and self._is_recorded(now, record):
            if record.proof == now.proof:
                return None
        else:
            self._place(layer, product, record.recipe_digest, foreign.digest, (foreign.size, foreign.mtime_ns))
        size, mtime_ns = file_stamp(self.target.stat())
        with self.engine.begin() as connection:
            layer, _ = self._load(connection, [member.ipppssoo for member in foreign.members])
            record = self._judge(connection, foreign, layer, trust)  # exposures may have come meanwhile
            record = replace(record, path=str(self.target), size=size, mtime_ns=mtime_ns)
            words = "pixels unproven, trusted" if record.proof is Proof.TRUSTED else "pixels unproven"
            record_product(connection, record, action="adopt", detail=words)
        return record.proof

    def _is_recorded(self, recorded: RecordedProduct | None, record: ProductRecord) -> bool:
        """Whether the products folder has this very mosaic, as far as these rows say."""
        if recorded is None or recorded.state != ProductState.INTACT:
            return False
        return self._is_of(recorded, record.data_digest)

    def _is_of(self, recorded: RecordedProduct, data_digest: str) -> bool:
        return (recorded.filename, recorded.data_digest) == (self.path.name, data_digest)

    def _load(self, connection: Connection, members: Iterable[str]) -> tuple[ExpectedLayer, ObservedProduct | None]:
        layer, product = load_layer(connection, self.layer)
        if unknown := load_unknown(connection, members):
            raise ProductError(f"{self.path} holds {', '.join(unknown)}, which this catalog does not know; ingest them")
        if layer is None:
            raise ProductError(f"{self.path}: no exposure of this catalog belongs in its layer; expected one that does")
        return layer, product

    def _judge(
        self, connection: Connection, foreign: ForeignProduct, layer: ExpectedLayer, trust: Trust
    ) -> ProductRecord:
        """The record of another program's product: if its exposures and canvas are right, it is taken as made so."""
        claimed = [Claimed(m.ipppssoo, m.rootname, m.wcsname, m.exptime, m.sky) for m in foreign.members]
        members = list_claimed(connection, claimed, self.kind)
        similar = _is_near(layer.canvas.at_scale(self.scale), foreign.pixels)
        canvas = layer.canvas if similar else _fine(foreign.pixels, self.scale)
        recipe = documented_recipe(layer.recipe, foreign.layer.instrument).to_json()
        record = ProductRecord(
            layer=self.layer,
            skycell=self.skycell,
            path=foreign.path,
            size=foreign.size,
            mtime_ns=foreign.mtime_ns,
            data_digest=foreign.digest,
            canvas=canvas,
            recipe=recipe,
            recipe_digest=digest_product(members, self.kind, canvas, recipe),
            members=members,
            proof=Proof.TRUSTED,
        )
        proof = trust(record, layer)
        if proof is None:
            raise ProductError(f"{self.path} was made by another program, and was not adopted; see mvmdb adopt")
        return replace(record, recipe_digest="", proof=proof) if proof is Proof.UNPROVEN else record

    def _place(
        self,
        layer: ExpectedLayer,
        product: ObservedProduct | None,
        recipe_digest: str,
        digest: str,
        stamp: tuple[int, int],
    ) -> None:
        """Copy the file to its place, unless it is there. Raises ProductError if something better is, or unknown."""
        intact = product is not None and product.state is ProductState.INTACT
        if intact and (is_fresh(layer, product) or recipe_digest != layer.recipe_digest):  # type: ignore[arg-type]
            raise ProductError(
                f"the products folder has {product.filename} for this layer; expected none, or a stale one that this "  # type: ignore[union-attr]
                "file would make fresh: remove that first to have this one instead"
            )
        if not self.in_place:
            if product is None and self.target.exists():
                raise ProductError(f"{self.target} is there, and the catalog does not know it; move it away first")
            write_atomically(self.target, lambda file: self._copy(file, digest, stamp))
        old = "" if product is None else product.filename
        if old != self.target.name and is_product_of(self.layer, self.skycell, old):
            remove_file(self.products / product_place(self.skycell, old))  # a drc replaces the drz, or back

    def _copy(self, file: BinaryIO, digest: str, stamp: tuple[int, int]) -> None:
        copied = hashlib.blake2b(digest_size=16)
        with open_plain(self.path) as source:
            while block := source.read(BLOCK):
                copied.update(block)
                file.write(block)
        if copied.hexdigest() != digest or file_stamp(self.path.stat()) != stamp:
            raise ProductError(f"{self.path} changed while it was read; adopt it when it is finished")


def _distrust(_record: ProductRecord, _layer: ExpectedLayer) -> Proof:
    return Proof.UNPROVEN


def _trust_newly(record: ProductRecord, layer: ExpectedLayer) -> Proof:
    """Trust a product that this archive could have made. Raises ProductError for another."""
    if record.recipe != layer.recipe.to_json():
        differing = recipe_changes(layer.recipe.to_json(), record.recipe)
        raise ProductError(
            f"{record.path} is not what this archive makes ({differing}), and cannot be taken as fresh; "
            "adopt it without --trust, or have the archive make what drizzlepac makes: "
            "mvmdb init --method hap --shallow hap --weight exptime --no-errors"
        )
    return Proof.TRUSTED


def _keep_trust(_record: ProductRecord, _layer: ExpectedLayer) -> Proof:
    """What the user once trusted stays trusted."""
    return Proof.TRUSTED


def _is_near(expected: Canvas, found: Canvas) -> bool:
    edges = ("x_min", "x_max", "y_min", "y_max")
    return all(abs(getattr(expected, edge) - getattr(found, edge)) <= NEAR for edge in edges)


def _fine(pixels: Canvas, scale: str) -> Canvas:
    """The fine pixels that a rectangle of this scale covers: coarse pixel c covers 3c-1 to 3c+1."""
    if scale == "fine":
        return pixels
    return Canvas(3 * pixels.x_min - 1, 3 * pixels.x_max + 1, 3 * pixels.y_min - 1, 3 * pixels.y_max + 1)
