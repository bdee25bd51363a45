"""Keeps the map of the sky up to date while the catalog is served; the room `page/` decides what is on it.

A process of its own draws it: drawing takes minutes for a million exposures, while questions go on being answered.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import process_time

from mvmdb.atomic import make_folder
from mvmdb.catalog.open import open_catalog
from mvmdb.errors import BusyError, InputError, MvmdbError, WorkersError
from mvmdb.page.tree import PageTree
from mvmdb.page.values import PageOptions
from mvmdb.page.write import write_page
from mvmdb.stamp import file_stamp
from mvmdb.workers.child import ChildProcess
from mvmdb.workers.periodic import repeat_when_due

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
"""How often it is seen whether the catalog has changed."""
REST = 4.0
"""It rests for as many times as long as it worked: a night changes the catalog all the time."""


class MapDrawing:
    """The map of a catalog in a folder, which `kept` draws, and draws again whenever the catalog has changed."""

    def __init__(self, address: str, file: Path, folder: Path) -> None:
        """Raises UsageError if the folder holds something else, InputError if it cannot be written to."""
        self.folder = folder
        self.trouble = ""
        self._address, self._file = address, file
        self._drawn: tuple[int, int] | None = None
        self._ending = False
        self._child: ChildProcess | None = None
        try:
            make_folder(folder)
            PageTree(folder)
        except OSError as error:
            raise InputError(
                f"{error.filename or folder}: {error.strerror or error}; expected a folder for the map; or leave it "
                "out (--no-map)"
            ) from error

    @property
    def is_there(self) -> bool:
        """Whether there is a map to show."""
        return (self.folder / "index.html").is_file()

    def tell(self) -> str:
        """Why there is no map yet."""
        return self.trouble or "the map of the sky is being drawn; this page will show it in a moment"

    @contextmanager
    def kept(self, options: PageOptions) -> Iterator[None]:
        """Keep the map up to date during the block."""
        with repeat_when_due(lambda: self._look(options)):
            try:
                yield
            finally:
                self._ending = True
                if self._child is not None:
                    self._child.kill()

    def _look(self, options: PageOptions) -> float:
        """Draw the map if the catalog has changed; the seconds until the next look."""
        try:
            stamp = file_stamp(self._file.stat())
            if stamp == self._drawn:
                return LOOK_SECONDS
            seconds = self._draw(options)
        except BusyError:
            return LOOK_SECONDS  # another run draws it, in the same folder
        except (MvmdbError, OSError) as error:
            self._report(f"the map of the sky could not be drawn: {error}")
            return 60.0
        self._drawn, self.trouble = stamp, ""
        return max(LOOK_SECONDS, REST * seconds)

    def _draw(self, options: PageOptions) -> float:
        seconds = 0.0
        with ChildProcess(_died, preload=draw_map.__module__, what="the map of the sky") as child:
            self._child = child
            if not self._ending:
                seconds = child.submit(draw_map, self._address, self.folder, options)()
        self._child = None
        return seconds

    def _report(self, trouble: str) -> None:
        if trouble != self.trouble and not self._ending:
            log.warning("%s", trouble)
        self.trouble = trouble


def draw_map(address: str, folder: Path, options: PageOptions) -> float:
    """Write the map of a catalog, as `write_page`; how many seconds of a processor it took."""
    began = process_time()
    with open_catalog(address, read_only=True) as engine:
        write_page(engine.begin, folder, options)
    return process_time() - began


@contextmanager
def map_folder(chosen: Path | None) -> Iterator[Path]:
    """The folder of the map: the chosen one, or one that is removed after the block."""
    if chosen is not None:
        yield chosen
        return
    with tempfile.TemporaryDirectory(prefix="mvmdb-map-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _died(status: int) -> MvmdbError:
    return WorkersError(f"the process that draws it ended with status {status}")
