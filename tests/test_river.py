# SPDX-License-Identifier: Apache-2.0
"""The demo region from scenes to limits, and what must hold whatever happens on the way."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml

from acreline.config import read_region
from acreline.errors import BusyError, NotPublishedError
from acreline.run import run_region
from acreline.store import Store, read_manifest, verify_publication

TABLES = ("parcels", "looks", "evidence", "seasons", "health", "events", "growth", "stands", "farms", "decisions")
pytestmark = pytest.mark.xdist_group("river")


def acreline(
    *arguments: str, env: dict[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """The command as a user types it."""
    return subprocess.run(
        [sys.executable, "-m", "acreline", *arguments], capture_output=True, text=True, env=env, cwd=cwd, timeout=300
    )


def own_region(repo: Path, folder: Path, **changes: Any) -> Path:
    """The demo region as a file of one's own, with other values for some keys."""
    demo = repo / "data" / "flanders-2018"
    raw = yaml.safe_load((repo / "configs" / "regions" / "flanders-2018.yaml").read_text(encoding="utf-8"))
    raw["catalog"] = str(demo / "catalog.json")
    raw["parcels"]["path"] = str(demo / "parcels.parquet")
    raw["applicants"] = str(demo / "applicants.csv")
    raw["weather"] = str(demo / "weather.csv")
    raw |= changes
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "region.yaml"
    path.write_text(yaml.safe_dump(raw), encoding="utf-8")
    return path


def copy_scenes(repo: Path, folder: Path, keep: int | None = None, skip: int = 0) -> Path:
    """A copy of the demo's static catalogue with only some of its items (the last `keep`, less the last `skip`)."""
    demo = repo / "data" / "flanders-2018"
    shutil.copytree(demo, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("labels"))
    items = sorted(path for path in folder.rglob("*.json") if json.loads(path.read_text())["type"] == "Feature")
    wanted = items[: len(items) - skip][-(keep or len(items)) :]
    gone = {path.name for path in items} - {path.name for path in wanted}
    for path in folder.rglob("collection.json"):
        content = json.loads(path.read_text())
        content["links"] = [link for link in content["links"] if Path(link["href"]).name not in gone]
        path.write_text(json.dumps(content))
    for path in items:
        if path.name in gone:
            path.unlink()
    return folder


def test_the_demo_runs_from_scenes_to_limits(demo_run: Path) -> None:
    manifest = read_manifest(demo_run / "latest")
    counts = manifest["counts"]
    assert counts["scenes"]["found"] == 118
    for kind in ("parcels", "farms"):
        assert counts[kind]["in"] == sum(value for key, value in counts[kind].items() if key != "in")
    assert counts["parcels"]["in"] == 19
    assert counts["farms"]["approve"] >= 2
    assert counts["farms"]["refer"] >= 1
    decisions = pq.read_table(demo_run / "latest" / "decisions.parquet").to_pandas()
    assert (decisions["reasons"].str.len() >= 1).all()
    assert decisions["limit"].notna().equals(decisions["outcome"] != "refer")
    parcels = pd.read_parquet(demo_run / "latest" / "parcels.parquet")
    small = parcels[parcels["status"] == "insufficient"]
    assert len(small) >= 3
    assert set(small["reason"]) == {"small_parcel"}
    referred = set(decisions[decisions["outcome"] == "refer"]["farm_id"])
    assert set(small["farm_id"]) <= referred
    assert verify_publication((demo_run / "latest").resolve()) == []


def test_run_again_does_no_work_twice(repo: Path, demo_run: Path) -> None:
    before = {path: path.read_bytes() for path in sorted((demo_run / "latest").rglob("*")) if path.is_file()}
    result = run_region(read_region(repo / "configs" / "regions" / "flanders-2018.yaml"), Store(demo_run))
    assert not result.published
    assert not result.made_blocks
    assert result.kept_blocks
    assert {path: path.read_bytes() for path in sorted((demo_run / "latest").rglob("*")) if path.is_file()} == before


