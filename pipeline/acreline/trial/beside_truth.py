# SPDX-License-Identifier: Apache-2.0
"""What a run said of simulated land beside its truth: acreage, totals by crop, dates, events, harvests.

Every function takes tables and gives errors, one entry per farm, crop, stand, event or parcel, so that several counties
can be laid together before a figure is made of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from acreline.area import expected_areas
from acreline.records import NO_CROP

M2_PER_HA = 10_000
ROUNDED = 1e-3
"""The truth is told to four digits of a share and a tenth of a square metre: an end missed by less is not missed."""
MAIN_SHARE = 0.05
"""A main crop has at least this share of the county's sown land."""
NAMED = 0.3
"""A mishap is looked for from this severity on (science notes, 5.4: severity 0.3 to 1)."""
STRUCK_SHARE = 0.3
"""And where it struck at least this share of the parcel: what brushed a rim is neither struck nor sound."""
SAME_EVENT = {"lodging": "lodging_hail", "hail": "lodging_hail"}
"""Mishaps of the simulator that leave one mark and have one name in a run."""
NEAR_DAYS = 30
"""An event is found where one of its kind is said within this many days of it."""
Floats = npt.NDArray[np.float64]


def true_planted(truth: pd.DataFrame) -> pd.Series[float]:
    """Planted land of each parcel in m2, once however many crops it bears.

    Rows of one parcel with the same planted land are the crops of a year on the same ground; others are parts of the
    parcel beside each other, each with crops of its own, and add up.
    """
    parts = truth.drop_duplicates(["parcel_id", "planted_m2"])
    land: pd.Series[float] = parts.groupby("parcel_id")["planted_m2"].sum()
    return land


def farm_acreage(truth: pd.DataFrame, farms: pd.DataFrame, parcels: pd.DataFrame) -> dict[str, Floats]:
    """Relative error of each measured farm over 1 ha, and whether its interval holds the truth.

    Returns:
        `error` (said / true - 1), `drawn` (the same of the drawn polygons, the baseline), `inside` (0 or 1).
    """
    return acreage_beside(farm_land(truth), farms, parcels)


def farm_land(truth: pd.DataFrame) -> pd.Series[float]:
    """Planted land of each farm in m2, by `truth/parcels`."""
    owner = truth.drop_duplicates("parcel_id").set_index("parcel_id")["farm_id"]
    planted = true_planted(truth)
    land: pd.Series[float] = planted.groupby(owner.reindex(planted.index).to_numpy()).sum()
    return land


def told_land(farms: pd.DataFrame) -> pd.Series[float]:
    """Planted land of each farm in m2, as a run told it; farms it told nothing of are left out."""
    told = farms[farms["planted_mu"].notna()].set_index("farm_id")
    land: pd.Series[float] = told["planted_mu"].astype(float) * (M2_PER_HA / 15)
    return land


def acreage_beside(true: pd.Series[float], farms: pd.DataFrame, parcels: pd.DataFrame) -> dict[str, Floats]:
    """`farm_acreage` beside land in m2 by farm; a farm whose land is not among it is left out."""
    drawn = parcels.groupby("farm_id")["metrics:area"].sum()
    told = farms[farms["planted_mu"].notna()].set_index("farm_id")
    land = true.reindex(told.index)
    big = (land > M2_PER_HA).to_numpy()  # a farm without a true figure is not
    told, land = told[big], land[big]
    m2 = {name: told[f"planted_mu{name}"].to_numpy(float) * (M2_PER_HA / 15) for name in ("", "_low", "_high")}
    value = land.to_numpy(float)
    return {
        "error": m2[""] / value - 1,
        "drawn": drawn.reindex(told.index).to_numpy(float) / value - 1,
        "inside": ((m2["_low"] <= value * (1 + ROUNDED)) & (value * (1 - ROUNDED) <= m2["_high"])).astype(float),
    }


