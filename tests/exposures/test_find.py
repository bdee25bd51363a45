"""Files, folders and lists become the paths of exposures."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mvmdb.errors import InputError
from mvmdb.exposures.find import find_exposures


def touch(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return str(path)


def test_folders_are_searched_for_names_of_exposures(tmp_path: Path) -> None:
    paths = [
        touch(tmp_path / "a" / "ib6o04tuq_flt.fits"),
        touch(tmp_path / "a" / "b" / "hst_10524_06_acs_wfc_f606w_jcz906dv_flc.fits"),
        touch(tmp_path / "IB6O04TWQ_FLT.FITS"),
        touch(tmp_path / "other_name_flc.fits"),
    ]
    for name in (
        "ib6o04tuq_raw.fits",
        "ib6o04tuq_drz.fits",
        "readme.txt",
        "ib6o04tuq_flt.fits.gz",
        "ib6o04tuq_flt.jpg",
    ):
        touch(tmp_path / name)
    assert find_exposures([tmp_path]).paths == tuple(sorted(paths))


def test_a_named_file_is_taken_whatever_its_name(tmp_path: Path) -> None:
    path = touch(tmp_path / "strange.fits")
    assert find_exposures([path, path]).paths == (path,)


def test_an_empty_folder_is_reported_and_the_others_are_found(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    path = touch(tmp_path / "some" / "ib6o04tuq_flt.fits")
    exposures = find_exposures([tmp_path / "none", tmp_path / "some"])
    assert exposures.paths == (path,)
    assert exposures.empty_folders == (str(tmp_path / "none"),)


def test_a_missing_path_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        find_exposures([tmp_path / "nowhere"])


def test_lists_are_relative_to_their_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = touch(tmp_path / "in" / "one.fits"), touch(tmp_path / "two" / "ib6o04tuq_flt.fits")
    (tmp_path / "in" / "list.txt").write_text("# night 1\n\none.fits\n../two\n")
    monkeypatch.chdir(tmp_path / "two")
    assert find_exposures([f"@{tmp_path / 'in' / 'list.txt'}"]).paths == tuple(sorted([first, second]))


def test_a_missing_list_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="list"):
        find_exposures([f"@{tmp_path / 'absent.txt'}"])


def test_relative_paths_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = touch(tmp_path / "ib6o04tuq_flt.fits")
    monkeypatch.chdir(tmp_path)
    assert find_exposures(["."]).paths == (path,)


def test_links_are_followed_and_loops_end(tmp_path: Path) -> None:
    real = touch(tmp_path / "store" / "ib6o04tuq_flt.fits")
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "ib6o04twq_flt.fits").symlink_to(real)
    (inbox / "again").symlink_to(inbox, target_is_directory=True)
    (inbox / "elsewhere").symlink_to(tmp_path / "store", target_is_directory=True)
    assert find_exposures([inbox]).paths == (
        str(inbox / "elsewhere" / "ib6o04tuq_flt.fits"),
        str(inbox / "ib6o04twq_flt.fits"),
    )


def test_a_broken_link_is_kept(tmp_path: Path) -> None:
    link = tmp_path / "ib6o04tuq_flt.fits"
    link.symlink_to(tmp_path / "gone.fits")
    assert find_exposures([tmp_path]).paths == (str(link),)


def test_a_folder_without_permission_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = touch(tmp_path / "ib6o04tuq_flt.fits")
    closed = tmp_path / "closed"
    closed.mkdir()
    scan = os.scandir

    def refuse(folder: str) -> object:  # root, whom permissions do not stop, runs this test too
        if folder == str(closed):
            raise PermissionError(13, "Permission denied", folder)
        return scan(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    exposures = find_exposures([tmp_path])
    assert exposures.paths == (path,)
    assert exposures.unreadable_folders == (str(closed),)


@pytest.mark.parametrize("suffix", [".gz", ".GZ", ".fz", ".bz2", ".Z", ".xz", ".zip"])
def test_compressed_exposures_are_passed_over_and_named(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"ib6o04tuq_flt.fits{suffix}").touch()
    (tmp_path / f"notes.txt{suffix}").touch()
    (tmp_path / f"ib6o04twq_flt.fits{suffix}").touch()
    (tmp_path / "ib6o04twq_flt.fits").touch()
    found = find_exposures([tmp_path])
    assert found.compressed == (str(tmp_path / f"ib6o04tuq_flt.fits{suffix}"),)
    assert found.paths == (str(tmp_path / "ib6o04twq_flt.fits"),)


def test_hidden_files_are_left_alone(tmp_path: Path) -> None:
    for name in ("._ib6o04tuq_flt.fits", ".ib6o04tuq_flt.fits", ".ib6o04tuq_flt.fits.gz"):
        (tmp_path / name).touch()
    found = find_exposures([tmp_path])
    assert (found.paths, found.compressed, found.empty_folders) == ((), (), (str(tmp_path),))