@pytest.mark.slow
def test_small_blocks_give_the_same_tables(repo: Path, tmp_path: Path, demo_run: Path) -> None:
    result = run_region(read_region(own_region(repo, tmp_path, block_px=32)), Store(tmp_path / "out"))
    assert len(result.made_blocks) >= 4
    for name in TABLES:
        small = (result.publication / f"{name}.parquet").read_bytes()
        assert small == (demo_run / "latest" / f"{name}.parquet").read_bytes(), name
    pages = {path.name: path.read_bytes() for path in (demo_run / "latest" / "report" / "farms").iterdir()}
    assert len(pages) == len(result.farms)
    assert {path.name: path.read_bytes() for path in (result.publication / "report" / "farms").iterdir()} == pages


@pytest.mark.slow
def test_killed_after_two_blocks_it_resumes(repo: Path, tmp_path: Path, demo_run: Path) -> None:
    region, out = own_region(repo, tmp_path, block_px=32), tmp_path / "out"
    child = subprocess.Popen(
        [sys.executable, "-m", "acreline", "run", str(region), "--out", str(out)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while len(list(out.glob("parts/*/part.json"))) < 2:
        assert child.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert not (out / "latest").exists()
    result = run_region(read_region(region), Store(out))
    assert len(result.kept_blocks) >= 2
    assert result.made_blocks
    for name in TABLES:
        again = (result.publication / f"{name}.parquet").read_bytes()
        assert again == (demo_run / "latest" / f"{name}.parquet").read_bytes(), name


@pytest.mark.slow
def test_a_failing_block_makes_its_farms_incomplete(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import acreline.blocks as blocks

    real, seen = blocks.measure_block, []

    def measure(task: blocks.BlockTask) -> Any:
        seen.append(task.block)
        if len(seen) == 1:
            raise OSError("the disk coughed")
        return real(task)

    monkeypatch.setattr(blocks, "measure_block", measure)
    region = read_region(own_region(repo, tmp_path, block_px=32))
    result = run_region(region, Store(tmp_path / "out"))
    assert list(result.failed_blocks) == [seen[0].block_id]
    assert "the disk coughed" in result.failed_blocks[seen[0].block_id]
    lost = set(seen[0].coverage.parcel_ids)
    for farm, decision in zip(result.farms, result.decisions, strict=True):
        if lost & set(farm.parcel_ids):
            assert farm.status == "failed"
            assert decision.outcome == "refer"
    parcels = pd.read_parquet(result.publication / "parcels.parquet").set_index("id")
    assert set(parcels.index[parcels["status"] == "failed"]) == lost
    mended = run_region(region, Store(tmp_path / "out"))
    assert mended.made_blocks == (seen[0].block_id,)
    assert not mended.failed_blocks
    assert mended.published


def test_one_more_scene_makes_only_the_blocks_it_touches(repo: Path, tmp_path: Path) -> None:
    catalog = copy_scenes(repo, tmp_path / "catalog", keep=30, skip=1)
    region = read_region(own_region(repo, tmp_path, catalog=str(catalog / "catalog.json")))
    first = run_region(region, Store(tmp_path / "out"))
    assert first.published
    assert first.scenes.completeness["used"] == 30
    quiet = run_region(region, Store(tmp_path / "out"))
    assert not quiet.published
    assert not quiet.made_blocks
    shutil.rmtree(tmp_path / "catalog")
    copy_scenes(repo, tmp_path / "catalog", keep=31)
    second = run_region(region, Store(tmp_path / "out"))
    assert second.published
    assert len(second.made_blocks) == 1
    assert len(list((tmp_path / "out" / "publications").iterdir())) == 2


def make_wide(catalog: Path, times: int = 5) -> None:
    """Repeat the demo's square eastward in every file of a catalogue, and its farms once more on the last of them."""
    import geopandas as gpd
    import numpy as np
    import rasterio
    import shapely

    for path in sorted(catalog.rglob("S2_*/*.tif")):
        with rasterio.open(path) as source:
            profile, values = source.profile, source.read(1)
        profile.update(width=times * profile["width"], driver="GTiff", compress="deflate", predictor=1)
        with rasterio.open(path, "w", **profile) as target:
            target.write(np.tile(values, times), 1)
        os.utime(path, ns=(0, 0))  # a copy made again is the same file
    for path in sorted(catalog.rglob("S2_*/*.json")):
        item = json.loads(path.read_text())
        west, south, east, north = shapely.geometry.shape(item["geometry"]).bounds
        item["geometry"] = shapely.geometry.mapping(shapely.box(west, south, west + times * (east - west), north))
        for asset in item["assets"].values():
            if "proj:shape" in asset:
                asset["proj:shape"][1] *= times
        path.write_text(json.dumps(item))
    parcels = gpd.read_parquet(catalog / "parcels.parquet")
    east_of = parcels.to_crs("EPSG:32631")
    east_of["geometry"] = east_of.translate(640 * (times - 1), 0)
    east_of["id"], east_of["farm_id"] = "E-" + east_of["id"], "E-" + east_of["farm_id"]
    both = pd.concat([parcels, east_of.to_crs(parcels.crs)], ignore_index=True)
    both[["id", "farm_id", "geometry"]].to_parquet(catalog / "parcels.parquet")


@pytest.mark.slow
def test_of_many_blocks_one_more_scene_makes_only_those_it_touches(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shapely

    from acreline import imagery

    monkeypatch.setattr(imagery, "FOOTPRINT_DOUBT_DEG", 0.0)  # the land is smaller than the usual doubt
    catalog = copy_scenes(repo, tmp_path / "catalog", keep=12, skip=1)
    make_wide(catalog)
    parcels = {"path": str(catalog / "parcels.parquet"), "datum": "wgs84", "declared_area_unit": "ha"}
    changes = {"catalog": str(catalog / "catalog.json"), "parcels": parcels, "applicants": None, "block_px": 128}
    region = read_region(own_region(repo, tmp_path, **changes))
    first = run_region(region, Store(tmp_path / "out"))
    west_ids = tuple(name for name in first.made_blocks if "_c0079_" in name)
    east_ids = tuple(name for name in first.made_blocks if "_c0081_" in name)
    assert len(west_ids) == len(east_ids) == 2
    assert len(first.made_blocks) == 4

    shutil.rmtree(catalog)
    copy_scenes(repo, catalog, keep=13)
    make_wide(catalog)
    newest = sorted(catalog.rglob("S2_*/*.json"))[-1]
    item = json.loads(newest.read_text())
    west, south, east, north = shapely.geometry.shape(item["geometry"]).bounds
    item["geometry"] = shapely.geometry.mapping(shapely.box(west, south, west + 0.3 * (east - west), north))
    newest.write_text(json.dumps(item))

    second = run_region(region, Store(tmp_path / "out"))
    assert second.published
    assert second.scenes.completeness["used"] == 13
    assert second.made_blocks == west_ids
    assert second.kept_blocks == east_ids
    assert len(second.farms) == 14


def test_another_day_without_news_publishes_nothing(repo: Path, tmp_path: Path) -> None:
    from datetime import date

    catalog = copy_scenes(repo, tmp_path / "catalog", keep=20)
    region = read_region(own_region(repo, tmp_path, catalog=str(catalog / "catalog.json")))
    first = run_region(region, Store(tmp_path / "out"), as_of=date(2018, 12, 14))
    second = run_region(region, Store(tmp_path / "out"), as_of=date(2018, 12, 15))
    assert first.published
    assert not second.published
    assert second.publication == first.publication


def test_two_runs_of_one_region(repo: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "out")
    with store.locked("first", "2018-12-15T01:00:00"):
        with pytest.raises(BusyError, match="run first, started 2018-12-15T01:00:00"), store.locked("second", "later"):
            pass
        done = acreline("run", str(repo / "configs/regions/flanders-2018.yaml"), "--out", str(tmp_path / "out"))
    assert done.returncode == 7
    assert "another run holds this region" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_breaker_keeps_yesterday(repo: Path, tmp_path: Path) -> None:
    catalog = copy_scenes(repo, tmp_path / "catalog", keep=20)
    region = read_region(own_region(repo, tmp_path, catalog=str(catalog / "catalog.json")))
    first = run_region(region, Store(tmp_path / "out"))
    for path in catalog.rglob("SCL.tif"):
        path.write_bytes(b"not a tiff")
    with pytest.raises(NotPublishedError, match=r"not published: 100% of the parcels failed \(limit 10%\)"):
        run_region(region, Store(tmp_path / "out"))
    assert Store(tmp_path / "out").latest == first.publication


# --- broken inputs, as a user meets them ----------------------------------------------------------------------------
def says(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert "hint:" in done.stderr
    for word in words:
        assert word in done.stderr


def test_a_misspelt_key_exits_2(repo: Path, tmp_path: Path) -> None:
    region = own_region(repo, tmp_path)
    region.write_text(region.read_text(encoding="utf-8").replace("policy: demo", "polcy: demo"), encoding="utf-8")
    says(
        acreline("run", str(region), "--out", str(tmp_path / "out")), 2, "unknown key 'polcy'", "did you mean 'policy'"
    )


def test_a_parcel_file_without_crs_exits_3(repo: Path, tmp_path: Path) -> None:
    import geopandas as gpd

    parcels = gpd.read_parquet(repo / "data" / "flanders-2018" / "parcels.parquet")
    parcels[["id", "farm_id", "geometry"]].to_file(tmp_path / "bare.shp")
    (tmp_path / "bare.prj").unlink()
    region = own_region(repo, tmp_path, parcels={"path": "bare.shp", "datum": "wgs84", "declared_area_unit": "ha"})
    says(acreline("run", str(region), "--out", str(tmp_path / "out")), 3, "bare.shp", "CRS")


def test_a_dead_provider_exits_4_and_leaves_the_old_publication(repo: Path, tmp_path: Path) -> None:
    from tests.services.stac_server import free_port

    catalog = copy_scenes(repo, tmp_path / "catalog", keep=20)
    alive = own_region(repo, tmp_path / "a", catalog=str(catalog / "catalog.json"))
    first = run_region(read_region(alive), Store(tmp_path / "out"))
    provider = yaml.safe_load((repo / "configs" / "providers" / "folder.yaml").read_text(encoding="utf-8"))
    provider |= {"name": "dead", "kind": "api", "href": f"http://127.0.0.1:{free_port()}", "max_retry": 0}
    (tmp_path / "dead.yaml").write_text(yaml.safe_dump(provider))
    dead = own_region(repo, tmp_path / "b", provider=str(tmp_path / "dead.yaml"), catalog=None)
    says(acreline("run", str(dead), "--out", str(tmp_path / "out")), 4, "127.0.0.1")
    assert Store(tmp_path / "out").latest == first.publication


def test_a_catalogue_that_gives_nothing_exits_4_and_leaves_the_old_publication(repo: Path, tmp_path: Path) -> None:
    catalog = copy_scenes(repo, tmp_path / "catalog", keep=20)
    region = own_region(repo, tmp_path, catalog=str(catalog / "catalog.json"))
    first = run_region(read_region(region), Store(tmp_path / "out"))
    shutil.rmtree(catalog)
    copy_scenes(repo, tmp_path / "catalog", keep=1, skip=117)
    done = acreline("run", str(region), "--out", str(tmp_path / "out"))
    says(done, 4, "gave no usable scene of 2017-10-01 to 2018-12-15", "1 received, 1 set aside")
    assert Store(tmp_path / "out").latest == first.publication


def test_a_damaged_asset_is_named_and_the_run_goes_on(repo: Path, tmp_path: Path) -> None:
    catalog = copy_scenes(repo, tmp_path / "catalog", keep=25)
    hurt = [path for path in sorted(catalog.rglob("B11.tif")) if list(path.parent.glob("*.json"))][3]
    hurt.write_bytes(hurt.read_bytes()[:100])
    region = own_region(repo, tmp_path, catalog=str(catalog / "catalog.json"))
    done = acreline("run", str(region), "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    scenes = pd.read_parquet(tmp_path / "out" / "latest" / "scenes.parquet").set_index("status")
    assert scenes.loc[["unreadable"], "scene_id"].tolist() == [hurt.parent.name]
    assert "B11" in scenes.loc["unreadable", "detail"]
    parcels = pd.read_parquet(tmp_path / "out" / "latest" / "parcels.parquet")
    assert parcels["detail"].str.contains("scenes_lost 1", regex=False).all()
    farms = pd.read_parquet(tmp_path / "out" / "latest" / "farms.parquet")
    assert farms["flags"].str.contains("scenes_lost", regex=False).all()


def test_a_block_that_cannot_be_measured_exits_5(repo: Path, tmp_path: Path) -> None:
    catalog = copy_scenes(repo, tmp_path / "catalog", keep=8)
    for path in catalog.rglob("B11.tif"):
        path.write_bytes(b"not a tiff")
    region = own_region(repo, tmp_path, catalog=str(catalog / "catalog.json"))
    done = acreline("run", str(region), "--out", str(tmp_path / "out"))
    assert done.returncode == 5, done.stderr
    assert "was not measured" in done.stdout
    assert "Traceback" not in done.stderr
    decisions = pd.read_parquet(tmp_path / "out" / "latest" / "decisions.parquet")
    assert set(decisions["outcome"]) == {"refer"}


# --- cron ------------------------------------------------------------------------------------------------------------
def crontab_line(repo: Path) -> str:
    lines = [line for line in (repo / "README.md").read_text(encoding="utf-8").splitlines() if " --scheduled" in line]
    cron = [line for line in lines if line[:1].isdigit()]
    assert len(cron) == 1, "the README shows one crontab line"
    return cron[0]


def test_the_crontab_line_of_the_readme_runs_without_a_terminal(repo: Path, tmp_path: Path) -> None:
    """Under `env -i`, with the five time fields taken off and the README's folder replaced by this checkout."""
    command = " ".join(crontab_line(repo).split()[5:])
    place = tmp_path / "acreline"
    place.mkdir()
    for name in ("configs", "data"):
        (place / name).symlink_to(repo / name)
    venv_bin = Path(sys.executable).parent
    (place / ".venv").mkdir()
    (place / ".venv" / "bin").symlink_to(venv_bin)
    done = subprocess.run(
        ["env", "-i", f"HOME={tmp_path}", "/bin/sh", "-c", command.replace("/srv/acreline", str(place))],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    logged = "".join(path.read_text() for path in place.rglob("*.log")) + done.stderr
    assert "\x1b[" not in logged
    assert 'event="scenes found"' in logged
    assert (place / "runs" / "flanders-2018" / "latest" / "manifest.json").is_file()


def test_another_time_zone_and_locale_give_the_same_bytes(repo: Path, tmp_path: Path, demo_run: Path) -> None:
    env = {**os.environ, "TZ": "Asia/Shanghai", "LC_ALL": "C", "PYTHONHASHSEED": "7"}
    region = repo / "configs" / "regions" / "flanders-2018.yaml"
    done = acreline("run", str(region), "--out", str(tmp_path / "out"), "--workers", "2", env=env)
    assert done.returncode == 0, done.stderr
    there = {p.relative_to(tmp_path / "out" / "latest"): p.read_bytes() for p in (tmp_path / "out/latest").rglob("*.*")}
    here = {p.relative_to(demo_run / "latest"): p.read_bytes() for p in (demo_run / "latest").rglob("*.*")}
    assert there.keys() == here.keys()
    assert [name for name in here if here[name] != there[name]] == []
