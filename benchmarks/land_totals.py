# SPDX-License-Identifier: Apache-2.0
"""Totals corrected by a sample, vigour and worth beside the truth of simulated counties."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from land_rows import COMMAND, PROMISED
from rows import Row, make_row

from acreline.area import corrected_areas
from acreline.area.estimate import OTHER
from acreline.area.reference import land_told
from acreline.config import packaged_crops
from acreline.records import NO_CROP

SAMPLED, FEWEST, DRAWS = 0.2, 10, 200
"""Share of the parcels that a sample visits, how many at least, and how many such samples are drawn."""
KEYS = ["parcel_id", "slot"]


def sampled_totals(publication: Path, truth: pd.DataFrame, totals: pd.DataFrame) -> pd.DataFrame:
    """What samples of visited parcels make of the totals of main crops, by the same code as `acreline area`.

    Args:
        publication: of a run.
        truth: `truth/parcels`, planted land on the ellipsoid.
        totals: of `beside_truth.main_bias`: slot, class, true_m2, told_m2.

    Returns:
        slot, class, true_m2, counted_m2, draw, corrected_m2, low_m2, high_m2; one row per draw and main crop.
    """
    land = land_told(publication)
    visited = land.assign(told=land["crop"], crop=true_crops(land, truth))
    parcels = np.array(sorted(set(land["parcel_id"])), dtype=object)
    count = min(max(FEWEST, round(SAMPLED * len(parcels))), len(parcels))
    rng, parts = np.random.default_rng(0), []
    for draw in range(DRAWS):
        chosen = visited[visited["parcel_id"].isin(rng.choice(parcels, count, replace=False))]
        for slot in sorted(set(totals["slot"]) & set(chosen["slot"])):
            stratum = land[land["slot"] == slot]
            told = corrected_areas(stratum, chosen.loc[chosen["slot"] == slot, ["told", "crop", "area_m2"]])
            parts.append(told.assign(slot=slot, draw=draw))
    if not parts:
        return pd.DataFrame()
    both = totals.merge(pd.concat(parts), left_on=["slot", "class"], right_on=["slot", "crop"])
    return both.rename(columns={"told_m2": "counted_m2"})[
        ["slot", "class", "true_m2", "counted_m2", "draw", "corrected_m2", "low_m2", "high_m2"]
    ]


def true_crops(land: pd.DataFrame, truth: pd.DataFrame) -> Any:
    """What a visitor would see on each row of `land_told`: the largest crop of its slot, other land `other`."""
    main = truth.sort_values("planted_m2", kind="stable").drop_duplicates(KEYS, keep="last")
    same = land[KEYS].merge(main[[*KEYS, "class"]], on=KEYS, how="left")["class"].to_numpy(dtype=object)
    grown = truth[truth["class"] != NO_CROP]
    elsewhere = land["parcel_id"].isin(grown.loc[grown["slot"] == "AB", "parcel_id"]).to_numpy()
    halves = land["parcel_id"].isin(grown.loc[grown["slot"] != "AB", "parcel_id"]).to_numpy()
    otherwise = np.where(land["slot"].to_numpy() == "AB", halves, elsewhere)
    return np.where(pd.isna(same), np.where(otherwise, OTHER, NO_CROP), same)


def total_rows(where: str, drawn: pd.DataFrame) -> list[Row]:
    """Coverage of the 95 % intervals and bias beside counting; `drawn` of one or several counties (column county)."""
    if drawn.empty:
        return []
    inside = (drawn["low_m2"] <= drawn["true_m2"]) & (drawn["true_m2"] <= drawn["high_m2"])
    held = float(inside.mean())
    mean = drawn.groupby(["county", "slot", "class"]).agg(
        true=("true_m2", "first"), counted=("counted_m2", "first"), corrected=("corrected_m2", "mean")
    )
    bias = {name: float((mean[name] / mean["true"] - 1).abs().mean()) for name in ("counted", "corrected")}
    words = f"{SAMPLED:.0%} of the parcels visited, {DRAWS} samples a county"
    return [
        make_row("95 % intervals of totals corrected by a sample that hold the truth", where, round(held, 4),
                 "share", n=len(drawn), target="0.93..0.97", baseline=f"0.95 is promised; {words}", command=COMMAND),
        make_row("total of main crops, corrected by a sample, mean absolute bias", where, round(bias["corrected"], 4),
                 "share", n=len(mean), target="<= 0.02", baseline=f"counted: {bias['counted']:.3f}; {words}",
                 command=COMMAND),
    ]  # fmt: skip


def vigour_table(health: pd.DataFrame, yields: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    """Vigour told of each stand beside its true harvest over the mean of its crop, and its true damage.

    Args:
        health: what the run said.
        yields: `truth/yields` with class.
        events: `truth/events`.

    Returns:
        class, vigour, harvest (1: as the crop's mean in the county), damage (0 to 1).
    """
    alone = yields[~yields.duplicated(KEYS, keep=False)]
    both = health.dropna(subset=["vigour"]).merge(alone, on=KEYS)
    lost = events.groupby(KEYS)["damage"].sum().clip(upper=1.0).rename("damage").reset_index()
    both = both.merge(lost, on=KEYS, how="left")
    mean = both.groupby("class")["yield_kg_per_ha"].transform("mean")
    table = both[["class"]].assign(
        vigour=both["vigour"].astype(float), harvest=both["yield_kg_per_ha"] / mean, damage=both["damage"].fillna(0.0)
    )
    return table[(mean > 0).to_numpy()].reset_index(drop=True)


def vigour_rows(where: str, table: pd.DataFrame) -> list[Row]:
    """Rank correlation of vigour with what was harvested, and with what was lost."""
    rows = []
    struck = table[table["damage"] > 0]
    for name, part, sign in (("harvest over the crop's mean", table.assign(true=table["harvest"]), 1),
                             ("damage, where something struck", struck.assign(true=struck["damage"]), -1)):  # fmt: skip
        if len(part) > 2 and part["true"].nunique() > 1 and part["vigour"].nunique() > 1:
            rho = sign * float(part["vigour"].rank().corr(part["true"].rank()))
            rows.append(make_row(f"vigour beside true {name}, Spearman", where, round(rho, 4), "rho", n=len(part),
                                 baseline="0 if vigour told nothing" + ("; the sign is turned" if sign < 0 else ""),
                                 command=COMMAND))  # fmt: skip
    return rows


def worth_table(stands: pd.DataFrame, yields: pd.DataFrame) -> pd.DataFrame:
    """Worth told of stands of crops whose harvest is not modelled (low, mid, high) and the true one, in one money."""
    plain = [slug for slug, crop in packaged_crops().items() if not crop.modelled_yield]
    alone = yields[~yields.duplicated(KEYS, keep=False)].rename(columns={"currency": "paid_in", "value": "true"})
    told = stands[stands["crop"].isin(plain) & stands["value_mid"].notna()]
    both = told.merge(alone[[*KEYS, "class", "true", "paid_in"]], on=KEYS)
    both = both[(both["class"] == both["crop"]) & (both["paid_in"] == both["currency"]) & (both["true"] > 0)]
    ends = {end: both[f"value_{end}"].to_numpy(float) for end in ("low", "mid", "high")}
    return pd.DataFrame({"crop": both["crop"].to_numpy(), **ends, "true": both["true"].to_numpy(float)})


def worth_rows(where: str, table: pd.DataFrame) -> list[Row]:
    """Share of the ranges of worth that hold the truth, for crops that are not modelled."""
    if table.empty:
        return []
    inside = ((table["low"] <= table["true"]) & (table["true"] <= table["high"])).mean()
    off = float(np.median(table["mid"] / table["true"]))
    words = f"{PROMISED}; {', '.join(sorted(set(table['crop'])))}; told {off:.2f} of the truth in the middle"
    return [make_row("90 % ranges of the worth of crops that are not modelled that hold the truth", where,
                     round(float(inside), 4), "share", n=len(table), target=">= 0.88", baseline=words,
                     command=COMMAND)]  # fmt: skip


def joined(parts: Sequence[pd.DataFrame], names: Sequence[str]) -> pd.DataFrame:
    """Tables of several counties as one, each row with its county."""
    return pd.concat([part.assign(county=name) for part, name in zip(parts, names, strict=True)], ignore_index=True)
