# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
import yaml

from acreline import config
from acreline.config import (
    Crop,
    Policy,
    Provider,
    Region,
    find_config,
    list_configs,
    packaged_configs,
    read_crops,
    read_policy,
    read_provider,
    read_region,
    read_settings,
)
from acreline.errors import ConfigError
from acreline.parcels import read_parcels

REGIONS = Path(__file__).parents[1] / "configs" / "regions"

GOOD = """\
name: here-2025
season: {start: 2024-10-01, end: 2025-12-15}
provider: folder
catalog: scenes/catalog.json
parcels: {path: ../farm.gpkg, datum: wgs84}
crops: [maize]
policy: demo
"""
POLICY = {
    "id": "demo-1",
    "title": "Demonstration",
    "currency": "CNY",
    "round_to": "100",
    "valid_from": "2025-01-01",
    "author": "A",
    "approver": "B",
    "rules": [{"rule": "cap", "source": "demonstration only"}],
}


@pytest.fixture(autouse=True)
def _no_settings_of_the_tester(monkeypatch):
    import os

    for name in [name for name in os.environ if name.upper().startswith("ACRELINE_")]:
        monkeypatch.delenv(name)


def write(folder: Path, text: str, name: str = "region.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def refused(path: Path, words: str, hint: str = "", **overrides: object) -> ConfigError:
    with pytest.raises(ConfigError, match=words) as caught:
        read_region(path, overrides)
    assert hint in caught.value.hint
    assert caught.value.exit_code == 2
    assert str(path.name) in str(caught.value)
    return caught.value


# --- reading ------------------------------------------------------------------------------------------------------
def test_paths_count_from_the_file(tmp_path):
    path = write(tmp_path, GOOD + "applicants: a.csv\n")
    region = read_region(path)
    assert region.parcels.path == tmp_path.parent / "farm.gpkg"
    assert region.catalog == str(tmp_path / "scenes" / "catalog.json")
    assert region.applicants == tmp_path / "a.csv"
    assert region.weather is None
    assert region.file == path
    assert region.season.end == date(2025, 12, 15)


def test_an_address_is_no_path(tmp_path):
    path = write(tmp_path, GOOD.replace("scenes/catalog.json", "https://example.org/stac"))
    assert read_region(path).catalog == "https://example.org/stac"


def test_file_then_environment_then_argument(tmp_path, monkeypatch):
    path = write(tmp_path, GOOD + "block_px: 512\n")
    assert read_region(path).block_px == 512
    monkeypatch.setenv("ACRELINE_BLOCK_PX", "256")
    monkeypatch.setenv("ACRELINE_PARCELS__DATUM", "gcj02")
    monkeypatch.setenv("ACRELINE_SOMETHING_ELSE", "is somebody else's")
    region = read_region(path)
    assert (region.block_px, region.parcels.datum) == (256, "gcj02")
    assert region.parcels.path.name == "farm.gpkg"  # the rest of the group stays
    region = read_region(path, {"block_px": 64, "parcels": {"datum": "bd09"}})
    assert (region.block_px, region.parcels.datum) == (64, "bd09")


def test_an_environment_that_cannot_be_read(tmp_path, monkeypatch):
    monkeypatch.setenv("ACRELINE_CROPS", "maize,")
    with pytest.raises(ConfigError, match="environment: ") as caught:
        read_region(write(tmp_path, GOOD))
    assert "JSON" in caught.value.hint


def test_settings_cannot_be_changed(tmp_path):
    with pytest.raises(ValueError, match="frozen"):
        read_region(write(tmp_path, GOOD)).name = "there"


# --- what is wrong with a file ------------------------------------------------------------------------------------
def test_an_unknown_key_names_the_nearest_word(tmp_path):
    error = refused(write(tmp_path, GOOD + "polcy: demo\n"), "unknown key 'polcy'", "did you mean 'policy'?")
    assert error.context["key"] == "polcy"


def test_an_unknown_key_in_a_group_is_named_with_its_group(tmp_path):
    path = write(tmp_path, GOOD.replace("datum: wgs84", "datum: wgs84, colums: {}"))
    refused(path, r"unknown key 'parcels\.colums'", "did you mean 'columns'? known here: columns, crs, datum")


def test_a_missing_key(tmp_path):
    refused(write(tmp_path, GOOD.replace("policy: demo\n", "")), "policy: Field required", "mend 'policy'")


def test_a_missing_datum_is_never_guessed(tmp_path):
    refused(write(tmp_path, GOOD.replace(", datum: wgs84", "")), r"parcels\.datum: Field required")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("datum: wgs84", "datum: wgs72", r"parcels\.datum: .*found 'wgs72'"),
        ("end: 2025-12-15", "end: 2024-10-01", "season must start before it ends, not 2024-10-01 .. 2024-10-01"),
        ("end: 2025-12-15", "end: 2026-12-15", "a season is at most 550 days, not 805"),
        ("end: 2025-12-15", "end: 15.12.2025", r"season\.end: .*found '15\.12\.2025'"),
        ("name: here-2025", "name: ../../x", r"name: .*found '\.\./\.\./x'"),
        ("crops: [maize]", "crops: []", "crops: "),
        ("policy: demo", "policy: demo\nblock_px: 1000", "block_px must be a multiple of 32, not 1000"),
        ("policy: demo", "policy: demo\nblock_px: 8192", "block_px: .*found 8192"),
        ("policy: demo", "policy: demo\nevidence: {min_clear_looks: 0}", r"evidence\.min_clear_looks: .*found 0"),
    ],
)
def test_a_wrong_value_is_named_with_what_was_found(tmp_path, old, new, words):
    refused(write(tmp_path, GOOD.replace(old, new)), words)