def crop_totals(truth: pd.DataFrame, stands: pd.DataFrame, seen: Sequence[str]) -> pd.DataFrame:
    """True, told and expected sown land by class and slot, m2, over the parcels that were judged.

    Args:
        truth: `truth/parcels`.
        stands: what the run said.
        seen: parcels that the run judged; the others are in neither total.
    """
    mine = truth[truth["parcel_id"].isin(seen)]
    true = mine.groupby(["slot", "class"])["planted_m2"].sum().rename("true_m2")
    said = stands[stands["parcel_id"].isin(seen)]
    told = said.groupby(["slot", "crop"])["area_m2_mid"].sum().rename("told_m2")
    told.index = told.index.set_names(["slot", "class"])
    hoped = expected_areas(said.rename(columns={"area_m2_mid": "area_m2"}))["expected_m2"]
    hoped.index = hoped.index.set_names(["slot", "class"])
    both = pd.concat([true, told, hoped], axis=1).fillna(0.0).reset_index()
    both["share"] = both["true_m2"] / max(both["true_m2"].sum(), 1.0)
    return both


def main_bias(totals: pd.DataFrame) -> pd.DataFrame:
    """Relative bias of the main crops' totals: of those counted, and of those expected by probability."""
    main = totals[(totals["share"] >= MAIN_SHARE) & (totals["class"] != "none")].copy()
    main["bias"] = main["told_m2"] / main["true_m2"] - 1
    main["expected_bias"] = main["expected_m2"] / main["true_m2"] - 1
    return main


def matched(truth: pd.DataFrame, told: pd.DataFrame) -> pd.DataFrame:
    """Stands that the run named as what they are; parcels that bear two crops at a time are left out."""
    alone = truth[~truth.duplicated(["parcel_id", "slot"], keep=False)]
    return told.merge(alone, left_on=["parcel_id", "slot", "crop"], right_on=["parcel_id", "slot", "class"],
                      suffixes=("", "_true"))  # fmt: skip


def date_errors(truth: pd.DataFrame, seasons: pd.DataFrame) -> dict[str, Floats]:
    """Days by which emergence and harvest are off (told - true), of stands whose crop was named right."""
    both = matched(truth, seasons)
    out = {}
    for name, true in (("emergence", "emerged"), ("harvest", "harvested")):
        known = both[both[name].notna() & both[true].notna()]
        days = known[name].dt.tz_localize(None) - known[true]
        out[name] = days.dt.total_seconds().to_numpy(float) / 86_400
        doubt = known[f"{name}_doubt_days"].to_numpy(float)
        out[f"{name}_inside"] = (np.abs(out[name]) <= np.maximum(doubt, 1)).astype(float)
        out[f"{name}_told"] = np.array([float(len(known)), float(both[true].notna().sum())])
    return out


def counted_right(truth: pd.DataFrame, seasons: pd.DataFrame) -> Floats:
    """1 where the curve counts as many crops a year as were sown, else 0, (parcel,).

    Of parcels of annual land that hold one field: what stands all year has no count of its own, and an outline that
    runs over two fields has those of both.
    """
    other = truth.duplicated(["parcel_id", "slot"], keep=False) | (truth["slot"] == "AB") | (truth["share"] < 1)
    single = truth[~truth["parcel_id"].isin(truth.loc[other, "parcel_id"])]
    sown = (single["class"] != NO_CROP).groupby(single["parcel_id"]).sum()
    seen = seasons.groupby("parcel_id")["seasons"].max().reindex(sown.index).dropna()
    right: Floats = np.asarray(seen == sown[seen.index], dtype=np.float64)
    return right


