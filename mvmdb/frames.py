"""What an exposure's positions are tied to, by the names of its solution; how well they agree is not measured here.

Names of solutions are those of the archive (drizzlepac's documentation, "Astrometry and Headerlets", section
"Interpreting WCS names"; its handbook, 4.5). What they say of frames:

- All releases of Gaia are one frame: each is tied to the ICRS to a fraction of a milliarcsec (Lindegren et al. 2018,
  2021). They differ in what they know of proper motions.
- An exposure whose sources were fitted to another catalog is in the frame of that catalog: `gsc242`.
- An a priori solution corrects the positions of the guide stars (GSC240), or is applied without verification (HSC30):
  what remains of the pointing's error differs from visit to visit. It is a frame of its own, `gsc240-apriori`.
- `OPUS`, `IDC_...` and `FIT_REL_NONE` have the telescope's pointing: `none`.
- Any other name was given by whoever aligned the exposure: the frame is that name, or Gaia if it has GAIA in it.
"""

from __future__ import annotations

GAIA = "gaia"
NONE = "none"
APRIORI = "APRIORI"
"""The kind of fit of an a priori solution."""
ALIGNED = "ALIGNED"
"""The kind of fit of a solution that `align` found."""
ABSOLUTE = (
    "gaia",
    "gsc",
    "2mass",
    "ps1",
    "panstarrs",
    "pan-starrs",
    "sdss",
    "des",
    "hsc",
    "ucac",
    "tycho",
    "hipparcos",
)
"""How the names of absolute frames begin: catalogs of the sky that exposures are fitted to."""
APRIORI_SUFFIX = "-apriori"
_RELATIVE_PREFIX = "aligned-"


def frame_of_file(wcsname: str | None, distortion: str | None, fit: str | None, catalog: str | None) -> str | None:
    """The frame of a file's solution, by its WCSNAME and the parts of it (`split_wcsname`); None without WCSNAME.

    >>> frame_of_file("IDC_2731450pi-FIT_REL_GAIAeDR3", "IDC_2731450pi", "FIT_REL", "GAIAeDR3")
    'gaia'
    >>> frame_of_file("IDC_w3m18525i-GSC240", "IDC_w3m18525i", "APRIORI", "GSC240")
    'gsc240-apriori'
    >>> frame_of_file("OPUS-GSC240", None, "APRIORI", "GSC240")
    'gsc240-apriori'
    >>> frame_of_file("TWEAK", None, None, None)
    'tweak'
    """
    name = (wcsname or "").strip()
    if not name:
        return None
    if catalog is not None:
        return _family(catalog) + (APRIORI_SUFFIX if fit == APRIORI else "")
    return NONE if distortion is not None or name.upper() == "OPUS" else _family(name)


def frame_of_alternate(name: str, reference: str) -> str:
    """The frame of an alternate solution of this name, which was fitted to the catalog in the file `reference`.

    It is that of the catalog, by the name of its file. Exposures that were aligned to each other, without a reference
    (an empty text), agree with each other and with nothing else.

    >>> frame_of_alternate("best", "gaia_dr3.ecsv"), frame_of_alternate("best", "")
    ('gaia', 'aligned-best')
    """
    return _family(reference.rpartition(".")[0] or reference) if reference else _RELATIVE_PREFIX + name.lower()


def frame_of_group(tied_to: str, group: str) -> str:
    """The frame of exposures that were moved onto each other, in a group (by its name) that is tied to a frame.

    Where that is absolute they share it, else they agree with each other and with nothing else.

    >>> frame_of_group("gaia", "ib6o04tu"), frame_of_group("majority", "ib6o04tu")
    ('gaia', 'aligned-ib6o04tu')
    """
    return tied_to if is_absolute(tied_to) else _RELATIVE_PREFIX + group


def is_absolute(frame: str) -> bool:
    """Whether a frame is that of a catalog of the sky: Gaia, or another one of `ABSOLUTE` by the beginning of its name.

    A priori solutions are not, as what remains of the pointing's error differs; nor are names that say nothing.

    >>> [is_absolute(frame) for frame in ("gaia", "gsc242", "gsc240-apriori", "aligned-best", "tweak", "none")]
    [True, True, False, False, False, False]
    """
    return frame.startswith(ABSOLUTE) and not frame.endswith(APRIORI_SUFFIX)


def preference(frame: str) -> tuple[int, str]:
    """A key that sorts frames, the one to be preferred first where nothing else decides.

    Gaia, other catalogs and names, a priori solutions, exposures aligned to each other, none; then by name.
    """
    if frame == GAIA:
        return 0, frame
    if frame == NONE:
        return 4, frame
    if frame.startswith(_RELATIVE_PREFIX):
        return 3, frame
    return (2 if frame.endswith(APRIORI_SUFFIX) else 1), frame


def _family(text: str) -> str:
    """The frame of a catalog's name."""
    name = text.strip().lower()
    return GAIA if GAIA in name else name
