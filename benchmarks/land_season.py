# SPDX-License-Identifier: Apache-2.0
"""How a season is told beside the truth of simulated counties: peak, ripening, stages, and what each month knew.

The true course of a stand is the light that its green leaves catch, 1 - exp(-0.5 LAI), like NDVI a measure that closes
before the leaf area is at its largest. It peaks in the middle of the days within 2 % of its highest; its plateau is the
time from the first to the last day at nine tenths of that, as `seasons` reads it from NDVI.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from land_rows import COMMAND
from leaf_rows import BROWN, YELLOW
from rows import Row, make_row

from acreline.config import Region
from acreline.simulate.county import make_county
from acreline.simulate.make import read_county
from acreline.trial.beside_truth import matched
from acreline.trial.season_curve import draw_curve

STEP_DAYS = 4
"""Between the days on which the true canopy is asked for."""
PLATEAU, TOP = 0.9, 0.98
ALLOWED: Mapping[str, tuple[str, ...]] = {
    "not_up": ("not_begun", "bare"),
    "growing": ("emerging", "growing"),
    "nearly_top": ("growing", "peak"),
    "peak": ("peak",),
    "ripening": ("senescing",),
    "cut": ("harvested",),
}
"""True stage -> the words that are right; before the highest day nobody can know that it is near."""
MIDSEASON = "-06-30"


def true_course(zone: str, parcels: int, seed: int) -> pd.DataFrame:
    """`truth/parcels` of annual stands that fill their parcel and were cut, with `rises` and `peak` and `ripens`.

    rises: first day at nine tenths of the most; peak: middle of the days near the most; ripens: last day at nine
    tenths.
    """
    settings = read_county(zone)
    county = make_county(settings, parcels=parcels, seed=seed)
    truth = pd.DataFrame(county.truth_parcels.drop(columns="geometry"))
    whole = truth["emerged"].notna() & truth["harvested"].notna() & (truth["share"] > 0.99) & (truth["slot"] != "AB")
    stands = truth[whole].reset_index(drop=True)
    ids = pd.Index(stands["parcel_id"].unique())
    place = ids.get_indexer(county.units["parcel_id"])[county.pairs.unit]  # -1: no such parcel
    mine = place >= 0
    count = np.bincount(place[mine], minlength=len(ids))
    first = max(stands["emerged"].min(), pd.Timestamp(settings.season[0]))  # some came up before it
    days = pd.date_range(first, stands["harvested"].max(), freq=f"{STEP_DAYS}D")
    caught = np.zeros((len(days), len(ids)))
    for k, day in enumerate(days):
        state = county.states.on(day.date())
        green = state["lai"] * (1 - YELLOW * np.clip(state["cbrown"] / BROWN, 0, 1))
        caught[k] = 1 - np.exp(-0.5 * np.bincount(place[mine], green[mine], len(ids)) / count)
    return with_course(stands, days, caught[:, ids.get_indexer(stands["parcel_id"])])


def with_course(stands: pd.DataFrame, days: pd.DatetimeIndex, caught: Any) -> pd.DataFrame:
    """Stands with their days; `caught` (day, stand) is the light caught, of which the days of the stand count."""
    day = days.to_numpy()[:, None]
    own = (day >= stands["emerged"].to_numpy()[None, :]) & (day <= stands["harvested"].to_numpy()[None, :])
    value = np.where(own, caught, -1.0)
    most = value.max(axis=0)
    high, top = value >= PLATEAU * most, value >= TOP * most
    last = len(days) - 1
    middle = (top.argmax(axis=0) + last - top[::-1].argmax(axis=0)) / 2
    first, end = high.argmax(axis=0), last - high[::-1].argmax(axis=0)
    step = (days[1] - days[0]) if len(days) > 1 else pd.Timedelta(0)
    told = stands.assign(rises=days[first], peak=days[0] + middle * step, ripens=days[end])
    return told[most > 0].reset_index(drop=True)


def course_errors(course: pd.DataFrame, seasons: pd.DataFrame) -> dict[str, Any]:
    """Days by which peak and ripening are off (told - true), of stands whose crop was named right; with how many."""
    both = matched(course, seasons.rename(columns={"peak": "told_peak", "senescence": "told_ripens"}))
    out = {}
    for name in ("peak", "ripens"):
        known = both[both[f"told_{name}"].notna()]
        off = known[f"told_{name}"].dt.tz_localize(None) - known[name]
        out[name] = off.dt.total_seconds().to_numpy(float) / 86_400
        out[f"{name}_of"] = len(both)
    return out


def course_rows(where: str, parts: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Errors of peak and ripening over several counties."""
    rows = []
    for name, words in (("peak", "peak date"), ("ripens", "date on which ripening begins")):
        off = np.concatenate([part[name] for part in parts])
        if len(off):
            of = sum(part[f"{name}_of"] for part in parts)
            base = f"told of {len(off)} of {of} stands; off by {np.median(off):+.1f} days in the middle"
            rows.append(make_row(f"{words}, median absolute error", where, round(float(np.median(np.abs(off))), 2),
                                 "days", n=len(off), baseline=base, command=COMMAND))  # fmt: skip
    return rows


