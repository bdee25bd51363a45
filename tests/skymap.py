"""A known archive on the map: fields at ordinary and at awkward places, stale and fresh layers, and hostile names."""

from __future__ import annotations

from pathlib import Path

from archive import CENTER, Archive

HOSTILE = "<script>window.hacked=1</script>\"'&"
"""A TARGNAME that is a program, if a page takes it for one."""
FIELDS = {"south": CENTER, "seam": (0.0004, 10.0), "pole": (33.0, 89.97)}
"""Positions of the three fields: far from borders, across RA 0, and at the pole."""


def make_known_archive(folder: Path) -> Archive:
    """One mosaic is fresh, its cell's others are stale: a member was added, or they were never made."""
    archive = Archive(folder, str(folder / "mvm.db"))
    archive.inbox.mkdir(parents=True)
    archive.expose("ib6o04tuq", wcsname="IDC_x-FIT_REL_GAIAeDR3")
    archive.expose("ib6o04tvq", east=2.0, wcsname="IDC_x-FIT_REL_GAIAeDR3")
    archive.expose("ib6o04uaq", filters="F160W", expstart=55200.5)
    archive.night()
    archive.expose("ib6o04twq", north=1.5, expstart=56100.25, primary={"TARGNAME": HOSTILE})
    archive.expose("jb7q05a1q", detector="WFC", chips=2, kind="flc", expstart=57100.0, primary={"PROPOSID": 12062})
    for n, (ra, dec) in enumerate((FIELDS["seam"], FIELDS["pole"])):
        archive.expose(f"ic{n}p01aaq", ra=ra, dec=dec, expstart=56500.0 + n, primary={"PROPOSID": 13000 + n})
    archive.ingest()
    return archive
