# SPDX-License-Identifier: Apache-2.0
"""Yield of single fields from pictures or rows of a season, beside fields that were surveyed."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from acreline.config import Crop, find_config, list_configs, read_settings
from acreline.errors import InputError
from acreline.inversion import invert_canopy
from acreline.light import CLOUDED, growth_index, sun_above, usable_light
from acreline.records import TRUE_SPREAD
from acreline.trial import field_crops
from acreline.trial.field_crops import FEWEST_LOOKS, steady_looks
from acreline.trial.field_intervals import conform
from acreline.trial.field_pages import render_yield
from acreline.trial.field_rows import FieldRows, clear_series, read_field_rows
from acreline.trial.leaf_area import PAGE, PREDICTIONS, write_report
from acreline.trial.packaged import labels_folder
from acreline.yields import COMMON_ERROR, SEEN_SPREAD, combine_cv, log_normal

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]

SURVEY = "bavaria-yield-2018.csv"
INDEX_ERROR = 0.112
"""Relative error of one field's index: light 0.10, as `inversion` reads it, gaps 0.05; see `docs/decisions/0011`."""
LATITUDE_DEG = 48.4
"""Of fields whose rows do not say where they lie: it changes how much May counts beside July, by a few hundredths."""
FEWEST_FIELDS = 3
"""Surveyed fields of a crop from which on they set its level."""
DRAWS = 2000
CODES = {
    "few_looks": f"fewer than {FEWEST_LOOKS} clear looks",
    "crop_unknown": "no crop is said, or one of which no normal yield is known",
    "not_surveyed": "no surveyed fields of the crop in that year: the crop's normal yield sets the level",
    **field_crops.CODES,
}


@dataclass(frozen=True)
class _Season:
    """Curves of fields, (field, day)."""

    ids: list[str]
    crop: npt.NDArray[np.str_]
    known: Floats
    """(field,): surveyed yield in t/ha, NaN where not known."""
    lai: Floats
    fapar: Floats
    chlorophyll: Floats
    light: Floats
    """(day,)."""
    last: list[str]
    """Date of each field's last clear look."""


def evaluate_yield(path: Path, out: Path) -> dict[str, Any]:
    """Tell the yield of each field, as `predictions.csv` and a page, and how far that lies from what was harvested.

    A field is told by its index beside those of surveyed fields of its crop and year (the packaged ones, and those of
    the data whose yield is known), never by its own yield.

    Args:
        path: data of a kind of `field_rows.KINDS`, with the crop of each field.
        out: folder, made where it is not there.

    Returns:
        what `metrics.json` holds: n, rmse_t_per_ha and bias with 95 % intervals over fields, the same of the mean of
        the other surveyed fields of the crop, coverage and width of the 90 % intervals and their kind
        (`field_intervals`); contradicted: fields that may
        bear another crop than was declared, of `field_crops.doubted_crops`. They are told by the declared one.

    Raises:
        InputError: the data cannot be read, or no field has enough looks.
        StoreError: the folder cannot be written.
    """
    rows = read_field_rows(path)
    told, kind = conform(tell_yields(rows, read_survey()))
    doubted = field_crops.doubted_crops(rows, clear_series(rows))
    told["code"] = [
        "|".join([*filter(None, code.split("|")), *doubted.get(name, {"codes": []})["codes"]])
        for name, code in zip(told["id"], told["code"], strict=True)
    ]
    metrics = {
        "task": "yield",
        "data": {
            "name": rows.name,
            "rows": len(rows.looks),
            "sha256": rows.digest,
            "notes": [*rows.notes, *_crop_notes(told)],
        },
        "value": "harvest in t/ha at market moisture",
        "fields": len(told),
        "codes": {code: int(told["code"].str.split("|").map(lambda words, c=code: c in words).sum()) for code in CODES},
        "contradicted": [{"id": name, **one} for name, one in doubted.items()],
        "interval": kind,
        **_figures(told),
    }
    shown = told[["id", "date", "value", "low", "high", "code"]]
    write_report(out, metrics, shown, render_yield(metrics, told))
    return metrics


def read_survey() -> FieldRows:
    """Surveyed fields that come with acreline: rows by date, crop and yield."""
    return read_field_rows(labels_folder() / SURVEY)


def tell_yields(rows: FieldRows, survey: FieldRows) -> pd.DataFrame:
    """One row a field: id, date of its last look, crop, value, low and high in t/ha, code; known and mean (t/ha).

    `mean` is the mean of the other surveyed fields of its crop, what one would say without looking.
    """
    import pandas as pd

    mine, theirs = clear_series(rows), clear_series(survey)
    theirs = theirs[~theirs["id"].isin(_same_fields(mine, theirs, rows.bands))]
    year = mine["date"].dt.year.mode()
    theirs = theirs[theirs["date"].dt.year.isin(year)]
    season = _season(mine, rows, theirs, survey)
    out = []
    for name, crop, known in _facts(rows):
        at = season.ids.index(name) if name in season.ids else None
        out.append({"id": name, "crop": crop, "known": known, **_tell_one(season, at, crop)})
    return pd.DataFrame(out)


