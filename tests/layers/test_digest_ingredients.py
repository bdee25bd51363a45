"""Digests: each ingredient counts, and they are what they were in catalogs and products made before."""

from __future__ import annotations

import pytest

from mvmdb.layers.digests import digest_member, digest_members, digest_recipe
from mvmdb.names import Kind
from mvmdb.records import Canvas

MEMBER: tuple[str, Kind, str, str] = ("ib6o04tu", "flt", "t:1", "w1")
OTHER_MEMBER = ("ib6o04tw", "flc", "t:2", "w2")
RECIPE = ("m1", "1:2,3:4", '{"scale": "fine"}')
OTHER_RECIPE = ("m2", "1:2,3:5", '{"scale": "coarse"}')


@pytest.mark.parametrize("place", range(len(MEMBER)))
def test_identity_kind_pixels_and_wcs_are_in_a_members_digest(place: int) -> None:
    other = [*MEMBER[:place], OTHER_MEMBER[place], *MEMBER[place + 1 :]]
    assert digest_member(*other) != digest_member(*MEMBER)  # type: ignore[arg-type]


def test_every_member_is_in_the_digest_of_all() -> None:
    digests = [digest_members(members) for members in ([], ["a"], ["b"], ["a", "b"], ["b", "a"], ["a", "b", "c"])]
    assert len(set(digests)) == len(digests)


@pytest.mark.parametrize("place", range(len(RECIPE)))
def test_members_canvas_and_parameters_are_in_a_recipe_digest(place: int) -> None:
    other = [*RECIPE[:place], OTHER_RECIPE[place], *RECIPE[place + 1 :]]
    assert digest_recipe(*other) != digest_recipe(*RECIPE)


def test_a_canvas_and_its_text_give_one_digest() -> None:
    assert digest_recipe("m1", Canvas(1, 2, 3, 4), "{}") == digest_recipe("m1", "1:2,3:4", "{}")


def test_digests_are_those_of_products_made_before() -> None:
    # Another value here makes every mosaic of every archive stale; nothing but such a decision may change them.
    assert digest_member(*MEMBER) == "9e45aa50a8b3f8eb7001391f0c3d9aa0"
    assert digest_members(["a", "b"]) == "b5404f4000b980c89598060458b27e2a"
    assert digest_recipe(*RECIPE) == "0c40dd9462f33887edf4db378a747134"
