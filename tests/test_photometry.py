"""The photometry of exposures as text, the choice of a layer's PHOTFLAM, and when one factor is enough."""

from __future__ import annotations

from itertools import permutations

import pytest

from mvmdb.photometry import (
    choose_reference,
    common_factor,
    differs,
    find_factor,
    find_photflam,
    format_photometry,
    identify_calibrated,
    name_changes,
    parse_photometry,
)


def photometry(*photflams: float | None, mode: str | None = "ACS WFC1 F606W", reference: int = 0) -> str:
    return format_photometry([{"PHOTFLAM": value, "PHOTMODE": mode} for value in photflams], reference)


def times(factor: float, members: dict[str, str]) -> dict[str, str]:
    """The members' photometry with each PHOTFLAM times a factor."""
    parsed = {name: parse_photometry(text) for name, text in members.items()}
    return {
        name: photometry(*(factor * value for value in one.sensitivities or ()), reference=one.reference)
        for name, one in parsed.items()
        if one is not None
    }


MEMBERS = {"aa": photometry(1e-19, 1.1e-19), "bb": photometry(1.02e-19, 1.3e-19), "cc": photometry(1.04e-19, 1e-19)}


def test_a_text_says_what_it_was_made_of() -> None:
    parsed = parse_photometry(photometry(1e-19, 2e-19, mode=None, reference=1))
    assert parsed is not None
    assert (parsed.photflam, parsed.photmode, parsed.sensitivities) == (2e-19, None, (1e-19, 2e-19))
    assert parsed.scales(1e-19) == (1.0, 2.0)
    assert parsed.scales(None) == (1.0, 1.0)
    assert parse_photometry("") is None


@pytest.mark.parametrize("text", ["z", "{}", "[]", '{"PHOTFLAM": 3}', photometry(1e-19).replace("0}", "7}")])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of JSON too
        parse_photometry(text)


@pytest.mark.parametrize("value", [None, 0.0, -1e-19])
def test_one_chip_without_photflam_leaves_an_exposure_as_it_is(value: float | None) -> None:
    parsed = parse_photometry(photometry(1e-19, value))
    assert parsed is not None
    assert parsed.photflam is None
    assert parsed.scales(3e-19) == (1.0, 1.0)


def test_changes_are_named() -> None:
    assert name_changes(photometry(1.03e-19), photometry(1e-19)) == "PHOTFLAM 1e-19 -> 1.03e-19"
    assert name_changes(photometry(1e-19, 3e-19), photometry(1e-19, 2e-19)) == "PHOTFLAM 2e-19 -> 3e-19"
    assert name_changes(photometry(None, mode="A B"), photometry(1e-19)) == (
        "PHOTFLAM 1e-19 -> none, PHOTMODE ACS WFC1 F606W -> A B"
    )
    assert "of 1 chips -> 2" in name_changes(photometry(1e-19, 1e-19), photometry(1e-19))
    assert name_changes("", photometry(1e-19)) == name_changes(photometry(1e-19), "") == ""


def test_what_is_not_known_differs_from_nothing() -> None:
    assert differs(photometry(1e-19), photometry(2e-19))
    assert not differs(photometry(1e-19), photometry(1e-19))
    assert not differs(photometry(1e-19), "")
    assert not differs("", photometry(1e-19))


def test_the_reference_is_the_first_in_order_that_has_photflam_whoever_came_first() -> None:
    members = {"aa": photometry(None), "bb": photometry(2e-19), "cc": photometry(3e-19)}
    for order in permutations(members):
        shuffled = {name: members[name] for name in order}
        assert (choose_reference(shuffled), find_photflam(shuffled)) == ("bb", 2e-19)
    assert find_photflam({"aa": photometry(None), "bb": ""}) is None


def test_one_factor_of_all_members_changes_no_scale() -> None:
    assert find_factor(times(1.03, MEMBERS), MEMBERS) == 1.0


def test_another_first_member_scales_all_alike() -> None:
    now = {"a0": photometry(2e-19, 2e-19)} | MEMBERS
    assert find_factor(now, MEMBERS) == pytest.approx(0.5)
    assert find_factor(times(1.03, now), MEMBERS) == pytest.approx(0.5)


@pytest.mark.parametrize(
    "change",
    [
        {"bb": photometry(1.03e-19, 1.3e-19)},  # one chip
        {"aa": photometry(1.03e-19, 1.133e-19)},  # the reference alone
        {"bb": photometry(None, None)},  # no longer known
        {"cc": photometry(1.04e-19)},  # one chip less
        {"cc": ""},  # not known
    ],
)
def test_unlike_changes_need_a_drizzle(change: dict[str, str]) -> None:
    assert find_factor(MEMBERS | change, MEMBERS) is None


def test_a_member_without_photflam_cannot_follow_another_reference() -> None:
    members = MEMBERS | {"dd": photometry(None, None)}
    assert find_factor(members, members) == 1.0
    assert find_factor({"a0": photometry(2e-19, 2e-19)} | members, members) is None


def test_factors_are_common_to_rounding() -> None:
    assert common_factor([]) == 1.0
    assert common_factor([1 + 1e-12, 1 - 1e-12]) == 1.0
    assert common_factor([2.0, 2.0 * (1 + 1e-12)]) == 2.0
    assert common_factor([2.0, 2.0 * (1 + 1e-6)]) is None
    assert common_factor([float("nan")]) is None


def test_pixels_of_another_photometry_have_another_identity() -> None:
    made = {identify_calibrated(digest, text) for digest in ("d:1", "d:2") for text in MEMBERS.values()}
    assert len(made) == 6
    assert all(identity.startswith("c:") for identity in made)
