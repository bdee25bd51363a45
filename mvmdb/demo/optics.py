"""The distortion coefficients of the simulated detectors; pointing.py applies them.

WFC3/IR: the WCS of exposure ib6o04tuq (IDCTAB w3m18525i), as in its archive header. ACS/WFC: both chips of exposure
j94f05bgq (IDCTAB qbu1641sj), without its tables of residual distortion.
"""

from __future__ import annotations

from dataclasses import dataclass

Terms = dict[tuple[int, int], float]


@dataclass(frozen=True)
class ChipOptics:
    """One chip: the WCS that it had in a real exposure, and the part of the chip that is simulated.

    `crval` in degrees; `crpix` is 1-based on the whole chip; `cd` in degrees per pixel; `sip_a` and `sip_b` are keyed
    by the powers of x and y. `corner` is the first column and row of the simulated part (0-based), `shape` its size
    (rows, columns).
    """

    ccdchip: int | None
    crval: tuple[float, float]
    crpix: tuple[float, float]
    cd: tuple[tuple[float, float], tuple[float, float]]
    sip_a: Terms
    sip_b: Terms
    corner: tuple[int, int]
    shape: tuple[int, int]


@dataclass(frozen=True)
class DetectorOptics:
    """A detector: its chips in the order of their SCI extensions; `idcscale` in arcsec per pixel."""

    instrument: str
    detector: str
    kind: str
    bunit: str
    idcscale: float
    idctab: str
    wcsname: str
    cosmic_ray_bit: int
    chips: tuple[ChipOptics, ...]


_IR = ChipOptics(
    ccdchip=None,
    crval=(53.05903846302, -27.70586104406),
    crpix=(507.0, 507.0),
    cd=((3.61468863232805e-05, 9.42106623101878e-06), (1.04269848146577e-05, -3.2255770489491e-05)),
    sip_a={
        (0, 2): 4.73630640333079e-08,
        (0, 3): 2.65011000430244e-11,
        (0, 4): -2.085205077147e-13,
        (1, 1): 2.44489619913889e-05,
        (1, 2): 5.07616164062598e-11,
        (1, 3): 5.55221560333543e-13,
        (2, 0): -1.8678411786277e-07,
        (2, 1): 9.33802326056672e-11,
        (2, 2): 5.99856272799014e-15,
        (3, 0): -1.8769691205859e-10,
        (3, 1): 5.25748787891111e-13,
        (4, 0): -3.1314754837293e-13,
    },
    sip_b={
        (0, 2): 2.99875048026693e-05,
        (0, 3): -2.0092851573342e-10,
        (0, 4): 7.52827599670567e-13,
        (1, 1): -2.0379403931148e-07,
        (1, 2): 2.35150691092754e-11,
        (1, 3): -6.9677270201133e-15,
        (2, 0): 6.97816138011029e-06,
        (2, 1): -2.8558390691514e-10,
        (2, 2): -1.168362116087e-13,
        (3, 0): 3.66824943640799e-11,
        (3, 1): 1.00607112230593e-13,
        (4, 0): -6.4384058620497e-13,
    },
    corner=(0, 0),
    shape=(1014, 1014),
)

_WFC2 = ChipOptics(
    ccdchip=2,
    crval=(5.63056810618, -72.05457184279999),
    crpix=(2048.0, 1024.0),
    cd=((1.29056256197096e-05, 5.95309123310017e-06), (5.02205809813786e-06, -1.2644774148201e-05)),
    sip_a={
        (0, 2): 2.16615952976212e-06,
        (0, 3): 1.08193519820265e-11,
        (0, 4): 1.49356171166049e-14,
        (1, 1): -5.1974576466834e-06,
        (1, 2): -5.2348707436924e-10,
        (1, 3): -2.4569975537746e-14,
        (2, 0): 8.5512775825565e-06,
        (2, 1): -3.9771547747287e-11,
        (2, 2): 3.46791267104378e-14,
        (3, 0): -4.7304448292227e-10,
        (3, 1): 1.9710229716603e-15,
        (4, 0): 2.37430106240231e-14,
    },
    sip_b={
        (0, 2): -7.2168814507744e-06,
        (0, 3): -4.1754720492749e-10,
        (0, 4): -9.9570490655478e-15,
        (1, 1): 6.18443235774478e-06,
        (1, 2): -6.1692652686813e-11,
        (1, 3): 1.21743011568848e-14,
        (2, 0): -1.7464918770586e-06,
        (2, 1): -5.0857161673862e-10,
        (2, 2): -3.6614325928657e-14,
        (3, 0): 8.56763542781631e-11,
        (3, 1): -3.7795068054874e-15,
        (4, 0): -1.7687653826004e-14,
    },
    corner=(1024, 1024),
    shape=(1024, 2048),
)

_WFC1 = ChipOptics(
    ccdchip=1,
    crval=(5.670733269328522, -72.08067552068519),
    crpix=(2048.0, 1024.0),
    cd=((1.28168672386717e-05, 5.85585924019542e-06), (4.80078207430218e-06, -1.2175120783707e-05)),
    sip_a={
        (0, 2): 2.26194131157622e-06,
        (0, 3): 6.51050888731965e-11,
        (0, 4): 1.3519145063782e-13,
        (1, 1): -7.5302899956868e-06,
        (1, 2): -5.2539208482845e-10,
        (1, 3): -1.4269338934146e-14,
        (2, 0): 8.51886871826502e-06,
        (2, 1): -1.0714005144979e-10,
        (2, 2): 9.70199525902787e-14,
        (3, 0): -4.693635321207e-10,
        (3, 1): 3.80059789428796e-14,
        (4, 0): 1.8362787400129e-14,
    },
    sip_b={
        (0, 2): -9.7985801907445e-06,
        (0, 3): -4.1421502764894e-10,
        (0, 4): -1.5248976030166e-13,
        (1, 1): 6.42569978230108e-06,
        (1, 2): -3.0354268445463e-11,
        (1, 3): 2.75911359120267e-14,
        (2, 0): -2.9658922048495e-06,
        (2, 1): -4.4034920544682e-10,
        (2, 2): -1.0403608182763e-13,
        (3, 0): 9.00334226345491e-11,
        (3, 1): -3.8363936250847e-14,
        (4, 0): -1.6913942401142e-14,
    },
    corner=(1024, 0),
    shape=(1024, 2048),
)

WFC3_IR = DetectorOptics(
    "wfc3", "ir", "flt", "ELECTRONS/S", 0.1282500028610229, "iref$w3m18525i_idc.fits", "IDC_w3m18525i", 8192, (_IR,)
)

# Half of each chip's columns and rows, next to the gap between the chips: a quarter of the pixels keeps the demo quick.
ACS_WFC = DetectorOptics(
    "acs", "wfc", "flc", "ELECTRONS", 0.05, "jref$qbu1641sj_idc.fits", "IDC_qbu1641sj", 4096, (_WFC2, _WFC1)
)
