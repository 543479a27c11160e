# SPDX-License-Identifier: Apache-2.0
"""What acreline says of the land beside the truth of simulated counties: acreage, dates, events, harvests.

    python benchmarks/land.py [--parcels 300] [--seed 911] [--work DIR] [--field-images DIR] [--quick]

Draws counties of climates that were taught and of one that was not, runs each from scenes to limits with every
detector on, and lays the publication beside `truth/`, which no run reads. Surveyed fields that come with acreline are
told too, and those of --field-images (`data/README.md` says how such a folder looks). The first county of each setting
is told month by month as well, and once more with claims that are wrong on purpose. Writes
benchmarks/results/land.json; --quick tries all of it on tiny counties and writes nothing.
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from land_claims import claim_counts, claim_rows, datum_rows, datum_verdicts, write_planted
from land_rows import rows_of, speed_row, surveyed_rows, where_of
from land_season import course_errors, course_rows, curve_of, curve_rows, stage_rows, true_course
from land_totals import joined, sampled_totals, total_rows, vigour_rows, vigour_table, worth_rows, worth_table
from leaf_rows import leaf_rows
from rows import Row, write_rows

import acreline.model
import acreline.run as way
from acreline.config import Region, packaged_crops, read_crops, read_region
from acreline.desk import read_farms
from acreline.events import list_detectors
from acreline.geo import geodesic_area_m2
from acreline.layers import HEALTH_CLASSES
from acreline.simulate.make import read_county, simulate_county
from acreline.store import Store
from acreline.tables import stands_table
from acreline.trial.beside_truth import (
    counted_right,
    crop_totals,
    date_errors,
    event_counts,
    farm_acreage,
    harvests,
    main_bias,
)  # fmt: skip
from acreline.yields import estimate_yields

SAME, UNSEEN = ("sim-county", "yangtze"), ("loess",)
STATISTIC_ERROR = 0.05
"""Relative error of a county statistic (science notes, 4.1)."""
FACTS = (
    "describe_seasons", "judge_parcels", "check_claims", "note_claims", "judged_only", "score_health", "detect_events",
    "measure_growth", "without_guesses", "gather_farms", "estimate_yields", "assess_credit",
)  # fmt: skip
"""What `acreline.run` calls between the sums over pixels and the publication."""
KINDS = [name for name in HEALTH_CLASSES if name not in ("normal", "harvested", "other")]


@dataclass(frozen=True)
class County:
    """One county that was run, measured against its truth."""

    name: str
    acreage: dict[str, Any]
    totals: pd.DataFrame
    dates: dict[str, Any]
    counted: Any
    """1 where the curve counts as many crops a year as were sown, else 0."""
    events: dict[str, Any]
    confirmed: dict[str, Any]
    """The same of those events alone that rule and network, weather or a report agree on."""
    harvest: pd.DataFrame
    harvest_by_statistic: pd.DataFrame
    sampled: pd.DataFrame
    vigour: pd.DataFrame
    worth: pd.DataFrame
    course: pd.DataFrame
    """True stands with the days on which they peaked and began to ripen."""
    course_errors: dict[str, Any]
    region: Region
    truth: dict[str, pd.DataFrame]


def main() -> None:
    """Draw, run, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parcels", type=int, default=300)
    parser.add_argument("--seed", type=int, default=911)
    parser.add_argument("--work", type=Path, default=Path("runs/bench-land"), help="counties and runs are kept here")
    parser.add_argument("--zones", nargs="*", help="only these zones of configs/simulate/")
    parser.add_argument("--field-images", type=Path, help="a folder of surveyed fields")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--speed-parcels", type=int, default=1000, help="of the county on which the speed is taken")
    parser.add_argument("--dry", action="store_true", help="a trial: print, do not write")
    parser.add_argument("--quick", action="store_true", help="a trial of everything on counties of 60 parcels")
    asked = parser.parse_args()
    if asked.quick:
        asked.parcels, asked.speed_parcels, asked.dry = 60, 60, True
        asked.zones = asked.zones or [SAME[0], *UNSEEN]
    rows: list[Row] = []
    for setting, zones in (("same climate", SAME), ("unseen climate", UNSEEN)):
        chosen = [zone for zone in zones if not asked.zones or zone in asked.zones]
        counties = [measure(zone, asked.parcels, asked.seed, asked.work, asked.workers) for zone in chosen]
        if counties:
            rows += tell(rows_of(setting, counties))
            rows += tell(more_rows(setting, counties, asked.work))
            rows += tell(leaf_rows(setting, chosen, asked.parcels, asked.seed, asked.work))
    rows += tell([speed_row([speed_of(SAME[0], asked.speed_parcels, asked.seed, asked.work, asked.workers)])])
    rows += tell(surveyed_rows(asked.work, asked.field_images))
    if not asked.dry:
        write_rows("land", rows)


