# SPDX-License-Identifier: Apache-2.0
"""What is true of a county: what grew where, what befell it, and what it yielded.

The yield is made from light and growth, but not with the numbers that the estimator uses (science, 4.1): extinction,
the answer to warmth, light use and harvest index are drawn for each field.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from acreline.simulate.classes import CODE
from acreline.simulate.fields import chance
from acreline.simulate.growth import Growing, age_of, field_states
from acreline.simulate.stands import NEVER
from acreline.simulate.values import SUB

if TYPE_CHECKING:
    import geopandas as gpd

    from acreline.simulate.crops import SimCrops
    from acreline.simulate.land import Land
    from acreline.simulate.settings import CountySettings
    from acreline.simulate.values import County

Floats = npt.NDArray[np.float64]
PAR_OF_SUN = 0.48
FIELD_LOSS_CV = 0.04
LEAST_SHARE = 0.005
"""A field of which an event only brushed the rim was not struck."""


def truth_parcels(
    land: Land, stands: pd.DataFrame, crops: SimCrops, outlines: gpd.GeoSeries, start: dt.date
) -> gpd.GeoDataFrame:
    """One row per registered parcel, slot and crop of the season.

    Columns: parcel_id, farm_id, slot, crop, class, share (of the parcel's ground), area_m2 (of the whole parcel),
    planted_m2, sown, emerged, harvested (NaT: still standing on the last day, or perennial), late_days, stand (share of
    the plants that came up), irrigated, geometry (the true outline, lon/lat).
    """
    import geopandas as gpd
    import shapely

    own = _own_stands(land, stands)
    units = land.units
    area = pd.Series(shapely.area(land.outlines), index=list(land.parcel_ids))
    farm = pd.Series(land.farm_ids, index=list(land.parcel_ids))
    cells = np.bincount(land.pairs.unit[land.pairs.cell].ravel(), minlength=len(units))
    ground = pd.Series(cells, index=units.index).groupby(units["parcel_id"]).sum()
    unit = own["unit"].to_numpy()
    parcel = units["parcel_id"].to_numpy()[unit].astype(str)
    share = cells[unit] / np.maximum(ground.reindex(parcel).to_numpy(), 1)
    table = pd.DataFrame(
        {
            "parcel_id": parcel,
            "farm_id": farm.reindex(parcel).to_numpy(),
            "slot": own["slot"].to_numpy(),
            "crop": own["crop"].to_numpy(),
            "class": [crops.crops[slug].network_class for slug in own["crop"]],
            "share": share.round(4),
            "area_m2": area.reindex(parcel).to_numpy().round(1),
            "planted_m2": (share * area.reindex(parcel).to_numpy()).round(1),
            "sown": _dates(own["sown"], start),
            "emerged": _dates(own["emerged"], start),
            "harvested": _dates(own["harvested"], start),
            "late_days": own["late_days"].to_numpy(),
            "stand": own["stand"].to_numpy().round(3),
            "irrigated": own["irrigated"].to_numpy(),
        }
    )
    table.loc[table["crop"].isin(["fallow"]), "planted_m2"] = 0.0
    geometry = outlines.reindex(parcel).to_numpy()
    return gpd.GeoDataFrame(table, geometry=geometry, crs="EPSG:4326")


def tell_errors(parcels: gpd.GeoDataFrame, errors: pd.DataFrame) -> gpd.GeoDataFrame:
    """The true parcels with what the farm file has wrong about them: declared_wrong, outline_error."""
    wrong = errors.reindex(parcels["parcel_id"])
    told: gpd.GeoDataFrame = parcels.copy()
    for name in ("declared_wrong", "outline_error"):
        told.insert(len(told.columns) - 1, name, wrong[name].to_numpy())
    return told


def _own_stands(land: Land, stands: pd.DataFrame) -> pd.DataFrame:
    """Stands of the season on registered parcels; several harvests of one field as one row."""
    registered = (land.units["kind"] == "parcel").to_numpy()
    own = stands.loc[registered[stands["unit"].to_numpy()] & (stands["slot"] != "")]
    first = own.groupby(["unit", "slot", "crop"], sort=True, as_index=False)
    gathered: pd.DataFrame = first.agg(
        sown=("sown", "min"),
        emerged=("emerged", "min"),
        harvested=("harvested", "max"),
        late_days=("late_days", "max"),
        stand=("stand", "min"),
        irrigated=("irrigated", "max"),
    )
    return gathered


def _dates(days: pd.Series[int], start: dt.date) -> npt.NDArray[np.datetime64]:
    """Day numbers -> datetime64; NaT for what never happens, or lies before the simulated days."""
    real = (days > 0) & (days < NEVER // 2)  # the day before never is never too
    when = pd.Timestamp(start) + pd.to_timedelta(days.where(real, 0), unit="D")
    return np.asarray(when.where(real).to_numpy(), dtype="datetime64[ns]")


def truth_events(land: Land, stands: pd.DataFrame, told: pd.DataFrame, start: dt.date) -> pd.DataFrame:
    """One row per event, parcel, slot and crop.

    Columns: event (its kind), event_id (0: a field's own late or failed stand), parcel_id, slot, crop, start, end,
    severity (0 to 1), share (of the parcel's ground), damage (share of the stand's yield lost).
    """
    table = _with_mishaps(stands, told)
    stand = table["stand"].to_numpy(dtype=int)
    unit = stands["unit"].to_numpy()[stand]
    registered = (land.units["kind"].to_numpy() == "parcel")[unit] & (stands["slot"].to_numpy()[stand] != "")
    whole = np.bincount(land.pairs.unit[land.pairs.cell].ravel(), minlength=len(land.units))
    ground = pd.Series(whole, index=land.units.index).groupby(land.units["parcel_id"]).sum()
    parcel = land.units["parcel_id"].to_numpy()[unit]
    part = whole[unit] / np.maximum(ground.reindex(parcel).fillna(1).to_numpy(), 1)
    out = pd.DataFrame(
        {
            "event": table["kind"].to_numpy(),
            "event_id": table["event"].to_numpy(),
            "parcel_id": parcel,
            "slot": stands["slot"].to_numpy()[stand],
            "crop": stands["crop"].to_numpy()[stand],
            "start": _dates(table["start"], start),
            "end": _dates(table["end"], start),
            "severity": table["severity"].to_numpy().round(3),
            "share": (table["share"].to_numpy() * part).round(4),
            "damage": table["damage"].to_numpy().round(4),
        }
    )
    out = out.loc[registered & (out["share"] >= LEAST_SHARE)]
    by = ["start", "event", "event_id", "parcel_id", "slot", "crop"]
    return pd.DataFrame(out.sort_values(by, kind="stable").reset_index(drop=True))


def _with_mishaps(stands: pd.DataFrame, told: pd.DataFrame) -> pd.DataFrame:
    """Late and failed stands as events of the whole field."""
    rows = np.flatnonzero(((stands["late_days"] > 0) | (stands["stand"] < 1)).to_numpy())
    late, share = stands["late_days"].to_numpy()[rows], stands["stand"].to_numpy()[rows]
    mishaps = pd.DataFrame(
        {
            "event": 0,
            "kind": "late_failed",
            "stand": rows,
            "start": stands["sown"].to_numpy()[rows],
            "end": np.minimum(stands["harvested"].to_numpy()[rows], NEVER - 1),
            "severity": np.where(late > 0, np.clip(late / 40, 0.3, 1), 1 - share),
            "share": 1.0,
            "damage": mishap_loss(late, share),
        }
    )
    both: pd.DataFrame = pd.concat([told, mishaps], ignore_index=True) if len(told) else mishaps
    return both


def mishap_loss(late_days: npt.NDArray[Any], stand: npt.NDArray[Any]) -> Floats:
    """Share of the yield lost to late sowing or a thin stand: the plants left fill a part of the gaps."""
    return np.asarray(np.where(late_days > 0, 0.05 + 0.006 * late_days, 0.75 * (1 - stand)), dtype=np.float64)


def truth_yields(
    settings: CountySettings, seed: int, land: Land, stands: pd.DataFrame, told: pd.DataFrame, growing: Growing,
    crops: SimCrops, weather: pd.DataFrame, parcels: pd.DataFrame,
) -> pd.DataFrame:  # fmt: skip
    """Yield, production, price and value of each parcel, slot and crop that is sold.

    Light caught by the undamaged canopy, day by day, times light use, times harvest index, all drawn by field; divided
    by what an average field of this crop in this county would get, times the zone's normal yield; less what the events
    took. Price: the zone's, a little different from field to field (quality).
    """
    own = _own_stands(land, stands)
    caught = _light(settings, seed, growing, weather)
    slug = stands["crop"].to_numpy()
    rng = chance(seed, "yields")
    strength = np.clip(rng.normal(1, 0.10, len(stands)), 0.6, 1.4) * np.clip(rng.normal(1, 0.07, len(stands)), 0.7, 1.3)
    strength *= np.clip(rng.normal(1, FIELD_LOSS_CV, len(stands)), 0.85, 1.1)
    kept = np.ones(len(stands))
    if len(told):
        np.multiply.at(kept, told["stand"].to_numpy(dtype=int), 1 - told["damage"].to_numpy())
    whole_year = caught * strength
    season = stands.assign(whole=whole_year * kept, sound=whole_year).loc[stands["slot"] != ""]
    sums = season.groupby(["unit", "slot", "crop"], sort=True).agg(whole=("whole", "sum"), sound=("sound", "sum"))
    # A field as it usually is: sound stands that were sown in time and came up.
    mishap = ((stands["late_days"] > 0) | (stands["stand"] < 1)).groupby([stands["unit"], slug]).any()
    index = sums.index
    trouble = np.array([bool(mishap.get((unit, crop), False)) for unit, _, crop in index])
    usual = sums["sound"].where(~trouble).groupby(index.get_level_values("crop")).mean()
    usual = usual.fillna(sums["sound"].groupby(index.get_level_values("crop")).mean())
    ratio = (sums["whole"] / usual.reindex(index.get_level_values("crop")).to_numpy()).reindex(
        pd.MultiIndex.from_frame(own[["unit", "slot", "crop"]])
    )
    table = parcels.assign(ratio=ratio.to_numpy(), unit=own["unit"].to_numpy())
    table = table.loc[[crops.crops[one].produce is not None for one in table["crop"]]]
    rng = chance(seed, "prices")
    normal, price = _normals(settings, crops, table["crop"])
    per_ha = (normal * table["ratio"].to_numpy()).round(0)
    kg = (per_ha * table["planted_m2"].to_numpy() / 10_000).round(0)
    paid = (price * np.clip(rng.normal(1, 0.04, len(table)), 0.85, 1.15)).round(3)
    return pd.DataFrame(
        {
            "parcel_id": table["parcel_id"].to_numpy(),
            "slot": table["slot"].to_numpy(),
            "crop": table["crop"].to_numpy(),
            "planted_m2": table["planted_m2"].to_numpy(),
            "yield_kg_per_ha": per_ha,
            "production_kg": kg,
            "price_per_kg": paid,
            "value": (kg * paid).round(2),
            "currency": settings.currency,
        }
    )


def _normals(settings: CountySettings, crops: SimCrops, slugs: pd.Series[str]) -> tuple[Floats, Floats]:
    """Normal yield and price of each row: the zone's own, else the crop's."""
    normal, price = [], []
    for slug in slugs:
        produce, own = crops.crops[slug].produce, settings.crops.get(slug)
        assert produce is not None
        normal.append((own.yield_kg_per_ha if own else None) or produce.yield_kg_per_ha)
        price.append((own.price_per_kg if own else None) or produce.price_per_kg)
    return np.array(normal, float), np.array(price, float)


def _light(settings: CountySettings, seed: int, growing: Growing, weather: pd.DataFrame) -> Floats:
    """(stand,): dry matter made from light in the season, on a scale of its own for each crop.

    fAPAR = 0.95 (1 - exp(-K LAI)), K drawn by field between 0.5 and 0.66; the answer to warmth is a parabola around the
    optimum of 22 to 26 degrees C, unlike the estimator's straight lines; green leaves only; days after flowering count
    half as much again, since grain is filled then.
    """
    rng = chance(seed, "light")
    size = len(growing.unit)
    extinction, best = rng.uniform(0.5, 0.66, size), rng.uniform(20, 25, size)
    sun, tmean = weather["radiation_mj"].to_numpy(), weather["tmean_c"].to_numpy()
    heat, v = growing.heat, growing.v
    made = np.zeros(size)
    first, last = (heat.day(day) for day in settings.season)
    for day in range(max(0, first), min(last, heat.days - 1) + 1):
        rows = np.flatnonzero((v["sown"] <= day) & (day < v["harvested"]))
        state = field_states(growing, rows, day)
        leaf = state["lai"] * (1 - 0.8 * np.clip(state["cbrown"] / 0.72, 0, 1))
        caught = 0.95 * (1 - np.exp(-extinction[rows] * leaf))
        warm = np.clip(1 - ((tmean[day] - best[rows]) / 19.0) ** 2, 0.05, 1)
        fills = np.where((v["shape"][rows] == 0) & (age_of(growing, rows, day) > v["flowering"][rows]), 1.5, 1.0)
        made[rows] += PAR_OF_SUN * sun[day] * caught * warm * fills
    return np.maximum(made, 1e-6)


def truth_rasters(county: County) -> dict[str, npt.NDArray[Any]]:
    """Labels at 10 m by the piece of ground that fills most of each pixel.

    Returns:
        crop_a, crop_b: (height, width) uint8, place in `CLASSES`; a crop of slot AB is in both; `none` where a field
        grows nothing in a slot, `non_agri` where no field is. edge: bool, less than the whole pixel is one unit's.
        parcel: int32, row of `parcel_id` in ascending order (0 the first), -1 where no registered parcel is.
    """
    pairs, units = county.pairs, county.units
    height, width = county.window.height, county.window.width
    cells = np.bincount(pairs.cell.ravel(), minlength=len(pairs.unit))
    pixel = pairs.row.astype(np.int64) * width + pairs.col
    order = np.lexsort((pairs.unit, -cells, pixel))  # most cells first; of equals the lower unit
    first = order[np.concatenate([[True], np.diff(pixel[order]) > 0])]
    most = pairs.unit[first]
    shape = (height, width)
    codes = [np.full(len(units), CODE["non_agri"], np.uint8) for _ in range(2)]
    for code, column in zip(codes, ("class_a", "class_b"), strict=True):
        named = units[column].notna().to_numpy()
        code[named] = [CODE[name] for name in units.loc[named, column]]
    ids = sorted(set(units["parcel_id"].dropna()))
    number = pd.Series(range(len(ids)), index=ids)
    parcel = units["parcel_id"].map(number).fillna(-1).to_numpy(dtype=np.int32)
    return {
        "crop_a": codes[0][most].reshape(shape),
        "crop_b": codes[1][most].reshape(shape),
        "edge": (cells[first] < SUB * SUB).reshape(shape),
        "parcel": parcel[most].reshape(shape),
    }
