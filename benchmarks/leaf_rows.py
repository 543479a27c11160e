# SPDX-License-Identifier: Apache-2.0
"""Green leaf area of wheat as told from each clear look of a run, beside the true one of the simulated county."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from land_rows import COMMAND
from rows import Row, make_row

from acreline.layers import BANDS, MIN_FULL_PX
from acreline.simulate.county import make_county
from acreline.simulate.make import read_county
from acreline.trial import evaluate_health

WHEAT = "winter_cereal"
YELLOW = 0.8
"""Share of the leaf area that is no longer green where all that can turn brown has."""
BROWN = 0.72
"""Brown share of a canopy that is ripe through."""
PHASES = {"early": 0.4, "stems grow": 0.65, "heads": 0.85, "ripens": 1.0}
"""Phase of growth -> share of the days from emergence to harvest by which it ends."""


def leaf_rows(setting: str, zones: Sequence[str], parcels: int, seed: int, work: Path) -> list[Row]:
    """Rank correlations over the season and within its phases, by the same code as `acreline evaluate --task health`.

    Args:
        setting: words of the row.
        zones: counties that `land.measure` has run under `work`.
        parcels: of each.
        seed: of each.
        work: folder of counties and runs.
    """
    tables = []
    for zone in zones:
        name = f"{zone}-{parcels}-{seed}"
        table = wheat_looks(zone, parcels, seed, work / name / "run" / "latest" / "looks.parquet")
        tables.append(table.assign(id=f"{name} " + table["id"]))
    folder = work / "leaf-area" / setting.replace(" ", "-")
    folder.mkdir(parents=True, exist_ok=True)
    pd.concat(tables).to_csv(folder / "rows.csv", index=False)
    told = evaluate_health(folder / "rows.csv", folder / "report")["measured"].get("lai")
    if told is None:
        return []
    ours = told["leaf area"]
    known = "on simulated data, of the canopy model that the inversion was taught on"
    where = f"{setting}: wheat of {', '.join(zones)}, seed {seed}; {known}"
    rivals = {name: told[name] for name in ("NDVI", "NDRE")}
    season = ", ".join(f"{name} {one['spearman']:.3f}" for name, one in rivals.items())
    within = ", ".join(f"{name} {one['within_phases']['mean']:.3f}" for name, one in rivals.items())
    return [
        make_row("leaf area beside the true one over a season, Spearman", where, ours["spearman"], "rho", n=told["n"],
                 target=">= 0.72", baseline=season, command=COMMAND),
        make_row("leaf area beside the true one within phases of growth, Spearman", where,
                 ours["within_phases"]["mean"], "rho", n=told["n"], target=">= 0.60", baseline=within, command=COMMAND),
    ]  # fmt: skip


def wheat_looks(zone: str, parcels: int, seed: int, looks: Path) -> pd.DataFrame:
    """Mean reflectance of each wheat parcel on each clear look between emergence and harvest, with true `lai`, `phase`.

    Looks need `MIN_FULL_PX` clear pixels and a parcel that is clear in half of what was seen.
    """
    county = make_county(read_county(zone), parcels=parcels, seed=seed)
    truth = pd.DataFrame(county.truth_parcels.drop(columns="geometry"))
    wheat = truth[(truth["class"] == WHEAT) & truth["harvested"].notna() & (truth["share"] > 0.99)].copy()
    wheat = wheat.drop_duplicates("parcel_id").reset_index(drop=True).rename_axis("place").reset_index()
    seen = pd.read_parquet(looks)
    seen = seen[(seen["n_clear"] >= MIN_FULL_PX) & (2 * seen["n_clear"] >= seen["n_seen"])]
    seen["day"] = seen["time"].dt.tz_localize(None).dt.floor("D")
    both = seen.merge(wheat[["parcel_id", "place", "emerged", "harvested"]], on="parcel_id")
    both = both[(both["day"] > both["emerged"]) & (both["day"] < both["harvested"])].reset_index(drop=True)
    share = (both["day"] - both["emerged"]) / (both["harvested"] - both["emerged"])
    names = np.array(list(PHASES))
    table = pd.DataFrame(
        {
            "id": both["parcel_id"],
            "date": both["day"].dt.strftime("%Y-%m-%d"),
            **{band: (both[f"sum_{band}"] / both["n_clear"] / 10_000).round(5) for band in BANDS},
            "phase": names[np.searchsorted(list(PHASES.values()), share.clip(0, 1))],
            "lai": np.nan,
        }
    )
    of_unit = pd.Index(wheat["parcel_id"]).get_indexer(county.units["parcel_id"])  # -1: no wheat
    place = of_unit[county.pairs.unit]
    mine = place >= 0
    count = np.bincount(place[mine], minlength=len(wheat))
    for day, at in both.groupby("day").indices.items():
        state = county.states.on(pd.Timestamp(day).date())  # type: ignore[attr-defined]
        green = state["lai"] * (1 - YELLOW * np.clip(state["cbrown"] / BROWN, 0, 1))
        leaf = np.bincount(place[mine], green[mine], len(wheat)) / count
        table.loc[at, "lai"] = leaf[both["place"].to_numpy(int)[at]].round(3)
    return table
