# SPDX-License-Identifier: Apache-2.0
"""Claims that are wrong on purpose, and outlines in another datum: what a run and `check --datum` find of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from land_rows import COMMAND
from rows import Row, make_row

from acreline.config import Datum, Region
from acreline.datum import gcj02_to_bd09, wgs84_to_gcj02
from acreline.datum_fit import check_datum
from acreline.errors import SourceError
from acreline.geo import geodesic_area_m2
from acreline.plan import Plan, plan_run

CODES = ("drawn_after_harvest", "beyond_registry", "claimed_before_by_other", "overlapping_claim")
SHARE = 0.05
"""Of the parcels that get each wrong claim."""
FEWEST = 3
LATE_DAYS = 45
SURPLUS = 1.25
DATUMS: tuple[Datum, ...] = ("wgs84", "gcj02", "bd09")


def plant_claims(
    parcels: gpd.GeoDataFrame, truth: pd.DataFrame, start: pd.Timestamp, seed: int = 0
) -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame, dict[str, set[str]]]:
    """A farm file with wrong claims among right ones.

    Args:
        parcels: the farm file: id, farm_id, geometry.
        truth: `truth/parcels`: parcel_id, harvested.
        start: first day of the season, on which the right ones were drawn.
        seed: of the choice.

    Returns:
        the file with drawn_on and registry_area_m2, and parcels that two farms claim; who held which land the year
        before; code -> the parcels on which it is to be told.
    """
    rng = np.random.default_rng(seed)
    ids = parcels["id"].to_numpy(dtype=object)
    cut = truth.groupby("parcel_id")["harvested"].agg(["max", "count", "size"])
    known = set(cut.index[cut["count"] == cut["size"]]) & set(ids)
    count = max(FEWEST, round(SHARE * len(ids)))
    late = rng.choice(np.array(sorted(known), dtype=object), min(count, len(known)), replace=False)
    rest = rng.permutation(np.array(sorted(set(ids) - set(late)), dtype=object))
    large, earlier, twice = (rest[k * count : (k + 1) * count] for k in range(3))

    area_m2 = geodesic_area_m2(parcels.geometry)
    drawn = pd.Series(start, index=ids)
    drawn[late] = cut.loc[late, "max"] + pd.Timedelta(days=LATE_DAYS)
    file = parcels.assign(
        drawn_on=drawn.dt.strftime("%Y-%m-%d").to_numpy(),
        registry_area_m2=np.where(np.isin(ids, large), area_m2 / SURPLUS, area_m2),
    )
    farms = np.array(sorted(set(parcels["farm_id"])), dtype=object)

    def others(owners: pd.Series[str]) -> Any:
        return farms[(np.searchsorted(farms, owners.to_numpy(dtype=object)) + 1) % len(farms)]

    again = file[file["id"].isin(twice)]
    again = again.assign(id="second-" + again["id"], farm_id=others(again["farm_id"]))
    before = parcels[["id", "farm_id", "geometry"]].assign(status="ok")
    held = before["id"].isin(earlier)
    before.loc[held, "farm_id"] = others(before.loc[held, "farm_id"])
    planted = {
        "drawn_after_harvest": set(late),
        "beyond_registry": set(large),
        # The second claim lies on land that the first one's farm held the year before.
        "claimed_before_by_other": set(earlier) | set(again["id"]),
        "overlapping_claim": set(twice) | set(again["id"]),
    }
    return gpd.GeoDataFrame(pd.concat([file, again], ignore_index=True), crs=parcels.crs), before, planted


def write_planted(region: Region, truth: pd.DataFrame, folder: Path) -> tuple[Region, dict[str, set[str]]]:
    """The region with its wrong claims and its earlier run, in a folder of their own."""
    farm_file = gpd.read_parquet(region.parcels.path)
    file, before, planted = plant_claims(farm_file, truth, pd.Timestamp(region.season.start))
    folder.mkdir(parents=True, exist_ok=True)
    file.to_parquet(folder / "parcels.parquet")
    (folder / "before").mkdir(exist_ok=True)
    before.to_parquet(folder / "before" / "parcels.parquet")
    end = region.season.end.replace(year=region.season.end.year - 1)
    manifest = {"season": {"end": end.isoformat()}}
    (folder / "before" / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    source = region.parcels.model_copy(update={"path": folder / "parcels.parquet"})
    return region.model_copy(update={"parcels": source, "previous_run": folder / "before"}), planted


def claim_counts(parcels: pd.DataFrame, planted: Mapping[str, set[str]], crooked: set[str]) -> pd.DataFrame:
    """Found, planted, false and sound parcels by code.

    Args:
        parcels: what the run told.
        planted: code -> parcels on which it is to be told.
        crooked: parcels whose outline the simulator drew wrong: whatever is told of them is neither right nor false.
    """
    judged = parcels[parcels["status"].isin(["ok", "degraded"])]
    text = judged["reason"].fillna("").astype(str) + ";" + judged["detail"].fillna("").astype(str)
    rows = []
    for code in CODES:
        told = set(judged.loc[text.str.contains(code, regex=False), "id"])
        wanted = planted[code] & set(judged["id"])
        sound = set(judged["id"]) - planted[code] - crooked
        rows.append({"code": code, "found": len(told & wanted), "planted": len(wanted), "false": len(told & sound),
                     "sound": len(sound)})  # fmt: skip
    return pd.DataFrame(rows)


def claim_rows(where: str, counts: pd.DataFrame) -> list[Row]:
    """Recall of planted claims over all codes, and the share of sound parcels of which one is told."""
    total = counts.drop(columns="code").sum()
    if not total["planted"]:
        return []
    found, false = float(total["found"] / total["planted"]), float(total["false"] / total["sound"])
    words = ", ".join(f"{one['code']} {one['found']} of {one['planted']}, {one['false']} false of {one['sound']}"
                      for one in counts.to_dict("records"))  # fmt: skip
    return [
        make_row("claims that were made wrong on purpose, found", where, round(found, 4),
                 "share", n=int(total["planted"]), baseline=words, command=COMMAND),
        make_row("claims told of parcels that are as they should be", where, round(false, 4),
                 "share", n=int(total["sound"]), baseline="one entry per parcel and code; 0 if none is told",
                 command=COMMAND),
    ]  # fmt: skip


def in_datum(shapes: Any, datum: Datum) -> Any:
    """Outlines in WGS84 as a map of another datum would hold them."""

    def moved(points: Any) -> Any:
        lon, lat = points[:, 0], points[:, 1]
        if datum in ("gcj02", "bd09"):
            lon, lat = wgs84_to_gcj02(lon, lat)
        if datum == "bd09":
            lon, lat = gcj02_to_bd09(lon, lat)
        return np.column_stack([lon, lat])

    return shapely.transform(np.asarray(shapes, dtype=object), moved)


def datum_verdicts(region: Region, folder: Path, true_datums: Sequence[Datum] = DATUMS) -> pd.DataFrame:
    """What `acreline check --datum` says of a farm file in each datum under each statement.

    Returns:
        true, stated, verdict (of `check_datum`, or no_picture), said (the datum it names, empty where it cannot tell),
        right.
    """
    plan: Plan = plan_run(region)
    file = gpd.read_parquet(region.parcels.path)
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for true in true_datums:
        path = folder / f"{true}.parquet"
        file.set_geometry(gpd.GeoSeries(in_datum(file.geometry, true), index=file.index, crs=file.crs)).to_parquet(path)
        for stated in DATUMS:
            source = region.parcels.model_copy(update={"path": path, "datum": stated})
            try:
                fit = check_datum(replace(plan, region=region.model_copy(update={"parcels": source})))
            except SourceError:  # a drawn county ends where its land does: so far off there is no picture
                rows.append({"true": true, "stated": stated, "verdict": "no_picture", "said": "", "right": False})
                continue
            said = {"fits": stated, "fits_better_after": fit.best.datum}.get(fit.verdict, "")
            rows.append({"true": true, "stated": stated, "verdict": fit.verdict, "said": said, "right": said == true})
    return pd.DataFrame(rows)


def datum_rows(where: str, table: pd.DataFrame) -> list[Row]:
    """Share of the farm files whose datum is found."""
    outside = table["verdict"] == "no_picture"
    table = table[~outside]
    if table.empty:
        return []
    wrong = table[(table["said"] != "") & ~table["right"]]
    words = f"cannot be told: {int((table['said'] == '').sum())}, told wrong: {len(wrong)}; one of three by chance"
    words += f"; left out, no picture where it was put: {int(outside.sum())}" if outside.any() else ""
    return [make_row("datum of a farm file, each stated as each, found", where, round(float(table["right"].mean()), 4),
                     "share", n=len(table), baseline=words, command=COMMAND)]  # fmt: skip
