"""Writes the sky map: static files that show an archive in a browser, with or without a web server."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import numpy as np

from mvmdb.atomic import make_folder
from mvmdb.catalog.ask.page.exposures import load_mapped, load_totals
from mvmdb.catalog.ask.page.places import load_place, load_projection_cells
from mvmdb.catalog.open import Begin
from mvmdb.catalog.settings import recorded_products_folder
from mvmdb.errors import InputError
from mvmdb.garbage import gc_paused
from mvmdb.jobs.lock import claim_folder
from mvmdb.monitor import SILENT, Monitor
from mvmdb.page.memory import PageMemory
from mvmdb.page.previews import Pictures
from mvmdb.page.sky import write_sky
from mvmdb.page.tallies import script
from mvmdb.page.tree import PageTree
from mvmdb.page.values import PageOptions, PageReport
from mvmdb.pictures.mosaics import require_pictures
from mvmdb.sky.tessellation import load_rings

ASSETS = (
    "app.css",
    "sphere.js",
    "data.js",
    "colours.js",
    "state.js",
    "graticule.js",
    "map.js",
    "panel.js",
    "search.js",
    "app.js",
)
"""The files beside index.html, in the order in which they are loaded."""
_IMAGES, _VERSION = "@IMAGES@", "@VERSION@"


def write_page(
    begin: Begin,
    folder: Path,
    options: PageOptions | None = None,
    *,
    products: Path | None = None,
    monitor: Monitor = SILENT,
) -> PageReport:
    """Write the sky map of a catalog to a folder, or bring it up to date there; `folder/index.html` opens it.

    `begin` begins read-only transactions on the catalog: a short one for each projection cell. `folder` is created, or
    holds a page written before; other files in it are left alone. `options`: title, addresses of products and of an SQL
    browser, pictures. `products`: the folder of products, None for the recorded one. `monitor` is told of projection
    cells as of files. Files whose content is the same are not written again, those of
    projection cells of which nothing changed are not even made, and those that the page needs no more are removed at
    the end. Browsers may load the page meanwhile.

    Raises UsageError if the folder holds files of something else, or pictures are wanted without Pillow; BusyError if
    another run writes the page; InputError if a file cannot be written; CatalogError as the database does.
    """
    chosen = options or PageOptions()
    if chosen.pictures:
        require_pictures()
    try:
        make_folder(folder)
        PageTree(folder)  # refuses a folder of something else, before a lock is put there
        with claim_folder(folder), gc_paused():
            return _write(begin, folder, chosen, products, monitor)
    except OSError as error:
        raise InputError(
            f"{error.filename or folder}: {error.strerror or error}; expected a folder that the page can be written to"
        ) from error


def _write(begin: Begin, folder: Path, options: PageOptions, products: Path | None, monitor: Monitor) -> PageReport:
    tree = PageTree(folder)
    with begin() as connection:
        exposures, totals = load_mapped(connection), load_totals(connection)
        projection_cells = load_projection_cells(connection)
        products = products or recorded_products_folder(connection)
    products_url = _products_url(products, options)
    pictures = Pictures(tree, products, products_url or "", options.pictures)
    sky = write_sky(tree, exposures)
    memory = PageMemory(tree)
    seen = np.zeros(len(exposures), bool)
    n_cells = 0
    monitor.files_announced(len(projection_cells))
    for number in projection_cells:
        with begin() as connection:
            place = load_place(connection, number)
        n_cells += memory.write(place, exposures, seen, pictures.find)
        monitor.files_read(1)
    rings = load_rings()
    index = {
        "title": options.title,
        "asOf": totals.as_of,
        "exposures": len(exposures),
        "seconds": int(exposures.milliseconds.sum()) / 1000,
        "layers": totals.layers,
        "stale": totals.stale,
        "skycells": totals.skycells,
        "rings": list(zip(rings.projcell.tolist(), rings.nband.tolist(), rings.dec.tolist(), strict=True)),
        "projectionCells": np.diff(projection_cells, prepend=0).tolist(),
        "productsUrl": products_url,
        "sqlUrl": options.sql_url,
    }  # fmt: skip
    contents = {f"assets/{name}": (files("mvmdb.page") / "assets" / name).read_bytes() for name in ASSETS}
    contents["data/index.js"] = script("index", index | sky)
    for name, content in contents.items():
        tree.put(name, content)
    version = hashlib.sha256(b"".join(contents.values())).hexdigest()[:12]
    tree.put("index.html", _index_html(options, version))
    tree.finish()
    memory.save()
    first = ["index.html", "data/index.js", *(f"assets/{name}" for name in ASSETS)]
    return PageReport(
        str(folder / "index.html"), len(exposures), n_cells, totals.layers, len(tree.sizes), tree.size,
        sum(tree.sizes[name] for name in first), tree.written, tree.unchanged, tree.removed, pictures.made,
        tuple(pictures.problems),
    )  # fmt: skip


def _products_url(products: Path | None, options: PageOptions) -> str | None:
    if options.products_url is not None:
        return options.products_url.rstrip("/")
    return None if products is None else "file://" + quote(str(products.absolute()))


def _index_html(options: PageOptions, version: str) -> bytes:
    """The page itself, which may show pictures from where the products are, and nothing else from elsewhere.

    `version` is another one after each change, so that no cache gives old files to a new page.
    """
    parts: Any = urlsplit(options.products_url or "file:")
    images = {"": "", "file": " file:"}.get(parts.scheme, f" {parts.scheme}://{parts.netloc}")
    text = (files("mvmdb.page") / "assets" / "index.html").read_text("utf-8")
    return text.replace(_IMAGES, images).replace(_VERSION, version).encode("utf-8")
