"""The page's files in its folder: only what differs is written, and what belongs to the page no more is removed.

A browser may load the page while it is written. New contents wait beside their targets until all are there; then the
files are renamed, those that name others last, and what is left over is removed after that.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mvmdb.errors import UsageError
from mvmdb.stamp import file_stamp

MARK = "data/.mvmdb-page"
"""The file that says that a folder holds a page, whose files may be replaced and removed."""
OWN = ("data", "pictures", "assets")
"""The folders of the page. Other files beside them are left alone."""
SOURCES = "data/.mvmdb-sources"
"""The file that says what the files were written from (memory.py); written after they are finished."""
_NEW = ".new"


class PageTree:
    """The files of one page, being written to its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.size = self.written = self.unchanged = self.removed = 0
        self.sizes: dict[str, int] = {}
        self._waiting: list[str] = []
        self._require_own()

    def put(self, name: str, content: bytes) -> None:
        """Let the file `name`, with slashes, have this content; it is seen after `finish`. Raises OSError."""
        self.sizes[name] = len(content)
        target = self.folder / name
        if is_same(target, content):
            self.unchanged += 1
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(f"{target}{_NEW}", "wb") as file:
            file.write(content)
        self.written += 1
        self._waiting.append(name)

    def keep(self, name: str) -> bool:
        """Keep a file as it is; whether it is there."""
        try:
            self.sizes[name] = (self.folder / name).stat().st_size
        except FileNotFoundError:
            return False
        self.unchanged += 1
        return True

    def keep_all(self, stamps: Mapping[str, Sequence[int]]) -> bool:
        """Keep files as they are if all of them have the size and time that they had; whether they have."""
        if any(self.stamp(name) != tuple(stamp) for name, stamp in stamps.items()):
            return False
        return all(self.keep(name) for name in stamps)

    def stamp(self, name: str) -> tuple[int, int] | None:
        """Size and time of a file that is there now; None if there is none, or something else."""
        try:
            state = os.lstat(self.folder / name)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return file_stamp(state) if stat.S_ISREG(state.st_mode) else None

    def finish(self) -> None:
        """Show the new files in the order in which they were put, then remove what was not put. Raises OSError."""
        os.sync()  # once for all: ten thousand files that are synced one by one take minutes
        for name in self._waiting:
            Path(f"{self.folder / name}{_NEW}").replace(self.folder / name)
        os.sync()
        kept = {*self.sizes, SOURCES}
        for path in list(self._listed()):
            if path.relative_to(self.folder).as_posix() not in kept:
                path.unlink()
                self.removed += 1
        self.size = sum(self.sizes.values())

    def _listed(self) -> Iterator[Path]:
        for own in OWN:
            for folder, _, names in os.walk(self.folder / own):
                yield from (Path(folder) / name for name in names)

    def _require_own(self) -> None:
        """Refuse a folder whose files are not those of a page; mark it otherwise."""
        if not (self.folder / MARK).exists():
            strange = [name for name in (*OWN, "index.html") if (self.folder / name).exists()]
            if strange:
                raise UsageError(
                    f"{self.folder / strange[0]} is there, and is not of a page of mvmdb; expected a folder of the "
                    "page's own: give another"
                )
        self.put(MARK, b"The files of this folder are written and removed by mvmdb page.\n")
        if self._waiting:
            Path(f"{self.folder / MARK}{_NEW}").replace(self.folder / MARK)
            self._waiting.clear()


def is_same(path: Path, content: bytes) -> bool:
    """Whether a file, not a link, has this content."""
    try:
        if path.is_symlink() or path.stat().st_size != len(content):
            return False
        return path.read_bytes() == content
    except (FileNotFoundError, NotADirectoryError):
        return False