def test_bad_yaml_names_the_line(tmp_path):
    refused(write(tmp_path, "name: a\nseason: {start: [\npolicy: }\n"), r"line 3: not valid YAML", "mend the line")


def test_yaml_never_makes_objects(tmp_path):
    refused(write(tmp_path, GOOD + "model: !!python/object/apply:os.getcwd []\n"), "line 8: not valid YAML")


@pytest.mark.parametrize(("text", "kind"), [("", "NoneType"), ("- a\n", "list"), ("hello\n", "str")])
def test_yaml_that_is_no_settings(tmp_path, text, kind):
    refused(write(tmp_path, text), f"expected keys and values, found {kind}")


def test_a_missing_file(tmp_path):
    refused(tmp_path / "none.yaml", "no such file", "check the path")


def test_a_file_that_is_no_text(tmp_path):
    path = tmp_path / "region.yaml"
    path.write_bytes(b"name: \xff\xfe")
    refused(path, "cannot be read", "UTF-8")


# --- names --------------------------------------------------------------------------------------------------------
@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A folder of configs of the test's own."""
    for kind, name, content in (
        ("providers", "folder", {"name": "folder", "kind": "folder", "bands": {"B02": "blue"}}),
        ("providers", "earth-search", {"name": "earth-search", "kind": "api", "href": "https://x.test", "bands": {}}),
        ("policies", "demo", POLICY),
        *(
            ("crops", slug, {"slug": slug, "name_en": slug, "name_zh": "作物", "slot": "B", "colour": "#00ff00"})
            for slug in ("maize", "soybean")
        ),
    ):
        (tmp_path / "shelf" / kind).mkdir(parents=True, exist_ok=True)
        write(tmp_path / "shelf" / kind, yaml.safe_dump(content), f"{name}.yaml")
    monkeypatch.setattr(config, "packaged_configs", lambda: tmp_path / "shelf")
    return tmp_path


def test_an_unknown_provider_names_the_nearest(shelf):
    region = read_region(write(shelf, GOOD.replace("provider: folder", "provider: earthsearch")))
    with pytest.raises(ConfigError, match="providers: 'earthsearch' is not known") as caught:
        read_provider(region)
    assert caught.value.hint == "did you mean 'earth-search'? known: earth-search, folder"


def test_a_provider_takes_the_regions_address(shelf):
    region = read_region(write(shelf, GOOD))
    assert read_provider(region).href == str(shelf / "scenes" / "catalog.json")
    bare = read_region(write(shelf, GOOD.replace("catalog: scenes/catalog.json\n", "")))
    with pytest.raises(ConfigError, match="provider 'folder' has no address") as caught:
        read_provider(bare)
    assert "catalog:" in caught.value.hint


def test_a_provider_of_ones_own(shelf):
    write(shelf, "name: mine\nkind: folder\nhref: here\nbands: {B02: b2}\n", "mine.yaml")
    bare = GOOD.replace("catalog: scenes/catalog.json\n", "").replace("provider: folder", "provider: mine.yaml")
    assert read_provider(read_region(write(shelf, bare))).name == "mine"
    with pytest.raises(ConfigError, match=r"providers: no file other\.yaml") as caught:
        read_provider(read_region(write(shelf, bare.replace("mine.yaml", "other.yaml"))))
    assert "relative to the file" in caught.value.hint