def event_counts(
    struck: pd.DataFrame, said: pd.DataFrame, judged: Sequence[str], kinds: Sequence[str]
) -> dict[str, Any]:
    """Found, missed and false events by kind, their dates and damage, and alarms on parcels that nothing struck.

    Args:
        struck: `truth/events`.
        said: the run's events, those outside growth left out.
        judged: parcels that the run judged.
        kinds: of event.
    """
    struck = struck[struck["parcel_id"].isin(judged)].replace({"event": SAME_EVENT})
    said = said[said["parcel_id"].isin(judged)].copy()
    said["day"] = said["start"].dt.tz_localize(None)
    # It struck between the look before and the first that shows it: the middle is its day, as of a stand's dates.
    gap = said["day"] - said["not_before"].dt.tz_localize(None)
    said["middle"] = said["day"] - gap.fillna(pd.Timedelta(0)) / 2
    named = struck[(struck["severity"] >= NAMED) & (struck["share"] >= STRUCK_SHARE)]
    counts, days, damage = {}, [], []
    for kind in kinds:
        true = named[named["event"] == kind].drop_duplicates(["parcel_id", "start"])
        any_of_it = set(struck.loc[struck["event"] == kind, "parcel_id"])
        told = said[said["event"] == kind]
        pairs = true.merge(told, on="parcel_id", suffixes=("", "_told"))
        near = (pairs["day"] >= pairs["start"] - pd.Timedelta(days=NEAR_DAYS)) & (
            pairs["day"] <= pairs["end"].fillna(pairs["start"]) + pd.Timedelta(days=NEAR_DAYS)
        )
        pairs = pairs[near]
        first = pairs.sort_values("day").drop_duplicates(["parcel_id", "start"])
        days += ((first["middle"] - first["start"]).dt.total_seconds() / 86_400).tolist()
        damage += (first["severity_told"] * first["share_told"] - first["damage"]).tolist()
        # An event on a parcel that was struck, if weakly or elsewhere on it, is no false one.
        false = told.loc[~told["parcel_id"].isin(any_of_it), "parcel_id"].nunique()
        found = len(first)
        counts[kind] = {"found": found, "missed": len(true) - found, "false": int(false)}
    sound = set(judged) - set(struck["parcel_id"])
    alarmed = set(said["parcel_id"]) & sound
    return {"kinds": counts, "days": days, "damage": damage, "sound": len(sound), "alarmed": len(alarmed)}


def add_counts(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Event counts of several counties as one."""
    out: dict[str, Any] = {"kinds": {}, "days": [], "damage": [], "sound": 0, "alarmed": 0}
    for part in parts:
        for kind, counts in part["kinds"].items():
            mine = out["kinds"].setdefault(kind, {"found": 0, "missed": 0, "false": 0})
            for name, count in counts.items():
                mine[name] += count
        for name in ("days", "damage", "sound", "alarmed"):
            out[name] = out[name] + part[name]
    return out


def event_f1(counts: Mapping[str, Mapping[str, int]]) -> dict[str, float]:
    """F1 of each kind that happened at all."""
    out = {}
    for kind, one in counts.items():
        if one["found"] + one["missed"]:
            out[kind] = 2 * one["found"] / (2 * one["found"] + one["missed"] + one["false"])
    return out


def harvests(yields: pd.DataFrame, stands: pd.DataFrame, grain: Sequence[str]) -> pd.DataFrame:
    """Told and true harvest in kg/ha of stands of grain that the run named as what they are."""
    alone = yields[~yields.duplicated(["parcel_id", "slot"], keep=False)]
    both = stands.merge(alone, on=["parcel_id", "slot"], suffixes=("", "_true"))
    both = both[both["crop"].isin(grain) & (both["class"] == both["crop"]) & both["yield_kg_per_ha_mid"].notna()]
    return pd.DataFrame(
        {
            "crop": both["crop"],
            **{end: both[f"yield_kg_per_ha_{end}"].to_numpy(float) for end in ("low", "mid", "high")},
            "true": both["yield_kg_per_ha"].to_numpy(float),
        }
    )


def nrmse(table: pd.DataFrame, column: str = "mid") -> float:
    """Root mean square of the error over the crop's mean harvest, over all stands."""
    mean = table.groupby("crop")["true"].transform("mean")
    return float(np.sqrt((((table[column] - table["true"]) / mean) ** 2).mean()))
