"""Names are data: whatever headers, tables, pollers, products and rows say, nothing outside the folders is touched."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator

import pytest
from archive import CELL, FINE
from astropy.io import fits
from hostile.places import Places

pytestmark = pytest.mark.slow
NIGHT = "nightly inbox --executor serial --report night.html"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    """An archive with a mosaic, and treasures outside of it: an exposure, a product and a poller of the same names."""
    base = tmp_path_factory.mktemp("places")
    places = Places(base / "home", base / "outside")
    places.home.mkdir()
    (places.home / "inbox").mkdir()
    archive = places.archive
    path = archive.expose()
    archive.expose("ib6o04twq", east=2)
    archive.night()
    folder = places.outside / CELL
    folder.mkdir(parents=True)
    shutil.copy(path, places.outside)
    for product in (places.home / "products" / CELL).iterdir():
        shutil.copy(product, folder)
        shutil.copy(product, places.outside)
    (places.outside / "secret.txt").write_text("treasure")
    with places.watching():
        places.run(NIGHT)  # writes the decisions file
        places.keep()
        yield places


@pytest.fixture
def places(made: Places) -> Places:
    """The same places for each test, at the same path, which rows of the catalog hold."""
    made.restore()
    return made


COMMANDS = (
    "status --deep", f"explain {FINE}", NIGHT, "verify --repair --yes --executor serial",
    "reconcile --full --executor serial", "poller -o pollers",
    "stage -o staged --full",
)  # fmt: skip

OUT = "../../outside"
FILE = f"{FINE}_drz.fits"
ROWS = {
    "product file up": {"UPDATE product SET filename = ?": f"{OUT}/{FILE}"},
    "product file absolute": {"UPDATE product SET filename = ?": "ABSOLUTE/secret.txt"},
    "product file is a folder": {"UPDATE product SET filename = ?": ".."},
    "product cell up": {"UPDATE product SET skycell = ?": OUT},
    "product cell absolute": {"UPDATE product SET skycell = ?": f"ABSOLUTE/{CELL}"},
    "cell up": {"UPDATE skycell SET name = ? || id": OUT},
    "cell absolute": {"UPDATE skycell SET name = ? || '/' || id": "ABSOLUTE"},
    "layer up": {"UPDATE layer SET name = ? || id": f"{OUT}/{FINE}"},
    "layer of product up": {"UPDATE product SET layer = ? || id": f"{OUT}/{FINE}"},
    "orphan up": {"UPDATE product SET layer_id = NULL, filename = ?": f"{OUT}/{CELL}/{FILE}"},
    "other texts": {
        "UPDATE layer SET label = ?": f"/{OUT}",
        "UPDATE exposure SET filter = ?": f"/{OUT}/x",
        "UPDATE exposure SET rootname = ?": "../../x",
        "UPDATE product_member SET rootname = ?": "../../x",
        "UPDATE exposure SET filename = ?": f"{OUT}/secret.txt",
        "UPDATE exposure SET wcsname = ?": "\x1b]0;owned\x07\u202e\x9b31m\n",
        "UPDATE exposure SET target = ?": "\x1b[2J<script>",
        "UPDATE exposure SET warnings = ?": "\x1b[2J",
        "UPDATE event SET detail = ?": "\x1b[2J",
        "UPDATE run SET arguments = ?": "\x1b[2J",
    },
}


@pytest.mark.parametrize("row", ROWS)
def test_a_row_changed_by_hand_leads_nowhere(row: str, places: Places) -> None:
    for sql, value in ROWS[row].items():
        places.change(sql, value.replace("ABSOLUTE", str(places.outside)))
    places.run(*COMMANDS, *(("history", "query SELECT*FROM(exposure)") if row == "other texts" else ()))


LOOKING = (
    "companions --beside jpg,exptime,color --executor serial", f"coverage map {FINE} -o maps",
    "hips f125w -o tiles --scale coarse --order 8 --executor serial",
    "coverage export obscore -o all.vot",
)  # fmt: skip


@pytest.mark.parametrize("row", ["product file up", "product file absolute", "product cell up", "cell up", "layer up"])
def test_who_looks_at_such_rows_is_led_nowhere(row: str, places: Places) -> None:
    for sql, value in ROWS[row].items():
        places.change(sql, value.replace("ABSOLUTE", str(places.outside)))
    places.run(*LOOKING)


HEADERS = {
    "rootname": ({"ROOTNAME": "../../x"}, {}),
    "file name": ({"FILENAME": "../../outside/secret.txt"}, {}),
    "references": (
        {"IDCTAB": "jref$x.fits", "D2IMFILE": "/OUT/secret.txt", "NPOLFILE": "../../outside/secret.txt",
         "OFFTAB": "*", "SIPNAME": "/OUT/ib6o04tuq_flt.fits"},
        {"D2IMEXT": "/OUT/secret.txt", "D2IMERR1": 0.1, "CPDIS1": "LOOKUP", "DP1.EXTVER": 9.0},
    ),
    "aperture and target": ({"APERTURE": "../../x", "TARGNAME": "<b>/../x"}, {"WCSNAME": "../../x"}),
    "filter": ({"FILTER": "/OUT/X"}, {}),
}  # fmt: skip


def filled(cards: dict[str, object], places: Places) -> dict[str, object]:
    return {
        key: card.replace("/OUT", str(places.outside)) if isinstance(card, str) else card for key, card in cards.items()
    }


def test_headers_lead_nowhere(places: Places) -> None:
    archive = places.archive
    for number, (primary, sci) in enumerate(HEADERS.values()):
        archive.expose(f"ib6o05t{number}q", primary=filled(primary, places), sci=filled(sci, places))
    told = places.run("ingest inbox --executor serial", NIGHT, "poller -o pollers", "verify", "explain ib6o05t2")
    assert archive.rows("SELECT count(*) FROM dataset")[0][0] > 3, told


def test_pollers_lead_nowhere(places: Places) -> None:
    row = "{0},11359,B6O,04,802.9,F125W,IR,{1},NEW,{2}"
    secret, exposure = places.outside / "secret.txt", "inbox/ib6o04tuq_flt.fits"
    pollers = [
        row.format("x_flt.fits", CELL, "../outside/secret.txt"),
        row.format("x_flt.fits", CELL, secret),
        row.format("../../x_flt.fits", "../../outside", exposure),
        row.format(str(secret), CELL, "/etc/passwd"),
        f"../outside/{CELL}/{CELL}_input.out",
        "../outside/*_flt.fits",
        "@../outside/secret.txt",
        "|touch x_flt.fits",
        "http://127.0.0.1:1/x_flt.fits",
        "jref$ib6o04tuq_flt.fits",
    ]
    commands = []
    for number, line in enumerate(pollers):
        (places.home / f"{number}.out").write_text(line + "\n")
        commands.append(f"process {number}.out -o mosaics --executor serial")
    told = places.run(*commands)
    assert {one["code"] for one in told} == {2}


def test_a_poller_may_name_exposures_in_any_folder_and_they_are_only_read(places: Places) -> None:
    """This is what paths in pollers are for; it shows too that the auditor hears."""
    path = places.outside / "ib6o04tuq_flt.fits"
    (places.home / "there.out").write_text(f"{path}\n")
    (told,) = places.run("process there.out -o mosaics --executor serial", apart={f"open {path}"})
    assert told["code"] is None
    assert f"open {path}" in told["noted"]


def test_tables_lead_nowhere(places: Places) -> None:
    names = "obs_id,instrument_name,filters,t_exptime,s_region,aperture,path,filename,dataURI,target_name"
    square = "POLYGON ICRS 10.0 20.0 10.1 20.0 10.1 20.1 10.0 20.1"
    bad = (
        "../../outside/secret.txt",
        str(places.outside / "secret.txt"),
        "file:///etc/passwd",
        "=cmd|' /C calc'!A0",
        "\x1b[2J",
    )
    rows = [f"ib6o1{n}t{n}q,WFC3/IR,F125W,100,{square},{b},{b},{b},{b},{b}" for n, b in enumerate(bad)]
    rows += [f"{b},WFC3/IR,{b},100,{b},{b},{b},{b},{b},{b}" for b in bad]
    (places.home / "table.csv").write_text("\n".join([names, *rows]) + "\n")
    told = places.run(
        "import table.csv --problems left.csv",
        "status",
        "reconcile --executor serial",
        "poller -o pollers",
        "explain ib6o10t0",
    )
    assert told[0]["code"] == 1
    text = (places.home / "left.csv").read_text()
    assert all(line.isprintable() for line in text.split("\n")), text


def test_decisions_and_manifests_lead_nowhere(places: Places) -> None:
    file = places.home / "products" / "mvmdb-decisions.json"
    decisions = json.loads(file.read_text())
    evil = {
        "exposures": [{"ipppssoo": "../../x", "kind": "flt", "pixels": "x", "pixel_digest": None, "wcs_digest": "x",
                       "withdrawn_at": None, "withdrawn_why": "\x1b[2J", "ineligible_rule": "", "ineligible_reason": "",
                       "warnings": ""}],
        "accepted": [{"path": "../../outside/secret.txt", "kind": "not-fits", "size": 1, "mtime_ns": 1,
                      "first_seen": "2020-01-01T00:00:00"}],
        "adopted": [{"layer": "../../outside", "data_digest": "x", "recipe_digest": "y", "proof": "trusted"}],
        "tables": ["../outside/secret.txt"],
    }  # fmt: skip
    for key, value in evil.items():
        file.write_text(json.dumps(decisions | {key: value}))
        (places.home / "mvm.db").unlink(missing_ok=True)
        (places.home / "products" / CELL / f"{CELL}_manifest.txt").write_text("../../outside/secret.txt\n/etc/passwd\n")
        places.run("rebuild inbox -o products --executor serial", "verify --repair --yes --executor serial", NIGHT)


def test_products_lead_nowhere(places: Places) -> None:
    product = places.home / "products" / CELL / f"{FINE}_drz.fits"
    with fits.open(product, mode="update") as hdus:
        table = hdus["HDRTAB"]
        for name in table.columns.names:
            if table.columns[name].format.endswith("A"):
                table.data[name][:] = "../../x"
        for key in ("MVMLAYER", "MVMCELL", "SCELLID", "FILENAME", "ROOTNAME"):
            for hdu in hdus:
                if key in hdu.header:
                    hdu.header[key] = "../../outside/x"
    twin = product.with_name(f"{FINE}_drc.fits")
    shutil.copy(product, twin)
    incoming = places.home / "incoming"
    incoming.mkdir()
    shutil.copy(product, incoming)
    (incoming / f"{FINE}\n_drz.fits").write_bytes(product.read_bytes())
    places.run("status --deep", "verify --deep --repair --yes --executor serial", "adopt incoming", NIGHT)
    manifest = (product.parent / f"{CELL}_manifest.txt").read_text().splitlines()
    assert set(manifest) <= {path.name for path in product.parent.iterdir()}


def test_names_of_files_are_shown_as_text_on_one_line(places: Places) -> None:
    inbox = places.home / "inbox"
    for name in ("a\nb_flt.fits", "\x1b[31mred_flt.fits", "\u202egnp_flt.fits", "<script>_flt.fits", "\x9bx_flt.fits"):
        (inbox / name).write_bytes(b"no FITS")
    (inbox / "sub\nfolder").mkdir()
    shutil.copy(inbox / "ib6o04tuq_flt.fits", inbox / "sub\nfolder" / "ib6o06tuq_flt.fits")
    told = places.run("ingest inbox --executor serial", NIGHT, "quarantine", "nightly inbox --report n.txt --log n.log")
    assert "\\x1b[31mred" in told[0]["out"]
    page = (places.home / "night.html").read_text()
    assert "<script>_" not in page
    for file in ("night.html", "n.txt", "n.log"):
        text = (places.home / file).read_text()
        assert all(line.isprintable() for line in text.split("\n")), file