def test_crops_come_in_the_regions_order(shelf):
    crops = read_crops(read_region(write(shelf, GOOD.replace("[maize]", "[soybean, maize]"))))
    assert list(crops) == ["soybean", "maize"]
    assert isinstance(crops["maize"], Crop)
    with pytest.raises(ConfigError, match="crops: 'maiz' is not known") as caught:
        read_crops(read_region(write(shelf, GOOD.replace("[maize]", "[maiz]"))))
    assert "did you mean 'maize'?" in caught.value.hint


def test_names_are_listed_sorted(shelf):
    assert list_configs("crops") == ["maize", "soybean"]
    assert list_configs("regions") == []
    assert find_config("policies", "demo").name == "demo.yaml"


# --- policies -----------------------------------------------------------------------------------------------------
def test_a_policy_by_name(shelf):
    policy = read_policy("demo")
    assert (policy.id, policy.currency, policy.round_to, policy.valid_to) == ("demo-1", "CNY", 100, None)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"approver": "A"}, "author and approver must be two people, both are 'A'"),
        ({"valid_to": "2024-12-31"}, "valid_to 2024-12-31 lies before valid_from 2025-01-01"),
        ({"round_to": "0"}, "round_to: "),
        ({"currency": "yuan"}, "currency: .*found 'yuan'"),
        ({"rules": []}, "rules: "),
        ({"rules": [{"rule": "cap"}]}, r"rules\.0\.source: Field required"),
        ({"rules": [{"rule": "cap", "source": "law", "setting": {}}]}, r"unknown key 'rules\.0\.setting'"),
    ],
)
def test_a_policy_that_cannot_be(tmp_path, change, words):
    path = write(tmp_path, yaml.safe_dump({**POLICY, **change}), "policy.yaml")
    with pytest.raises(ConfigError, match=words):
        read_settings(Policy, path)


def test_the_hint_of_a_key_inside_a_list(tmp_path):
    path = write(tmp_path, yaml.safe_dump({**POLICY, "rules": [{"rule": "cap", "sorce": "law"}]}), "policy.yaml")
    with pytest.raises(ConfigError) as caught:
        read_settings(Policy, path)
    assert caught.value.hint in (
        "did you mean 'source'? known here: rule, settings, source",
        "mend 'rules.0.source' in the file",
    )


# --- what comes with the package ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("model", "kind", "word"),
    [
        (Region, "regions", "region"),
        (Provider, "providers", "provider"),
        (Crop, "crops", "crop"),
        (Policy, "policies", "policy"),
    ],
)
def test_the_json_schema_for_editors_is_current(model, kind, word):
    kept = (packaged_configs() / kind / f"{word}.schema.json").read_text(encoding="utf-8")
    made = json.dumps(model.model_json_schema(), indent=2, sort_keys=True) + "\n"
    assert kept == made, "write it again: json.dumps(<Model>.model_json_schema(), indent=2, sort_keys=True) + newline"


@pytest.mark.parametrize("kind", ["regions", "providers", "crops", "policies"])
def test_every_packaged_settings_file_names_its_schema(kind):
    for path in sorted((packaged_configs() / kind).rglob("*.yaml")):
        first = path.read_text(encoding="utf-8").splitlines()[0]
        assert first.startswith("# yaml-language-server: $schema="), path.name
        assert (path.parent / first.rpartition("=")[2]).is_file(), path.name


@pytest.mark.parametrize("path", sorted(REGIONS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_packaged_region_loads(path):
    region = read_region(path)
    assert region.name == path.stem
    made = f"acreline simulate {path.stem} --out runs/{path.stem}" in path.read_text(encoding="utf-8")
    assert region.parcels.path.is_file() or (made and region.parcels.path.parent.name == path.stem)


def test_xingping_is_twelve_invented_fields_where_they_belong():
    region = read_region(REGIONS / "xingping-2025.yaml")
    parcels = read_parcels(region.parcels)
    assert parcels["status"].tolist() == ["ok"] * 12
    assert parcels["farm_id"].nunique() == 6
    west, south, east, north = parcels.total_bounds
    assert 108.46 < west < east < 108.50
    assert 34.28 < south < north < 34.30
    # Written as a web map would give them, and placed right: the areas agree with the sides they were drawn with.
    assert parcels["area_m2"].to_numpy() == pytest.approx(parcels["declared_area_m2"].to_numpy(), rel=6e-3)
    assert set(parcels["declared_crop"]) <= set(region.crops)


def test_configs_are_found_in_the_source_tree():
    assert packaged_configs() == REGIONS.parent
    assert isinstance(Provider(name="x", kind="api", bands={}), Provider)
