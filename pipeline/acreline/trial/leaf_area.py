# SPDX-License-Identifier: Apache-2.0
"""Health from dated reflectance: green leaf area of each field on each date, beside what was measured there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from acreline.errors import StoreError
from acreline.inversion import band_places, invert_canopy, lai_interval
from acreline.trial.field_pages import render_health
from acreline.trial.field_rows import FieldRows, read_field_rows

if TYPE_CHECKING:
    import pandas as pd

METRICS, PREDICTIONS, PAGE = "metrics.json", "predictions.csv", "index.html"
DRAWS = 1000
FEWEST = 8
"""Pairs from which on a rank correlation is told."""
BRIGHT_GREEN = 0.25
"""Reflectance of B03 from which a look saw cloud, haze or snow."""
PHASES = ("phase", "stage", "growth_phase", "growth_stage", "bbch_phase", "phenology")
CODES = {
    "band_missing": "a band that is read was not measured",
    "no_clear_pixel": "cloud over the whole field",
    "cloud_doubtful": "too bright for a field: cloud, haze or snow",
}


def evaluate_health(path: Path, out: Path) -> dict[str, Any]:
    """Tell each field's green leaf area by date, as `predictions.csv` and a page, and rank it beside what is known.

    Args:
        path: data of a kind of `field_rows.KINDS`; every column of numbers that is no band is compared with.
        out: folder, made where it is not there.

    Returns:
        what `metrics.json` holds: n, fields, dates, and for each column of numbers the rank correlation (Spearman) with
        its 95 % interval over fields, within phases of growth, and beside it those of NDVI and NDRE.

    Raises:
        InputError: the data cannot be read, or bands are missing.
        StoreError: the folder cannot be written.
    """
    rows = read_field_rows(path)
    told = tell_leaf_area(rows)
    metrics = {
        "task": "health",
        "data": {"name": rows.name, "rows": len(told), "sha256": rows.digest, "notes": list(rows.notes)},
        "value": "green leaf area per ground area, from reflectance alone",
        "n": int(told["value"].notna().sum()),
        "fields": int(told["id"].nunique()),
        "dates": int(told["date"].nunique()),
        "codes": {code: int((told["code"] == code).sum()) for code in CODES},
        "measured": _beside(rows, told),
    }
    write_report(out, metrics, told, render_health(metrics, told, rows.measured))
    return metrics


def tell_leaf_area(rows: FieldRows) -> pd.DataFrame:
    """id, date, value (green leaf area), low and high (nine tenths), code; in the order of the rows."""
    import pandas as pd

    canopy = invert_canopy(rows.values, rows.bands)
    low, high = lai_interval(canopy.lai)
    known = np.isfinite(canopy.lai)
    bright = known & (rows.values[:, band_places(rows.bands)[0]] > BRIGHT_GREEN)
    covered = (rows.looks["clear_share"] <= 0).to_numpy()
    code = np.where(known, np.where(bright, "cloud_doubtful", ""), np.where(covered, "no_clear_pixel", "band_missing"))
    return pd.DataFrame(
        {
            "id": rows.looks["id"],
            "date": rows.looks["date"].dt.strftime("%Y-%m-%d"),
            "value": canopy.lai.round(3),
            "low": np.where(known, low, np.nan).round(3),
            "high": np.where(known, high, np.nan).round(3),
            "code": code,
        }
    )


def write_report(out: Path, metrics: dict[str, Any], told: pd.DataFrame, page: str) -> None:
    """`metrics.json`, `predictions.csv` and `index.html`.

    Raises:
        StoreError: the folder cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        text = json.dumps(metrics, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        (out / METRICS).write_text(text, encoding="utf-8", newline="\n")
        told.to_csv(out / PREDICTIONS, index=False, lineterminator="\n")
        (out / PAGE).write_text(page, encoding="utf-8", newline="\n")
    except OSError as error:
        raise StoreError(f"{out}: the report cannot be written: {error}", hint="choose another --out") from error


def _beside(rows: FieldRows, told: pd.DataFrame) -> dict[str, Any]:
    """Rank correlations with each column of numbers."""
    import pandas as pd

    phase = next((name for name in rows.measured.columns if str(name).lower() in PHASES), None)
    words = rows.measured[phase].astype(str).to_numpy() if phase is not None else _phases_of(told)
    rivals = {"leaf area": told["value"].to_numpy(np.float64), **_indices(rows)}
    out = {}
    for column in rows.measured.columns:
        numbers = pd.to_numeric(rows.measured[column], errors="coerce").to_numpy(np.float64)
        both = np.isfinite(numbers) & np.isfinite(rivals["leaf area"]) & (told["code"] == "").to_numpy()
        if column == phase or both.sum() < FEWEST or len(np.unique(numbers[both])) < FEWEST:
            continue
        ids = told["id"].to_numpy()[both]
        if not pd.Series(numbers[both]).groupby(ids).nunique().gt(1).any() and len(set(ids)) < both.sum():
            continue  # one number a field is no measurement of its dates
        part: dict[str, Any] = {"n": int(both.sum()), "fields": len(set(ids))}
        for name, values in rivals.items():
            one: dict[str, Any] = {"spearman": _spearman(values[both], numbers[both])}
            one["spearman_ci95"] = _interval(values[both], numbers[both], ids)
            one["within_phases"] = _within(values[both], numbers[both], words[both])
            part[name] = one
        out[str(column)] = part | {"phases": "given" if phase is not None else "before and after each field's peak"}
    return out


def health_lines(metrics: dict[str, Any], out: Path) -> list[str]:
    """The report in a few lines for a terminal."""
    data = metrics["data"]
    lines = [f"green leaf area on {data['name']}: {metrics['n']:,} looks at {metrics['fields']:,} fields"]
    lines += [f"  note: {note}" for note in data["notes"]]
    lines += [f"  {count:,} looks {code}: {CODES[code]}" for code, count in metrics["codes"].items() if count]
    for column, told in metrics["measured"].items():
        lines.append(f"beside {column}, n {told['n']:,} in {told['fields']:,} fields; Spearman, and within phases")
        lines.append(f"  (phases: {told['phases']})")
        for name in ("leaf area", "NDVI", "NDRE"):
            one = told[name]
            low, high = one["spearman_ci95"] or ("-", "-")
            within = _told(one["within_phases"]["mean"])
            lines.append(f"  {name:<10} {_told(one['spearman'])}  95 % {low} to {high}  within {within}")
    if not metrics["measured"]:
        lines.append("nothing was measured in these rows: no comparison")
    return [*lines, f"predictions: {out / PREDICTIONS}", f"page: {out / PAGE}"]


def _told(value: float | None) -> str:
    return "    -" if value is None else f"{value:5.2f}"


def _indices(rows: FieldRows) -> dict[str, npt.NDArray[np.float64]]:
    """NDVI and NDRE, what a simpler score would be."""
    infrared = rows.looks["B8A" if "B8A" in rows.bands else "B08"].to_numpy(np.float64)
    pairs = {"NDVI": "B04", "NDRE": "B05"}
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            name: (infrared - other) / (infrared + other)
            for name, band in pairs.items()
            for other in [rows.looks[band].to_numpy(np.float64)]
        }


