# SPDX-License-Identifier: Apache-2.0
"""A small, drawn publication folder for tests of what reads one: twenty fields, thirteen farms, one odd name."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from acreline import tables
from acreline.credit import decision_line
from acreline.layers import (
    EVENT_COLUMNS,
    GROWTH_COLUMNS,
    HEALTH_COLUMNS,
    HISTOGRAM_BINS,
    LOOK_COLUMNS,
    SEASON_COLUMNS,
)
from acreline.rasters import write_cog
from acreline.records import Decision, Farm, Interval, Stand, Step, worst_status
from acreline.report import FieldPicture, Unseen

ODD_FARM = "<script>alert('x')</script>\"'&张三农场"
CRS = "EPSG:32631"
ORIGIN = (399960.0, 5700000.0)  # upper-left corner of tile 31UDS
CORNER = (10140, 7032)  # tile column and row of the square's first pixel
SIDE_PX = 64
START, END = date(2017, 10, 1), date(2018, 12, 15)
CLASSES = {
    "crop": {
        "0": ["unknown", "#9aa5ad", "未知", "Unknown"],
        "1": ["maize", "#e3a72f", "玉米", "Maize"],
        "2": ["grassland", "#7fb77e", "草地", "Grassland"],
        "3": ["winter_cereal", "#c9b27c", "冬季谷物", "Winter cereal"],
        "4": ["potato", "#8c6bb1", "马铃薯", "Potato"],
    },
    "health": {
        "0": ["unknown", "#9aa5ad", "未知", "Unknown"],
        "1": ["normal", "#5aa17f", "正常", "Normal"],
        "2": ["drought", "#d08b2c", "干旱", "Drought"],
        "3": ["flood", "#3c7fb8", "水淹", "Flood"],
    },
}
CROPS = ["maize", "grassland", "winter_cereal", "potato"]
# (first day and last day of the green season in days after START, peak NDVI)
GREEN = {
    "maize": (230, 370, 0.88),
    "grassland": (0, 440, 0.74),
    "winter_cereal": (120, 290, 0.9),
    "potato": (215, 345, 0.84),
}
OWNERS = [0, 0, 1, 2, 3, 3, 4, 5, 6, 6, 7, 8, 8, 9, 10, 10, 11, 11, 12, 12]
STATUSES = {
    6: ("insufficient", "few_clear_looks"),
    13: ("rejected", "no_area"),
    19: ("degraded", "overlapping_claim"),
}


def farm_name(index: int) -> str:
    return ODD_FARM if index == 1 else f"F-{index + 1:03d}"


def make_publication(folder: Path) -> Path:
    """Draw the publication into a new folder and return it; the same bytes every time."""
    folder.mkdir(parents=True)
    looks = _looks()
    parcels = _parcels(looks)
    farms = [_farm(i, parcels) for i in range(max(OWNERS) + 1)]
    decisions = [_decide(farm) for farm in farms]
    tables.write_table(_scenes(), folder / "scenes.parquet")
    tables.write_parcels(parcels, folder / "parcels.parquet", collection="made-square")
    tables.write_table(looks, folder / "looks.parquet")
    tables.write_table(_seasons(parcels), folder / "seasons.parquet")
    tables.write_table(pd.DataFrame({n: pd.Series(dtype="string") for n in HEALTH_COLUMNS}), folder / "health.parquet")
    tables.write_table(pd.DataFrame({n: pd.Series(dtype="string") for n in GROWTH_COLUMNS}), folder / "growth.parquet")
    tables.write_table(_events(parcels), folder / "events.parquet")
    tables.write_table(tables.stands_table(farms), folder / "stands.parquet")
    tables.write_table(tables.farms_table(farms), folder / "farms.parquet")
    tables.write_decisions(decisions, folder / "decisions.parquet")
    lines = [
        json.dumps({**json.loads(decision_line(decision)), "farm": tables.farm_to_json(farm)}, ensure_ascii=False)
        for farm, decision in zip(farms, decisions, strict=True)
    ]
    (folder / "trail.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    _maps(parcels, folder / "maps")
    (folder / "manifest.json").write_text(json.dumps(_manifest(parcels, farms, decisions)), encoding="utf-8")
    return folder


def make_pictures() -> dict[str, FieldPicture | Unseen]:
    """A drawn picture for every parcel but one: a green square of ten pixels on bare soil."""
    inside = np.zeros((24, 24), dtype=np.bool_)
    inside[7:17, 7:17] = True
    colour = np.where(inside, [[[1400]], [[1700]], [[1350]]], [[[3000]], [[2700]], [[2500]]]).astype(np.uint16)
    ndvi = np.where(inside, np.int16(7200), np.int16(-32768))
    ring = ((7.0, 7.0), (17.0, 7.0), (17.0, 17.0), (7.0, 17.0), (7.0, 7.0))
    day = "2018-08-02"
    picture = FieldPicture(day, (f"S2A_31UDS_{day.replace('-', '')}_0_L2A",), 1.0, colour, ndvi, inside, (ring,))
    pictures: dict[str, FieldPicture | Unseen] = {f"P{index:02d}": picture for index in range(len(OWNERS))}
    return pictures | {"P03": Unseen("not_read_again", day), "P08": replace(picture, clear_share=0.72)}


def _passes() -> list[date]:
    return [START + timedelta(days=5 * i) for i in range(88)]


def _crop(index: int) -> str:
    return CROPS[(index * 7 + index // 5) % 4]


def ndvi_of(crop: str, day: date) -> float:
    """The drawn greenness of a crop on a day: a sine hill over its green season, bare soil outside."""
    first, last, peak = GREEN[crop]
    share = ((day - START).days - first) / (last - first)
    base = 0.45 if crop == "grassland" else 0.16
    return base + (peak - base) * math.sin(math.pi * share) if 0 <= share <= 1 else base


def _looks() -> pd.DataFrame:
    """Looks of every parcel that is not refused: all clear or all cloudy, but for a few half-seen passes."""
    rng = np.random.default_rng(7)
    cloud = rng.random(88) < 0.62
    rows: list[dict[str, Any]] = []
    for index in range(len(OWNERS)):
        if index in STATUSES and STATUSES[index][0] == "rejected":
            continue
        n = 60 + 3 * index
        for k, day in enumerate(_passes()):
            hidden = cloud[k] or (index == 6 and k % 9)
            clear = 0 if hidden and k % 4 else n // 5 if hidden else n
            ndvi = round(10_000 * (ndvi_of(_crop(index), day) + rng.normal(0, 0.012)))
            row: dict[str, Any] = dict.fromkeys(LOOK_COLUMNS, 0)
            row |= {"parcel_id": f"P{index:02d}", "pass_id": f"sentinel-2a_{day}", "n_seen": n, "n_clear": clear}
            row |= {"time": datetime(day.year, day.month, day.day, 10, 50, tzinfo=UTC)}
            row |= {"sum_ndvi": clear * ndvi, "ssq_ndvi": clear * ndvi**2}
            row |= {"sum_B02": clear * 500, "sum_B08": clear * 3000, "sum_B11": clear * 2000}
            row[f"hist_{HISTOGRAM_BINS // 2:02d}"] = clear
            rows.append(row)
    return pd.DataFrame(rows, columns=list(LOOK_COLUMNS))


def _outline(index: int) -> shapely.Polygon:
    """A field of a five by four patchwork, in metres; a little turned so that it does not follow the pixels."""
    col, row = index % 5, index // 5
    width, height = 110 + 6 * (index % 3), 138 + 5 * (index % 4)
    x = ORIGIN[0] + 10 * CORNER[0] + 12 + 126 * col
    y = ORIGIN[1] - 10 * CORNER[1] - 10 - 157 * row
    corners = [(x, y - 6), (x + width, y), (x + width - 8, y - height), (x + 5, y - height + 7)]
    if index == 13:
        corners = [(x, y), (x + 30, y), (x + 30, y - 22), (x, y - 22)]
    return shapely.Polygon(corners)


def _parcels(looks: pd.DataFrame) -> gpd.GeoDataFrame:
    clear = looks[2 * looks["n_clear"] >= looks["n_seen"]].groupby("parcel_id")["time"].agg(["size", "max"])
    rows = []
    for index, owner in enumerate(OWNERS):
        status, reason = STATUSES.get(index, ("ok", None))
        name, measured = f"P{index:02d}", status != "rejected"
        crop = _crop(index) if measured else None
        doubtful = index == 19
        rows.append(
            {
                "id": name,
                "farm_id": farm_name(owner),
                "metrics:area": _outline(index).area,
                "status": status,
                "reason": reason,
                "detail": "660 m2, fewer than 8 whole pixels" if index == 13 else None,
                "crop": crop,
                "crop_confidence": None if not measured else 0.58 if doubtful else 0.84 + 0.007 * index,
                "crop_set": "" if not measured else "|".join(sorted({crop, "potato"})) if doubtful else crop,
                "health": "drought" if index in (0, 8, 10) else "normal" if measured else "unknown",
                "health_confirmed": index not in (0, 8, 10) if measured else None,
                "vigour": round(0.9 - 0.11 * index, 3) if measured else None,
                "vigour_normal": round(-2.4 + 0.11 * index, 3) if measured and index < 4 else None,
                "planted_fraction": 0.94 - 0.004 * index if measured else None,
                "clear_looks": int(clear["size"].get(name, 0)),
                "last_clear": clear["max"].get(name, pd.NaT),
                "events": "drought" if index in (0, 8, 10) else "",
                "declared_crop": "maize" if index == 10 else crop,
                "declared_area_m2": _outline(index).area * (1.4 if index == 10 else 1.0),
                **{
                    f"planted_m2_{end}": _outline(index).area * (0.94 - 0.004 * index) * share if measured else None
                    for end, share in (("low", 0.96), ("mid", 1.0), ("high", 1.04))
                },
                "code": "declared_area_differs" if index == 10 else "",
            }
        )
    frame = gpd.GeoDataFrame(rows, geometry=[_outline(i) for i in range(len(OWNERS))], crs=CRS).to_crs("EPSG:4326")
    twin = frame.iloc[[2]].assign(status="rejected", reason="duplicate_id", detail="row 21 of the file", crop=None)
    twin["geometry"] = None
    return gpd.GeoDataFrame(pd.concat([frame, twin], ignore_index=True), crs="EPSG:4326")


def _interval(mid: float, share: float) -> Interval:
    return Interval(mid * (1 - share), mid, mid * (1 + share))


def _farm(owner: int, parcels: gpd.GeoDataFrame) -> Farm:
    mine = parcels[parcels["farm_id"] == farm_name(owner)]
    good = mine[mine["status"] != "rejected"]
    stands = tuple(
        Stand(
            farm_id=farm_name(owner),
            parcel_id=row["id"],
            slot="AB" if row["crop"] == "grassland" else "A" if row["crop"] == "winter_cereal" else "B",
            crop=row["crop"],
            crop_confidence=row["crop_confidence"],
            crop_set=tuple(row["crop_set"].split("|")),
            area_m2=_interval(row["metrics:area"] * row["planted_fraction"], 0.04),
            yield_kg_per_ha=_interval(9000, 0.22),
            value=_interval(row["metrics:area"] * 1.62, 0.27),
            currency="CNY",
        )
        for row in good.to_dict("records")
    )
    planted = sum((stand.area_m2.mid for stand in stands), 0.0)
    value = sum((stand.value.mid for stand in stands if stand.value), 0.0)
    status = worst_status(list(mine["status"]))
    reasons = [reason for reason in mine["reason"] if isinstance(reason, str)]
    looks = [int(n) for n in good["clear_looks"]]
    return Farm(
        farm_id=farm_name(owner),
        status=status,
        reason=reasons[0] if reasons else None,
        parcel_ids=tuple(mine["id"]),
        area_m2=float(mine["metrics:area"].sum()) if len(good) else None,
        planted_m2=_interval(planted, 0.04),
        sown_m2=planted,
        stands=stands,
        main_crop=stands[0].crop if stands else None,
        health=str(good["health"].iloc[0]) if len(good) else "unknown",
        vigour=float(good["vigour"].iloc[0]) if len(good) else None,
        clear_looks=min(looks, default=0),
        last_clear=good["last_clear"].min().date() if len(good) else None,
        flags=("overlapping_claim",) if owner == 12 else ("declared_crop_differs",) if owner == 7 else (),
        events=("drought",) if owner in (0, 6, 7) else (),
        value=_interval(value, 0.27) if stands else None,
        currency="CNY" if stands else None,
    )


def _decide(farm: Farm) -> Decision:
    """Three drawn rules: enough evidence, a cap per mu, rounding; and one farm that is declined."""
    money = Decimal(round(farm.value.low * 0.6, 2)).quantize(Decimal("0.01")) if farm.value else Decimal(0)
    rounded = money // 500 * 500
    seen = {"clear looks": f"{farm.clear_looks} times", "last clear look": str(farm.last_clear or "never")}
    refer = farm.clear_looks < 8 or bool(farm.flags) or farm.status != "ok"
    bar = Step(
        "evidence_bar",
        None,
        None,
        "few_clear_looks" if refer else "evidence_met",
        refer,
        "refer" if refer else None,
        seen,
        f"Your land was seen clearly {farm.clear_looks} times; a person looks at what the satellite could not tell."
        if refer
        else f"Your land was seen clearly {farm.clear_looks} times, which is enough.",
        f"您的地块清晰观测到{farm.clear_looks}次;卫星看不清的由人工核实。"
        if refer
        else f"您的地块清晰观测到{farm.clear_looks}次,证据充分。",
    )
    trail, outcome, limit = [bar], "refer", None
    if not refer and farm.farm_id == farm_name(11):
        limit, outcome = Decimal(0), "decline"
    elif not refer:
        outcome, limit = "approve", rounded
        words = "The limit is 60 % of the low end of the harvest value.", "额度为预计产值下限的60%。"
        facts = {"harvest value, low": f"CNY {farm.value.low if farm.value else 0:.0f}"}
        trail.append(Step("capacity", None, money, "capacity", True, None, facts, *words))
        cap = "The cap per mu does not bind.", "每亩上限未起作用。"
        trail.append(
            Step(
                "crop_cap_per_mu",
                money,
                money,
                "cap_not_binding",
                False,
                None,
                {"cap": "CNY 900 per mu"},
                *cap,
                {"cap": "每亩900元"},
            )
        )
        down = "Limits are rounded down to CNY 500.", "额度向下取整至500元。"
        trail.append(Step("round", money, rounded, "rounded", money != rounded, None, {}, *down))
    if outcome == "decline":
        few = "The limit would be below the least amount lent.", "额度低于最低放款金额。"
        trail.append(Step("minimum_amount", Decimal(400), Decimal(0), "below_minimum", True, "decline", {}, *few))
    codes = {"approve": ("capacity",), "refer": ("few_clear_looks", *farm.flags), "decline": ("below_minimum",)}[
        outcome
    ]
    binding = {"approve": "capacity", "refer": "evidence_bar", "decline": "minimum_amount"}[outcome]
    return Decision(farm.farm_id, outcome, limit, "CNY", binding, codes, "demo@0f3c", END, tuple(trail))


def _scenes() -> pd.DataFrame:
    rows = []
    for k, day in enumerate(_passes()):
        time = datetime(day.year, day.month, day.day, 10, 50, tzinfo=UTC)
        row = {
            "scene_id": f"S2A_31UDS_{day:%Y%m%d}_0_L2A",
            "time": time,
            "tile": "31UDS",
            "cloud_percent": 11.0 + k % 60,
        }
        row |= {"pass_id": f"sentinel-2a_{day}", "status": "used", "reason": None, "detail": None}
        row |= {"dn_offset": 0, "offset_how": "baseline 02.06: before 04.00"}
        if k % 11 == 5:
            row |= {
                "status": "set_aside",
                "reason": "too_cloudy",
                "detail": "cloud 99.2 %, limit 98 %",
                "cloud_percent": 99.2,
            }
        rows.append(row)
    return pd.DataFrame(rows).astype({"reason": "string", "detail": "string"})


def _seasons(parcels: gpd.GeoDataFrame) -> pd.DataFrame:
    rows = []
    for row in parcels[parcels["status"] != "rejected"].to_dict("records"):
        first, last, peak = GREEN[row["crop"]]
        after = {"emergence": first, "peak": (first + last) // 2, "senescence": last - 20, "harvest": last}
        day = {name: pd.Timestamp(START + timedelta(days=n), tz="UTC") for name, n in after.items()}
        known: dict[str, Any] = dict.fromkeys(SEASON_COLUMNS)
        known |= {"parcel_id": row["id"], "slot": "B", "crop": row["crop"], "stage": "harvested", "peak_ndvi": peak}
        known["seasons"] = 1
        if row["crop"] != "grassland":
            known |= day | {f"{name}_doubt_days": 4.0 for name in day}
        rows.append(known)
    table = pd.DataFrame(rows, columns=list(SEASON_COLUMNS))
    for name in ("emergence", "peak", "senescence", "harvest"):
        table[name] = pd.to_datetime(table[name], utc=True)
    return table.convert_dtypes()


def _events(parcels: gpd.GeoDataFrame) -> pd.DataFrame:
    hit = parcels[parcels["events"] == "drought"]["id"].tolist()
    days = {"not_before": "2018-06-16", "start": "2018-06-20", "end": "2018-07-25"}
    row = {
        "event": "drought",
        **{name: pd.Timestamp(day, tz="UTC") for name, day in days.items()},
        "share": 0.8,
        "severity": 0.4,
        "confirmed": False,
        "evidence": '["S2A_R051_20180620", "S2B_R051_20180725"]',
        "could_be": "senescence|late_sowing",
        "code": "suspected",
    }
    return pd.DataFrame([{"parcel_id": name, **row} for name in hit], columns=list(EVENT_COLUMNS))


def _maps(parcels: gpd.GeoDataFrame, folder: Path) -> None:
    folder.mkdir()
    y, x = np.mgrid[0:SIDE_PX, 0:SIDE_PX]
    east = ORIGIN[0] + 10 * (CORNER[0] + x + 0.5)
    north = ORIGIN[1] - 10 * (CORNER[1] + y + 0.5)
    crop = np.zeros((2, SIDE_PX, SIDE_PX), dtype=np.uint8)
    health = np.zeros((SIDE_PX, SIDE_PX), dtype=np.uint8)
    for index in range(len(OWNERS)):
        inside = shapely.contains_xy(_outline(index).buffer(6), east, north)
        crop[:, inside] = CROPS.index(_crop(index)) + 1
        health[inside] = 2 if index in (0, 8, 10) else 1
    speckle = (x * 7 + y * 13) % 29 == 0
    crop[:, speckle & (crop[0] > 0)] = 4
    for layer, values in (("crop", crop), ("health", health)):
        write_cog(
            folder / f"31UDS_r7032_c10140_1024_{layer}.tif",
            values,
            crs=CRS,
            origin_x=ORIGIN[0],
            origin_y=ORIGIN[1],
            row=CORNER[1],
            col=CORNER[0],
            nodata=0,
            class_table={int(code): (row[0], row[1]) for code, row in CLASSES[layer].items()},
            tags={"block": "31UDS_r7032_c10140_1024", "layer": layer},
            descriptions=["crop of slot A", "crop of slot B"] if layer == "crop" else ["health"],
        )


def _manifest(parcels: gpd.GeoDataFrame, farms: list[Farm], decisions: list[Decision]) -> dict[str, Any]:
    return {
        "region": "made-square",
        "season": {"start": START.isoformat(), "end": END.isoformat()},
        "as_of": END.isoformat(),
        "code": {"acreline": "0.1.0"},
        "model": {"name": "acrenet-s", "version": "1", "digest": "5ab1c0ffee", "health": "not validated"},
        "policy": {"id": "demo", "version": "0f3c", "title": "demonstration policy"},
        "provider": "folder",
        "inputs": {"parcels": "ab" * 32, "region": "cd" * 32},
        "completeness": {"received": 88, "used": 80, "passes": 80},
        "counts": {"parcels": {"in": len(parcels)}, "farms": {"in": len(farms)}, "decisions": len(decisions)},
        "failed_blocks": {},
        "classes": CLASSES,
        "notices": [
            {"en": "demonstration policy: invented numbers", "zh": "演示政策:数字为虚构"},
            "health: not validated",
        ],
    }
