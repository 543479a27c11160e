# SPDX-License-Identifier: Apache-2.0
"""Rows of `benchmarks/land.py`: the figures of several counties laid together, each beside its target and baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from rows import Row, make_row

from acreline.trial.beside_truth import add_counts, event_f1, main_bias, nrmse

if TYPE_CHECKING:
    from land import County

COMMAND = "python benchmarks/land.py"
PROMISED = "0.90 is promised"
TARGETS = {
    "same climate": {
        "acreage": "<= 0.032", "inside": "0.88..0.92", "bias": "<= 0.02", "emergence": "<= 7", "harvest": "<= 10",
        "events": ">= 0.65", "event_days": "<= 6", "damage": "<= 0.15", "alarms": "<= 0.05", "statistic": "<= 0.14",
        "alone": "<= 0.25", "yield_inside": "0.88..0.92",
    },
    "unseen climate": {
        "acreage": "<= 0.06", "inside": ">= 0.85", "bias": "<= 0.04", "emergence": "<= 7", "harvest": "<= 10",
        "events": ">= 0.55", "event_days": "<= 6", "damage": "<= 0.15", "alarms": "<= 0.08", "statistic": "<= 0.14",
        "alone": "<= 0.25", "yield_inside": "0.88..0.92",
    },
}  # fmt: skip


def rows_of(setting: str, counties: Sequence[County]) -> list[Row]:
    """All rows of one setting."""
    targets = TARGETS[setting]
    where = where_of(setting, [one.name for one in counties])

    def row(quantity: str, value: float, unit: str, n: int, key: str, baseline: str = "") -> Row:
        return make_row(quantity, where, round(float(value), 4), unit, n=n, target=targets.get(key, ""),
                        baseline=baseline, command=COMMAND)  # fmt: skip

    return [
        *_acreage(counties, row),
        *_totals(counties, row),
        *_dates(counties, row),
        *_events(counties, row),
        *_harvest(counties, row),
    ]


def where_of(setting: str, names: Sequence[str]) -> str:
    """The setting of a row of simulated counties."""
    return f"{setting}: {', '.join(names)}; on simulated data"


def _acreage(counties: Sequence[County], row: Any) -> list[Row]:
    error, drawn, inside = (_joined(one.acreage[name] for one in counties) for name in ("error", "drawn", "inside"))
    if not len(error):
        return []
    polygon = f"the drawn polygons: {np.abs(drawn).mean():.3f}"
    return [
        row("planted land of farms over 1 ha, mean absolute error", np.abs(error).mean(), "share", len(error),
            "acreage", polygon),
        row("planted land of farms over 1 ha, median error", np.median(np.abs(error)), "share", len(error), "",
            f"the drawn polygons: {np.median(np.abs(drawn)):.3f}"),
        row("90 % intervals of planted land that hold the truth", inside.mean(), "share", len(inside), "inside",
            PROMISED),
    ]  # fmt: skip


def _totals(counties: Sequence[County], row: Any) -> list[Row]:
    main = pd.concat([main_bias(one.totals) for one in counties])
    if main.empty:
        return []
    rows = []
    for name, how in (("bias", "counted"), ("expected_bias", "expected by probability")):
        words = ", ".join(f"{one['class']} {one['slot']} {one[name]:+.3f}" for _, one in main.iterrows())
        bias = main[name].abs().mean()
        rows.append(row(f"total of main crops, {how}, mean absolute bias", bias, "share", len(main), "bias", words))
    return rows


def _dates(counties: Sequence[County], row: Any) -> list[Row]:
    rows = []
    for name, target in (("emergence", "emergence"), ("harvest", "harvest")):
        off = _joined(one.dates[name] for one in counties)
        inside = _joined(one.dates[f"{name}_inside"] for one in counties)
        told, true = (sum(one.dates[f"{name}_told"][k] for one in counties) for k in (0, 1))
        if not len(off):
            continue
        words = f"told of {told:.0f} of {true:.0f} stands; off by {np.median(off):+.1f} days in the middle"
        rows.append(row(f"{name} date, median absolute error", np.median(np.abs(off)), "days", len(off), target, words))
        rows.append(row(f"{name} dates within their doubt", inside.mean(), "share", len(inside), "",
                        "half the gap between the looks around is the doubt"))  # fmt: skip
    counted = _joined(one.counted for one in counties)
    if len(counted):
        rows.append(row("crops a year, counted as sown", counted.mean(), "share of parcels", len(counted), "",
                        "annual land of one field a parcel"))  # fmt: skip
    return rows


def _events(counties: Sequence[County], row: Any) -> list[Row]:
    rows = []
    for which, parts in (("", [one.events for one in counties]), (", confirmed", [one.confirmed for one in counties])):
        counts = add_counts(parts)
        f1 = event_f1(counts["kinds"])
        true = sum(one["found"] + one["missed"] for one in counts["kinds"].values())
        words = ", ".join(
            f"{kind} {value:.2f} ({counts['kinds'][kind]['found']} of "
            f"{counts['kinds'][kind]['found'] + counts['kinds'][kind]['missed']}, "
            f"{counts['kinds'][kind]['false']} false)"
            for kind, value in f1.items()
        )
        if f1:
            rows.append(row(f"events{which}, macro-F1 over {len(f1)} kinds", np.mean(list(f1.values())), "F1", true,
                            "events", words))  # fmt: skip
        if counts["sound"]:
            rows.append(row(f"false alarms{which} on parcels that nothing struck", counts["alarmed"] / counts["sound"],
                            "share", counts["sound"], "alarms", f"{counts['alarmed']} parcels"))  # fmt: skip
        if counts["days"] and not which:
            days, damage = np.array(counts["days"]), np.array(counts["damage"])
            rows.append(row("date of found events, median absolute error", np.median(np.abs(days)), "days", len(days),
                            "event_days", f"off by {np.median(days):+.1f} days in the middle"))  # fmt: skip
            rows.append(row("damage of found events, median absolute error", np.median(np.abs(damage)), "share",
                            len(damage), "damage", f"off by {np.median(damage):+.2f} in the middle"))  # fmt: skip
    return rows


def _harvest(counties: Sequence[County], row: Any) -> list[Row]:
    rows = []
    for key, words, tables in (
        ("statistic", "with a county statistic", [one.harvest_by_statistic for one in counties]),
        ("alone", "without a county statistic", [one.harvest for one in counties]),
    ):
        told = pd.concat([table.assign(county=one.name) for table, one in zip(tables, counties, strict=True)])
        if told.empty:
            continue
        told["crop"] = told["county"] + told["crop"]
        told["mean"] = told.groupby("crop")["mid"].transform("median")
        inside = ((told["low"] <= told["true"]) & (told["true"] <= told["high"])).mean()
        rows.append(row(f"harvest of grain and other field crops, NRMSE {words}", nrmse(told), "share", len(told), key,
                        f"one number for every field of a crop: {nrmse(told, 'mean'):.3f}"))  # fmt: skip
        rows.append(row(f"90 % intervals of the harvest that hold the truth, {words}", inside, "share", len(told),
                        "yield_inside", PROMISED))  # fmt: skip
    return rows


def speed_row(counties: Sequence[tuple[str, int, Mapping[str, float]]]) -> Row:
    """Processor seconds of all facts and money over those of the network on the same land: name, parcels, seconds."""
    facts, network = (sum(one[2][name] for one in counties) for name in ("facts", "network"))
    parcels = sum(one[1] for one in counties)
    where = where_of("same climate", [one[0] for one in counties])
    return make_row("time of all facts, limits too, over that of the network", where,
                    round(facts / network, 3), "ratio", n=parcels, target="<= 1.0",
                    baseline=f"facts {facts:.1f} s, network {network:.1f} s of one core", command=COMMAND)  # fmt: skip


def surveyed_rows(work: Path, pictures: Path | None) -> list[Row]:
    """Rows of surveyed fields, each told without its own harvest, beside the mean of the others."""
    from acreline.trial.field_yields import SURVEY, evaluate_yield
    from acreline.trial.packaged import labels_folder

    rows = []
    sources = [(labels_folder() / SURVEY, "crops as the combine names them", COMMAND)]
    if pictures is not None:
        sources.append((pictures, "crops as declared", f"{COMMAND} --field-images DIR"))
    for path, crops, command in sources:
        told = evaluate_yield(path, work / "surveyed" / path.stem)
        where = f"real: {path.stem}, {crops}; each field told without its own harvest"
        mean = told["mean_predictor"]["rmse_t_per_ha"]
        rows += [
            make_row("harvest of surveyed fields, RMSE", where, told["rmse_t_per_ha"], "t/ha", n=told["n"],
                     target=f"<= {mean}", baseline=f"mean of the other fields of the crop: {mean}", command=command),
            make_row("90 % intervals of surveyed harvests that hold the truth", where, told["interval_90"]["covered"],
                     "share", n=told["n"], target="0.88..0.92", baseline=PROMISED, command=command),
        ]  # fmt: skip
        if path == pictures:
            rows += label_rows(told, f"real: {path.stem}", command)
    return rows


def label_rows(told: Any, where: str, command: str) -> list[Row]:
    """Declared crops that what was cut contradicts, and those of them that images alone show."""
    logged = [one for one in told["contradicted"] if "crop_contradicted" in one["codes"]]
    ripens = [one for one in told["contradicted"] if "ripens_otherwise" in one["codes"]]
    seen = [one for one in logged if one in ripens]
    rows = [make_row("declared crops found to be contradicted by what the combine logged", where, len(logged), "fields",
                     n=told["fields"], target=">= 3", baseline=", ".join(one["id"] for one in logged) or "none",
                     command=command)]  # fmt: skip
    if logged:
        others = ", ".join(one["id"] for one in ripens if one not in logged) or "none"
        besides = f"flagged besides, the log agreeing with what was declared: {others}"
        rows.append(make_row("of these, found without the log, by the day they ripen", where, len(seen) / len(logged),
                             "share", n=len(logged), target=">= 1", command=command,
                             baseline=besides))  # fmt: skip
    return rows


def _joined(parts: Any) -> npt.NDArray[np.float64]:
    listed = list(parts)
    return np.concatenate(listed) if listed else np.zeros(0)
