"""The archive's methods that decide: its configuration, and which exposures and files count."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from mvmdb.archive.access import Access
from mvmdb.archive.companions import chosen_kinds
from mvmdb.archive.recording import ATTENTION, DONE, call_of, code_of
from mvmdb.archive.values import Quarantine
from mvmdb.catalog.open import Engine
from mvmdb.errors import UsageError
from mvmdb.recipe import Method, Shallow, Weight
from mvmdb.records import ExptimeLayers, Frames, Rule
from mvmdb.remote.address import require_local

if TYPE_CHECKING:
    from mvmdb.archive.searching import Texts


class Deciding(Access):
    """What is decided about an archive."""

    def configure(
        self,
        *,
        rule: Rule | None = None,
        products: str | os.PathLike[str] | None = None,
        layers: ExptimeLayers | None = None,
        epochs: str | None = None,
        errors: bool | None = None,
        weight: Weight | None = None,
        frames: Frames | None = None,
        method: Method | None = None,
        shallow: Shallow | None = None,
        alternate: str | None = None,
        beside: Texts | None = None,
        keep_history: int | None = None,
        rebuild: bool = False,
        move: bool = False,
        upgrade: bool = False,
    ) -> None:
        """Create the catalog, or change its configuration; what is None stays as it is.

        `rule`: which sky cells an exposure is a member of (`overlap` or `nearest`). `products`: the products folder.
        `layers`: one layer for all exposure times, or by `classes` or `clusters` of them. `epochs`: layers by date
        (`none`, `yearly`, or dates joined with commas). `errors`: mosaics with an ERR plane. `weight`: members count by
        their exposure time (`exptime`) or by the inverse variance of their background (`ivm`). `method`: make mosaics
        as drizzlepac does (`hap`), or by mvmdb's own methods (`mvmdb`). `shallow`: make those of a mean depth of one
        exposure of all pixels and without sky matching (`hap`), or match skies, and take flagged pixels only where
        there is no good one (`match`). `frames`: layers take
        exposures of `any` frame, of `gaia` alone, on any `absolute` frame, each those of the `same` frame, that of most
        of its members, those whose measured places `agree` with most; or with `align` any, with shifts corrected.
        `alternate`: the name of the solution of `align` that layers use where an exposure has it, `none` for those of
        the files. `beside`: kinds of files that nights keep beside products, as for `companions`, `none` for none.
        `keep_history`: the days of history that nights keep, 0 for ever. `rebuild` and `move` as for `reconcile`.
        `upgrade`: bring an older catalog's schema up to date first. Raises UsageError for what is not valid. The
        command `init`.
        """
        from mvmdb.catalog.configure import initialise
        from mvmdb.catalog.products.folder import Consent

        kinds = None if beside is None else ",".join(chosen_kinds(beside))
        call = call_of("configure", rule=rule, products=products, layers=layers, epochs=epochs, errors=errors,
                       weight=weight, frames=frames, method=method, shallow=shallow, alternate=alternate,
                       beside=kinds, keep_history=keep_history, rebuild=rebuild, move=move,
                       upgrade=upgrade)  # fmt: skip
        runs: list[int] = []

        def record(opened: Engine) -> Engine:
            run, engine = self._recorder.begin(opened, call)
            runs.append(run)
            return engine

        try:
            trouble = initialise(
                self.address, rule=rule, products=None if products is None else require_local(products),
                exptime_layers=layers, epochs=epochs, errors=errors, weight=weight, frames=frames,
                method=method, shallow=shallow, consent=Consent(rebuild, move), keep_history=keep_history,
                alternate=alternate, beside=kinds, upgrade=upgrade, record=record,
            )  # fmt: skip
        except BaseException as error:
            for run in runs:
                self._recorder.end(run, code_of(error), error)
            raise
        self._note_trouble(trouble)
        for run in runs:
            self._recorder.end(run, DONE, None)

    def withdraw(self, *exposures: Texts, why: str = "") -> list[str]:
        """Record that exposures left the archive; their layers become stale. Returns their names (ipppssoo).

        Give exposures, or lists of them, by ROOTNAME or by the first eight characters of it. A new version of an
        exposure's file, with other pixels or another WCS, brings it back, and so does `readmit`. Raises UsageError for
        an exposure that is not in the catalog. The command `withdraw`.
        """
        from mvmdb.catalog.ask.describe import find_exposure
        from mvmdb.catalog.exposures.standing import withdraw

        given = list_texts(exposures)
        with self._changing(call_of("withdraw", *given, why=why)) as change, change.engine.begin() as connection:
            names = [find_exposure(connection, name) for name in given]
            withdraw(connection, names, why, change.policy)
        return names

    def readmit(self, *exposures: Texts) -> list[str]:
        """Bring withdrawn exposures back; their layers become stale. Returns their names.

        The opposite of `withdraw`, with the same arguments and errors. The command `readmit`.
        """
        from mvmdb.catalog.ask.describe import find_exposure
        from mvmdb.catalog.exposures.standing import readmit

        given = list_texts(exposures)
        with self._changing(call_of("readmit", *given)) as change, change.engine.begin() as connection:
            names = [find_exposure(connection, name) for name in given]
            readmit(connection, names, change.policy)
        return names

    def accept(self, *paths: Texts) -> Quarantine:
        """Accept quarantined files (paths or names) as they are, until they change. The command `quarantine --accept`.

        `paths`: texts, or lists of them. Raises UsageError for a file that is not in the quarantine.
        """
        from mvmdb.catalog.exposures.quarantine import accept_quarantined

        given = list_texts(paths)
        with self._changing(call_of("accept", *given)) as change:
            with change.engine.begin() as connection:
                files = Quarantine(accept_quarantined(connection, given))
            change.code = ATTENTION if files.attention else DONE
        return files


def list_texts(given: Sequence[object]) -> list[str]:
    """Texts and lists of texts as one list. Raises UsageError for anything else."""
    texts: list[str] = []
    for one in given:
        some = [one] if isinstance(one, str) else list(one) if isinstance(one, Iterable) else [one]
        for text in some:
            if not isinstance(text, str):
                raise UsageError(f"{text!r} is given; expected a text, or a list of texts")
            texts.append(text)
    return texts
