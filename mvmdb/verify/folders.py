"""Whether the folders of sky cells hold what mvmdb would have left there: products, manifests, no temporary files."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from mvmdb.catalog.check.finding import Damage, Finding
from mvmdb.catalog.open import Begin
from mvmdb.catalog.products.observed import load_known_pixels
from mvmdb.errors import BusyError, InputError, ProductError
from mvmdb.jobs.lock import require_free
from mvmdb.mosaic.product.leftovers import find_leftovers
from mvmdb.mosaic.product.manifest import (
    format_manifest,
    format_manifest_name,
    list_files,
    name_trailer,
    read_manifest,
)
from mvmdb.mosaic.product.read import read_product
from mvmdb.names import is_product_name, parse_product_name

_ANY_TIME = sys.maxsize
_CLOCKS_DIFFER = 60 * 10**9


def check_folder(begin: Begin, folder: Path, recorded: Mapping[str, str], left_before: int | None) -> Iterator[Finding]:
    """The findings in the folder of one sky cell; `recorded` are the file names of its products, with their layers.

    `left_before`: as in `look.Inspected`.
    """
    if not folder.is_dir():
        return
    try:
        names = set(filter(is_product_name, os.listdir(folder)))
        leftovers = list(_check_leftovers(folder, left_before))
        manifest = list(_check_manifest(folder, recorded))
    except OSError as error:
        words = (error.strerror or str(error), "a folder that can be read")
        yield Finding(Damage.FILE_UNREAD, skycell=folder.name, path=str(folder), found=words[0], expected=words[1])
        return
    for name in sorted(names - recorded.keys()):
        yield _judge_unrecorded(begin, folder / name)
    yield from leftovers
    yield from manifest


def _judge_unrecorded(begin: Begin, path: Path) -> Finding:
    """Whether an unrecorded file is a mosaic of this catalog's exposures, which the next run would record."""
    layer, _ = parse_product_name(path.name)
    kind, found, expected = Damage.PRODUCT_FOREIGN, "", "a product that is recorded"
    try:
        record = read_product(path)
    except ProductError as error:
        found = str(error)
    else:
        with begin() as connection:
            known = load_known_pixels(connection, (member.ipppssoo for member in record.members))
        unknown = [member.ipppssoo for member in record.members if member.ipppssoo not in known]
        if (record.layer, record.skycell) != (str(layer), path.parent.name):
            found = f"it holds {record.layer}"
        elif unknown:
            found = f"it holds {', '.join(unknown[:5])}, which this catalog does not know"
        else:
            kind, found = Damage.PRODUCT_UNRECORDED, f"a mosaic of {len(record.members)} members"
    return Finding(kind, skycell=path.parent.name, layer=str(layer), path=str(path), found=found, expected=expected)


def _check_leftovers(folder: Path, left_before: int | None) -> Iterator[Finding]:
    if not any(find_leftovers(folder, _ANY_TIME)):
        return
    for path in find_leftovers(folder, _left_before(folder.parent) if left_before is None else left_before):
        try:
            found = f"{path.lstat().st_size} bytes"
        except OSError:  # its writer has renamed or removed it since
            continue
        yield Finding(Damage.LEFTOVER, skycell=folder.name, path=str(path), found=found, expected="no file")


def _left_before(products: Path) -> int:
    """Temporary files that were last changed before this time (ns since 1970) are of no run that works now."""
    try:
        require_free(products)
    except (BusyError, InputError):
        return 0
    return time.time_ns() + _CLOCKS_DIFFER


def _check_manifest(folder: Path, recorded: Mapping[str, str]) -> Iterator[Finding]:
    """The manifest lists products that are there, and their logs, and the logs that it lists are there.

    Of a product that is gone, and of a file that came from elsewhere, another finding tells: whether they are listed
    makes no difference here.
    """
    path = folder / format_manifest_name(folder.name)
    present = list_files(folder, folder.name)
    logs = {name_trailer(name): name for name in recorded if is_product_name(name)}
    needed = set(present) & (recorded.keys() | logs.keys())
    try:
        data = read_manifest(path)
    except FileNotFoundError:
        if needed:
            yield _of_manifest(path, "no manifest", present)
        return
    except OSError as error:
        yield _of_manifest(path, error.strerror or str(error), present)
        return
    listed = set(data.decode(errors="replace").splitlines())
    for name in sorted(listed & logs.keys() - set(present)):
        if logs[name] in present:
            layer = recorded[logs[name]]
            found = "no file, though the manifest lists it"
            yield Finding(
                Damage.TRAILER_WRONG, skycell=folder.name, layer=layer, path=str(folder / name),
                found=found, expected="the log of its mosaic",
            )  # fmt: skip
    if data != format_manifest(listed) or not needed <= listed <= recorded.keys() | logs.keys() | set(present):
        extra = sorted(listed - recorded.keys() - logs.keys() - set(present))
        missing = sorted(needed - listed)
        words = [f"also {', '.join(extra[:3])}"] if extra else []
        words += [f"without {', '.join(missing[:3])}"] if missing else []
        yield _of_manifest(path, "; ".join(words) or "another order or form", present)


def _of_manifest(path: Path, found: str, present: list[str]) -> Finding:
    expected = f"{len(present)} products and logs, sorted, one per line"
    return Finding(Damage.MANIFEST_WRONG, skycell=path.parent.name, path=str(path), found=found, expected=expected)