def stage_table(course: pd.DataFrame, seasons: pd.DataFrame) -> pd.DataFrame:
    """Stage told and true stage of each stand on the day of its newest clear look; crops need not be named right."""
    alone = course[~course.duplicated(["parcel_id", "slot"], keep=False)]
    told = seasons[seasons["last_clear"].notna()]
    both = told[["parcel_id", "slot", "stage", "last_clear"]].merge(alone, on=["parcel_id", "slot"])
    day = both["last_clear"].dt.tz_localize(None).dt.normalize()
    passed = [day < both["emerged"], day < both["rises"], day < both["peak"], day <= both["ripens"],
              day < both["harvested"]]  # fmt: skip
    true = np.select(passed, ["not_up", "growing", "nearly_top", "peak", "ripening"], "cut")
    right = [word in ALLOWED[stage] for word, stage in zip(both["stage"].fillna(""), true, strict=True)]
    return pd.DataFrame({"told": both["stage"].to_numpy(dtype=object), "true": true, "right": right})


def stage_rows(where: str, table: pd.DataFrame) -> list[Row]:
    """Share of the stages that are told in the right word."""
    if table.empty:
        return []
    by = ", ".join(f"{name} {part['right'].mean():.2f} ({len(part)})" for name, part in table.groupby("true"))
    common = max(np.mean([word in allowed for allowed in map(ALLOWED.__getitem__, table["true"])])
                 for word in sorted(set(table["told"].dropna())))  # fmt: skip
    words = f"one word for all: {common:.2f}; {by}"
    return [make_row("stage of growth at the newest clear look, ends of months, told right", where,
                     round(float(table["right"].mean()), 4), "share", n=len(table), baseline=words,
                     command=COMMAND)]  # fmt: skip


def curve_of(
    region: Region, truth: Path, out: Path, course: pd.DataFrame, draw: Callable[..., Any] = draw_curve
) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    """The season month by month, by the same code as `acreline curve --truth`, and the stages of all its dates."""
    drawn = draw(region, out, truth=truth)
    parts = [
        stage_table(course, pd.read_parquet(out / "runs" / row["as_of"] / "latest" / "seasons.parquet"))
        for row in drawn.rows
    ]
    return drawn.rows, pd.concat(parts, ignore_index=True)


def curve_rows(where: str, rows: Sequence[Mapping[str, Any]]) -> list[Row]:
    """What was known at the end of June, with all months as the words beside it."""
    middle = next((row for row in rows if row["as_of"].endswith(MIDSEASON)), rows[len(rows) // 2])
    out = []
    for name, count, words in (
        ("told_share", "parcels", "parcels whose crop is told"),
        ("crop_accuracy", "crop_n", "crops of them told right"),
        ("area_error", "area_n", "planted land of farms over 1 ha, mean absolute error"),
        ("yield_error", "yield_n", "harvest, NRMSE"),
        ("decided_share", "farms", "farms decided"),
    ):
        if middle[name] is not None and middle[count]:
            months = ", ".join(f"{row['as_of'][2:7]} {row[name]:.2f}" for row in rows if row[name] is not None)
            out.append(make_row(f"as of {middle['as_of']}: {words}", where, middle[name], "share", n=middle[count],
                                baseline=f"by month: {months}", command=COMMAND))  # fmt: skip
    return out
