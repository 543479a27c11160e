# SPDX-License-Identifier: Apache-2.0
"""The STAC catalogue as a folder of its own: valid, whole, movable, or with absolute links."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import geopandas as gpd
import pystac
import pytest
from pystac.validation import RegisteredValidator

from acreline.errors import ConfigError, StoreError
from acreline.export import Wanted, export_run
from tests.made_export import PERSON, all_bytes, publish_made
from tests.test_catalog import BLOCK, CoreOnly

BASE = "https://maps.bank.example/made"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return publish_made(tmp_path_factory.mktemp("export") / "out")


@pytest.fixture(scope="module")
def folder(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("stac") / "made"
    assert "1 items, 19 parcels; relative links" in export_run(run, "stac", Wanted(out))[0]
    return out


class Served(pystac.StacIO):
    """Files of a folder as if they lay at the address."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def read_text(self, source: Any, *args: Any, **kwargs: Any) -> str:
        assert str(source).startswith(f"{BASE}/"), source
        return (self.folder / str(source).removeprefix(f"{BASE}/")).read_text(encoding="utf-8")

    def write_text(self, *args: Any, **kwargs: Any) -> None:
        raise AssertionError


def test_pystac_takes_it_and_every_asset_is_there(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RegisteredValidator, "_validator", CoreOnly())
    moved = Path(shutil.copytree(folder, tmp_path / "moved"))
    catalog = pystac.Catalog.from_file(str(moved / "catalog.json"))
    assert catalog.validate_all() == 1
    [collection] = catalog.get_children()
    assert collection.validate()
    [item] = collection.get_items()
    assert (collection.id, item.id) == ("made-square", BLOCK)
    assets = {**item.assets, **collection.assets}
    assert set(assets) == {"crop", "health", "parcels"}
    for asset in assets.values():
        path = Path(asset.get_absolute_href() or "")
        assert path.is_relative_to(moved)
        assert asset.extra_fields["file:checksum"] == "1220" + hashlib.sha256(path.read_bytes()).hexdigest()
        assert asset.extra_fields["file:size"] == path.stat().st_size
    assert len(gpd.read_parquet(moved / "parcels.parquet")) == 19


def test_items_and_maps_are_those_of_the_publication(run: Path, folder: Path) -> None:
    publication = (run / "latest").resolve()
    for path in folder.rglob("*"):
        if path.is_file() and path.name not in ("collection.json", "parcels.parquet"):
            assert path.read_bytes() == (publication / path.relative_to(folder)).read_bytes()
    names = {path.name for path in folder.rglob("*") if path.is_file()}
    assert names == {"catalog.json", "collection.json", "parcels.parquet"} | {
        f"{BLOCK}{ending}" for ending in (".json", "_crop.tif", "_health.tif")
    }


def test_absolute_links_lead_where_the_folder_is_put(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RegisteredValidator, "_validator", CoreOnly())
    out = tmp_path / "made"
    export_run(run, "stac", Wanted(out, base_url=f"{BASE}/"))
    catalog = pystac.Catalog.from_file(f"{BASE}/catalog.json", stac_io=Served(out))
    assert catalog.validate_all() == 1
    [item] = catalog.get_items(recursive=True)
    assert item.assets["crop"].href == f"{BASE}/maps/{BLOCK}_crop.tif"
    [collection] = catalog.get_children()
    assert collection.assets["parcels"].href == f"{BASE}/parcels.parquet"
    for path in (out / "catalog.json", *(out / "maps").glob("*.json")):
        links = json.loads(path.read_text(encoding="utf-8"))["links"]
        assert all(link["href"].startswith((f"{BASE}/", "urn:acreline:scene:")) for link in links)
        [own] = [link["href"] for link in links if link["rel"] == "self"]
        assert own == f"{BASE}/{path.relative_to(out).as_posix()}"


@pytest.mark.parametrize(
    "url",
    [
        "/srv/maps",
        "https://me:SECRET@host.example/maps",
        "https://host.example/maps?sig=SECRET",
        "ftp://host.example/maps",
        "https:///maps",
    ],
)
def test_an_address_that_would_publish_a_secret_is_refused(run: Path, tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError, match=r"--base-url: .* is no plain address") as caught:
        export_run(run, "stac", Wanted(tmp_path / "made", base_url=url))
    assert "SECRET" not in caught.value.message
    assert not list(tmp_path.iterdir())


def test_the_same_publication_is_the_same_bytes_and_names_no_person(run: Path, folder: Path, tmp_path: Path) -> None:
    export_run(run, "stac", Wanted(tmp_path / "again"))
    for path in folder.rglob("*"):
        if path.is_file():
            assert (tmp_path / "again" / path.relative_to(folder)).read_bytes() == path.read_bytes()
    assert PERSON.encode() not in all_bytes(folder)


def test_an_earlier_export_is_replaced_whole(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "made"
    export_run(run, "stac", Wanted(out))
    (out / "maps" / "old.json").write_text("{}")
    with pytest.raises(ConfigError, match="made is there already"):
        export_run(run, "stac", Wanted(out))
    export_run(run, "stac", Wanted(out, replace=True))
    assert not (out / "maps" / "old.json").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


def test_a_run_without_maps_is_told(tmp_path: Path) -> None:
    run = publish_made(tmp_path / "out", lambda folder, _: shutil.rmtree(folder / "maps"))
    with pytest.raises(StoreError, match="made-square: this run has no maps"):
        export_run(run, "stac", Wanted(tmp_path / "made"))
