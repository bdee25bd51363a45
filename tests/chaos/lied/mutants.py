"""Seeded mutations of FITS files: bits, cuts, extensions, and every kind of card that a reader believes.

A mutation is a function of a random generator and an original; it gives the bytes of the file, and perhaps a size up to
which the file goes on as a hole.
"""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from chaos.lied.cards import format_card, keywords_of, list_cards, put_cards, set_card, words
from chaos.lied.originals import BLOCK, CARD, Original, Part
from chaos.lied.solutions import SOLUTIONS


@dataclass(frozen=True)
class Mutant:
    """A mutated file: the name of the mutation, its bytes, and the size up to which it goes on as a hole."""

    label: str
    content: bytes
    size: int | None = None


Mutation = Callable[[random.Random, Original], "bytes | tuple[bytes, int]"]

NUMBERS = (
    *words("-1 0 1 2 1e300 -1E+300 1D300 NaN -Infinity inf 1e-300 -0.0 3.7 999999999999 9223372036854775807 1_0 0x10"),
    *words("18446744073709551616 1e5000 2147483648 -2147483649 '1' 'x' T F '' ' 1/2 ? + 1E 45D-1"),
    *("9" * 60, "", "(1.0, 2.0)", "1 2"),
)
ABSURD_SIZES = (*words("-1 0 1 999 65536 1000000 99999999999 NaN 1e300 T '64' 64.5"), "9" * 30, "")
TEXTS = (
    *words("'' 'x' 1 T 3.14 '&' 'abc&' 'N/A' '../../etc' 'a;b' 'T' 'a''b' 'unclosed 'IDC_x-FIT_y'"),
    *("'" + "y" * 66 + "'", "", "'DROP TABLE exposure; --'", "'\x1b[2J'", "'\x00'", "'\xff\xfe'"),
)
_STRUCTURE = words(
    "NAXIS NAXIS1 NAXIS2 NAXIS3 BITPIX PCOUNT GCOUNT EXTVER EXTNAME XTENSION SIMPLE EXTEND TFIELDS TFORM1 BSCALE BZERO "
    "NPIX1 ZIMAGE"
)
_TEXT_KEYWORDS = words(
    "ROOTNAME INSTRUME DETECTOR FILTER FILTER1 FILTNAM1 TARGNAME MTFLAG OBSTYPE PCTECORR FGSLOCK QUALITY DRIZCORR "
    "CAL_VER FILENAME"
)


def make_mutant(rng: random.Random, original: Original) -> Mutant:
    """A mutant by one of the mutations, or by two of them, one after the other."""
    label = rng.choice(_DRAWN)
    made = MUTATIONS[label](rng, original)
    if isinstance(made, tuple):
        return Mutant(label, *made)
    if rng.random() < 0.1:  # positions of parts hold while sizes do
        more = rng.choice(("flip header", "flip data", "flip anything", "cut anywhere"))
        changed = Original(original.label, original.root, original.ending, made, original.parts)
        if len(made) == len(original.content):
            second = MUTATIONS[more](rng, changed)
            assert isinstance(second, bytes)
            return Mutant(f"{label}, {more}", second)
    return Mutant(label, made)