def _facts(rows: FieldRows) -> list[tuple[str, str, float]]:
    """Name, crop and known yield of each field."""
    table = rows.fields
    crops, known = table["crop"].astype(str).tolist(), table["yield_t_per_ha"].astype(float).tolist()
    return list(zip(table.index.astype(str).tolist(), crops, known, strict=True))


def _tell_one(season: _Season, at: int | None, crop: str) -> dict[str, Any]:
    """One field beside the others of its crop, none of them told by its own yield."""
    codes = [] if at is not None else ["few_looks"]
    kin = season.crop == crop
    others = np.flatnonzero(
        kin & np.isfinite(season.known) & (np.arange(len(season.ids)) != (-1 if at is None else at))
    )
    normal = _normal_yield(crop)
    if len(others) >= FEWEST_FIELDS:
        level = float(season.known[others].mean())
        level_cv, common = float(season.known[others].std(ddof=1) / level / np.sqrt(len(others))), 0.0
    elif normal is not None:
        level, level_cv = normal
        common = COMMON_ERROR
        codes.append("not_surveyed")
    else:
        return {"date": "", "value": np.nan, "low": np.nan, "high": np.nan, "mean": np.nan, "code": "crop_unknown"}
    middle, cv = level, combine_cv(TRUE_SPREAD, level_cv, common)
    if at is not None:
        group = np.flatnonzero(kin) if len(others) < FEWEST_FIELDS else np.append(others, at)
        index = _index(season, group)
        rest = index[group != at] if (group != at).any() else index
        weight = SEEN_SPREAD**2 / (SEEN_SPREAD**2 + INDEX_ERROR**2)
        middle = level * (1 + weight * (float(index[group == at][0] / rest.mean()) - 1))
        left = (TRUE_SPREAD**2 - weight * SEEN_SPREAD**2) ** 0.5
        cv = combine_cv(left, level_cv, common)
    harvest = log_normal(middle, cv)
    low, mid, high = (round(float(end), 3) for end in (harvest.low, harvest.mid, harvest.high))
    date = season.last[at] if at is not None else ""
    return {"date": date, "value": mid, "low": low, "high": high, "mean": level, "code": "|".join(codes)}


def _index(season: _Season, group: npt.NDArray[np.int64]) -> Floats:
    """Growth index of some fields of one crop; grain fills from the peak of their middle curve on."""
    flowering = int(np.median(season.lai[group], axis=0).argmax())
    return growth_index(season.lai[group], season.fapar[group], season.chlorophyll[group], season.light, flowering)


def _season(mine: pd.DataFrame, rows: FieldRows, theirs: pd.DataFrame, survey: FieldRows) -> _Season:
    """Daily curves of the fields of both, over the days on which any was seen."""
    import pandas as pd

    parts = [(mine, rows, ""), (theirs, survey, "survey: ")]
    days = pd.concat([mine["date"], theirs["date"]]).dt.floor("D")
    if days.empty:
        raise InputError(f"{rows.name}: no field was seen clearly", hint="give looks of which half of a field is clear")
    grid = np.arange(days.min(), days.max() + pd.Timedelta(days=1), np.timedelta64(1, "D"))
    ids, crops, known, curves, last = [], [], [], [], []
    for table, source, prefix in parts:
        facts = {name: rest for name, *rest in _facts(source)}
        for name, looks in table.groupby("id", sort=True):
            kept = looks[steady_looks(looks)]
            if len(kept) < FEWEST_LOOKS or name not in facts:
                continue
            canopy = invert_canopy(kept[list(source.bands)].to_numpy(np.float32), source.bands)
            at = (kept["date"].dt.floor("D").to_numpy() - grid[0]) / np.timedelta64(1, "D")
            parts_of = (canopy.lai, canopy.fapar, canopy.chlorophyll_g_per_m2)
            curves.append([np.interp(np.arange(len(grid)), at, values) for values in parts_of])
            ids.append(prefix + str(name))
            crops.append(facts[str(name)][0])
            known.append(facts[str(name)][1])
            last.append(kept["date"].max().strftime("%Y-%m-%d"))
    stacked = np.array(curves, np.float64).reshape(-1, 3, len(grid))
    light = usable_light(CLOUDED * sun_above(LATITUDE_DEG, pd.DatetimeIndex(grid).day_of_year.to_numpy()))
    return _Season(ids, np.array(crops), np.array(known), stacked[:, 0], stacked[:, 1], stacked[:, 2], light, last)


