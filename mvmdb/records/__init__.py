"""The plain values that flow between rooms: exposures, canvases, expected layers, observed products, reasons, plans."""

from __future__ import annotations

from mvmdb.records.exposures import CellExposure, Dataset, Exposure, ExptimeLayers, Frames, Policy, Refusal, Rule
from mvmdb.records.jobs import LayerJob, MeasuredSkies, MemberInput, ProductMember, ProductRecord, SkyJob, SkyPair
from mvmdb.records.layers import Canvas, ExpectedLayer, Member, ObservedProduct, ProductState, Proof, UnmadeLayer
from mvmdb.records.plans import Action, Mark, Plan, PlannedLayer, Reason, ReasonCode

__all__ = [
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
    "SkyJob",
    "SkyPair",
    "UnmadeLayer",
]
