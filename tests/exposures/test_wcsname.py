"""WCSNAMEs are split, and the better solution ranks higher."""

from __future__ import annotations

import pytest

from mvmdb.exposures.wcsname import APRIORI, Solution, rank_solution, split_wcsname


@pytest.mark.parametrize(
    ("wcsname", "fields"),
    [
        ("IDC_2731450pi-FIT_REL_GAIAeDR3", ("IDC_2731450pi", "FIT_REL", "GAIAeDR3")),
        ("IDC_0461802ej-FIT_SVM_GAIADR2", ("IDC_0461802ej", "FIT_SVM", "GAIADR2")),
        ("IDC_0461802ej-FIT_IMG_2MASS", ("IDC_0461802ej", "FIT_IMG", "2MASS")),
        ("IDC_w3m18525i", ("IDC_w3m18525i", None, None)),
        ("IDC_w3m18525i-GSC240", ("IDC_w3m18525i", APRIORI, "GSC240")),
        ("IDC_w3m18525i-HSC30", ("IDC_w3m18525i", APRIORI, "HSC30")),
        ("IDC_w3m18525i-FIT_REL_NONE", ("IDC_w3m18525i", "FIT_REL", None)),
        (" IDC_w3m18525i ", ("IDC_w3m18525i", None, None)),
        ("OPUS", (None, None, None)),
        ("OPUS-GSC240", (None, APRIORI, "GSC240")),
        ("OPUS-HSC30", (None, APRIORI, "HSC30")),
        ("OPUSCULE", (None, None, None)),
        ("TWEAK", (None, None, None)),
        ("", (None, None, None)),
        (None, (None, None, None)),
    ],
)
def test_wcsname_is_split(wcsname: str | None, fields: tuple[str | None, ...]) -> None:
    assert split_wcsname(wcsname) == Solution(*fields)


def test_solutions_rank_from_none_to_the_best_fit() -> None:
    ascending = [
        None,
        "OPUS",
        "OPUS-GSC240",
        "OPUS-HSC30",
        "IDC_a",
        "IDC_a-FIT_REL_NONE",
        "IDC_a-GSC240",
        "IDC_a-HSC30",
        "IDC_a-FIT_IMG_2MASS",
        "IDC_a-FIT_IMG_GAIADR1",
        "IDC_a-FIT_SVM_GAIADR1",
        "IDC_a-FIT_IMG_GAIADR2",
        "IDC_a-FIT_REL_GAIADR2",
        "IDC_a-FIT_IMG_GAIAeDR3",
        "IDC_a-FIT_EVM_GAIAeDR3",
        "IDC_a-FIT_REL_GAIAeDR3",
        "IDC_a-FIT_SVM_GAIAeDR3",
        "TWEAK",  # a user's own
    ]
    ranks = [rank_solution(name) for name in ascending]
    assert ranks[0] == 0
    assert ranks == sorted(set(ranks))


def test_the_distortion_model_does_not_change_the_rank() -> None:
    assert rank_solution("IDC_a-FIT_REL_GAIADR2") == rank_solution("IDC_b-FIT_REL_GAIADR2")
