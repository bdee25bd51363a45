"""The product file: what it says, whether damage is found, and that it appears whole or not at all."""

from __future__ import annotations

import io
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mosaic_field import Field

from mvmdb.errors import ProductError
from mvmdb.mosaic.make import make_product
from mvmdb.mosaic.product.manifest import write_manifest
from mvmdb.mosaic.product.provenance import pack_rows
from mvmdb.mosaic.product.read import open_product, read_product
from mvmdb.mosaic.product.summary import WeightSummary
from mvmdb.mosaic.product.write import sweep_temporaries, write_atomically
from mvmdb.records import Canvas, LayerJob, ProductRecord


@pytest.fixture
def job(field: Field) -> LayerJob:
    paths = [
        field.expose("aa", shape=(40, 40), noise=0.01, exptime=100.0, expstart=55000.0),
        field.expose("bb", east=1.0, shape=(40, 40), noise=0.01, exptime=250.0, expstart=55100.0),
    ]
    return field.job(paths)


@pytest.fixture
def record(job: LayerJob) -> ProductRecord:
    return make_product(job)


def test_a_product_reads_back_as_it_was_written(job: LayerJob, record: ProductRecord) -> None:
    assert read_product(job.target) == record
    assert read_product(job.target, deep=True) == record
    assert (record.layer, record.skycell, record.canvas) == (job.layer, "skycell-p0726x10y04", job.canvas)
    assert record.recipe == job.recipe.to_json()
    assert record.recipe_digest == job.recipe_digest
    assert [(m.ipppssoo, m.pixels, m.wcs_digest, m.sky_group) for m in record.members] == [
        (m.ipppssoo, m.pixels, m.wcs_digest, m.sky_group) for m in job.members
    ]
    assert (record.size, record.mtime_ns) == (os.stat(job.target).st_size, os.stat(job.target).st_mtime_ns)


@pytest.mark.usefixtures("record")
def test_hdrtab_is_written_as_astropy_writes_it(job: LayerJob) -> None:
    rows = open_product(job.target).rows
    ours = pack_rows(rows)
    columns = [
        fits.Column(c.name, c.format, unit=c.unit, null=c.null, array=np.array(ours.data[c.name].tolist()))
        for c in ours.columns
    ]
    theirs = fits.BinTableHDU.from_columns(columns, name="HDRTAB")
    for keyword, text in ours.header["TCOMM*"].items():
        theirs.header[keyword] = text
    files = []
    for table in (pack_rows(rows), theirs):
        file = io.BytesIO()
        fits.HDUList([fits.PrimaryHDU(), table]).writeto(file)
        files.append(file.getvalue())
    assert files[0] == files[1]
    assert files[0][-2880:] == Path(job.target).read_bytes()[-2880:]


@pytest.mark.parametrize("keyword", ["TSCAL5", "TZERO6", "TDIM1"])
def test_a_table_whose_values_mean_something_else_is_damaged(
    job: LayerJob, record: ProductRecord, keyword: str
) -> None:
    with fits.open(job.target, mode="update") as hdus:
        hdus["HDRTAB"].header[keyword] = "(3,3)" if keyword == "TDIM1" else 2.0
        for name in ("CHECKSUM", "DATASUM"):  # as in products of earlier versions
            del hdus["HDRTAB"].header[name]
    with pytest.raises(ProductError, match="is damaged"):
        read_product(record.path)


