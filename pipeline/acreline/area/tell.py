# SPDX-License-Identifier: Apache-2.0
"""Totals of land by crop for a terminal and as CSV."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from acreline.area.estimate import NOT_JUDGED, Z_95
from acreline.errors import StoreError
from acreline.records import NO_CROP
from acreline.units import m2_to_acres, m2_to_ha, m2_to_mu

if TYPE_CHECKING:
    import pandas as pd

UNITS = (("ha", m2_to_ha), ("mu", m2_to_mu), ("acres", m2_to_acres))
HOW = {
    "sample": "estimated: corrected by a sample (stratified estimator of Olofsson et al. 2014), +- standard error",
    "probability": "estimated: expected by each stand's calibrated probability, +- standard error (bias is not in it)",
}


def crop_rows(table: pd.DataFrame) -> pd.DataFrame:
    """One row per crop, its slots added up: stands, counted_m2, estimated_m2, se_m2, low_m2, high_m2, by, code.

    The estimate is by the sample where there is one, else by probability; `by` says so. Errors of different slots add
    up as if independent. low and high are missing without a sample in every slot of the crop.
    """
    import numpy as np

    rows = table[table["crop"] != NOT_JUDGED].copy()
    sampled = rows["corrected_m2"].notna()
    rows["estimated_m2"] = rows["corrected_m2"].where(sampled, rows["expected_m2"])
    rows["variance"] = rows["corrected_se_m2"].where(sampled, rows["expected_se_m2"]) ** 2
    rows["by"] = np.where(sampled, "sample", np.where(rows["expected_m2"].notna(), "probability", "map"))
    grouped = rows.groupby("crop", sort=False)
    out = grouped[["stands", "counted_m2"]].sum()
    for name in ("estimated_m2", "variance", "low_m2", "high_m2"):
        out[name] = grouped[name].sum(min_count=1).where(grouped[name].count() == grouped.size())
    out["se_m2"] = np.sqrt(out.pop("variance"))
    spread = Z_95 * out["se_m2"]
    several = grouped.size() > 1
    out["low_m2"] = out["low_m2"].where(~several | out["low_m2"].isna(), (out["estimated_m2"] - spread).clip(lower=0))
    out["high_m2"] = out["high_m2"].where(~several | out["high_m2"].isna(), out["estimated_m2"] + spread)
    out["by"] = grouped["by"].agg(lambda values: " and ".join(dict.fromkeys(values)))
    out["code"] = grouped["code"].agg(lambda values: "|".join(dict.fromkeys(v for v in values if isinstance(v, str))))
    out["order"] = np.where(out.index == NO_CROP, -1.0, out[["counted_m2", "estimated_m2"]].max(axis=1))
    told: pd.DataFrame = out.sort_values("order", ascending=False, kind="stable").drop(columns="order").reset_index()
    return told


def area_lines(table: pd.DataFrame, *, simulated: bool) -> list[str]:
    """The totals for a terminal: per crop counted and estimated land in hectares, mu and acres."""
    rows = crop_rows(table)
    sampled = bool(table["corrected_m2"].notna().any())
    lines = ["on simulated data"] if simulated else []
    lines.append(HOW["sample" if sampled else "probability"])
    head = f"{'crop':<18} {'stands':>6}" + "".join(f" {'counted ' + unit:>13}" for unit, _ in UNITS)
    head += "".join(f" {'estimated ' + unit:>23}" for unit, _ in UNITS)
    lines.append(head + ("  95 % interval, ha" if sampled else ""))
    for row in rows.to_dict("records"):
        words = f"{row['crop']:<18} {row['stands']:>6}"
        words += "".join(f" {of(row['counted_m2']):>13,.1f}" for _, of in UNITS)
        for _, of in UNITS:
            known, error = row["estimated_m2"] == row["estimated_m2"], row["se_m2"] == row["se_m2"]
            text = f"{of(row['estimated_m2']):,.1f}" if known else "-"
            text += f" +- {of(row['se_m2']):,.1f}" if known and error else ""
            words += f" {text:>23}"
        if row["low_m2"] == row["low_m2"]:
            words += f"  {m2_to_ha(row['low_m2']):,.1f} to {m2_to_ha(row['high_m2']):,.1f}"
        if sampled and row["by"] != "sample":
            words += f"  by {row['by']}"
        lines.append((words + (f"  {row['code']}" if row["code"] else "")).rstrip())
    for row in table[table["crop"] == NOT_JUDGED].to_dict("records"):
        ha, mu, acres = (of(row["counted_m2"]) for _, of in UNITS)
        lines.append(
            f"not judged: {row['stands']} parcels, {ha:,.1f} ha, {mu:,.1f} mu, {acres:,.1f} acres: in no total above"
        )
    if not sampled:
        lines.append("no sample was given: nothing is corrected (--reference FILE)")
    return lines


def write_areas(table: pd.DataFrame, path: Path) -> None:
    """The totals by slot and crop as CSV: square metres, then estimates in the three units of the page.

    Raises:
        StoreError: it cannot be written.
    """
    told = table.copy()
    for name in ("counted", "corrected"):
        for unit, of in UNITS:
            told[f"{name}_{unit}"] = told[f"{name}_m2"].map(of)
    try:
        told.to_csv(path, index=False, lineterminator="\n", float_format="%.4f")
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error}", hint="check the folder of --out") from error
