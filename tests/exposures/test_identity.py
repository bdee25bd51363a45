"""Which exposure a file is, and what is no exposure though a file names it."""

from __future__ import annotations

from pathlib import Path

import pytest
from fitsfiles import write_exposure

from mvmdb.errors import ExposureError
from mvmdb.exposures.read import read_exposure


@pytest.mark.parametrize("rootname", ["ib6o04010", "IB6O04011", "ibyg0202a"])
def test_a_file_of_an_associations_product_is_no_exposure(rootname: str, tmp_path: Path) -> None:
    path = write_exposure(tmp_path, primary={"ROOTNAME": rootname}, filename="x_flt.fits")
    with pytest.raises(ExposureError, match="a product of an association and stands for several exposures") as caught:
        read_exposure(path)
    assert (caught.value.code, rootname.lower() in str(caught.value)) == ("unsupported", True)


def test_wfpc2_numbers_its_exposures(tmp_path: Path) -> None:
    path = write_exposure(tmp_path, detector="PC", primary={"ROOTNAME": "u2n20102t"}, filename="x_flt.fits")
    assert read_exposure(path).exposure.ipppssoo == "u2n20102"
