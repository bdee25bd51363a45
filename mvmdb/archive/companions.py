"""The archive's method that keeps files beside its products, and which kinds of them are wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mvmdb.archive.access import Access, chosen_cells
from mvmdb.archive.recording import ATTENTION, DONE, call_of
from mvmdb.companions.kinds import KINDS, parse_kinds
from mvmdb.errors import UsageError
from mvmdb.shown import Shown, Told

if TYPE_CHECKING:
    from mvmdb.archive.searching import Texts
    from mvmdb.catalog.open import Engine


@dataclass(frozen=True, slots=True, repr=False)
class Companions(Shown):
    """The paths of the files that were `made` and `removed` beside products, and why others could not be made."""

    made: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def attention(self) -> bool:
        """Whether a file could not be made."""
        return bool(self.problems)

    def tell(self) -> Told:
        """How many there are, and their paths."""
        line = f"{len(self.made)} files made, {len(self.removed)} removed, {len(self.problems)} could not be made"
        rows = [("made", path) for path in self.made] + [("removed", path) for path in self.removed]
        return Told(line, ("what", "path"), rows)


class Accompanying(Access):
    """Files beside products."""

    def companions(self, kinds: Texts | None = None, *, skycells: Sequence[str] = (), wait: float = 0.0) -> Companions:
        """Make the files beside products that are missing or stale now, without drizzling, and remove stale ones.

        `kinds`: some of `jpg` (the mosaic), `thumb`, `wht` (the weights), `color` (one for a sky cell), `exptime` (the
        map of depth) and `exposures` (the list of what the mosaic holds); None: as the archive is configured.
        `skycells`: only there. `wait`: for how many seconds to wait for another run. A file stands beside its mosaic
        until the mosaic changes. Raises UsageError for an unknown kind or sky cell, and where Pillow is not installed;
        BusyError if another run works on the folder. The command `companions`.
        """
        from mvmdb.catalog.claims.coordinator import can_share
        from mvmdb.catalog.settings import products_folder
        from mvmdb.companions.keep import keep_companions
        from mvmdb.jobs.lock import claim_folder
        from mvmdb.names import CellId, format_cell_name

        given = None if kinds is None else chosen_kinds(kinds)
        call = call_of("companions", beside=given, skycells=skycells)
        with self._work.open() as workers, self._changing(call) as change:
            keys = chosen_cells(change.engine.begin, skycells)
            cells = None if keys is None else [format_cell_name(CellId.from_index(key)) for key in keys]
            wanted = kinds_beside(change.engine, given)
            with change.engine.begin() as connection:
                folder = products_folder(connection, None)
            if not wanted and given is None:
                raise UsageError(
                    "no files stand beside products in this archive; expected kinds: give --beside, or run: "
                    "mvmdb init --beside jpg,thumb"
                )
            with claim_folder(folder, shared=can_share(change.engine), wait=wait):
                kept = keep_companions(change.engine.begin, folder, wanted, workers, cells=cells)
            done = Companions(tuple(sorted(kept.made)), tuple(sorted(kept.removed)), tuple(kept.problems))
            change.code = ATTENTION if done.attention else DONE
        return done


def chosen_kinds(given: Texts) -> tuple[str, ...]:
    """The kinds that a user names. Raises UsageError for an unknown one, and where the library is missing."""
    from mvmdb.pictures.mosaics import require_pictures

    kinds = parse_kinds(given if isinstance(given, str) else ",".join(given))
    if any(KINDS[kind].is_picture for kind in kinds):
        require_pictures()
    return kinds


def kinds_beside(engine: Engine, given: tuple[str, ...] | None) -> tuple[str, ...]:
    """The kinds that a run keeps: those that are given, else those that the archive is configured for."""
    from mvmdb.catalog.settings import beside

    if given is not None:
        return given
    with engine.begin() as connection:
        return parse_kinds(beside(connection))