def _same_fields(mine: pd.DataFrame, theirs: pd.DataFrame, bands: Sequence[str]) -> set[str]:
    """Surveyed fields that are among the data: the same red on the same days, to a thousandth, on most looks."""
    both = theirs.assign(day=theirs["date"].dt.floor("D")).merge(
        mine.assign(day=mine["date"].dt.floor("D")), on="day", suffixes=("", "_mine")
    )
    same = both[(both["B04"] - both["B04_mine"]).abs().lt(1e-3) & (both["B05"] - both["B05_mine"]).abs().lt(1e-3)]
    count = same.groupby(["id", "id_mine"]).size().groupby("id").max()
    looks = theirs.groupby("id").size()
    return {str(name) for name in looks.index if count.get(name, 0) >= 0.5 * looks[name]}


def _normal_yield(crop: str) -> tuple[float, float] | None:
    """Normal yield of a crop in t/ha with its relative error; None where none is known."""
    if crop not in list_configs("crops"):
        return None
    given = read_settings(Crop, find_config("crops", crop)).yield_kg_per_ha
    return None if given is None else (given.value / 1000, given.cv)


def _crop_notes(told: pd.DataFrame) -> list[str]:
    """A note for each crop word of which nothing is known, with the nearest that is."""
    known = list_configs("crops")
    unknown = told.loc[told["code"].str.contains("crop_unknown"), "crop"]
    notes = []
    for word, fields in unknown[unknown != ""].value_counts(sort=False).items():
        near = difflib.get_close_matches(str(word).lower().replace(" ", "_"), known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
        notes.append(f"crop {word!r} of {fields} fields is not known; {hint}")
    return notes


def yield_lines(metrics: dict[str, Any], out: Path) -> list[str]:
    """The report in a few lines for a terminal."""
    lines = [f"yield on {metrics['data']['name']}: {metrics['fields']:,} fields, {metrics['n']:,} of them harvested"]
    lines += [f"  {count:,} fields {code}: {CODES[code]}" for code, count in metrics["codes"].items() if count]
    lines += [f"  note: {note}" for note in metrics["data"]["notes"]]
    lines += field_crops.doubted_lines(metrics["contradicted"])
    if metrics["interval_90"] is None:
        lines.append(f"fewer than {FEWEST_FIELDS} known yields: no comparison")
    else:
        usual, doubt = metrics["mean_predictor"], metrics["interval_90"]
        low, high = metrics["rmse_ci95"]
        held, wide, kind = doubt["covered"], doubt["mean_width_t_per_ha"], metrics["interval"]
        rmse, share, usual_rmse = metrics["rmse_t_per_ha"], metrics["nrmse"], usual["rmse_t_per_ha"]
        lines += [
            f"  RMSE {rmse:.2f} t/ha (95 % {low:.2f} to {high:.2f}), {share:.0%} of the mean",
            f"  RMSE {usual_rmse:.2f} t/ha of the mean of the other fields of the crop",
            f"  90 % intervals ({kind}) hold {held:.0%}, {wide:.1f} t/ha wide",
        ]
    return [*lines, f"predictions: {out / PREDICTIONS}", f"page: {out / PAGE}"]


def _figures(told: pd.DataFrame) -> dict[str, Any]:
    """How far the told yields lie from the known ones; None where fewer than three are known."""
    both = told[told["known"].notna() & told["value"].notna()]
    if len(both) < FEWEST_FIELDS:
        return {"n": len(both), "rmse_t_per_ha": None, "mean_predictor": None, "interval_90": None}
    true = both["known"].to_numpy(np.float64)

    def errors(name: str) -> dict[str, Any]:
        miss = both[name].to_numpy(np.float64) - true
        rng = np.random.default_rng(0)
        drawn = np.sqrt((miss[rng.integers(len(miss), size=(DRAWS, len(miss)))] ** 2).mean(axis=1))
        return {
            "rmse_t_per_ha": round(float(np.sqrt((miss**2).mean())), 3),
            "rmse_ci95": [round(float(end), 3) for end in np.quantile(drawn, [0.025, 0.975])],
            "bias_t_per_ha": round(float(miss.mean()), 3),
        }

    inside = (both["low"] <= true) & (true <= both["high"])
    return {
        "n": len(both),
        **errors("value"),
        "nrmse": round(float(errors("value")["rmse_t_per_ha"] / true.mean()), 4),
        "mean_predictor": errors("mean"),
        "interval_90": {
            "covered": round(float(inside.mean()), 4),
            "mean_width_t_per_ha": round(float((both["high"] - both["low"]).mean()), 3),
        },
    }