def _flip(rng: random.Random, content: bytes, start: int, end: int, count: int) -> bytes:
    changed = bytearray(content)
    for _ in range(count):
        changed[rng.randrange(start, end)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _flip_header(rng: random.Random, original: Original) -> bytes:
    part = _any(rng, original)
    cards = len(list_cards(original.content, part))  # the blanks behind END are left out
    return _flip(rng, original.content, part.start, part.start + cards * CARD, rng.choice((1, 1, 1, 2, 20)))


def _flip_value(rng: random.Random, original: Original) -> bytes:
    """One bit of the columns of a card in which numbers stand."""
    part = _any(rng, original)
    at = part.start + CARD * rng.randrange(len(list_cards(original.content, part)))
    return _flip(rng, original.content, at + 8, at + 31, 1)


def _flip_data(rng: random.Random, original: Original) -> bytes:
    tables = ("D2IMARR", "WCSDVARR")  # which place pixels
    part = rng.choice([part for part in original.parts if part.end > part.data and part.name not in tables])
    return _flip(rng, original.content, part.data, part.end, rng.choice((1, 10, 1000)))


def _flip_anything(rng: random.Random, original: Original) -> bytes:
    return _flip(rng, original.content, 0, len(original.content), rng.choice((1, 3, 30, 300, 3000)))


def _overwrite(rng: random.Random, original: Original) -> bytes:
    at = rng.randrange(len(original.content))
    size = min(rng.choice((1, 80, 2880, 20000)), len(original.content) - at)
    filler = rng.choice((bytes(size), b" " * size, b"\xff" * size, rng.randbytes(size)))
    return original.content[:at] + filler + original.content[at + size :]


def _cut_at_block(rng: random.Random, original: Original) -> bytes:
    return original.content[: BLOCK * rng.randrange(len(original.content) // BLOCK)]


def _cut_anywhere(rng: random.Random, original: Original) -> bytes:
    return original.content[: rng.randrange(len(original.content))]


def _lose_a_block(rng: random.Random, original: Original) -> bytes:
    at = BLOCK * rng.randrange(len(original.content) // BLOCK)
    return original.content[:at] + original.content[at + BLOCK :]


def _append(rng: random.Random, original: Original) -> bytes:
    tail = rng.choice((b"x", b"\0" * 100, b" " * BLOCK, b"XTENSION" + b" " * 2872, rng.randbytes(5000)))
    return original.content + tail


def _append_hole(rng: random.Random, original: Original) -> tuple[bytes, int]:
    return original.content, rng.choice((1 << 30, 1 << 40)) + rng.randrange(9999)


def _hdus(original: Original) -> list[bytes]:
    return [original.content[part.start : part.end] for part in original.parts]


def _swap(rng: random.Random, original: Original) -> bytes:
    hdus = _hdus(original)
    first, second = rng.sample(range(len(hdus)), 2)
    hdus[first], hdus[second] = hdus[second], hdus[first]
    return b"".join(hdus)


def _duplicate(rng: random.Random, original: Original) -> bytes:
    hdus = _hdus(original)
    hdus.insert(rng.randrange(len(hdus) + 1), rng.choice(hdus))
    return b"".join(hdus)


def _remove(rng: random.Random, original: Original) -> bytes:
    hdus = _hdus(original)
    del hdus[rng.randrange(len(hdus))]
    return b"".join(hdus)


def _remove_and_say_so(rng: random.Random, original: Original) -> bytes:
    """NEXTEND fits."""
    told = set_card(original, original.parts[0], "NEXTEND", str(len(original.parts) - 2))
    assert len(told) == len(original.content)
    part = rng.choice(original.parts[1:])
    return told[: part.start] + told[part.end :]


def _swap_data(rng: random.Random, original: Original) -> bytes:
    """The header of one extension before the data of another."""
    first, second = sorted(rng.sample(original.parts[1:], 2), key=lambda part: part.start)
    content = original.content
    one, other = content[first.data : first.end], content[second.data : second.end]
    return (
        content[: first.data] + other + content[first.end : second.data] + one + content[second.end :]
    )  # fmt: skip


def _many_extensions(rng: random.Random, original: Original) -> bytes:
    empty = b"".join(
        (b"XTENSION= 'IMAGE   '".ljust(CARD), format_card("BITPIX", "8"), format_card("NAXIS", "0"),
         format_card("PCOUNT", "0"), format_card("GCOUNT", "1"), b"END".ljust(CARD)),
    ).ljust(BLOCK)  # fmt: skip
    return original.content + empty * rng.choice((500, 20000))


def _any(rng: random.Random, original: Original) -> Part:
    """A header, those of primary and SCI more often."""
    likely = [part for part in original.parts if part.name in ("PRIMARY", "SCI")]
    return rng.choice(likely if rng.random() < 0.7 else original.parts)


def _structure(rng: random.Random, original: Original) -> bytes:
    part = _any(rng, original)
    keyword = rng.choice(_STRUCTURE)
    return set_card(original, part, keyword, rng.choice(ABSURD_SIZES + NUMBERS + ("'SCI'", "'BINTABLE'", "'TABLE'")))


def _huge_with_hole(rng: random.Random, original: Original) -> tuple[bytes, int]:
    """Axes as large as a file that is a hole for the greater part."""
    part = rng.choice(original.parts[1:])
    sides = rng.choice(((30000, 30000), (1000000, 1000000), (1 << 39, 1), (70000, 8)))
    content = set_card(original, part, "NAXIS1", str(sides[0]))
    content = set_card(Original("", "", "", content, original.parts), part, "NAXIS2", str(sides[1]))
    return content, part.data + 8 * sides[0] * sides[1] // BLOCK * BLOCK + BLOCK


def _in_hole(rng: random.Random, original: Original) -> tuple[bytes, int]:
    """PCOUNT as large as a file that is a hole."""
    size = rng.choice((1 << 31, 1 << 40))
    part = original.parts[-1]
    return set_card(original, part, "PCOUNT", str(size)), size * 8 + len(original.content)


def _constant(rng: random.Random, original: Original) -> bytes:
    """An array in Hubble's short form, of an absurd size."""
    part = rng.choice(original.parts[1:])
    cards = [card for card in list_cards(original.content, part) if card[:6] != b"NAXIS1" and card[:6] != b"NAXIS2"]
    cards = [format_card("NAXIS", "0") if card[:8] == b"NAXIS   " else card for card in cards]
    cards += [format_card(keyword, rng.choice(ABSURD_SIZES)) for keyword in ("NPIX1", "NPIX2")]
    cards.append(format_card("PIXVALUE", rng.choice(NUMBERS)))
    header = put_cards(original, part, cards)
    return header[: len(header) - len(original.content) + part.data] + original.content[part.end :]


def _number(rng: random.Random, original: Original) -> bytes:
    """A number of the primary header."""
    keyword = rng.choice(("EXPTIME", "EXPSTART", "EXPEND", "PROCTIME", "PROPOSID", "NEXTEND", "RA_TARG", "DEC_TARG"))
    text = rng.choice((*NUMBERS, "-5.0", "1e6", "1000001", "55000", "99999", "40000", "'57645.5'", "'57645.5D0'"))
    return set_card(original, original.parts[0], keyword, text)


def _text(rng: random.Random, original: Original) -> bytes:
    """A text of the primary header."""
    keyword = rng.choice(_TEXT_KEYWORDS)
    return set_card(original, original.parts[0], keyword, rng.choice(TEXTS))


def _any_card(rng: random.Random, original: Original) -> bytes:
    """Text for number, number for text."""
    part = _any(rng, original)
    return set_card(original, part, rng.choice(keywords_of(original, part)), rng.choice(NUMBERS + TEXTS))


def _lines(rng: random.Random, original: Original) -> bytes:
    """Cards lost, doubled, in another order, in lower case, without `=`, in strange forms."""
    part = _any(rng, original)
    cards = list_cards(original.content, part)
    at = rng.randrange(len(cards))
    card = cards[at]
    choice = rng.randrange(10)
    if choice == 0:
        del cards[at]
    elif choice == 1:
        cards.insert(rng.randrange(len(cards)), card)
    elif choice == 2:
        rng.shuffle(cards)
    elif choice == 3:
        cards[at] = card[:8].lower() + card[8:]
    elif choice == 4:
        cards[at] = card.replace(b"=", b" ", 1)
    elif choice == 5:
        cards[at] = card[:8] + b"=" + card[10:] + b" "
    elif choice == 6:
        cards.insert(at, f"HIERARCH {card[:8].decode('latin-1')} = 5".ljust(CARD).encode("latin-1"))
    elif choice == 7:
        cards[at : at + 1] = [f"{card[:8].decode('latin-1')}= 'long&'".ljust(CARD).encode("latin-1")] + [
            b"CONTINUE  'and more&'".ljust(CARD)
        ] * rng.choice((1, 3, 3000))
    elif choice == 8:
        cards.insert(rng.randrange(len(cards)), card[:10] + rng.choice(NUMBERS).encode().rjust(20) + b" " * 50)
    else:
        cards[at] = card[:10] + rng.randbytes(70)
    return put_cards(original, part, [card.ljust(CARD)[:CARD] for card in cards])


def _endless(rng: random.Random, original: Original) -> bytes:
    part = _any(rng, original)
    return put_cards(original, part, list_cards(original.content, part), end=False)


def _long_header(rng: random.Random, original: Original) -> bytes:
    part = _any(rng, original)
    filler = rng.choice((b"COMMENT x", b"", b"EXTVER  EXTVER  EXTVER  EXTVER  ", b"DP1     = 'EXTVER: 1'", b"END x"))
    cards = list_cards(original.content, part)
    return put_cards(original, part, cards + [filler.ljust(CARD)] * rng.choice((5000, 130000, 150000)))


def _compressed(rng: random.Random, original: Original) -> bytes:
    return gzip.compress(original.content, compresslevel=1)


@cache
def _bomb() -> bytes:
    """Half a gigabyte of NULs."""
    return gzip.compress(bytes(1 << 24), compresslevel=9) * 32


def _gzip_bomb(rng: random.Random, original: Original) -> bytes:
    return _bomb() if rng.random() < 0.5 else gzip.compress(original.content[:BLOCK]) + _bomb()


def _nothing(rng: random.Random, original: Original) -> bytes:
    size = rng.choice((0, 1, 80, 2880, 100000))
    return rng.choice((bytes(size), b" " * size, rng.randbytes(size), b"SIMPLE  =                    T".ljust(size)))


def _nul_hole(rng: random.Random, original: Original) -> tuple[bytes, int]:
    return b"", 1 << 40


def _untouched(rng: random.Random, original: Original) -> bytes:
    return original.content


UNTOUCHED = "untouched"
PIXELS_ONLY = ("flip data", UNTOUCHED)
"""Mutations that leave headers and sizes as they were."""

MUTATIONS: dict[str, Mutation] = {
    UNTOUCHED: _untouched,
    "flip header": _flip_header,
    "flip value": _flip_value,
    "flip data": _flip_data,
    "flip anything": _flip_anything,
    "overwrite": _overwrite,
    "cut at a block": _cut_at_block,
    "cut anywhere": _cut_anywhere,
    "a block lost": _lose_a_block,
    "something appended": _append,
    "a hole appended": _append_hole,
    "extensions swapped": _swap,
    "extension duplicated": _duplicate,
    "extension removed": _remove,
    "extension removed, and NEXTEND": _remove_and_say_so,
    "data swapped": _swap_data,
    "thousands of extensions": _many_extensions,
    "structure": _structure,
    "huge axes in a hole": _huge_with_hole,
    "huge PCOUNT in a hole": _in_hole,
    "constant array": _constant,
    "number": _number,
    "text": _text,
    "any card": _any_card,
    "odd cards": _lines,
    "no END": _endless,
    "long header": _long_header,
    "gzip": _compressed,
    "gzip bomb": _gzip_bomb,
    "nothing": _nothing,
    "a hole": _nul_hole,
    **SOLUTIONS,
}
_RARE = {"thousands of extensions", "long header", "a hole appended", "huge axes in a hole", "huge PCOUNT in a hole",
         "a hole", "gzip bomb", "gzip", "nothing", "no END", UNTOUCHED}  # fmt: skip
_OFTEN = {"flip header", "flip value", "structure", "number", "any card", "odd cards"}
_DRAWN = [
    label for label in MUTATIONS for _ in range(1 if label in _RARE else 8 if label in _OFTEN else 4)
]  # fmt: skip
