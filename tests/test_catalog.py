# SPDX-License-Identifier: Apache-2.0
"""The STAC catalogue over a publication's maps: valid, movable, the same bytes, and honest about its sources."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pystac
import pytest
from pystac.validation import RegisteredValidator
from pystac.validation.stac_validator import JsonSchemaSTACValidator

from acreline.errors import StoreError
from acreline.report import write_catalog
from tests.made_publication import CLASSES, make_publication

BLOCK = "31UDS_r7032_c10140_1024"


class CoreOnly(JsonSchemaSTACValidator):
    """pystac's own schemas; those of extensions would be fetched from the net."""

    def validate_extension(self, *args: Any, **kwargs: Any) -> str | None:
        return None


@pytest.fixture(scope="module")
def publication(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_publication(tmp_path_factory.mktemp("made") / "publication")
    write_catalog(folder)
    return folder


@pytest.fixture(scope="module")
def item(publication: Path) -> dict[str, Any]:
    return json.loads((publication / "maps" / f"{BLOCK}.json").read_text(encoding="utf-8"))


def test_catalogue_is_valid_and_complete(publication: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog = pystac.Catalog.from_file(str(publication / "catalog.json"))
    monkeypatch.setattr(RegisteredValidator, "_validator", CoreOnly())
    assert catalog.validate_all() == 1
    assert [child.id for child in catalog.get_children()] == ["made-square"]
    items = list(catalog.get_items(recursive=True))
    assert [item.id for item in items] == [BLOCK]
    for asset in items[0].assets.values():
        assert Path(asset.get_absolute_href() or "").is_file()


def test_every_link_is_relative_so_the_folder_can_be_moved(publication: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(publication, tmp_path / "moved")
    for path in [moved / "catalog.json", *sorted((moved / "maps").glob("*.json"))]:
        for link in json.loads(path.read_text(encoding="utf-8"))["links"]:
            assert link["href"].startswith(("./", "../", "urn:")), link
        assert str(publication) not in path.read_text(encoding="utf-8")
    [item] = pystac.Catalog.from_file(str(moved / "catalog.json")).get_items(recursive=True)
    assert item.get_collection().id == "made-square"


def test_same_publication_gives_the_same_bytes(publication: Path, tmp_path: Path) -> None:
    again = make_publication(tmp_path / "again")
    write_catalog(again)
    for name in ("catalog.json", "maps/collection.json", f"maps/{BLOCK}.json"):
        assert (again / name).read_bytes() == (publication / name).read_bytes()
    assert "updated" not in (publication / "maps" / f"{BLOCK}.json").read_text(encoding="utf-8")


def test_item_names_every_used_scene_of_its_tile(publication: Path, item: dict[str, Any]) -> None:
    scenes = pq.read_table(publication / "scenes.parquet").to_pylist()
    used = [scene["scene_id"] for scene in scenes if scene["status"] == "used"]
    sources = [link for link in item["links"] if link["rel"] == "derived_from"]
    assert [link["title"] for link in sources] == used
    assert sources[0]["href"] == f"urn:acreline:scene:{used[0]}"
    assert item["properties"]["start_datetime"] == "2017-10-01T10:50:00Z"
    assert item["properties"]["datetime"] == item["properties"]["end_datetime"] == "2018-12-10T10:50:00Z"


def test_assets_carry_grid_classes_and_checksum(publication: Path, item: dict[str, Any]) -> None:
    crop = item["assets"]["crop"]
    path = publication / "maps" / crop["href"]
    assert crop["file:checksum"] == "1220" + hashlib.sha256(path.read_bytes()).hexdigest()
    assert crop["file:size"] == path.stat().st_size
    assert (crop["proj:code"], crop["proj:shape"]) == ("EPSG:32631", [64, 64])
    assert crop["proj:transform"] == [10, 0, 501360, 0, -10, 5629680]
    assert [band["name"] for band in crop["bands"]] == ["A", "B"]
    assert "bands" not in item["assets"]["health"]
    classes = crop["classification:classes"]
    assert [row["value"] for row in classes] == [int(code) for code in CLASSES["crop"]]
    assert classes[1] == {
        "value": 1,
        "name": "maize",
        "title": "Maize",
        "description": "Maize 玉米",
        "color_hint": "E3A72F",
    }
    assert item["properties"]["processing:software"] == {"acreline": "0.1.0", "acrenet-s": "1 (5ab1c0ffee)"}


def test_footprint_is_that_of_the_map(item: dict[str, Any]) -> None:
    # Corners of 501360..502000, 5629040..5629680 in EPSG:32631, which lies just east of the zone's 3 degrees east.
    west, south, east, north = item["bbox"]
    assert (west, south) == pytest.approx((3.01930, 50.81309), abs=1e-4)
    assert (east - west) * 111_320 * 0.632 == pytest.approx(640, abs=5)
    assert (north - south) * 111_260 == pytest.approx(640, abs=2)
    assert len(item["geometry"]["coordinates"][0]) == 5


def test_maps_without_one_used_scene_are_dated_by_the_season(tmp_path: Path) -> None:
    folder = make_publication(tmp_path / "dark")
    pq.write_table(pq.read_table(folder / "scenes.parquet").slice(0, 0), folder / "scenes.parquet")
    write_catalog(folder)
    dark = json.loads((folder / "maps" / f"{BLOCK}.json").read_text(encoding="utf-8"))
    assert dark["properties"]["start_datetime"] == "2017-10-01T00:00:00Z"
    assert dark["properties"]["datetime"] == "2018-12-15T00:00:00Z"
    assert [link for link in dark["links"] if link["rel"] == "derived_from"] == []


def test_maps_of_simulated_land_owe_nothing_to_a_satellite(tmp_path: Path) -> None:
    folder = make_publication(tmp_path / "made")
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    (folder / "manifest.json").write_text(json.dumps(manifest | {"simulated": True}), encoding="utf-8")
    write_catalog(folder)
    told = json.loads((folder / "maps" / "collection.json").read_text(encoding="utf-8"))
    assert "Simulated land" in told["description"]
    assert "Copernicus" not in json.dumps(told)


def test_without_maps_the_catalogue_is_empty(tmp_path: Path) -> None:
    folder = make_publication(tmp_path / "none")
    shutil.rmtree(folder / "maps")
    write_catalog(folder)
    assert list(pystac.Catalog.from_file(str(folder / "catalog.json")).get_children()) == []


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    folder = make_publication(tmp_path / "lost")
    (folder / "scenes.parquet").unlink()
    with pytest.raises(StoreError, match=r"scenes\.parquet: no such file"):
        write_catalog(folder)
