"""Why a layer is not fresh, and what is to be done."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, NamedTuple

Mark = Literal["layer", "exposure"]


class ReasonCode(StrEnum):
    """Why a layer is not fresh."""

    MEMBER_ADDED = "member-added"
    MEMBER_REMOVED = "member-removed"
    MEMBER_RECALIBRATED = "member-recalibrated"
    MEMBER_REALIGNED = "member-realigned"
    SKY_MOVED = "sky-moved"
    CANVAS_CHANGED = "canvas-changed"
    RECIPE_CHANGED = "recipe-changed"
    PRODUCT_MISSING = "product-missing"
    PRODUCT_DAMAGED = "product-damaged"
    PIXELS_UNPROVEN = "pixels-unproven"
    LAST_RUN_FAILED = "last-run-failed"
    ORPHANED = "orphaned"


class Action(StrEnum):
    """The cheapest step that makes a layer fresh."""

    DRIZZLE = "drizzle"
    ADD = "add"
    RECANVAS = "recanvas"
    SHIFT = "shift"
    RESCALE = "rescale"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Reason:
    """One cause of staleness; `exposure` is the ipppssoo that it concerns, `detail` says it in words."""

    code: ReasonCode
    exposure: str | None = None
    detail: str = ""


class PlannedLayer(NamedTuple):
    """One line of a plan: what to do for a layer, and why.

    `drizzle_because` says why nothing cheaper than a full drizzle will do. `n_waiting` is the number of members without
    a file; the layer waits for these, and nothing is done until it is 0.
    """

    name: str
    skycell: str
    action: Action
    reasons: tuple[Reason, ...]
    drizzle_because: str = ""
    n_waiting: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """Every layer that needs work, sorted by name, and how many need none."""

    layers: tuple[PlannedLayer, ...]
    fresh: int
