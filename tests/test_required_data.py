"""Tests that lack the shared data, a PostgreSQL server or fitsverify are skipped, unless these are required."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from pages import REPOSITORY

READS_SHARED = "tests/exposures/fits/test_cards.py::test_all_keywords_of_real_headers_have_astropys_values"
USES_POSTGRES = "tests/schema/test_schema_versions.py::test_migrations_make_exactly_the_tables_of_the_code[postgresql]"
USES_FITSVERIFY = "tests/mosaic/product/test_headers.py::test_fitsverify_finds_nothing_in_a_product_of_two_chips"


def run_them(missing: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The tests in a pytest of their own, without what they need, and with these variables alone."""
    inherited = {name: text for name, text in os.environ.items() if not name.startswith(("MVMDB_", "CI", "PYTEST_"))}
    absent = {"MVMDB_SHARED": str(missing), "MVMDB_POSTGRES": str(missing), "MVMDB_FITSVERIFY": str(missing)}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "0", "-p", "no:cacheprovider",
         READS_SHARED, USES_POSTGRES, USES_FITSVERIFY],
        cwd=REPOSITORY, env=inherited | absent | environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def says_what_is_missing(output: str, missing: Path) -> bool:
    no_data = f"there is no folder {missing}; put the shared data beside the repository"
    no_server = f"no PostgreSQL server can be started: {missing} has no program postgres"
    no_fitsverify = f"there is no program {missing}; install it"
    return no_data in output and no_server in output and no_fitsverify in output


def test_tests_that_cannot_run_are_skipped_and_say_why(tmp_path: Path) -> None:
    done = run_them(tmp_path / "missing", CI="true", MVMDB_REQUIRE_SHARED="0")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 skipped" in done.stdout
    assert says_what_is_missing(done.stdout, tmp_path / "missing")


def test_tests_that_cannot_run_fail_where_they_are_required(tmp_path: Path) -> None:
    required = dict.fromkeys(("MVMDB_REQUIRE_SHARED", "MVMDB_REQUIRE_POSTGRES", "MVMDB_REQUIRE_FITSVERIFY"), "1")
    done = run_them(tmp_path / "missing", **required)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "3 errors" in done.stdout
    assert says_what_is_missing(done.stdout, tmp_path / "missing")
