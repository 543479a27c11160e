# SPDX-License-Identifier: Apache-2.0
"""The demo region through a real STAC API and an HTTP range server gives the bytes of the folder run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.range_server import RangeServer
from tests.services import stac_server

pytestmark = [pytest.mark.service, pytest.mark.slow, pytest.mark.xdist_group("stac")]
SAME = ("parcels", "decisions", "farms", "stands", "looks", "seasons", "health", "events", "growth")


def demo_items(demo: Path, assets: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Collections and items of the demo catalogue, every asset address under `assets`."""
    collections, items = [], []
    for path in sorted(demo.rglob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.get("type") == "Collection":
            collections.append({**content, "links": []})
        elif content.get("type") == "Feature":
            folder = path.parent.relative_to(demo).as_posix()
            for asset in content["assets"].values():
                asset["href"] = f"{assets}/{folder}/{asset['href'].removeprefix('./')}"
            items.append({**content, "links": []})
    return collections, items


def test_a_real_stac_api_gives_the_bytes_of_the_folder_run(
    repo: Path, tmp_path: Path, demo_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reason = stac_server.missing()
    if reason is not None:
        pytest.skip(reason)
    from acreline.config import read_region
    from acreline.run import run_region
    from acreline.store import Store

    demo = repo / "data" / "flanders-2018"
    with RangeServer(demo) as files:
        collections, items = demo_items(demo, files.url("").rstrip("/"))
        assert len(items) == 118
        with stac_server.stac_api(collections, items) as address:
            provider = yaml.safe_load((repo / "configs" / "providers" / "folder.yaml").read_text(encoding="utf-8"))
            provider |= {"name": "loopback", "kind": "api", "href": address, "collection": "sentinel-2-l2a"}
            provider |= {"page_size": 50, "read": {"threads": 4}}
            (tmp_path / "loopback.yaml").write_text(yaml.safe_dump(provider), encoding="utf-8")
            region = read_region(
                repo / "configs" / "regions" / "flanders-2018.yaml",
                {"provider": str(tmp_path / "loopback.yaml"), "catalog": None},
            )
            result = run_region(region, Store(tmp_path / "out"))
    assert result.scenes.completeness["used"] == 108  # of 118; the server itself leaves out those before the season
    assert not result.failed_blocks
    for name in SAME:
        there = (result.publication / f"{name}.parquet").read_bytes()
        assert there == (demo_run / "latest" / f"{name}.parquet").read_bytes(), name
