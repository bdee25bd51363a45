"""What the parameters of AstroDrizzle, as drizzlepac's JSON names them, say about a recipe.

`APPLIED` enter the recipe; `REQUIRED` must have the value of what mvmdb does; `WITHOUT_EFFECT` change no mosaic of
mvmdb. The keys are those of drizzlepac 3.11 (`pars/hap_pars/mvm_parameters`); any other is an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mvmdb.errors import InputError
from mvmdb.parameters.values import check_values, read_bits
from mvmdb.recipe import Recipe

APPLIED = (
    "skysub", "skymethod", "skylower", "sky_bits", "skyclip", "skylsigma", "skyusigma", "final_pixfrac", "final_bits",
    "final_kernel", "resetbits",
)  # fmt: skip

REQUIRED: Mapping[str, object] = {
    "wcskey": "", "proc_unit": "native", "coeffs": True, "group": "", "skyupper": None, "skymask_cat": "",
    "skyfile": "", "skyuser": "", "driz_separate": False, "median": False, "blot": False, "driz_cr": False,
    "driz_combine": True, "final_fillval": None, "final_maskval": None, "final_wht_type": "EXP",
    "final_wt_scl": "exptime", "final_units": "cps", "final_wcs": True, "final_rot": 0.0, "final_refimage": "",
    "final_scale": None, "final_outnx": None, "final_outny": None, "final_ra": None, "final_dec": None,
    "final_crpix1": None, "final_crpix2": None, "gain": "", "rdnoise": "", "exptime": "", "restore": False,
}  # fmt: skip

WITHOUT_EFFECT = frozenset({
    "_mdriztab_btn_", "runfile", "context", "build", "crbit", "stepsize", "num_cores", "in_memory", "static",
    "static_sig", "use_static", "skywidth", "skystat", "preserve", "overwrite", "clean", "gnkeyword", "rnkeyword",
    "expkeyword", "driz_sep_bits", "driz_sep_kernel", "driz_sep_wt_scl", "driz_sep_pixfrac", "driz_sep_fillval",
    "driz_sep_compress", "driz_sep_wcs", "driz_sep_refimage", "driz_sep_rot", "driz_sep_scale", "driz_sep_outnx",
    "driz_sep_outny", "driz_sep_ra", "driz_sep_dec", "driz_sep_crpix1", "driz_sep_crpix2", "median_newmasks",
    "combine_type", "combine_nlow", "combine_nhigh", "combine_maskpt", "combine_nsigma", "combine_lthresh",
    "combine_hthresh", "combine_grow", "combine_bufsize", "blot_interp", "blot_sinscl", "blot_addsky", "blot_skyval",
    "driz_cr_snr", "driz_cr_grow", "driz_cr_ctegrow", "driz_cr_scale", "driz_cr_corr",
})  # fmt: skip
"""Those of steps that are off, of logs and temporary files, of the grid of coordinates, and of the static mask."""


def read_astrodrizzle(where: str, section: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `Recipe` that a section `astrodrizzle` sets; its groups (`STEP 1: ...`) do not matter.

    Raises InputError, which begins with `where`, for an unknown key, and for a value that asks for what mvmdb does not
    do.
    """
    given = _flatten(section)
    unknown = sorted(given.keys() - set(APPLIED) - REQUIRED.keys() - WITHOUT_EFFECT)
    if unknown:
        raise InputError(f"{where}: AstroDrizzle has no parameter {', '.join(unknown)}; mend or remove it")
    for name, expected in REQUIRED.items():
        if name in given and not _same(given[name], expected):
            raise InputError(f"{where}: {name} is {given[name]!r}; expected {expected!r}, the only one of mvmdb")
    return check_values(where, _translate(where, given))


def write_astrodrizzle(recipe: Recipe) -> dict[str, Any]:
    """The section `astrodrizzle` that `read_astrodrizzle` reads as this recipe, with all applied keys."""
    return {
        "resetbits": "0",
        "STEP 2: SKY SUBTRACTION": {
            "skysub": recipe.sky_match,
            "skymethod": "match",
            "skystat": "median",
            "skylower": recipe.sky_lower,
            "sky_bits": str(recipe.sky_good_bits),
            "skyclip": recipe.sky_clips,
            "skylsigma": recipe.sky_sigma,
            "skyusigma": recipe.sky_sigma,
        },
        "STEP 7: DRIZZLE FINAL COMBINED IMAGE": {
            "final_pixfrac": recipe.pixfrac,
            "final_bits": str(recipe.good_bits),
            "final_kernel": recipe.kernel,
        },
    }


def _translate(where: str, given: Mapping[str, Any]) -> dict[str, Any]:
    names = {"skylower": "sky_lower", "skyclip": "sky_clips", "skylsigma": "sky_sigma", "final_pixfrac": "pixfrac",
             "final_kernel": "kernel", "skysub": "sky_match"}  # fmt: skip
    values = {ours: given[theirs] for theirs, ours in names.items() if theirs in given}
    if "final_bits" in given:
        values["good_bits"] = read_bits(where, "final_bits", given["final_bits"])
    if "sky_bits" in given:
        values["sky_good_bits"] = read_bits(where, "sky_bits", given["sky_bits"])
    reset = read_bits(where, "resetbits", given.get("resetbits", 0))
    for name in {"good_bits", "sky_good_bits"} & values.keys():
        values[name] |= reset  # a bit that is cleared before the drizzle makes no pixel bad
    if given.get("skysub"):
        _check_sky(where, given)
    return values


def _check_sky(where: str, given: Mapping[str, Any]) -> None:
    for name, expected in (("skymethod", "match"), ("skystat", "median")):
        if given.get(name, expected) != expected:
            raise InputError(f"{where}: {name} is {given[name]!r}; expected {expected!r}, the only one of mvmdb")
    low, high = given.get("skylsigma"), given.get("skyusigma")
    if low != high:
        raise InputError(
            f"{where}: skylsigma is {low!r}, and skyusigma {high!r}; expected the same number: mvmdb clips evenly"
        )


def _flatten(section: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in section.items():
        flat |= _flatten(value) if isinstance(value, dict) else {name: value}
    return flat


def _same(given: object, expected: object) -> bool:
    nothing = (None, "")
    return given == expected or (given in nothing and expected in nothing)
