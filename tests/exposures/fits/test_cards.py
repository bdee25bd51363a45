"""Cards become the values that astropy makes of them."""

from __future__ import annotations

import math
import re

import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from mvmdb.errors import ExposureError
from mvmdb.exposures.fits.cards import Cards, parse_card

TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60).filter(
    lambda text: re.search("' */", text) is None  # astropy takes such a quote for the end of the text
)


def as_cards(header: fits.Header) -> Cards:
    return Cards(header.tostring(endcard=False, padding=False).encode())


@given(st.one_of(st.integers(-(10**15), 10**15), st.booleans(), st.floats(allow_nan=False, allow_infinity=False), TEXT))
def test_values_are_those_that_astropy_reads(value: object) -> None:
    card = fits.Card.fromstring(fits.Card("KEY", value).image[:80])
    expected = card.value
    value_read = parse_card(card.image)
    assert type(value_read) is type(expected)
    assert value_read == expected


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("= 1.5D-03", 1.5e-3),
        ("=                 1E5 / x", 1e5),
        ("= 'it''s / no comment' / one", "it's / no comment"),
        ("= 'unclosed", "unclosed"),
        ("= 'unclosed / text", "unclosed / text"),
        ("= 'ends in a quote''", "ends in a quote"),
        ("= ''''", "'"),
        ("= ''", ""),
        ("=   +12 / x", 12),
        ("= 12 13 / x", "12 13"),
        ("=                      / undefined", None),
        ("= garbage / words", "garbage"),
        ("= (1.0, 2.0)", "(1.0, 2.0)"),
    ],
)
def test_unusual_values(field: str, value: object) -> None:
    assert parse_card(f"KEY     {field}".ljust(80)) == value


def test_nan_is_read_as_a_number() -> None:
    value = parse_card("CRVAL1  =                  NaN".ljust(80))
    assert isinstance(value, float)
    assert math.isnan(value)


def test_long_texts_are_joined_from_continue_cards() -> None:
    text = "POLYGON ICRS " + " ".join(str(n) for n in range(60))
    header = fits.Header([("S_REGION", text), ("NEXT", 1)])
    assert as_cards(header)["S_REGION"] == text
    assert as_cards(header)["NEXT"] == 1


def test_first_of_two_equal_keywords_counts_and_commentary_is_no_value() -> None:
    raw = "".join(card.ljust(80) for card in ("A       = 1", "A       = 2", "COMMENT = 3", "HISTORY A       = 4", ""))
    cards = Cards(raw.encode())
    assert cards["A"] == 1
    assert cards.find("A") == 1
    assert cards.find("HISTORY") is None
    assert cards.get("B") is None
    assert "A" in list(cards)


def test_an_undefined_value_is_there_and_is_none() -> None:
    cards = Cards("A       =           / nothing".ljust(80).encode() + b"B       words".ljust(80))
    assert "A" in cards
    assert cards["A"] is None
    assert cards.get("A", 3) is None
    assert "B" not in cards
    with pytest.raises(ExposureError, match=r"found the card 'B +words'; expected a value of FITS"):
        cards.get("B", 3)
    with pytest.raises(KeyError):
        cards["B"]


def test_a_keyword_inside_a_value_is_not_found() -> None:
    cards = Cards("X       = 'EXTNAME = 1'".ljust(80).encode() + "EXTNAME = 'SCI'".ljust(80).encode())
    assert cards.find("EXTNAME") == "SCI"


def test_records_are_gathered_by_field() -> None:
    cards = Cards(
        "".join(
            card.ljust(80) for card in ("DP1     = 'EXTVER: 3'", "DP2     = 'EXTVER: 4'", "DP1     = 'AXIS.1: 2.0'")
        ).encode()
    )
    assert cards.records("DP1") == {"EXTVER": 3.0, "AXIS.1": 2.0}
    assert cards.records("DP3") == {}


@pytest.mark.shared
def test_all_keywords_of_real_headers_have_astropys_values(shared) -> None:
    compared = 0
    for path in sorted((shared / "data" / "headers").glob("sample_*.fits")):
        with fits.open(path) as hdus:
            for hdu in hdus[:2]:
                cards = as_cards(hdu.header)
                for keyword in set(hdu.header) - {"", "COMMENT", "HISTORY", "CONTINUE"}:
                    if "." in keyword or re.fullmatch(r"(DP|D2IM)\d", keyword):
                        continue  # record-valued, which have their own test
                    value = hdu.header[keyword]
                    expected = None if isinstance(value, fits.card.Undefined) else value
                    expected = expected.rstrip() if isinstance(expected, str) else expected
                    assert cards.get(keyword) == expected, (path.name, keyword)
                    compared += 1
    assert compared > 1000
