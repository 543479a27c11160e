# SPDX-License-Identifier: Apache-2.0
"""Who gets less at equal true value: farms of simulated counties, run from scenes and decided under each policy.

    python benchmarks/credit_segments.py [--parcels 300] [--seed 911] [--zones sim-county ...] [--work DIR]

prints all segments; the rows of them are part of `python benchmarks/credit.py --county`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from credit_farms import in_currency, load_policy
from rows import Row, make_row

from acreline.credit import assess_credit
from acreline.records import Applicant, Farm
from acreline.trial.farm_truth import decided_farms
from acreline.trial.segments import FEWEST, KINDS, LOWEST_RATIO, MOST_BIAS, NOT_KNOWN, segment_farms, worst_of

COMMAND = "python benchmarks/credit.py --county"
ZONES = ("sim-county", "yangtze", "loess", "south-china")
"""Dry and large fields, cloudy and small ones, a climate that was not taught, hills; of each a county is drawn."""
POLICIES = ("demo", "china", "kcc")
PARCELS, SEED, WORK = 300, 911, Path("runs/bench-land")
"""As of `benchmarks/land.py`: a county that it has drawn and run is taken as it is."""


@dataclass(frozen=True)
class RunCounty:
    """One county that was run, with its truth."""

    name: str
    zone: str
    """What a policy's amounts by county call it."""
    farms: list[Farm]
    as_of: date
    told: dict[str, pd.DataFrame]
    truth: dict[str, pd.DataFrame]
    slope_deg: pd.Series
    """Mean slope by farm."""


def county_rows(
    policies: Sequence[str] = POLICIES,
    zones: Sequence[str] = ZONES,
    *,
    parcels: int = PARCELS,
    seed: int = SEED,
    work: Path = WORK,
    workers: int = 2,
) -> list[Row]:
    """G24 and G23: rows of segments at equal true value, and of how many farms are referred by size."""
    counties = [run_county(zone, parcels, seed, work, workers) for zone in zones]
    where = f"{', '.join(one.name for one in counties)}; on simulated data"
    tables = {name: segments_of(name, counties) for name in policies}
    return [
        *bias_rows(where, next(iter(tables.values()))),
        *(row for name, table in tables.items() for row in ratio_rows(name, where, table)),
    ]


def run_county(zone: str, parcels: int, seed: int, work: Path, workers: int) -> RunCounty:
    """Draw a county and run it, as `benchmarks/land.py` does; what is drawn and measured already is kept."""
    from land import on_the_ellipsoid

    from acreline.config import read_region
    from acreline.desk import read_farms
    from acreline.events import list_detectors
    from acreline.run import run_region
    from acreline.simulate.make import read_county, simulate_county
    from acreline.store import Store

    name = f"{zone}-{parcels}-{seed}"
    folder = work / name
    simulate_county(read_county(zone), folder, parcels=parcels, seed=seed, workers=workers)
    region = read_region(folder / "region.yaml").model_copy(update={"events": list_detectors(), "farm_pages": 0})
    store = Store(folder / "run")
    with store.locked("bench", "0"):
        publication = run_region(region, store).publication
    farms, as_of = read_farms(publication)
    truth = {
        "parcels": on_the_ellipsoid(folder / "truth" / "parcels.parquet"),
        "yields": pd.read_parquet(folder / "truth" / "yields.parquet"),
    }
    told = {name: pd.read_parquet(publication / f"{name}.parquet") for name in ("farms", "stands")}
    return RunCounty(name, zone, farms, as_of, told, truth, farm_slopes(zone, parcels, seed))


def farm_slopes(zone: str, parcels: int, seed: int) -> pd.Series:
    """Mean slope of each farm's parcels at their middles, degrees: the ground is drawn again, for no file tells it."""
    import shapely

    from acreline.layers import PIXEL_M
    from acreline.simulate.land import make_land
    from acreline.simulate.make import read_county

    land = make_land(read_county(zone), seed, parcels)
    down, along = np.gradient(land.relief_m.astype(float), PIXEL_M)
    slope = np.degrees(np.arctan(np.hypot(down, along)))
    middle = shapely.get_coordinates(shapely.centroid(land.outlines))
    col, row = (np.clip((middle[:, at] / PIXEL_M).astype(int), 0, slope.shape[1 - at] - 1) for at in (0, 1))
    return pd.Series(slope[row, col], index=list(land.farm_ids)).groupby(level=0).mean()


