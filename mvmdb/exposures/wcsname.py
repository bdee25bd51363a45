"""What a WCSNAME says about an astrometric solution, and which of two is better; pixels and WCS are not read.

The names are those of the archive (HAP documentation, "Astrometry in the archive"):
`OPUS` the pipeline's first pointing, without distortion; `IDC_<distortion model>` that pointing with distortion;
`...-<catalog>` an a priori solution, the guide stars' positions corrected by a catalog; `...-FIT_<how>_<catalog>` an
a posteriori solution, sources in the image fitted to a catalog.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mvmdb.frames import APRIORI

_NAME = re.compile(r"(?:(?P<distortion>IDC_[^-]+)|(?i:OPUS))(?:-(?P<solution>.+))?")
_FIT = re.compile(r"FIT[-_](?P<how>[A-Z]+)_(?P<catalog>.+)", re.IGNORECASE)

# Newer Gaia releases have better positions and proper motions; HSC 3 and GSC 2.4 were themselves tied to Gaia DR1.
_CATALOGS = {"GAIAEDR3": 6, "GAIADR3": 6, "GAIADR2": 5, "GAIADR1": 4, "HSC30": 3, "GSC242": 2, "GSC240": 1}
# A visit fitted as a whole beats exposures fitted to one another, and these beat exposures fitted one by one.
_FITS = {"FIT_SVM": 4, "FIT_REL": 3, "FIT_EVM": 2, "FIT_IMG": 1}


@dataclass(frozen=True, slots=True)
class Solution:
    """The parts of a WCSNAME; None where the name has no such part. `fit` is APRIORI for an a priori solution."""

    distortion: str | None
    fit: str | None
    catalog: str | None


def split_wcsname(wcsname: str | None) -> Solution:
    """Take a WCSNAME apart.

    >>> split_wcsname("IDC_2731450pi-FIT_REL_GAIAeDR3")
    Solution(distortion='IDC_2731450pi', fit='FIT_REL', catalog='GAIAeDR3')
    >>> split_wcsname("IDC_w3m18525i-HSC30")
    Solution(distortion='IDC_w3m18525i', fit='APRIORI', catalog='HSC30')
    >>> split_wcsname("OPUS-GSC240")
    Solution(distortion=None, fit='APRIORI', catalog='GSC240')
    >>> split_wcsname("OPUS")
    Solution(distortion=None, fit=None, catalog=None)
    """
    match = _NAME.fullmatch((wcsname or "").strip())
    if match is None:
        return Solution(None, None, None)
    solution = match["solution"]
    if solution is None:
        return Solution(match["distortion"], None, None)
    fitted = _FIT.fullmatch(solution)
    if fitted is None:
        return Solution(match["distortion"], APRIORI, solution)
    catalog = fitted["catalog"]
    return Solution(match["distortion"], f"FIT_{fitted['how'].upper()}", None if catalog.upper() == "NONE" else catalog)


def rank_solution(wcsname: str | None) -> int:
    """How good a solution is, by its name; higher is better, and 0 is no solution at all.

    First by tier: none, OPUS, that corrected a priori, distortion only, fitted but to no catalog (`FIT_REL_NONE`), a
    priori, a posteriori, and any name of another form: no pipeline gives one, so somebody aligned the exposure on
    purpose (TweakReg calls its solution TWEAK). Then by catalog, then by how it was fitted.
    """
    name = (wcsname or "").strip()
    if not name:
        return 0
    solution = split_wcsname(name)
    if name.upper() == "OPUS":
        tier = 1
    elif solution.distortion is None:
        tier = 7 if solution.catalog is None else 2
    elif solution.fit is None:
        tier = 3
    elif solution.catalog is None:
        tier = 4
    else:
        tier = 5 if solution.fit == APRIORI else 6
    return 100 * tier + 10 * _CATALOGS.get((solution.catalog or "").upper(), 0) + _FITS.get(solution.fit or "", 0)
