"""A small table for the tests of this folder: four exposures of four cameras, with ObsCore's and MAST's columns."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

Row = dict[str, str]
WriteCsv = Callable[..., Path]

SQUARE = "POLYGON ICRS 10.0 20.0 10.1 20.0 10.1 20.1 10.0 20.1"


def plain_rows() -> list[Row]:
    """Eligible exposures, one per row; all values are texts."""
    cameras = [
        ("ib6o04tuq", "WFC3/IR", "F125W"),
        ("ibc301qrq", "WFC3/UVIS", "F606W"),
        ("j94f05bgq", "ACS/WFC", "CLEAR1L;F814W"),
        ("u2n20102t", "WFPC2/PC", "F606W"),
    ]
    return [
        {
            "obs_id": name, "instrument_name": camera, "filters": filters, "t_exptime": str(100.5 + n),
            "t_min": str(55000.25 + n), "t_max": str(55000.5 + n), "target_name": f"FIELD-{n}",
            "proposal_id": str(11359 + n), "s_region": SQUARE.replace("20.", f"{20 + n}."),
            "dataproduct_type": "image",
        }
        for n, (name, camera, filters) in enumerate(cameras)
    ]  # fmt: skip


@pytest.fixture
def rows() -> list[Row]:
    """See plain_rows; a test may change them."""
    return plain_rows()


@pytest.fixture
def write_csv(tmp_path: Path) -> WriteCsv:
    """Write rows as a CSV file and return its path."""

    def write(rows: list[Row], name: str = "table.csv") -> Path:
        path = tmp_path / name
        with path.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, list(dict.fromkeys(name for row in rows for name in row)))
            writer.writeheader()
            writer.writerows(rows)
        return path

    return write
