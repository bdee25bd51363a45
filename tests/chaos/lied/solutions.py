"""Mutations of what places pixels on the sky: reference points, matrices, SIP terms, lookup tables, their records."""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Callable, Sequence

from chaos.lied.cards import format_card, list_cards, put_cards, set_card, words
from chaos.lied.originals import CARD, Original, Part

ABSURD = (
    *words("1e300 -1e300 NaN inf -inf 0 0.0 1 -1 180 -90 91 1e-300 1e30 'x' '53.0' T 1E308 9.9E107 360.0 -360.0 7200"),
    *words("2.5D-5 1_0.5 ''' 5e-324"),
    "",
)
_POINT = words("CRVAL1 CRVAL2 CRPIX1 CRPIX2 CD1_1 CD1_2 CD2_1 CD2_2")
_OTHERS = words(
    "CTYPE1 CTYPE2 CUNIT1 CUNIT2 WCSAXES RADESYS EQUINOX LONPOLE LATPOLE PV2_1 PV1_3 PS1_1 CDELT1 CDELT2 CROTA2 PC1_1 "
    "PC2_2 WCSNAME VAFACTOR LTV1 BINAXIS1 BINAXIS2 IDCSCALE AXISCORR D2IMARR CQDIS1 RADECSYS CROTA1 VELREF RESTFRQ "
    "MJD-OBS DATE-OBS PHASEP1 AMDX1 CNAME1 CRVAL1A WCSNAMEA CTYPE1A A_DMAX EXPTIME"
)
_FORMS = (
    *words("'RA---TAN' 'DEC--TAN' 'RA---SIN' 'RA---TPV' 'GLON-TAN' 'RA---TAN-SIP' 'deg' 'rad' 'FK4' 'GALACTIC' 'ICRS'"),
    *words("'LOOKUP' 'POLYNOMIAL' 2 3 4 1950.0 1975.0 2000.0"),
    *ABSURD,
)
_SIP = words(
    "A_ORDER B_ORDER AP_ORDER BP_ORDER A_0_2 A_1_1 A_2_0 B_0_2 B_1_1 A_9_0 B_0_9 A_0_0 A_1_0 B_0_1 AP_1_0 A_4_0 A_2_3 "
    "A_10_1"
)
_ORDERS = (*words("0 1 2 3 4 5 9 10 99 -1 1000000 4.0 '4' T NaN 1e300"), "")
_RECORDS = words(
    "EXTVER:_2 EXTVER:_99 EXTVER:_1e300 EXTVER:_NaN EXTVER:_-1 EXTVER:_x AXIS.1:_2 AXIS.2:_1 AXIS.1:_1e300 NAXES:_7 "
    "EXTVER:2 EXTVER:_inf AXIS.1:_x"
)
_TABLE = words("CRPIX1 CRVAL1 CDELT1 CDELT2 NAXIS1 NAXIS2 NAXIS BITPIX EXTVER EXTNAME BSCALE BZERO BLANK")


def _sci(rng: random.Random, original: Original) -> Part:
    return rng.choice([part for part in original.parts if part.name == "SCI"])


def _read(original: Original, part: Part, keyword: str) -> float:
    """A number of a header that is whole."""
    start = f"{keyword:8}= ".encode()
    (card,) = (card for card in list_cards(original.content, part) if card.startswith(start))
    return float(card[10:].split(b"/")[0])


def set_in_all(original: Original, changes: dict[str, Callable[[float], float]]) -> bytes:
    """The file with numbers of every SCI header as functions of what they were."""
    content = original.content
    for part in [part for part in original.parts if part.name == "SCI"]:
        for keyword, change in changes.items():
            value = repr(change(_read(original, part, keyword))).upper()
            changed = Original("", "", "", content, original.parts)
            content = set_card(changed, part, keyword, value)
            assert len(content) == len(original.content), keyword
    return content


def _reference(rng: random.Random, original: Original) -> bytes:
    return set_card(original, _sci(rng, original), rng.choice(_POINT), rng.choice(ABSURD))


def _nearly_right(rng: random.Random, original: Original) -> bytes:
    """A number that is off by a factor or by a difference, such as an editor's slip makes."""
    part, keyword = _sci(rng, original), rng.choice(_POINT)
    value = _read(original, part, keyword)
    changed = rng.choice((-value, value * 1.05, value * 2, value * 10, value + 0.02, value + 1, value / 3, value + 180))
    return set_card(original, part, keyword, repr(changed).upper())


def _elsewhere(rng: random.Random, original: Original) -> bytes:
    """The whole exposure elsewhere: at the antipode, on the other side of a pole, some degrees off, or arcseconds."""
    away = rng.choice((0.001, 0.04, 0.06, 0.9, 1.1, 5.0, 90.0))
    if rng.random() < 0.3:
        return set_in_all(original, {"CRVAL1": lambda ra: (ra + 180) % 360, "CRVAL2": lambda dec: -dec})
    if rng.random() < 0.2:
        return set_in_all(original, {"CRVAL1": lambda ra: ra + 720.0})
    return set_in_all(original, {"CRVAL2": lambda dec: dec + away if dec < 0 else dec - away})