def tell(rows: list[Row]) -> list[Row]:
    """The rows, printed as soon as they are known: the whole takes its time."""
    for row in rows:
        met = {True: "met   ", False: "missed", None: "      "}[row["met"]]
        print(f"{met} {row['quantity']}: {row['value']:.3f} (target {row['target']}, n {row['n']:,}), {row['setting']}"
              f"; {row['baseline']}", flush=True)  # fmt: skip
    return rows


def more_rows(setting: str, counties: Sequence[County], work: Path) -> list[Row]:
    """Totals by sample, courses of the season, vigour and worth of all counties; the rest of the first one alone."""
    names, first = [one.name for one in counties], counties[0]
    where, alone = where_of(setting, names), where_of(setting, names[:1])
    folder = work / first.name
    planted_region, planted = write_planted(first.region, first.truth["parcels"], folder / "claims")
    publication, _ = run(planted_region, folder / "claims" / "run")
    crooked = first.truth["parcels"].loc[first.truth["parcels"]["outline_error"].fillna("") != "", "parcel_id"]
    claims = claim_counts(pd.read_parquet(publication / "parcels.parquet"), planted, set(crooked))
    shutil.rmtree(folder / "curve", ignore_errors=True)
    months, stages = curve_of(first.region, folder / "truth", folder / "curve", first.course)
    return [
        *total_rows(where, joined([one.sampled for one in counties], names)),
        *course_rows(where, [one.course_errors for one in counties]),
        *vigour_rows(where, joined([one.vigour for one in counties], names)),
        *worth_rows(where, joined([one.worth for one in counties], names)),
        *stage_rows(alone, stages),
        *curve_rows(alone, months),
        *claim_rows(alone, claims),
        *datum_rows(alone, datum_verdicts(first.region, folder / "datum")),
    ]


def measure(zone: str, parcels: int, seed: int, work: Path, workers: int) -> County:
    """Draw a county, run it, and lay what was said beside what is true."""
    name = f"{zone}-{parcels}-{seed}"
    folder = work / name
    simulate_county(read_county(zone), folder, parcels=parcels, seed=seed, workers=workers)
    region = read_region(folder / "region.yaml").model_copy(update={"events": list_detectors(), "farm_pages": 0})
    publication, _ = run(region, folder / "run")
    told = {path.stem: pd.read_parquet(path) for path in publication.glob("*.parquet")}
    truth = {path.stem: pd.read_parquet(path) for path in (folder / "truth").glob("*.parquet")}
    truth["parcels"] = on_the_ellipsoid(folder / "truth" / "parcels.parquet")
    judged = told["parcels"].loc[told["parcels"]["status"].isin(["ok", "degraded"]), "id"].tolist()
    classes = truth["parcels"].drop_duplicates("crop").set_index("crop")["class"]
    yields = truth["yields"].assign(**{"class": classes.reindex(truth["yields"]["crop"]).to_numpy()})
    events = told["events"]
    events = events[~events["code"].fillna("").str.contains("outside_growth")]
    sure = events[events["confirmed"]]
    grain = [slug for slug, crop in packaged_crops().items() if crop.modelled_yield]
    totals, course = crop_totals(truth["parcels"], told["stands"], judged), true_course(zone, parcels, seed)
    return County(
        name=name,
        acreage=farm_acreage(truth["parcels"], told["farms"], told["parcels"]),
        totals=totals,
        dates=date_errors(truth["parcels"], told["seasons"]),
        counted=counted_right(truth["parcels"], told["seasons"]),
        events=event_counts(truth["events"], events, judged, KINDS),
        confirmed=event_counts(truth["events"], sure, judged, KINDS),
        harvest=harvests(yields, told["stands"], grain),
        harvest_by_statistic=harvests(yields, with_statistic(publication, region, yields), grain),
        sampled=sampled_totals(publication, truth["parcels"], main_bias(totals)),
        vigour=vigour_table(told["health"], yields, truth["events"]),
        worth=worth_table(told["stands"], yields),
        course=course,
        course_errors=course_errors(course, told["seasons"]),
        region=region,
        truth=truth,
    )


