"""Which files are exposures, by their names, on disks and elsewhere; `read` decides whether they can be used."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mvmdb.errors import InputError
from mvmdb.inputs import read_entries
from mvmdb.names import parse_exposure_name
from mvmdb.remote.address import absolute, file_name, is_url
from mvmdb.remote.listing import list_below
from mvmdb.remote.pairs import flags_beside, join_stamps
from mvmdb.remote.state import Stamp
from mvmdb.remote.store import store_of

log = logging.getLogger(__name__)

_COMPRESSED = (".gz", ".fz", ".z", ".bz2", ".xz", ".zst", ".zip")


@dataclass(frozen=True, slots=True)
class ExposurePaths:
    """Absolute paths and URLs of exposures, sorted, each once; folders without any; folders that cannot be read.

    `compressed` are files in folders whose names are those of compressed exposures, which are not read. `folders` are
    all folders that were given. `stamps` are the size and time of files elsewhere whose listing told them.
    """

    paths: tuple[str, ...]
    empty_folders: tuple[str, ...]
    unreadable_folders: tuple[str, ...]
    compressed: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    stamps: Mapping[str, Stamp] = field(default_factory=dict)


def find_exposures(paths: Iterable[str | os.PathLike[str]]) -> ExposurePaths:
    """The exposures that files, folders and `@list` files stand for.

    A file that is given is taken whatever its name. A folder is searched, with all folders below it, for names of
    exposures (`*_flt.fits`, `*_flc.fits` and WFPC2's `*_c0m.fits`, in any case); hidden files are left alone. Links to
    files and folders are followed, loops are not, and broken links, pipes and devices are among the paths, as exposures
    that cannot be read. A list has one path per line, relative to the list's own folder; blank lines and lines that
    begin with `#` are skipped. URLs may stand wherever paths may: one that does not end in `.fits` is a folder, and is
    listed; whether a file of a server is there shows when it is read. Raises InputError for a path or a folder that is
    not there, for a list that cannot be read, and for a URL that cannot be one.
    """
    files: set[str] = set()
    empty: list[str] = []
    unreadable: list[str] = []
    compressed: set[str] = set()
    folders: set[str] = set()
    stamps: dict[str, Stamp] = {}
    for address in _expand_lists(paths):
        if is_url(address) and _is_file(address):
            files.add(address)
            continue
        if is_url(address):
            folder = address.rstrip("/") + "/"
            listed = _list(folder, unreadable, compressed, stamps)
            files.update(listed)
            folders.add(folder)
            empty += [] if listed or folder in unreadable else [folder]
            continue
        path = Path(address)
        if path.is_dir():
            inside = list(_search(path, unreadable, compressed))
            files.update(inside)
            folders.add(str(path))
            if not inside:
                empty.append(str(path))
        elif path.exists():
            files.add(str(path))
        else:
            raise InputError(f"there is no file or folder {path}; check the path")
    found = (files, empty, unreadable, compressed, folders)
    given = [tuple(sorted(paths_found)) for paths_found in found]
    return ExposurePaths(given[0], given[1], given[2], given[3], given[4], stamps)


def is_exposure_name(name: str) -> bool:
    """Whether a file name is that of an FLT or FLC, or of the pixels of an exposure in two files (`*_c0m.fits`)."""
    return parse_exposure_name(name) is not None or name.lower().endswith(("_flt.fits", "_flc.fits"))


def _is_compressed(name: str) -> bool:
    stem, suffix = os.path.splitext(name)
    return suffix.lower() in _COMPRESSED and is_exposure_name(stem)


def _is_file(url: str) -> bool:
    store_of(url)  # the lack of a library is told at once, not for each file
    return url.lower().endswith(".fits")


def _list(folder: str, unreadable: list[str], compressed: set[str], stamps: dict[str, Stamp]) -> list[str]:
    """Exposures below a folder elsewhere; what cannot be used goes to the two collections."""
    try:
        listed = list(list_below(folder, unreadable))
        entries = [entry for entry in listed if _may_be_meant(file_name(entry.url))]
    except FileNotFoundError:
        raise InputError(f"there is no folder {folder}; check the address") from None
    except OSError as error:
        log.warning("%s: %s", folder, error.strerror or error)
        unreadable.append(folder)
        return []
    found = {entry.url for entry in entries if not _is_compressed(file_name(entry.url))}
    unstated = {entry.url for entry in listed if entry.state is None}
    packed = {entry.url for entry in entries} - found
    compressed.update(url for url in packed if os.path.splitext(url)[0] not in found)
    told = {entry.url: entry.state.stamp for entry in listed if entry.state is not None}
    for url in found & told.keys():
        beside = flags_beside(url)
        if beside not in unstated:  # else its server is asked
            stamps[url] = told[url] if beside is None else join_stamps(told[url], told.get(beside))
    return list(found)


def _may_be_meant(name: str) -> bool:
    return not name.startswith(".") and (is_exposure_name(name) or _is_compressed(name))


def _expand_lists(paths: Iterable[str | os.PathLike[str]]) -> Iterator[str]:
    for given in paths:
        text = os.fspath(given)
        if text.startswith("@"):
            yield from _read_list(Path(text[1:]))
        else:
            yield absolute(text)


def _read_list(source: Path) -> Iterator[str]:
    for _, entry in read_entries(source, "the list", "a text file with one path per line"):
        yield absolute(entry if is_url(entry) else os.path.join(source.parent, os.path.expanduser(entry)))


def _search(folder: Path, unreadable: list[str], compressed: set[str]) -> Iterator[str]:
    """Exposures below a folder; what cannot be used goes to the two collections.

    Each real folder is entered once, so a link to a parent makes no loop.
    """
    seen: set[tuple[int, int]] = set()
    for directory, subfolders, names in os.walk(
        folder, onerror=lambda error: unreadable.append(error.filename), followlinks=True
    ):
        status = os.stat(directory)
        if (status.st_dev, status.st_ino) in seen:
            subfolders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        subfolders.sort()
        for name in names:
            if name.startswith("."):  # what copying tools and macOS leave beside files
                continue
            path = os.path.join(directory, name)
            if _is_compressed(name) and os.path.splitext(name)[0] not in names:
                compressed.add(path)
            if is_exposure_name(name):
                yield path