def _another_size(rng: random.Random, original: Original) -> bytes:
    """Pixels of another size or shape, in all chips alike; or mirrored, or turned."""
    factor = rng.choice((0.5, 0.9, 1.02, 1.2, 1.6, 3.0, 100.0, 1e-5))
    across, along = rng.choice(((factor, factor), (factor, 1.0), (-1.0, 1.0), (-1.0, -1.0), (1e-12, 1.0)))
    return set_in_all(
        original,
        {"CD1_1": lambda v: v * across, "CD2_1": lambda v: v * across, "CD1_2": lambda v: v * along,
         "CD2_2": lambda v: v * along},
    )  # fmt: skip


def _form(rng: random.Random, original: Original) -> bytes:
    return set_card(original, _sci(rng, original), rng.choice(_OTHERS), rng.choice(_FORMS))


def _distortion(rng: random.Random, original: Original) -> bytes:
    keyword = rng.choice(_SIP)
    texts = _ORDERS if keyword.endswith("ORDER") else (*ABSURD, "1e-4", "0.01", "-3e-5")
    return set_card(original, _sci(rng, original), keyword, rng.choice(texts))


def _record(rng: random.Random, original: Original) -> bytes:
    """A record of a lookup table, in place of one or more."""
    part = _sci(rng, original)
    cards = list_cards(original.content, part)
    keyword = rng.choice(("DP1", "DP2", "D2IM1", "D2IM2"))
    places = [number for number, card in enumerate(cards) if card[:8].rstrip() == keyword.encode()]
    card = format_card(keyword, f"'{rng.choice(_RECORDS).replace('_', ' ')}'")
    if places and rng.random() < 0.7:
        cards[rng.choice(places)] = card
    else:
        cards.append(card)
        cards.append(format_card(f"{'CPDIS' if keyword[:2] == 'DP' else 'D2IMDIS'}{keyword[-1]}", "'LOOKUP'"))
    return put_cards(original, part, cards)


def _table_header(rng: random.Random, original: Original) -> bytes:
    tables = [part for part in original.parts if part.name in ("D2IMARR", "WCSDVARR")]
    if not tables:
        return _record(rng, original)
    keyword = rng.choice(_TABLE)
    texts = (*ABSURD, "9", "81", "3", "8", "64", "-64", "16", "4", "'SCI'", "2", "99999")
    return set_card(original, rng.choice(tables), keyword, rng.choice(texts))


def _table_values(rng: random.Random, original: Original) -> bytes:
    tables = [part for part in original.parts if part.name in ("D2IMARR", "WCSDVARR")]
    if not tables:
        return _record(rng, original)
    part = rng.choice(tables)
    number = rng.choice((math.nan, math.inf, -math.inf, 3e38, -3e38, 1e20, 1000.0, 5.0, 0.0, 1e-40))
    content = bytearray(original.content)
    for _ in range(rng.choice((1, 5, 81))):
        at = part.data + 4 * rng.randrange(81)
        content[at : at + 4] = struct.pack(">f", number)
    return bytes(content)


def _twice(rng: random.Random, original: Original) -> bytes:
    """A keyword of the WCS a second time, with another value, before or behind the first."""
    part, keyword = _sci(rng, original), rng.choice(_POINT)
    cards = list_cards(original.content, part)
    cards.insert(rng.choice((8, len(cards))), format_card(keyword, repr(_read(original, part, keyword) + 0.01)))
    return put_cards(original, part, cards)


def _lower(rng: random.Random, original: Original) -> bytes:
    """A keyword of the WCS of which one letter is small."""
    part = _sci(rng, original)
    cards = list_cards(original.content, part)
    chosen = [number for number, card in enumerate(cards) if card.startswith(_starts())]
    number = rng.choice(chosen)
    cards[number] = cards[number][:1].lower() + cards[number][1:]
    return put_cards(original, part, [card[:CARD] for card in cards])


def _starts() -> tuple[bytes, ...]:
    starts: Sequence[str] = ("CR", "CD", "CT", "A_", "B_", "D2IM", "DP", "CPDIS", "WCS", "RADESYS")
    return tuple(start.encode() for start in starts)


SOLUTIONS: dict[str, Callable[[random.Random, Original], bytes]] = {
    "WCS value": _reference,
    "WCS slip": _nearly_right,
    "WCS elsewhere": _elsewhere,
    "WCS of another size": _another_size,
    "WCS form": _form,
    "WCS distortion": _distortion,
    "WCS record": _record,
    "WCS table header": _table_header,
    "WCS table values": _table_values,
    "WCS twice": _twice,
    "WCS in small letters": _lower,
}