def speed_of(zone: str, parcels: int, seed: int, work: Path, workers: int) -> tuple[str, int, dict[str, float]]:
    """Name, parcels and processor seconds of a county that is run for its speed alone."""
    name = f"{zone}-{parcels}-{seed}"
    simulate_county(read_county(zone), work / name, parcels=parcels, seed=seed, workers=workers)
    region = read_region(work / name / "region.yaml").model_copy(update={"events": list_detectors(), "farm_pages": 0})
    publication, seconds = run(region, work / name / "run")
    return name, len(pd.read_parquet(publication / "parcels.parquet", columns=["id"])), seconds


def on_the_ellipsoid(path: Path) -> pd.DataFrame:
    """True parcels with planted land on the ellipsoid: the simulator measures in the tile's plane, up to 0.1 % off."""
    import geopandas as gpd

    table = gpd.read_parquet(path)
    ground = geodesic_area_m2(table.geometry)
    planted = table["planted_m2"] * ground / table["area_m2"]
    return pd.DataFrame(table.drop(columns="geometry")).assign(planted_m2=planted)


def run(region: Region, out: Path) -> tuple[Path, dict[str, float]]:
    """Run a region here from nothing, in one process; and the processor seconds of the facts and of the network."""
    shutil.rmtree(out, ignore_errors=True)
    store = Store(out)
    with clocked() as seconds, store.locked("bench", "0"):
        publication = way.run_region(region, store).publication
    return publication, seconds


@contextmanager
def clocked() -> Iterator[dict[str, float]]:
    """Processor seconds of the stages that make facts, and of the network, while a region runs."""
    seconds = {"facts": 0.0, "network": 0.0}
    places = [(way, name, "facts") for name in FACTS] + [(acreline.model, "segment_cube", "network")]
    before = [(place, name, getattr(place, name)) for place, name, _ in places]
    for place, name, part in places:
        setattr(place, name, timed(getattr(place, name), seconds, part))
    try:
        yield seconds
    finally:
        for place, name, stage in before:
            setattr(place, name, stage)


def timed(stage: Any, seconds: dict[str, float], part: str) -> Any:
    """The same function; what it takes is added up."""

    @wraps(stage)
    def run_it(*args: Any, **named: Any) -> Any:
        started = time.process_time()
        try:
            return stage(*args, **named)
        finally:
            seconds[part] += time.process_time() - started

    return run_it


def with_statistic(publication: Path, region: Region, yields: pd.DataFrame) -> pd.DataFrame:
    """The stands again, their level pinned by a statistic: the county's true mean by crop, off by its own error."""
    weight = yields["planted_m2"]
    means = (yields["yield_kg_per_ha"] * weight).groupby(yields["class"]).sum() / weight.groupby(yields["class"]).sum()
    off = np.random.default_rng(0).normal(0, STATISTIC_ERROR, len(means))
    statistics = {str(slug): (float(mean * (1 + error)), STATISTIC_ERROR)
                  for (slug, mean), error in zip(means.items(), off, strict=True) if mean > 0}  # fmt: skip
    farms, _ = read_farms(publication)
    return stands_table(estimate_yields(farms, read_crops(region), statistics))


if __name__ == "__main__":
    main()
