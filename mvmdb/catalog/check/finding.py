"""The kinds of damage that `verify` finds: what each means, what --repair does, and what is left to the user."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Damage(StrEnum):
    """The kinds of findings, in the order in which they are printed."""

    SETTING_WRONG = "setting-wrong"
    VALUE_WRONG = "value-wrong"
    ROW_DANGLING = "row-dangling"
    MEMBER_DANGLING = "member-dangling"
    EXPOSURE_MISSING = "exposure-missing"
    EXPOSURE_CHANGED = "exposure-changed"
    EXPOSURE_DAMAGED = "exposure-damaged"
    EXPOSURE_DIFFERS = "exposure-differs"
    EXPOSURE_WRONG = "exposure-wrong"
    DATASET_WRONG = "dataset-wrong"
    MEMBERSHIP_WRONG = "membership-wrong"
    CELL_WRONG = "cell-wrong"
    CANVAS_WRONG = "canvas-wrong"
    LAYER_MISSING = "layer-missing"
    LAYER_UNEXPECTED = "layer-unexpected"
    LAYER_WRONG = "layer-wrong"
    MEMBER_WRONG = "member-wrong"
    DIGEST_WRONG = "digest-wrong"
    SKY_WRONG = "sky-wrong"
    PRODUCT_UNLINKED = "product-unlinked"
    PRODUCT_WRONG = "product-wrong"
    PRODUCT_MISSING = "product-missing"
    PRODUCT_CHANGED = "product-changed"
    PRODUCT_DAMAGED = "product-damaged"
    PRODUCT_SWAPPED = "product-swapped"
    PRODUCT_UNRECORDED = "product-unrecorded"
    PRODUCT_FOREIGN = "product-foreign"
    FILE_UNREAD = "file-unread"
    LEFTOVER = "leftover"
    TRAILER_WRONG = "trailer-wrong"
    MANIFEST_WRONG = "manifest-wrong"
    COMPANION_WRONG = "companion-wrong"
    POLLER_WRONG = "poller-wrong"
    PLAN_WRONG = "plan-wrong"
    DECISIONS_WRONG = "decisions-wrong"


class Meaning(NamedTuple):
    """What a kind of damage means, what --repair does about it (empty if it has no right answer), and the remedy."""

    meaning: str
    repair: str
    remedy: str


_REFRESHED = "the layers of its sky cell are computed again from their members"
_RECONCILE = "reconcile"

MEANINGS: dict[Damage, Meaning] = {
    Damage.SETTING_WRONG: Meaning(
        "a setting of the archive has a value that mvmdb never writes, or is lost",
        "what it says of poller files is removed, so that the next run writes all of them; no other has a right answer",
        "set it again: mvmdb init",
    ),
    Damage.VALUE_WRONG: Meaning(
        "a row holds a value that its column cannot have; what follows from it is not looked at",
        "the row is written again from its file, or removed if it follows from other rows, or is measured again",
        "ingest its file again, or import its table; else set the value by SQL, or restore a copy of the catalog",
    ),
    Damage.ROW_DANGLING: Meaning(
        "a row refers to a row that is not there",
        "the row is removed, or loses the reference, and what followed from it is computed again",
        "verify --repair",
    ),
    Damage.MEMBER_DANGLING: Meaning(
        "a member of a layer or product is recorded of an exposure, a layer or a product that is not there",
        "the row is removed, and the layers of its sky cell are computed again",
        "verify --repair",
    ),
    Damage.EXPOSURE_MISSING: Meaning(
        "the active file of an exposure is gone; its mosaics can be kept, but not made again",
        "",
        "put the file back, or ingest it where it is now; if it left the archive: mvmdb withdraw",
    ),
    Damage.EXPOSURE_CHANGED: Meaning(
        "the file of an exposure has another size or time than when it was registered", "", "ingest it"
    ),
    Damage.EXPOSURE_DAMAGED: Meaning(
        "the file of an exposure has the recorded size and time, but cannot be read as it was, or has other pixels",
        "",
        "fetch the file again, and ingest it",
    ),
    Damage.EXPOSURE_DIFFERS: Meaning(
        "the headers of an exposure's file do not say what its row says, though size and time are as recorded: "
        "either was changed",
        "",
        "fetch the file again, or touch it if it is right, and ingest it",
    ),
    Damage.EXPOSURE_WRONG: Meaning(
        "the row of an exposure contradicts itself: it was changed by hand",
        "the row is written again from its file, if that has the recorded size and time",
        "ingest the exposure's file again, or import its table",
    ),
    Damage.DATASET_WRONG: Meaning(
        "the rows of an exposure's files do not fit the exposure's row",
        "they are made to fit; of two paths, the one is right that leads to a file of the recorded size and time",
        "verify --repair, or ingest the file again",
    ),
    Damage.MEMBERSHIP_WRONG: Meaning(
        "the sky cells that an exposure is recorded in are not those that its footprint overlaps",
        "its memberships are computed again from its footprint, and so are the layers that follow",
        "verify --repair",
    ),
    Damage.CELL_WRONG: Meaning(
        "the row of a sky cell is not that of the tessellation", "it is written again", "verify --repair"
    ),
    Damage.CANVAS_WRONG: Meaning(
        "the canvas of a sky cell is not the bounding box of its members", _REFRESHED, "verify --repair"
    ),
    Damage.LAYER_MISSING: Meaning("a layer that should exist has no row", _REFRESHED, "verify --repair"),
    Damage.LAYER_UNEXPECTED: Meaning("a layer is recorded that nothing is a member of", _REFRESHED, "verify --repair"),
    Damage.LAYER_WRONG: Meaning("the row of a layer does not follow from its members", _REFRESHED, "verify --repair"),
    Damage.MEMBER_WRONG: Meaning(
        "the recorded members of a layer are not those that it should have", _REFRESHED, "verify --repair"
    ),
    Damage.DIGEST_WRONG: Meaning(
        "a digest of a layer is not the digest of what it covers, so the layer may wrongly be fresh or stale",
        _REFRESHED,
        "verify --repair",
    ),
    Damage.SKY_WRONG: Meaning(
        "the solved sky of an exposure cannot be what a solution stored",
        "it is forgotten: the next run that makes a mosaic of it measures and solves it again",
        "verify --repair",
    ),
    Damage.PRODUCT_UNLINKED: Meaning(
        "a product's row is not tied to its layer, or to a layer that is not its own",
        "it is tied to its layer, or to none if none is expected",
        "verify --repair",
    ),
    Damage.PRODUCT_WRONG: Meaning(
        "the row of a product, or of one of its members, contradicts itself or the intact file",
        "it is written again from the file, if that is intact",
        f"verify --repair, or {_RECONCILE}",
    ),
    Damage.PRODUCT_MISSING: Meaning(
        "the file of a product is gone", "that is recorded, so that the next reconcile makes it again", _RECONCILE
    ),
    Damage.PRODUCT_CHANGED: Meaning(
        "the file of a product has another size, time or state than recorded; only reading it tells what it is",
        "it is read whole: the same content is recorded with its new time, anything else as what it is",
        "verify --deep, or reconcile",
    ),
    Damage.PRODUCT_DAMAGED: Meaning(
        "the file of a product is not as it was written",
        "that is recorded, so that the next reconcile makes it again",
        _RECONCILE,
    ),
    Damage.PRODUCT_SWAPPED: Meaning(
        "the file of a product holds another layer",
        "it is recorded as damaged, so that the next reconcile makes it again",
        "put the right file in its place, or reconcile",
    ),
    Damage.PRODUCT_UNRECORDED: Meaning(
        "an intact mosaic of exposures of this catalog is not recorded, as after a run that was killed",
        "it is recorded, as the next run would do",
        _RECONCILE,
    ),
    Damage.PRODUCT_FOREIGN: Meaning(
        "a file has the name of a product, and this catalog did not make it", "", "move it away"
    ),
    Damage.FILE_UNREAD: Meaning(
        "a file could not be read to its end, so nothing is known of it", "", "see why, and verify it again"
    ),
    Damage.LEFTOVER: Meaning("a temporary file was left by a run that was killed", "it is removed", _RECONCILE),
    Damage.TRAILER_WRONG: Meaning(
        "the log of a mosaic (`_trl.txt`) is gone, or does not say what its mosaic says",
        "it is written again",
        "verify --repair",
    ),
    Damage.MANIFEST_WRONG: Meaning(
        "the manifest of a sky cell does not list the products that are there, and their logs",
        "it is written again",
        "verify --repair",
    ),
    Damage.COMPANION_WRONG: Meaning(
        "a file that is to stand beside a product is missing, or is that of another mosaic (`init --beside`)",
        "it is made again, or removed where it belongs to no product",
        "companions",
    ),
    Damage.POLLER_WRONG: Meaning(
        "the poller file of a sky cell cannot be read, or does not say what the catalog says",
        "it is written again",
        "mvmdb poller",
    ),
    Damage.PLAN_WRONG: Meaning(
        "the file of planned work of a sky cell cannot be read, or is another sky cell's",
        "",
        "remove it: the next run that works there writes it",
    ),
    Damage.DECISIONS_WRONG: Meaning(
        "the decisions file beside the products is damaged, or was written by another catalog",
        "a damaged one is written again, if this catalog has written it before",
        "move it away, or rebuild the catalog that wrote it",
    ),
}


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One finding: its kind, what it concerns (empty where nothing is), and what was found where what was expected."""

    kind: Damage
    skycell: str = ""
    layer: str = ""
    exposure: str = ""
    path: str = ""
    table: str = ""
    found: str = ""
    expected: str = ""

    @property
    def subject(self) -> str:
        """What it concerns, in the fewest words."""
        return self.layer or self.exposure or self.path or self.skycell or self.table

    @property
    def key(self) -> tuple[str, ...]:
        """What makes it the same finding at a second look, which may find and expect something else."""
        return (self.kind, self.skycell, self.layer, self.exposure, self.path, self.table)


def differences(pairs: dict[str, tuple[object, object]]) -> tuple[str, str]:
    """(found, expected) in words: `name=value` of each column, given its value as found and as expected."""
    found = ", ".join(f"{name}={_shown(before)}" for name, (before, _) in pairs.items())
    expected = ", ".join(f"{name}={_shown(after)}" for name, (_, after) in pairs.items())
    return found, expected


def _shown(value: object) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 120 else f"{text[:117]}..."