@pytest.mark.usefixtures("record")
def test_header_has_the_keywords_of_a_multi_visit_mosaic(job: LayerJob) -> None:
    with fits.open(job.target) as hdus:
        hdus.verify("exception")
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "SCI", "WHT", "HDRTAB"]
        header, weight = hdus[0].header, hdus["WHT"].data.astype("f8")
        exposed = weight > 0
        assert (header["HAPLEVEL"], header["SCELLID"], header["NDRIZIM"]) == (4, "p0726x10y04", 2)
        assert (header["INSTRUME"], header["DETECTOR"], header["FILTER"]) == ("WFC3", "IR", "F125W")
        assert (header["FILENAME"], header["TELESCOP"]) == (Path(job.target).name, "HST")
        assert (header["EXPTIME"], header["EXPSTART"]) == (350.0, 55000.0)
        assert header["EXPEND"] == pytest.approx(55100 + 250 / 86400)
        assert header["PHOTFLAM"] == 2.2483417e-20
        assert header["MEANWHT"] == pytest.approx(weight[exposed].mean(), rel=1e-6)
        assert header["MEDWHT"] == pytest.approx(np.median(hdus["WHT"].data[exposed]), rel=1e-6)
        assert header["NPIXFRAC"] == pytest.approx(exposed.mean() * exposed.size / 21954**2, rel=0.02)
        assert 1 < header["MEANNEXP"] < 2
        # Where both lie 350 s are exposed; elsewhere 100 or 250 s. The mean follows from the mean number.
        assert header["MEANEXPT"] == pytest.approx(175 * header["MEANNEXP"], rel=0.01)
        assert (header["MEDNEXP"], header["MEDEXPT"]) == (2, 350)
        assert hdus["SCI"].header["BUNIT"] == "electron/s"
        assert hdus["SCI"].header["S_REGION"].startswith("POLYGON ICRS ")
        assert (hdus["SCI"].header["CTYPE1"], hdus["WHT"].header["CTYPE2"]) == ("RA---TAN", "DEC--TAN")
        assert list(hdus["HDRTAB"].data["ROOTNAME"]) == ["ib6o04aaq", "ib6o04bbq"]
        assert list(hdus["HDRTAB"].data["EXPTIME"]) == [100.0, 250.0]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(extension=st.sampled_from(["SCI", "WHT"]), where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_changed_bit_of_the_data_is_found_by_a_deep_read(
    job: LayerJob, record: ProductRecord, extension: str, where: float, bit: int
) -> None:
    path = Path(job.target)
    whole = path.read_bytes()
    with fits.open(path) as hdus:
        start, size = hdus.fileinfo(extension)["datLoc"], hdus[extension].data.nbytes
    damaged = bytearray(whole)
    damaged[start + int(where * size)] ^= 1 << bit
    status = path.stat()
    path.write_bytes(damaged)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert read_product(path) == record  # size, time and headers are as before
    with pytest.raises(ProductError, match="damaged"):
        read_product(path, deep=True)
    path.write_bytes(whole)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.usefixtures("record")
def test_a_bit_that_flips_anywhere_in_the_file_is_found_by_a_deep_read(job: LayerJob) -> None:
    path, rng = Path(job.target), np.random.default_rng(20260301)
    whole = path.read_bytes()
    with fits.open(path) as hdus:
        places = [hdus.fileinfo(number) for number in range(len(hdus))]
    parts = [(place["hdrLoc"], place["datLoc"]) for place in places]
    parts += [(place["datLoc"], place["datLoc"] + place["datSpan"]) for place in places[1:]]
    parts += [(place["datLoc"] + place["datSpan"] - 20, place["datLoc"] + place["datSpan"]) for place in places[1:]]
    unseen = []
    for start, end in parts:
        for offset in rng.integers(start, end, 8).tolist():
            damaged = bytearray(whole)
            damaged[offset] ^= 1 << int(rng.integers(8))
            path.write_bytes(damaged)
            try:
                read_product(path, deep=True)
            except ProductError:
                continue
            unseen.append((start, offset))
    assert unseen == []


@pytest.mark.usefixtures("record")
def test_changed_provenance_is_found_without_a_deep_read(job: LayerJob) -> None:
    path = Path(job.target)
    data = path.read_bytes()
    for text in (b"ib6o04bbq", job.members[0].wcs_digest.encode(), b'"good_bits": 528', job.recipe_digest.encode()):
        offset = data.rindex(text)
        path.write_bytes(data[:offset] + bytes([data[offset] ^ 1]) + data[offset + 1 :])
        with pytest.raises(ProductError, match="damaged"):
            read_product(path)


@pytest.mark.usefixtures("record")
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"CRVAL1  =    5", b"CRVAL1  =    6"),
        (b"BITPIX  =                  -32", b"BITPIX  =                   32"),
        (b"BINTABLE", b"BINTABLF"),
    ],
)
def test_changed_headers_of_the_extensions_are_found(job: LayerJob, old: bytes, new: bytes) -> None:
    path = Path(job.target)
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new, 1))
    with pytest.raises(ProductError, match="damaged"):
        read_product(path)


@pytest.mark.usefixtures("record")
@pytest.mark.parametrize("kept", [0, 100, 2880, 2880 * 4, 0.3, 0.6, 0.9, -2880, -1])
def test_a_product_that_is_cut_short_is_damaged(job: LayerJob, kept: float) -> None:
    path = Path(job.target)
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data)) if isinstance(kept, float) else kept])
    with pytest.raises(ProductError, match=f"{path.name} is damaged|holds .*expected PRIMARY"):
        read_product(path)


