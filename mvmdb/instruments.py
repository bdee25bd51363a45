"""Facts about Hubble's instruments and detectors, one entry for each; other modules decide what follows from them.

To add a detector, add a `Detector` to its instrument; to add an instrument, add an entry to INSTRUMENTS. Names are in
lower case, as in the names of layers. The docstrings of the fields give the sources.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mvmdb.errors import UsageError
from mvmdb.names import Scale

LONGEST_EXPOSURE = 1e6
"""Upper limit of EXPTIME in seconds; no exposure of Hubble lasts even a tenth of this."""
MISSION = (47892.0, 88069.0)
"""MJD of 1990 and of 2100: between them lies every date of an exposure, and of its processing."""
HIGHEST_PROPOSAL = 2**31 - 1
"""Upper limit of proposal numbers: the largest integer that every database can store, far above any real number."""


@dataclass(frozen=True, slots=True)
class ApertureNames:
    """The names in the SIAF (the telescope's aperture file) of a detector's apertures.

    The mappings are from names in headers (APERTURE) and in the archive's search to names in the SIAF. `starts`: how
    aperture names begin, in lower case; this reveals the detector of a table row that names none. `full`: apertures
    with which the full frame is read, that is, all of `chips` (names in the SIAF), wherever the target is. `subarrays`:
    apertures of which only their own area is read. `with_filter`: (aperture, filter) for which the SIAF has another
    reference point than `subarrays` gives.
    """

    starts: tuple[str, ...] = ()
    chips: tuple[str, ...] = ()
    full: Mapping[str, str] = field(default_factory=dict, hash=False)
    subarrays: Mapping[str, str] = field(default_factory=dict, hash=False)
    with_filter: Mapping[tuple[str, str], str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class SmallerPixfrac:
    """The `pixfrac` of layers in these filters with a mean depth of `depth` exposures or more."""

    filters: tuple[str, ...]
    depth: int
    pixfrac: float


@dataclass(frozen=True, slots=True)
class Counts:
    """How a camera whose files hold counts (DN) and not electrons is calibrated to electrons.

    `gain_keyword` of the primary header names a setting, which `amplifiers` has for each chip (DETECTOR in SCI):
    (chip, setting) -> electrons per DN, and the noise of one read in electrons. `dark`: electrons/s of an unbinned
    pixel. `reference`: the chip whose sensitivity the others are scaled to.
    """

    gain_keyword: str
    amplifiers: Mapping[tuple[int, int], tuple[float, float]] = field(hash=False)
    dark: float
    reference: int

    @property
    def settings(self) -> tuple[int, ...]:
        """The settings of the gain that there are, sorted."""
        return tuple(sorted({setting for _, setting in self.amplifiers}))

    @property
    def chips(self) -> tuple[int, ...]:
        """The numbers of the chips, sorted."""
        return tuple(sorted({chip for chip, _ in self.amplifiers}))


@dataclass(frozen=True, slots=True)
class Detector:
    """One detector.

    `good_bits`, `sky_good_bits`: the DQ bits that do not make a pixel bad in layers with a mean depth of two exposures
    or more. `sky_match`: whether skies are matched in these layers. `deep`: layers with a pixfrac other than 1.
    `scales`: the scales of its layers. These are from the MVM parameter sets of drizzlepac 3.11
    (`pars/hap_pars/mvm_parameters`).

    `idcscale`: the nominal pixel size in arcsec (IDCSCALE in headers); None if its chips differ. `pixels`: the smallest
    and largest size of a pixel on the sky, in arcsec. `chip`: pixels along the sides of a whole chip. `field`: the
    width and height of all chips together, in arcsec.
    IDCSCALE is from headers in the archive, the others are from the instrument handbooks.

    `small`: MVM_INCLUDE_SMALL=off keeps its exposures out of layers. `cte_corrected`: the archive has FLCs, corrected
    for charge transfer, and MVM_ONLY_CTE=on keeps its FLTs out of layers. `charge_injection`: CHINJECT says whether
    charge was injected. These are from the HAP pipeline (drizzlepac `haputils/analyze.py`).
    """

    name: str
    good_bits: int
    idcscale: float | None
    pixels: tuple[float, float]
    chip: tuple[int, int]
    field: tuple[float, float]
    sky_good_bits: int = 80
    sky_match: bool = True
    deep: SmallerPixfrac | None = None
    scales: tuple[Scale, ...] = ("fine",)
    small: bool = False
    cte_corrected: bool = False
    charge_injection: bool = False
    apertures: ApertureNames = ApertureNames()


@dataclass(frozen=True, slots=True)
class Instrument:
    """One instrument, and how its headers differ from those of other instruments.

    `letter`: the first letter of its root names. `filter_keywords`: the keywords of its filter wheels.
    `chips_are_detectors`: DETECTOR is the number of a chip, and all chips form its only detector. `numbered_exposures`:
    its exposures may have digits in their root names where those of other instruments mark an association.

    `counts`: how the counts in its files become electrons; None where files are in electrons. `binned`: (keyword,
    value) of exposures with pixels of 2 x 2 of the detector's, for cameras without BINAXIS1.
    `plain_solutions`: its files may have the first pointing's WCS, without a name (WCSNAME) and without distortion.

    `imaging`: (keyword, value) of imaging exposures. `calibration_targets`: words in TARGNAME that mark a calibration;
    with `imaging_is_science`, only if the exposure is not `imaging`. `scan_types`: values of SCAN_TYP that mark a
    spatial scan. These are from the HAP pipeline (drizzlepac `haputils/analyze.py`, type MVM).
    """

    name: str
    letter: str
    filter_keywords: tuple[str, ...]
    detectors: tuple[Detector, ...]
    chips_are_detectors: bool = False
    numbered_exposures: bool = False
    imaging: tuple[str, str] = ("OBSTYPE", "IMAGING")
    calibration_targets: tuple[str, ...] = ("DARK", "TUNG", "BIAS", "FLAT", "DEUT", "EARTH-CAL")
    imaging_is_science: bool = False
    scan_types: tuple[str, ...] = ()
    counts: Counts | None = None
    binned: tuple[str, str] | None = None
    plain_solutions: bool = False

    def find(self, detector: str) -> Detector | None:
        """The detector of this name, or None."""
        for known in self.detectors:
            if known.name == detector:
                return known
        return None


# One table serves the three detectors of ACS, because each name belongs to only one of them.
_ACS_SUBARRAYS = {
    "WFC1-512": "JWFC1S512", "WFC1-1K": "JWFC1S1K", "WFC1-2K": "JWFC1S2K", "WFC2-2K": "JWFC2S2K",
    "WFC1A-2K": "JWFC1A2K", "WFC1B-2K": "JWFC1B2K", "WFC2C-2K": "JWFC2C2K", "WFC2D-2K": "JWFC2D2K",
    "WFC1A-1K": "JWFC1A1K", "WFC1B-1K": "JWFC1B1K", "WFC2C-1K": "JWFC2C1K", "WFC2D-1K": "JWFC2D1K",
    "WFC1A-512": "JWFC1A512", "WFC1B-512": "JWFC1B512", "WFC2C-512": "JWFC2C512", "WFC2D-512": "JWFC2D512",
    "HRC-512": "JHRCS512", "HRC-SUB1.8": "JHRCSUB18", "SBC": "JSBC", "SBC-FIX": "JSBCFIX",
}  # fmt: skip

_WFC = Detector(
    "wfc",
    good_bits=80,
    idcscale=0.05,
    pixels=(0.048, 0.052),
    chip=(4096, 2048),
    field=(202.0, 202.0),
    cte_corrected=True,
    apertures=ApertureNames(
        starts=("wfc",),
        chips=("JWFC1FIX", "JWFC2FIX"),
        full={
            "WFC": "JWFC", "WFC-FIX": "JWFCFIX", "WFCENTER": "JWFCENTER", "WFC1": "JWFC1", "WFC1-FIX": "JWFC1FIX",
            "WFC2": "JWFC2", "WFC2-FIX": "JWFC2FIX", "WFC1-CTE": "JWFC1CTE",
        },
        subarrays=_ACS_SUBARRAYS,
    ),
)  # fmt: skip
_HRC = Detector(
    "hrc",
    good_bits=80,
    idcscale=0.025,
    pixels=(0.025, 0.029),
    chip=(1024, 1024),
    field=(29.0, 26.0),
    small=True,
    apertures=ApertureNames(
        starts=("hrc",),
        chips=("JHRCFIX",),
        full={
            "HRC": "JHRC", "HRC-FIX": "JHRCFIX", "HRC-CORON1.8": "JHRCCOR18", "HRC-CORON3.0": "JHRCCOR30",
            "HRC-OCCULT0.8": "JHRCOCC08",
        },
        subarrays=_ACS_SUBARRAYS,
    ),
)  # fmt: skip
_SBC = Detector(
    "sbc",
    good_bits=0,
    idcscale=0.025,
    pixels=(0.030, 0.034),
    chip=(1024, 1024),
    field=(34.6, 30.5),
    sky_match=False,
    deep=SmallerPixfrac(filters=("f115lp", "f122m"), depth=6, pixfrac=0.8),
    small=True,
    apertures=ApertureNames(starts=("sbc",), subarrays=_ACS_SUBARRAYS),
)
_UVIS = Detector(
    "uvis",
    good_bits=80,
    idcscale=0.03962000086903572,
    pixels=(0.038, 0.041),
    chip=(4096, 2051),
    field=(162.0, 162.0),
    cte_corrected=True,
    charge_injection=True,
    apertures=ApertureNames(
        starts=("uvis", "g280"),
        chips=("IUVIS1FIX", "IUVIS2FIX"),
        full={
            "UVIS": "IUVIS", "UVIS-FIX": "IUVISFIX", "UVIS-CENTER": "IUVISCTR", "UVIS1": "IUVIS1",
            "UVIS1-FIX": "IUVIS1FIX", "UVIS2": "IUVIS2", "UVIS2-FIX": "IUVIS2FIX", "UVIS-IR-FIX": "IUVISIRFIX",
        },
        subarrays={
            "UVIS1-2K4-SUB": "IUV1_2K4", "UVIS2-2K4-SUB": "IUV2_2K4", "UVIS1-M512-SUB": "IUV1M1_512",
            "UVIS2-M512-SUB": "IUV2M1_512", "UVIS2-M512C-SUB": "IUV2MC_512", "UVIS1-C512A-SUB": "IUV1CA_512",
            "UVIS1-C512B-SUB": "IUV1CB_512", "UVIS2-C512C-SUB": "IUV2CC_512", "UVIS2-C512D-SUB": "IUV2CD_512",
            "UVIS2-M1K1C-SUB": "IUV2MC_1K1", "UVIS2-C1K1C-SUB": "IUV2CC_1K1", "UVIS1-2K2A-SUB": "IUV1CA_2K2",
            "UVIS1-2K2B-SUB": "IUV1CB_2K2", "UVIS2-2K2C-SUB": "IUV2CC_2K2", "UVIS2-2K2D-SUB": "IUV2CD_2K2",
            "UVIS2-C512C-CTE": "IUV2C5HCTE", "UVIS2-C1K1C-CTE": "IUV2C1KCTE",
        },
    ),
)  # fmt: skip
_IR = Detector(
    "ir",
    good_bits=528,
    idcscale=0.1282500028610229,
    pixels=(0.121, 0.136),
    chip=(1014, 1014),
    field=(136.0, 123.0),
    sky_good_bits=16,
    scales=("fine", "coarse"),
    apertures=ApertureNames(
        starts=("ir", "grism", "g102", "g141"),
        subarrays={
            "IR": "IIR", "IR-FIX": "IIRFIX", "IR-UVIS": "IIRUVIS", "IR-UVIS-CENTER": "IIRUVISCTR",
            "IR-UVIS-FIX": "IIRUVISFIX", "G102-REF": "IIR102REF", "G141-REF": "IIR141REF",
            "IRSUB64": "IIRS64", "IRSUB128": "IIRS128", "IRSUB256": "IIRS256", "IRSUB512": "IIRS512",
            "IRSUB64-FIX": "IIRS64FIX", "IRSUB128-FIX": "IIRS128FIX", "IRSUB256-FIX": "IIRS256FIX",
            "IRSUB512-FIX": "IIRS512FIX", "GRISM1024": "IIR1024GRF", "GRISM512": "IIR512GRF",
            "GRISM256": "IIR256GRF", "GRISM128": "IIR128GRF", "GRISM64": "IIR64GRF",
        },
        with_filter={  # the reference points with a grism are 8.8 arcsec away for IR
            ("IR", "G102"): "IIRGRSM102", ("IR", "G141"): "IIRGRSM141",
            ("GRISM1024", "G102"): "IIR1024G", ("GRISM1024", "G141"): "IIR1024G",
            ("GRISM512", "G102"): "IIR512G", ("GRISM512", "G141"): "IIR512G",
            ("GRISM256", "G102"): "IIR256G", ("GRISM256", "G141"): "IIR256G",
            ("GRISM128", "G102"): "IIR128G102", ("GRISM128", "G141"): "IIR128G141",
            ("GRISM64", "G102"): "IIR64G102", ("GRISM64", "G141"): "IIR64G141",
        },
    ),
)  # fmt: skip
_PC = Detector(
    "pc",
    good_bits=1034,
    idcscale=None,
    pixels=(0.0455, 0.1),
    chip=(800, 800),
    field=(160.0, 160.0),
    sky_good_bits=1032,
    scales=("fine", "coarse"),
    apertures=ApertureNames(
        chips=("UPC1FIX", "UWF2FIX", "UWF3FIX", "UWF4FIX"),
        full={
            "WFALL": "UWFALL", "WFALL-FIX": "UWFALLFIX", "PC1": "UPC1", "PC1-FIX": "UPC1FIX", "WF2": "UWF2",
            "WF2-FIX": "UWF2FIX", "WF3": "UWF3", "WF3-FIX": "UWF3FIX", "WF4": "UWF4", "WF4-FIX": "UWF4FIX",
        },
    ),
)  # fmt: skip

# Gains and read noises are those of the WFPC2 Instrument Handbook, chapter 4; drizzlepac (`wfpc2Data.py`) has the same,
# and the dark current is its own. The reference chip, WF3, is that of the pipeline, which equalises chips with photeq.
_WFPC2_COUNTS = Counts(
    gain_keyword="ATODGAIN",
    amplifiers={
        (1, 7): (7.12, 5.24), (2, 7): (7.12, 5.51), (3, 7): (6.90, 5.22), (4, 7): (7.10, 5.19),
        (1, 15): (13.99, 7.02), (2, 15): (14.50, 7.84), (3, 15): (13.95, 6.99), (4, 15): (13.95, 8.32),
    },
    dark=0.005,
    reference=3,
)  # fmt: skip

INSTRUMENTS: dict[str, Instrument] = {
    instrument.name: instrument
    for instrument in (
        Instrument("acs", letter="j", filter_keywords=("FILTER1", "FILTER2"), detectors=(_WFC, _HRC, _SBC)),
        Instrument("wfc3", letter="i", filter_keywords=("FILTER",), detectors=(_UVIS, _IR), scan_types=("C", "D")),
        Instrument(
            "wfpc2",
            letter="u",
            filter_keywords=("FILTNAM1", "FILTNAM2"),
            detectors=(_PC,),
            chips_are_detectors=True,
            numbered_exposures=True,
            imaging=("IMAGETYP", "EXT"),
            calibration_targets=("INTFLAT", "UVFLAT", "VISFLAT", "KSPOTS", "DARK", "BIAS", "EARTH-CALIB"),
            imaging_is_science=True,
            counts=_WFPC2_COUNTS,
            binned=("MODE", "AREA"),
            plain_solutions=True,
        ),
    )
}
"""All instruments, by name."""


def find_by_letter(letter: str) -> Instrument | None:
    """The instrument with root names that begin with this letter, or None."""
    for instrument in INSTRUMENTS.values():
        if instrument.letter == letter:
            return instrument
    return None


def is_association(root: str) -> bool:
    """Whether a root name of 8 or 9 characters is that of an association's product, which combines several exposures.

    Such names have digits where those of exposures have letters: `ib6o04010` is `ipppss`, 0, the number of the
    association, the number of the product. The last character of an exposure's name says how its data were transmitted,
    m to t. In the archive's list of 23,284 names, 7,251 are products, and all others have a letter in seventh place.
    WFPC2 has no associations, and numbers its exposures.
    """
    root = root.lower()
    numbered, product = root[6:7] == "0", root[8:]
    if len(root) == 8:
        counted = numbered
    else:  # products after the ninth have letters, as in ibyg0202a
        counted = len(root) == 9 and (product in "0123456789" or (numbered and "a" <= product <= "l"))
    if not counted:  # true of most of a million names, so it is checked first
        return False
    instrument = find_by_letter(root[0])
    return instrument is not None and not instrument.numbered_exposures


def find_detector(instrument: str, detector: str) -> Detector:
    """The facts about a detector, by the names used in layer names. Raises UsageError if it is not known."""
    camera = INSTRUMENTS.get(instrument)
    facts = camera.find(detector) if camera is not None else None
    if facts is None:
        known = ", ".join(f"{each.name}/{chip.name}" for each in INSTRUMENTS.values() for chip in each.detectors)
        raise UsageError(f"found the detector {instrument.upper()}/{detector.upper()}; expected one of {known.upper()}")
    return facts


def list_filter_keywords() -> tuple[str, ...]:
    """The keywords of the filter wheels of all instruments, sorted."""
    return tuple(sorted({keyword for each in INSTRUMENTS.values() for keyword in each.filter_keywords}))


def list_instruments() -> str:
    """The names of all instruments for messages: `ACS, WFC3 or WFPC2`."""
    *others, last = (name.upper() for name in INSTRUMENTS)
    return f"{', '.join(others)} or {last}"
