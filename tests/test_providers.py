# SPDX-License-Identifier: Apache-2.0
"""One recorded item per real provider, with the reflectance that a stored 1500 means there."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely

from acreline.config import Provider, SeasonSettings, find_config, list_configs, read_settings
from acreline.layers import BANDS, DN_OFFSET, Scene
from acreline.search import search_scenes

RECORDED = Path(__file__).parent / "data" / "stac"


def read_provider(name: str) -> Provider:
    return read_settings(Provider, find_config("providers", name))


def search_recorded(name: str, provider: Provider, place: tuple[float, float] | None = None) -> Any:
    """The recorded item of a provider through its own settings, from disk instead of its server."""
    item = json.loads((RECORDED / name).read_text(encoding="utf-8"))
    local = provider.model_copy(update={"kind": "folder", "href": str(RECORDED / name), "lag_days": 0})
    inside = shapely.Point(place) if place else shapely.geometry.shape(item["geometry"]).representative_point()
    parcels: Any = gpd.GeoDataFrame({"status": ["ok"]}, geometry=[inside.buffer(0.001)], crs=4326)
    stamp = item["properties"].get("start_datetime") or item["properties"]["datetime"]
    day = date.fromisoformat(stamp[:10])
    season = SeasonSettings(start=day.replace(month=1, day=1), end=day.replace(month=12, day=31))
    return search_scenes(parcels, season, local, as_of=date(2026, 11, 24))


def reflectance_of(dn: int, scene: Scene) -> float:
    """As a cube means it: v = DN + 1000 - offset, reflectance = 0.0001 v - 0.1."""
    return round(0.0001 * (dn + DN_OFFSET - scene.dn_offset) - 0.1, 10)


@pytest.mark.parametrize(
    ("name", "provider", "collection", "expected"),
    [
        ("earth-search-boa-applied.json", "earth-search", None, (0.15, "S2B_R095_20250731", "24MVV", "05.11")),
        ("earth-search-2020.json", "earth-search", None, (0.15, "S2A_R037_20200219", "29RKH", "02.14")),
        ("earth-search-c1.json", "earth-search", "sentinel-2-c1-l2a", (0.05, "S2A_R098_20240422", "13TDE", "05.10")),
        ("planetary-computer-2023.json", "planetary-computer", None, (0.05, "S2A_R082_20230216", "19PHS", "04.00")),
        ("planetary-computer-2020.json", "planetary-computer", None, (0.15, "S2A_R078_20200731", "35MNM", "02.12")),
        ("cdse-2020-reprocessed.json", "cdse", None, (0.05, "S2B_R135_20200322", "36NYH", "05.00")),
        ("earth-search-v0.json", "folder", None, (0.15, "S2B_R095_20250731", "20EPT", "05.11")),
        ("earth-search-boa-applied.json", "folder", None, (0.15, "S2B_R095_20250731", "24MVV", "05.11")),
        ("stactools-2020-reprocessed.json", "folder", None, (0.05, "S2B_20200914", "01VCG", "05.00")),
        ("stactools-2019.json", "folder", None, (0.15, "S2A_R013_20190212", "07HFE", "02.12")),
    ],
)
def test_what_a_stored_number_means(name: str, provider: str, collection: str | None, expected: Any) -> None:
    settings = read_provider(provider).model_copy(update={"signing": "s3" if provider == "cdse" else "none"})
    if collection:
        settings = settings.model_copy(update={"collection": collection})
    scenes = search_recorded(name, settings)
    assert scenes.set_aside == ()
    (scene,) = scenes.items
    assert (reflectance_of(1500, scene), scene.pass_id, scene.tile, scene.baseline) == expected
    assert list(scene.assets) == [*BANDS, "SCL"]
    assert all("://" in href or Path(href).is_absolute() for href in scene.assets.values())


def test_asset_addresses_can_be_opened_as_they_stand() -> None:
    cdse = search_recorded("cdse-2020-reprocessed.json", read_provider("cdse"))
    assert cdse.items[0].assets["B02"].startswith("s3://eodata/Sentinel-2/MSI/L2A_N0500/2020/03/22/")
    assert cdse.items[0].flags == ("jpeg2000",)
    assert cdse.read_options["AWS_S3_ENDPOINT"] == "eodata.dataspace.copernicus.eu"
    assert cdse.read_options["AWS_VIRTUAL_HOSTING"] == "FALSE"
    earth = search_recorded("earth-search-2020.json", read_provider("earth-search"))
    assert earth.items[0].assets["SCL"].startswith("https://sentinel-cogs.s3.us-west-2.amazonaws.com/")
    assert earth.items[0].flags == ()


@pytest.mark.parametrize(
    ("name", "place", "reason", "detail"),
    [
        ("earth-search-l1c.json", None, "foreign_scheme", "B02: s3:// is not among this provider's ways"),
        ("fields-excluded.json", (-105.0, 40.0), "no_geometry", "the item has no footprint"),
        ("geodes-zip.json", None, "missing_asset", "no asset for B02 (B02 or blue or B02_10m)"),
        ("antimeridian.json", (-179.5, 67.0), "foreign_scheme", "s3://"),
        ("antimeridian.json", (0.0, 67.0), "outside_area", "the footprint does not touch the parcels"),
    ],
)
def test_items_that_are_no_use_are_set_aside_by_name(
    name: str, place: tuple[float, float] | None, reason: str, detail: str
) -> None:
    scenes = search_recorded(name, read_provider("folder"), place)
    assert scenes.items == ()
    (aside,) = scenes.set_aside
    assert aside.reason == reason
    assert detail in aside.detail


def test_collections_that_are_mixed_in_are_set_aside() -> None:
    scenes = search_recorded("earth-search-l1c.json", read_provider("earth-search"))
    assert scenes.set_aside[0].detail == "of collection sentinel-2-l1c, not sentinel-2-l2a"


@pytest.mark.parametrize("name", list_configs("providers"))
def test_each_provider_file_names_all_bands_and_says_how_late_it_is(name: str) -> None:
    provider = read_provider(name)
    assert provider.name == name
    assert set(provider.bands) == {*BANDS, "SCL"}
    assert (provider.href is None) == (provider.kind == "folder")
    text = find_config("providers", name).read_text(encoding="utf-8")
    before = text.split("lag_days:")[0].rsplit("\n\n", 1)[1]
    assert before.startswith("#"), "lag_days has no source beside it"
    assert "Order of magnitude" in before or provider.lag_days == 0


def test_there_is_no_secret_in_the_recorded_items() -> None:
    for file in RECORDED.glob("*.json"):
        text = file.read_text(encoding="utf-8")
        assert not any(word in text for word in ("sig=", "token=", "X-Amz-")), file.name


def test_the_demo_region_is_found_whole() -> None:
    """The packaged catalogue: 118 dates, all within the tile, ten of them before the season."""
    demo = Path(__file__).parents[1] / "data" / "flanders-2018" / "catalog.json"
    provider = read_provider("folder").model_copy(update={"href": str(demo)})
    parcels: Any = gpd.GeoDataFrame(
        {"status": ["ok"]}, geometry=[shapely.box(3.0195, 50.8132, 3.028, 50.8187)], crs=4326
    )
    season = SeasonSettings(start=date(2017, 10, 1), end=date(2018, 12, 15))
    scenes = search_scenes(parcels, season, provider, as_of=season.end)
    assert scenes.completeness["received"] == 118
    assert scenes.completeness["used"] == scenes.completeness["passes"] == 108
    assert {aside.reason for aside in scenes.set_aside} == {"outside_season"}
    assert {scene.tile for scene in scenes.items} == {"31UDS"}
    assert {scene.dn_offset for scene in scenes.items} == {0}
    assert all(Path(href).is_file() for scene in scenes.items for href in scene.assets.values())
    known = search_scenes(parcels, season, provider, as_of=date(2018, 6, 1))
    assert known.items == tuple(scene for scene in scenes.items if scene.time.date() <= date(2018, 6, 1))
    assert np.all([aside.reason in ("outside_season", "after_as_of") for aside in known.set_aside])