def _phases_of(told: pd.DataFrame) -> npt.NDArray[np.str_]:
    """Before or after the day on which each field's leaf area is greatest."""
    peak = told.loc[told.groupby("id")["value"].transform("max") == told["value"]].groupby("id")["date"].first()
    return np.where(told["date"] <= told["id"].map(peak), "before the peak", "after the peak").astype(str)


def _spearman(found: npt.NDArray[np.float64], true: npt.NDArray[np.float64]) -> float | None:
    import pandas as pd

    ranks = [pd.Series(part).rank().to_numpy() for part in (found, true)]
    if min(rank.std() for rank in ranks) == 0:
        return None
    return round(float(np.corrcoef(ranks[0], ranks[1])[0, 1]), 4)


def _interval(
    found: npt.NDArray[np.float64], true: npt.NDArray[np.float64], ids: npt.NDArray[Any]
) -> list[float] | None:
    """95 % of draws of fields as wholes; None of fewer than three."""
    names = np.unique(ids)
    if len(names) < 3:
        return None
    rng = np.random.default_rng(0)
    places = {name: np.flatnonzero(ids == name) for name in names}
    drawn = []
    for _ in range(DRAWS):
        at = np.concatenate([places[name] for name in rng.choice(names, len(names))])
        drawn.append(_spearman(found[at], true[at]))
    return [round(float(end), 4) for end in np.quantile([one for one in drawn if one is not None], [0.025, 0.975])]


def _within(
    found: npt.NDArray[np.float64], true: npt.NDArray[np.float64], words: npt.NDArray[np.str_]
) -> dict[str, Any]:
    """Rank correlation within each phase that has enough pairs, and their mean by pairs."""
    parts: dict[str, dict[str, Any]] = {}
    for word in sorted(set(words.tolist())):
        mine = words == word
        if mine.sum() >= FEWEST:
            parts[word] = {"n": int(mine.sum()), "spearman": _spearman(found[mine], true[mine])}
    known = [part for part in parts.values() if part["spearman"] is not None]
    weights = [part["n"] for part in known]
    mean = round(float(np.average([part["spearman"] for part in known], weights=weights)), 4) if known else None
    return {"mean": mean, "phases": parts}
