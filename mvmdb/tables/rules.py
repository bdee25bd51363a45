"""Which rows may enter layers, as far as a table tells: the rules of exposures.eligibility, on what the row says.

A table tells nothing of DRIZCORR, scans, charge injection and guiding; the exposure's file does, once it is ingested.
"""

from __future__ import annotations

from functools import lru_cache

from mvmdb.exposures.eligibility import judge
from mvmdb.instruments import INSTRUMENTS

_IMAGING = frozenset({"", "image", "imaging"})
_TRUE = frozenset({"t", "true", "1", "y", "yes"})
_SOLVED = ({"WCSNAME": "as given by the table"},)  # a row that has no footprint does not come here


@lru_cache(maxsize=65536)
def judge_row(
    instrument: str, detector: str, filters: str, target: str, exposed: bool, product: str, intent: str, moving: str
) -> tuple[str, str]:
    """(rules, reasons) that keep a row out of layers, each joined with `; `; both empty for an eligible exposure.

    `exposed` says that the exposure time is not 0. A table that does not say what kind of data a row is (`product`,
    ObsCore's dataproduct_type) is taken to list images. Targets of WFPC2 are judged by name unless MAST's intentType
    (`intent`) is science, since tables do not have IMAGETYP.
    """
    header: dict[str, str | float | bool] = {
        "INSTRUME": instrument.upper(),
        "DETECTOR": detector.upper(),
        "TARGNAME": target,
        "EXPTIME": 1.0 if exposed else 0.0,
        "MTFLAG": moving.lower() in _TRUE,
    }
    facts = INSTRUMENTS[instrument]
    if facts.imaging_is_science and intent.lower() == "science":
        keyword, value = facts.imaging
        header[keyword] = value
    wheels = filters.split(";")
    names = ("FILTER",) if len(wheels) == 1 else ("FILTER1", "FILTER2")
    header.update(zip(names, wheels, strict=False))  # only the first two wheels count
    refusals = [] if product.lower() in _IMAGING else [("imaging", f"the data product type is {product}")]
    refusals += [(refusal.rule, refusal.finding) for refusal in judge(header, _SOLVED) if refusal.rule != "imaging"]
    return "; ".join(rule for rule, _ in refusals), "; ".join(finding for _, finding in refusals)
