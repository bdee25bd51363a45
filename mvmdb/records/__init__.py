"""The plain values that flow between rooms: exposures, canvases, expected layers, observed products, reasons, plans."""

from __future__ import annotations

from mvmdb.records.exposures import (
    MEASURED,
    CellExposure,
    Dataset,
    Exposure,
    ExptimeLayers,
    Frames,
    Policy,
    Refusal,
    Rule,
)
from mvmdb.records.jobs import LayerJob, MeasuredSkies, MemberInput, ProductMember, ProductRecord, SkyJob, SkyPair
from mvmdb.records.layers import Canvas, ExpectedLayer, Member, ObservedProduct, ProductState, Proof, UnmadeLayer
from mvmdb.records.plans import Action, Mark, Plan, PlannedLayer, Reason, ReasonCode
from mvmdb.records.shifts import Placed, ShiftExposure, ShiftPair

__all__ = [
    "MEASURED",
    "Action",
    "Canvas",
    "CellExposure",
    "Dataset",
    "ExpectedLayer",
    "Exposure",
    "ExptimeLayers",
    "Frames",
    "LayerJob",
    "Mark",
    "MeasuredSkies",
    "Member",
    "MemberInput",
    "ObservedProduct",
    "Placed",
    "Plan",
    "PlannedLayer",
    "Policy",
    "ProductMember",
    "ProductRecord",
    "ProductState",
    "Proof",
    "Reason",
    "ReasonCode",
    "Refusal",
    "Rule",
    "ShiftExposure",
    "ShiftPair",
    "SkyJob",
    "SkyPair",
    "UnmadeLayer",
]
