"""Files of drizzle parameters: TOML, and drizzlepac's JSON."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mvmdb.errors import InputError
from mvmdb.layers.recipes import choose_recipe
from mvmdb.parameters.astrodrizzle import APPLIED, REQUIRED, WITHOUT_EFFECT
from mvmdb.parameters.read import read_parameters, write_parameters
from mvmdb.recipe import Recipe

FINE = "hst_skycell-p0726x11y11_wfc3_ir_f125w_all"
COARSE = "hst_skycell-p0726x11y11_wfc3_ir_f125w_coarse-all"
DEEP = choose_recipe("wfc3", "ir", "f125w", "fine", 4)
SINGLE = choose_recipe("wfc3", "ir", "f125w", "fine", 1)
SHIPPED = {
    "_mdriztab_btn_": "Update From MDRIZTAB", "runfile": "astrodrizzle.log", "context": True, "stepsize": 10,
    "resetbits": "0", "num_cores": 1,
    "STEP 1: STATIC MASK": {"static": True, "static_sig": 4.0},
    "STEP 2: SKY SUBTRACTION": {
        "skysub": True, "skymethod": "match", "skystat": "median", "skywidth": 0.1, "skylower": -100.0,
        "sky_bits": "16", "skyupper": None, "skyclip": 5, "skylsigma": 4.0, "skyusigma": 4.0, "use_static": True,
    },
    "STEP 3: DRIZZLE SEPARATE IMAGES": {"driz_separate": False, "driz_sep_bits": "16"},
    "STEP 7: DRIZZLE FINAL COMBINED IMAGE": {
        "final_pixfrac": 1.0, "final_fillval": None, "final_bits": "528", "final_wht_type": "EXP",
        "final_kernel": "square", "final_units": "cps",
    },
}  # fmt: skip
"""Part of what drizzlepac 3.11 has for WFC3/IR at depth 2 and more."""


def entry(**changes: Any) -> dict[str, Any]:
    steps = {"astrodrizzle": {**SHIPPED, **changes}, "alignment": {"run_align": {}}, "quality control": {}}
    return {"parameters": steps, "default_values": steps}


def write_json(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content))
    return path


def test_toml_sets_values_for_all_layers_and_for_single_ones(tmp_path: Path) -> None:
    file = tmp_path / "p.toml"
    file.write_text(
        f'good_bits = "16,64"\npixfrac = 0.8\nsky_clips = 3\n[layers.{FINE}]\npixfrac = 1\nkernel = "turbo"\n'
    )
    parameters = read_parameters(file)
    assert parameters.adjust(COARSE, DEEP) == replace(DEEP, good_bits=80, pixfrac=0.8, sky_clips=3)
    assert parameters.adjust(FINE, DEEP) == replace(DEEP, good_bits=80, pixfrac=1.0, kernel="turbo", sky_clips=3)
    assert parameters.unmatched({COARSE}) == [FINE]
    assert parameters.unmatched({FINE, COARSE}) == []


def test_values_of_a_sky_that_is_not_matched_change_no_recipe(tmp_path: Path) -> None:
    file = tmp_path / "p.toml"
    file.write_text("sky_clips = 3\nsky_good_bits = 80\n")
    assert read_parameters(file).adjust(FINE, SINGLE) == SINGLE
    file.write_text("sky_match = true\nsky_clips = 3\nsky_good_bits = [16, 64]\n")
    matched = replace(SINGLE, sky_match=True, sky_clips=3, sky_good_bits=80)
    assert read_parameters(file).adjust(FINE, SINGLE) == matched


def test_what_skies_are_matched_in_follows_from_whether_they_are(tmp_path: Path) -> None:
    layer = "hst_skycell-p0726x11y11_wfpc2_pc_f814w_all"
    deep, single = (choose_recipe("wfpc2", "pc", "f814w", "fine", mean) for mean in (4, 1))
    file = tmp_path / "p.toml"
    file.write_text("sky_match = true\nsky_good_bits = 1032\ngood_bits = 1034\n")
    assert read_parameters(file).adjust(layer, single) == deep
    file.write_text("sky_match = false\n")
    assert read_parameters(file).adjust(layer, deep) == replace(deep, sky_match=False, sky_units="electrons")


def test_the_shipped_parameters_of_drizzlepac_are_the_recipe_of_mvmdb(tmp_path: Path) -> None:
    file = write_json(tmp_path / "p.json", {FINE: entry(), COARSE: entry()})
    assert read_parameters(file).adjust(FINE, replace(DEEP, good_bits=0, pixfrac=0.5, sky_match=False)) == DEEP


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"final_bits": "16+64"}, {"good_bits": 80}),
        ({"final_bits": "0", "resetbits": "4096"}, {"good_bits": 4096, "sky_good_bits": 4112}),
        ({"final_kernel": "point"}, {"kernel": "point"}),
        ({"skylsigma": 3, "skyusigma": 3.0, "skyclip": 2}, {"sky_sigma": 3.0, "sky_clips": 2}),
        ({"skysub": False}, {"sky_match": False}),
        ({"skysub": False, "skystat": "mean"}, {"sky_match": False}),
    ],
)
def test_json_says_the_same_as_a_recipe(tmp_path: Path, changes: dict[str, Any], expected: dict[str, Any]) -> None:
    flat: dict[str, Any] = {}
    for name, value in SHIPPED.items():
        flat |= value if isinstance(value, dict) else {name: value}
    steps = {"astrodrizzle": {**flat, **changes}}
    file = write_json(tmp_path / "p.json", {FINE: {"parameters": steps}})
    assert read_parameters(file).adjust(FINE, DEEP) == replace(DEEP, **expected)


def test_what_was_written_reads_back_and_other_layers_stay(tmp_path: Path) -> None:
    file = tmp_path / "p.json"
    changed = replace(DEEP, pixfrac=0.7, good_bits=96, sky_sigma=3.5)
    write_parameters(file, {FINE: changed})
    write_parameters(file, {COARSE: SINGLE})
    parameters = read_parameters(file)
    assert parameters.adjust(FINE, DEEP) == changed
    assert parameters.adjust(COARSE, SINGLE) == SINGLE
    file.write_text("nothing")
    with pytest.raises(InputError, match="is there and is not JSON"):
        write_parameters(file, {FINE: DEEP})
    assert file.read_text() == "nothing"


def test_a_layer_that_json_does_not_name_is_refused_and_exposures_have_no_effect(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    single = entry(driz_separate=True)
    file = write_json(tmp_path / "p.json", {FINE: entry(), f"{COARSE}-ib6o04tu": single})
    with caplog.at_level(logging.INFO, "mvmdb"):
        parameters = read_parameters(file)
    assert "coarse-all-ib6o04tu has no effect" in caplog.text
    with pytest.raises(InputError, match=f"has no parameters for {COARSE}; expected each layer"):
        parameters.adjust(COARSE, DEEP)


def test_sections_that_differ_are_refused_unless_one_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    edited = {"parameters": entry(final_pixfrac=0.5)["parameters"], "default_values": entry()["default_values"]}
    del edited["parameters"]["astrodrizzle"]["STEP 7: DRIZZLE FINAL COMBINED IMAGE"]
    file = write_json(tmp_path / "p.json", {FINE: edited})
    with pytest.raises(InputError, match="parameters and default_values differ"):
        read_parameters(file)
    assert read_parameters(file, "parameters").adjust(FINE, DEEP).pixfrac == 0.5
    assert "differs from parameters, which is read" in caplog.text
    assert read_parameters(file, "default_values").adjust(FINE, DEEP).pixfrac == 1.0


REFUSED_TOML = [
    ("pixfrc = 1", "there is no parameter pixfrc; expected any of sky_match"),
    ("algorithm = 2", "there is no parameter algorithm"),
    ("pixfrac = 0", "pixfrac is 0; expected a number above 0"),
    ("pixfrac = true", "pixfrac is True"),
    ('kernel = "gaussian"', "kernel is 'gaussian'; expected any of square, point, turbo"),
    ("good_bits = -1", "good_bits is -1; expected DQ bits"),
    ('good_bits = "~16"', "good_bits is '~16'"),
    ("good_bits = [1.5]", "good_bits is"),
    ("sky_match = 1", "sky_match is 1; expected true or false"),
    ("sky_clips = 1.5", "sky_clips is 1.5"),
    ("sky_sigma = nan", "sky_sigma is nan"),
    ("sky_lower = inf", "sky_lower is inf"),
    ("layers = 3", "layers is no table of tables"),
    ("[layers.nonsense]", "'nonsense' is not a layer"),
    (f"[layers.{FINE}]\nx = 1", f"{FINE}: there is no parameter x"),
    ("pixfrac = ", "is not TOML"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED_TOML)
def test_toml_that_mvmdb_cannot_follow_is_refused(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "p.toml"
    file.write_text(text)
    with pytest.raises(InputError, match=message.replace("[", r"\[")):
        read_parameters(file)


REFUSED_JSON = [
    ([], "holds no layers"),
    ({}, "holds no layers"),
    ({"x": {}}, "'x' is not a layer"),
    ({f"{FINE}-ib6o04tu": entry()}, "names no layer"),
    ({FINE: {"other": {}}}, "expected the sections"),
    ({FINE: {"parameters": {}}}, "the step astrodrizzle is missing"),
    ({FINE: {"parameters": {"astrodrizzle": {}, "photometry": {}}}}, "there is no step photometry"),
    ({FINE: entry(final_pxfrac=1)}, "AstroDrizzle has no parameter final_pxfrac"),
    ({FINE: entry(driz_cr=True)}, "driz_cr is True; expected False"),
    ({FINE: entry(final_units="counts")}, "final_units is 'counts'; expected 'cps'"),
    ({FINE: entry(final_scale=0.05)}, r"final_scale is 0\.05; expected None"),
    ({FINE: entry(skymethod="localmin")}, "skymethod is 'localmin'"),
    ({FINE: entry(skystat="mode")}, "skystat is 'mode'"),
    ({FINE: entry(skylsigma=3, skyusigma=4)}, "clips evenly"),
]


@pytest.mark.parametrize(("content", "message"), REFUSED_JSON)
def test_json_that_mvmdb_cannot_follow_is_refused(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_parameters(write_json(tmp_path / "p.json", content))


def test_files_that_are_neither_or_cannot_be_read_are_refused(tmp_path: Path) -> None:
    for name in ("p.yaml", "p.toml", "p.json", "p"):
        with pytest.raises(InputError, match=r"expected (a file )?\*\.toml"):
            read_parameters(tmp_path / name)
    (tmp_path / "deep.json").write_text("[" * 100_000)
    with pytest.raises(InputError, match="is not JSON"):
        read_parameters(tmp_path / "deep.json")
    with pytest.raises(InputError, match="cannot be written"):
        write_parameters("/proc/p.json", {FINE: DEEP})


def test_each_key_of_drizzlepac_has_one_meaning() -> None:
    groups = [set(APPLIED), set(REQUIRED), set(WITHOUT_EFFECT)]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 97
    assert Recipe.from_json(DEEP.to_json()) == DEEP
