# SPDX-License-Identifier: Apache-2.0
"""Decided farms of a run as one table, with what is true of them where that is known: what fairness is judged on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from acreline.records import NO_CROP, Decision
from acreline.trial.beside_truth import M2_PER_HA, farm_land, told_land

if TYPE_CHECKING:
    import pandas as pd

Tables = Mapping[str, "pd.DataFrame"]


def decided_farms(
    told: Tables,
    decisions: Sequence[Decision] | pd.DataFrame,
    truth: Tables | None = None,
    slope_deg: pd.Series[float] | None = None,
) -> pd.DataFrame:
    """One row per farm, in the order of the farms, for `segment_farms`.

    Args:
        told: `farms` and `stands` of a publication.
        decisions: of the same farms, as records or as the table `decisions`.
        truth: `parcels` (parcel_id, farm_id, slot, class, planted_m2) and `yields` (parcel_id, value) of
            `acreline simulate`, or tables like them; None: not known.
        slope_deg: mean slope of each farm's land in degrees, by farm_id; None: not known.

    Returns:
        farm_id, outcome, limit (NaN: referred), area_ha (drawn), planted_m2 (as told; NaN: not measured), clear_looks,
        crop_share (of the farm's main crop in the land sown in the county, 0 to 1; by the truth where it is known),
        slope_deg where it was given, true_value (of all that the farm sold; 0: nothing) and true_planted_m2 where the
        truth is known.
    """
    import pandas as pd

    farms = told["farms"].set_index("farm_id")
    if not isinstance(decisions, pd.DataFrame):
        decisions = pd.DataFrame(
            {"farm_id": one.farm_id, "outcome": one.outcome, "limit": one.limit} for one in decisions
        )
    decided = decisions.set_index("farm_id").reindex(farms.index)
    table = pd.DataFrame(
        {
            "outcome": decided["outcome"],
            "limit": pd.to_numeric(decided["limit"]).astype(float),
            "area_ha": farms["area_m2"].astype(float) / M2_PER_HA,
            "planted_m2": told_land(told["farms"]).reindex(farms.index),
            "clear_looks": farms["clear_looks"],
        },
        index=farms.index,
    )
    if truth is None:
        stands = told["stands"]
        grown = pd.DataFrame({"farm_id": stands["farm_id"], "crop": stands["crop"], "m2": stands["area_m2_mid"]})
        grown = grown[grown["crop"] != "unknown"]
    else:
        parcels = truth["parcels"]
        grown = pd.DataFrame({"farm_id": parcels["farm_id"], "crop": parcels["class"], "m2": parcels["planted_m2"]})
        owner = parcels.drop_duplicates("parcel_id").set_index("parcel_id")["farm_id"]
        sold = truth["yields"]
        worth = sold["value"].groupby(owner.reindex(sold["parcel_id"]).to_numpy()).sum()
        true = {"true_value": worth, "true_planted_m2": farm_land(parcels)}
        table = table.assign(**{name: column.reindex(farms.index).fillna(0.0) for name, column in true.items()})
    table["crop_share"] = crop_shares(grown).reindex(farms.index)
    if slope_deg is not None:
        table["slope_deg"] = slope_deg.reindex(farms.index)
    return table.reset_index()


def crop_shares(grown: pd.DataFrame) -> pd.Series[float]:
    """Share of each farm's main crop in the sown land of all, 0 to 1, by farm; land without a crop does not count.

    Of crops that follow each other on the same ground the commoner is the main one.

    Args:
        grown: farm_id, crop (slug), m2; a crop twice on one farm adds up.
    """
    grown = grown[grown["crop"] != NO_CROP]
    share = grown.groupby("crop")["m2"].sum() / max(float(grown["m2"].sum()), 1.0)
    own = grown.groupby(["farm_id", "crop"])["m2"].sum().reset_index()
    own = own.assign(share=own["crop"].map(share)).sort_values(["farm_id", "m2", "share", "crop"])
    main = own.drop_duplicates("farm_id", keep="last").set_index("farm_id")
    shares: pd.Series[float] = main["share"].astype(np.float64)
    return shares