def test_a_product_that_grew_is_damaged(job: LayerJob, record: ProductRecord) -> None:
    with open(record.path, "ab") as file:
        file.write(b"\0" * 2880)
    with pytest.raises(ProductError, match=r"damaged|holds"):
        read_product(job.target)


def test_other_files_are_no_products(tmp_path: Path, field: Field) -> None:
    text = tmp_path / "a.fits"
    text.write_text("not FITS")
    for path, message in (
        (text, "damaged"),
        (tmp_path / "none.fits", "does not exist"),
        (field.expose("aa"), "SCI, E"),
    ):
        with pytest.raises(ProductError, match=message):
            read_product(path)


def test_a_mosaic_without_provenance_is_told_apart(job: LayerJob, record: ProductRecord) -> None:
    with fits.open(record.path) as hdus:
        columns = [column for column in hdus["HDRTAB"].columns if column.name not in ("PIXELS", "WCSDIGST")]
        hdus["HDRTAB"] = fits.BinTableHDU.from_columns(columns, name="HDRTAB")
        hdus.writeto(Path(job.target).with_name("other.fits"))
    with pytest.raises(ProductError, match="was not made by mvmdb"):
        read_product(Path(job.target).with_name("other.fits"))


# Writing


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "product.fits"
    target.write_bytes(b"old")

    def fail(file: object) -> None:
        file.write(b"half")  # type: ignore[attr-defined]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(target, fail)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("product.fits", b"old")]


def test_a_full_disk_is_an_error_that_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(ProductError, match=r"product\.fits: No space left"):
        write_atomically(tmp_path / "product.fits", lambda file: file.write(b"new"))
    assert not list(tmp_path.iterdir())


def test_sweeping_removes_what_a_kill_left_and_nothing_else(tmp_path: Path) -> None:
    kept = ["a_drz.fits", ".hidden", ".a_drz.fits.tmp", "a.12.tmp"]
    for name in [*kept, ".a_drz.fits.4711.tmp"]:
        (tmp_path / name).write_bytes(b"")
    assert sweep_temporaries(tmp_path) == [".a_drz.fits.4711.tmp"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)


def test_manifest_lists_the_products_with_their_logs_and_is_written_once(
    field: Field, job: LayerJob, record: ProductRecord
) -> None:
    make_product(replace(job, layer=job.layer.replace("f125w", "f105w"), target=job.target.replace("f125w", "f105w")))
    (field.products / "notes.txt").write_text("")
    (field.products / Path(record.path).name.replace("p0726x10y04", "p0726x10y05")).write_text("")
    assert write_manifest(field.products, "skycell-p0726x10y04")
    manifest = field.products / "skycell-p0726x10y04_manifest.txt"
    assert manifest.read_text().split() == [
        "hst_skycell-p0726x10y04_wfc3_ir_f105w_all_drz.fits",
        "hst_skycell-p0726x10y04_wfc3_ir_f105w_all_trl.txt",
        "hst_skycell-p0726x10y04_wfc3_ir_f125w_all_drz.fits",
        "hst_skycell-p0726x10y04_wfc3_ir_f125w_all_trl.txt",
    ]
    time = manifest.stat().st_mtime_ns
    assert not write_manifest(field.products, "skycell-p0726x10y04")
    assert manifest.stat().st_mtime_ns == time


@given(st.integers(0, 10**6), st.floats(0.0, 1.0), st.sampled_from(["<f4", ">f4"]))
def test_weight_statistics_are_numpys(seed: int, share: float, order: str) -> None:
    rng = np.random.default_rng(seed)
    weight = (rng.exponential(500, (30, 41)) * (rng.random((30, 41)) < share)).astype("f4")
    summary = WeightSummary()
    for top in (0, 7, 20):
        summary.add(weight[top : {0: 7, 7: 20}.get(top)].astype(order))
    numbers = summary.keywords(iter([weight.astype(order)]))
    kept = weight[weight > 0].astype("f8")
    expected = (kept.mean(), np.median(kept)) if kept.size else (0.0, 0.0)
    assert (numbers["MEANWHT"][0], numbers["MEDWHT"][0]) == pytest.approx(expected, rel=1e-12)


@given(*[st.integers(1, 21954)] * 4)
def test_canvas_text_reads_back(a: int, b: int, c: int, d: int) -> None:
    assert Canvas.parse(str(Canvas(a, b, c, d))) == Canvas(a, b, c, d)
