"""Makes a HiPS, or brings one up to date: only tiles whose mosaics changed are made again, and what lies below them.

A tile of the highest order follows from its mosaics alone, and every other from the four above it, so a HiPS that was
brought up to date equals one made anew, to the last bit, but for its date. A killed run is completed by the next one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha1
from itertools import islice
from pathlib import Path
from time import monotonic

from mvmdb.atomic import remove_file
from mvmdb.errors import NothingViableError, UsageError, WorkersError
from mvmdb.hips.describe import write_description
from mvmdb.hips.geometry import tile_path, touched_tiles
from mvmdb.hips.pyramid import ancestors, make_allsky, make_parent
from mvmdb.hips.state import State, load_state, save_state
from mvmdb.hips.tiles import FORMATS, make_tile, mosaic_wcs
from mvmdb.hips.values import LOWEST, HipsMosaic, HipsOptions, MadeHips, TileTask
from mvmdb.jobs.lock import claim_folder
from mvmdb.monitor import SILENT, Monitor
from mvmdb.workers.executor import Workers

_AT_ONCE = 500
"""Tiles after which the state is saved: so much work a killed run loses at most."""
_RULE = "1"
"""Goes up when tiles of the same mosaics would get other pixels."""


def make_hips(
    mosaics: Sequence[HipsMosaic],
    options: HipsOptions,
    folder: Path,
    *,
    workers: Workers,
    now: dt.datetime,
    wait: float = 0.0,
    monitor: Monitor = SILENT,
) -> MadeHips:
    """Make the HiPS of these mosaics in a folder, or bring it up to date; `now` (UTC) becomes its date if it changes.

    `monitor` is told of tiles of the highest order as of files. Workers make these; each holds one tile and the
    rectangle of a mosaic below it. Raises UsageError without the extra `hips` and for a folder that holds something
    else, NothingViableError if there is no mosaic, InputError if a mosaic or the folder cannot be read, BusyError if
    another run works on the folder for longer than `wait` seconds, WorkersError if the workers are lost.
    """
    require_hips()
    started = monotonic()
    order, grey = options.hips_order, options.grey
    if not mosaics:
        raise NothingViableError(
            f"there is no intact mosaic of {options.camera} in {options.filter} ({options.scale}); see mvmdb status",
            only_small=False,
        )
    what = {"filter": options.filter, "camera": options.camera, "scale": options.scale, "order": order, "cut": [*grey]}
    load_state(folder, what)  # before anything is created there
    with claim_folder(folder, wait=wait):
        state = load_state(folder, what)
        expected = _expect(mosaics, order)
        keys = {number: _key(members) for number, members in expected.items()}
        gone = [number for number in state.tiles if number not in keys]
        due = [number for number in sorted(keys) if state.tiles.get(number) != keys[number]]
        pending = len(state.unfinished)
        _remove(folder, order, gone, state)
        tasks = (TileTask(str(folder), order, number, grey, expected[number]) for number in due)
        monitor.files_announced(len(due))
        _make_tiles(folder, tasks, keys, state, workers, monitor)
        if due or gone or pending:
            _finish(folder, options, state, now, workers)
    return MadeHips(
        str(folder), order, len(mosaics), len(state.filled), len(due), len(gone), len(keys) - len(due),
        round(monotonic() - started, 3),
    )  # fmt: skip


def require_hips() -> None:
    """Raise UsageError, with the remedy, where reproject or Pillow is not installed."""
    try:
        import PIL.Image  # noqa: F401
        import reproject  # noqa: F401
    except ImportError as error:
        raise UsageError(
            f"hips needs reproject and Pillow, which are not installed ({error}); run: pip install 'mvmdb[hips]'"
        ) from error


def _expect(mosaics: Sequence[HipsMosaic], order: int) -> dict[int, tuple[HipsMosaic, ...]]:
    """The tiles that mosaics touch, each with those that do, in the order of their layers' names."""
    found: dict[int, list[HipsMosaic]] = {}
    for mosaic in sorted(mosaics, key=lambda mosaic: mosaic.layer):
        for number in touched_tiles(mosaic_wcs(mosaic.path), order):
            found.setdefault(number, []).append(mosaic)
    return {number: tuple(members) for number, members in found.items()}


def _key(mosaics: Sequence[HipsMosaic]) -> str:
    text = "\n".join([_RULE, *(f"{mosaic.layer} {mosaic.identity}" for mosaic in mosaics)])
    return sha1(text.encode()).hexdigest()


def _remove(folder: Path, order: int, gone: Sequence[int], state: State) -> None:
    """Remove tiles that no mosaic touches any more."""
    if not gone:
        return
    state.unfinished.update(state.filled.intersection(gone))
    save_state(folder, state)  # first: the files may be gone when this run is killed
    for number in gone:
        _unlink(folder, order, number)
        del state.tiles[number]
        state.filled.discard(number)
    save_state(folder, state)


def _make_tiles(
    folder: Path, tasks: Iterator[TileTask], keys: dict[int, str], state: State, workers: Workers, monitor: Monitor
) -> None:
    """Make tiles of the highest order, and note each some hundred of them."""
    while some := list(islice(tasks, _AT_ONCE)):
        state.unfinished.update(task.number for task in some)
        save_state(folder, state)
        for number, filled in _results(make_tile, some, len(some), workers):
            state.tiles[number] = keys[number]
            (state.filled.add if filled else state.filled.discard)(number)
            monitor.files_read(1)
        save_state(folder, state)


def _results(
    make: Callable[[TileTask], bool], tasks: Iterable[TileTask], n_tasks: int, workers: Workers
) -> Iterator[tuple[int, bool]]:
    """(tile, whether there is anything in it) as workers make them. Raises WorkersError if one is lost."""
    for done in workers.executor.each(make, tasks, expected=n_tasks, name=lambda task: f"tile {task.number}"):
        if isinstance(done.result, WorkersError):
            raise done.result
        yield done.item.number, done.result


def _finish(folder: Path, options: HipsOptions, state: State, now: dt.datetime, workers: Workers) -> None:
    """Make the ancestors of changed tiles, Allsky and the description again."""
    numbers: list[int] = sorted(state.unfinished)
    for order in range(options.hips_order - 1, -1, -1):
        numbers = ancestors(numbers)
        tasks = (TileTask(str(folder), order, number, options.grey) for number in numbers)
        for _ in _results(make_parent, tasks, len(numbers), workers):
            pass
    lowest = {number >> 2 * (options.hips_order - LOWEST) for number in state.filled}
    make_allsky(folder, sorted(lowest), options.grey)
    write_description(folder, options, state.filled, now)
    state.unfinished.clear()
    save_state(folder, state)


def _unlink(folder: Path, order: int, number: int) -> None:
    for extension in FORMATS:
        remove_file(folder / tile_path(order, number, extension))
