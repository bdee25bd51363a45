"""Addresses in one form, without what nobody else may read."""

from __future__ import annotations

from pathlib import Path

import pytest
from archive import Archive
from command_line import call, one_line
from hypothesis import given
from hypothesis import strategies as st

from mvmdb.errors import InputError
from mvmdb.remote.address import canonical, file_name, is_below, is_url


@pytest.mark.parametrize(
    ("given_address", "expected"),
    [
        ("HTTPS://MAST.stsci.edu:443/a/B_flt.fits", "https://mast.stsci.edu/a/B_flt.fits"),
        ("http://host:8080/a%5fflt.fits", "http://host:8080/a_flt.fits"),
        ("https://host/a%2fb%c3%a9", "https://host/a%2Fb%C3%A9"),
        ("s3://stpubdata/hst/public/ib6o/", "s3://stpubdata/hst/public/ib6o/"),
        ("S3://Bucket/a%5Fb", "s3://Bucket/a%5Fb"),
        ("file:///data/a_flt.fits", "/data/a_flt.fits"),
        (
            "https://mast.stsci.edu/api/v0.1/Download/file?uri=mast%3AHST%2Fproduct%2Fib6o04tuq_flt.fits",
            "https://mast.stsci.edu/api/v0.1/Download/file?uri=mast:HST/product/ib6o04tuq_flt.fits",
        ),
    ],
)
def test_addresses_have_one_form(given_address: str, expected: str) -> None:
    assert canonical(given_address) == expected
    assert canonical(expected) == expected if is_url(expected) else True


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("https://me:secret@host/a_flt.fits", "has a user or password"),
        ("https://secret@host/a_flt.fits", "has a user or password"),
        ("https://host/a_flt.fits?X-Amz-Signature=secret", "comes with a query"),
        ("https://host/a_flt.fits?uri=mast:a&token=secret", "comes with a query"),
        ("https://host/a_flt.fits#secret", "has a fragment"),
        ("s3://secret:secret@bucket/a_flt.fits", "has a user or password"),
        ("s3://bucket/a_flt.fits?versionId=7", "one version"),
        ("https:///a_flt.fits", "has no host"),
        ("https://host/a/../b_flt.fits", "has . or .."),
        ("https://host/a b_flt.fits", "blanks or control characters"),
        ("zip://a_flt.fits::https://host/a.zip", "chain of protocols"),
    ],
)
def test_addresses_that_cannot_be_recorded_are_refused_without_their_secrets(address: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        canonical(address)
    assert "secret" not in str(caught.value)
    assert "expected" in str(caught.value)


@given(st.from_regex(r"https?://[a-z]{1,5}(:[0-9]{2,4})?/[!-~]{0,30}", fullmatch=True))
def test_canonical_form_stays_as_it_is(address: str) -> None:
    try:
        first = canonical(address)
    except InputError:
        return
    assert canonical(first) == first


def test_what_is_below_a_folder() -> None:
    assert is_below("https://host/a/b/c", "https://host/a/")
    assert is_below("https://host/a/b", "https://host/a")
    assert not is_below("https://host/ab", "https://host/a")
    assert not is_below("https://host/a/", "https://host/a/")
    assert not is_below("https://host.other/a/b", "https://host")
    assert file_name("https://host/x?uri=mast:HST/product/ib6o04tuq_flt.fits") == "ib6o04tuq_flt.fits"


def test_command_tells_of_an_address_in_one_line(here: Archive, tmp_path: Path) -> None:
    code, _, told = call(here, "ingest", "https://me:secret@host/a_flt.fits")
    assert (code, "secret" in told) == (2, False)
    assert "has a user or password; expected an address without" in one_line(told)
    for protocol in ("unheard", "zip", "simplecache", "reference", "git"):
        code, _, told = call(here, "ingest", f"{protocol}://host/a_flt.fits")
        assert (code, f"{protocol}:// cannot be read" in one_line(told)) == (2, True)
    assert not (tmp_path / "mvm.db").exists()