def asked_alike(farms: Sequence[Farm]) -> list[Farm]:
    """The farms with applicants who differ in nothing: what is left is the land and how well it was seen."""
    from dataclasses import replace

    return [
        replace(farm, applicant=Applicant(farm.farm_id, f"P-{farm.farm_id}", None, Decimal(0), 3)) for farm in farms
    ]


def segments_of(policy: str, counties: Sequence[RunCounty]) -> pd.DataFrame:
    """Segments of all counties together under one policy; crops are common or rare in their own county.

    A policy in another money is given the same numbers under its name: only ratios of limits are told, and they have no
    unit.
    """
    parts = []
    for one in counties:
        compiled = load_policy(policy, one.as_of)
        farms = in_currency(asked_alike(one.farms), compiled.policy.currency)
        decisions = assess_credit(farms, compiled, as_of=one.as_of, county=one.zone)
        parts.append(decided_farms(one.told, decisions, one.truth, one.slope_deg))
    return segment_farms(pd.concat(parts, ignore_index=True))


def ratio_rows(policy: str, where: str, table: pd.DataFrame) -> list[Row]:
    """Of one policy: the lowest ratios by kind of segment, how many segments are too small, who is referred by size."""
    out, words = [], f"policy {policy}, every applicant alike"
    for kind in KINDS:
        for measure in ("approval", "limit"):
            value, segment, n, _ = worst_of(table, kind, measure)
            if n:
                out.append(
                    make_row(f"lowest {measure} over the reference group's at equal true value, by {kind}",
                             f"{words}; {where}", round(value, 4), "ratio", n=n, target=f">= {LOWEST_RATIO:g}",
                             baseline=f"{segment}, beside {reference_words(table, kind)}", command=COMMAND)
                )  # fmt: skip
    cut = table[(table["segment"] != NOT_KNOWN) & ~table["reference"].astype(bool)]
    few = cut["unjudged"].str.contains("approval|limit")
    names = ", ".join(f"{row['kind']} {row['segment']} ({row['unjudged'].replace('|', ', ')})"
                      for row in cut[few].to_dict("records"))  # fmt: skip
    size = table[table["kind"] == "size"]
    told = ", ".join(f"{row['segment']} {row['referred']:.0%} of {row['n']}" for row in size.to_dict("records"))
    referred = float((size["referred"] * size["n"]).sum() / size["n"].sum())
    return [
        *out,
        make_row("segments too small to judge at equal true value", f"{words}; {where}", int(few.sum()), "",
                 n=len(cut), command=COMMAND,
                 baseline=f"under {FEWEST} farms on either side, or hardly any approvals: {names or 'none'}"),
        make_row("farms referred to a person", f"{words}, by size: {told}; {where}", round(referred, 4), "share",
                 n=int(size["n"].sum()), baseline="0 if no plot were too small or too little seen", command=COMMAND),
    ]  # fmt: skip


def reference_words(table: pd.DataFrame, kind: str) -> str:
    """The reference group of a kind, with what it gets."""
    row: dict[str, Any] = table[(table["kind"] == kind) & table["reference"].astype(bool)].iloc[0].to_dict()
    return f"{row['segment']}: {row['approved']:.0%} of {row['n']} approved"


def bias_rows(where: str, table: pd.DataFrame) -> list[Row]:
    """The largest bias of planted land by kind of segment; no policy is in it."""
    out = []
    for kind in KINDS:
        value, segment, n, small = worst_of(table, kind, "acreage")
        if n:
            out.append(
                make_row(f"largest bias of planted land, by {kind}", where, round(value, 4), "share", n=n,
                         target=f"<= {MOST_BIAS:g}", command=COMMAND,
                         baseline=f"{segment}; {small} segments of fewer than {FEWEST} farms are not judged")
            )  # fmt: skip
    return out


def main() -> None:
    """Print the segments under each policy."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parcels", type=int, default=PARCELS)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--zones", nargs="+", default=list(ZONES))
    parser.add_argument("--policies", nargs="+", default=list(POLICIES))
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    counties = [run_county(zone, asked.parcels, asked.seed, asked.work, asked.workers) for zone in asked.zones]
    columns = ["kind", "segment", "reference", "n", "approved", "referred", "compared", "approval_ratio",
               "compared_decided", "limit_ratio", "acreage_bias", "verdict", "failing"]  # fmt: skip
    for name in asked.policies:
        print(f"policy {name}, on simulated data")
        print(segments_of(name, counties)[columns].round(3).to_string(index=False))


if __name__ == "__main__":
    main()
