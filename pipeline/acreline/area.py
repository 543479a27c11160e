# SPDX-License-Identifier: Apache-2.0
"""How much land each crop has in a region: counted, expected by the promised probabilities, corrected by a sample.

A map's own count is biased wherever it confuses crops unevenly: rare ones most. The corrected total is the stratified
estimator of Olofsson et al. 2014 (Remote Sensing of Environment 148, 42-57), with parcels in the place of pixels: the
share of a stratum that truly bears a crop is a ratio of areas over its sampled parcels (Cochran 1977, chapter 6).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from acreline.errors import InputError
from acreline.units import m2_to_acres, m2_to_ha, m2_to_mu

if TYPE_CHECKING:
    import pandas as pd

REFERENCE_COLUMNS = ("parcel_id", "slot", "crop")
SLOTS = ("A", "B", "AB")
OTHER = "other"
"""What a single-named stand may be beside its name."""
Z_95 = 1.959964
FEWEST = 5
"""Sampled parcels of a stratum below which its share is told, but hardly known."""
COLUMNS = (
    "slot", "crop", "stands", "counted_m2", "expected_m2", "expected_se_m2", "corrected_m2", "corrected_se_m2",
    "low_m2", "high_m2", "sampled", "code",
)  # fmt: skip


def region_areas(publication: Path, reference: Path | None = None) -> pd.DataFrame:
    """Totals of sown land by crop and slot, three ways side by side.

    Args:
        publication: of a run.
        reference: CSV of a random sample of parcels whose crop was seen on the ground: parcel_id, slot, crop.

    Returns:
        one row per (slot, crop), largest first, `COLUMNS`, square metres. counted: planted land of the stands so named.
        expected: the same land shared among the names by their calibrated probability, what is left of it by the other
        names of the set (`other` where there is none). corrected, with its standard error and 95 % interval: by the
        sample; missing without one. `code`: not_sampled (a stratum of this name has no sampled parcel and is believed
        as it is), few_sampled.

    Raises:
        StoreError: no publication.
        InputError: the sample is missing, lacks columns, or names a parcel twice or one that was not told.
    """
    import pandas as pd

    stands = _stands(publication)
    counted = stands.groupby(["slot", "crop"])["area_m2"].agg(counted_m2="sum", stands="size")
    table = counted.join(expected_areas(stands), how="outer")
    if reference is not None:
        sample = read_reference(reference, stands)
        parts = [corrected_areas(stands[stands["slot"] == slot], sample[sample["slot"] == slot]).assign(slot=slot)
                 for slot in SLOTS if (sample["slot"] == slot).any()]  # fmt: skip
        if parts:
            table = table.join(pd.concat(parts).set_index(["slot", "crop"]), how="outer")
    table = table.reset_index()
    for name in COLUMNS:
        if name not in table:
            table[name] = None if name == "code" else float("nan")
    for name in ("counted_m2", "stands", "expected_m2", "expected_se_m2"):
        table[name] = table[name].fillna(0)
    table["order"] = table[["counted_m2", "expected_m2"]].max(axis=1)
    table = table.sort_values(["slot", "order", "crop"], ascending=[True, False, True], kind="stable")
    told: pd.DataFrame = table[list(COLUMNS)].reset_index(drop=True).astype({"stands": "int64"})
    return told


def expected_areas(stands: pd.DataFrame) -> pd.DataFrame:
    """Expected land of each (slot, crop) and its standard error, if stands err by themselves.

    Args:
        stands: slot, crop, crop_confidence (0 to 1), crop_set (`a|b`), area_m2.
    """
    import numpy as np
    import pandas as pd

    names = stands["crop_set"].fillna("").str.split("|").map(lambda listed: [name for name in listed if name])
    first = stands["crop"].to_numpy(dtype=object)
    rest = [[name for name in listed if name != own] or [OTHER] for listed, own in zip(names, first, strict=True)]
    long = stands[["slot", "area_m2", "crop_confidence"]].assign(
        crop=pd.Series(rest, index=stands.index), others=[len(one) for one in rest]
    )
    long = long.explode("crop")
    long["share"] = (1 - long["crop_confidence"]) / long["others"]
    own = stands[["slot", "crop", "area_m2"]].assign(share=stands["crop_confidence"])
    both = pd.concat([own, long[["slot", "crop", "area_m2", "share"]]], ignore_index=True)
    both["mean"] = both["area_m2"] * both["share"]
    both["variance"] = both["area_m2"] ** 2 * both["share"] * (1 - both["share"])
    summed = both.groupby(["slot", "crop"])[["mean", "variance"]].sum()
    return pd.DataFrame({"expected_m2": summed["mean"], "expected_se_m2": np.sqrt(summed["variance"])})


def corrected_areas(stands: pd.DataFrame, sample: pd.DataFrame) -> pd.DataFrame:
    """The stratified estimator: strata are the names told, the sample tells what share of each is truly what.

    Args:
        stands: of one slot: crop, area_m2.
        sample: of the same slot: told (the stratum), crop (what is true), area_m2.

    Returns:
        crop, corrected_m2, corrected_se_m2, low_m2, high_m2 (95 %, not below 0), sampled (parcels of that stratum),
        code; the corrected areas add up to the land of all stands.
    """
    import numpy as np
    import pandas as pd

    land = stands.groupby("crop")["area_m2"].sum()
    crops = sorted(set(land.index) | set(sample["crop"]))
    total = pd.Series(0.0, index=crops)
    variance = pd.Series(0.0, index=crops)
    size = sample.groupby("told").size().reindex(land.index, fill_value=0)
    for name, area in land.items():  # strata are crops: a few dozen
        stratum = str(name)
        mine = sample[sample["told"] == stratum]
        if mine.empty:
            total[stratum] += area
            continue
        weight = mine["area_m2"].to_numpy(dtype="float64")
        is_crop = mine["crop"].to_numpy(dtype=object)[:, None] == np.array(crops, dtype=object)[None, :]
        share = weight @ is_crop / weight.sum()
        off = weight[:, None] * (is_crop - share)
        with np.errstate(invalid="ignore", divide="ignore"):
            spread = (off**2).sum(axis=0) / (len(mine) - 1) / len(mine) / weight.mean() ** 2
        total += area * share
        variance += area**2 * spread
    error = variance**0.5
    sampled = size.reindex(crops, fill_value=0)
    mapped = np.isin(crops, list(land.index))
    return pd.DataFrame(
        {
            "crop": crops,
            "corrected_m2": total.to_numpy(),
            "corrected_se_m2": error.to_numpy(),
            "low_m2": (total - Z_95 * error).clip(lower=0).to_numpy(),
            "high_m2": (total + Z_95 * error).to_numpy(),
            "sampled": sampled.to_numpy(dtype="float64"),
            "code": [
                "not_sampled" if told and not count else "few_sampled" if count < FEWEST else None
                for told, count in zip(mapped, sampled, strict=True)
            ],
        }
    )


def read_reference(path: Path, stands: pd.DataFrame) -> pd.DataFrame:
    """A sample of parcels whose crop is known, with what was told of them and their land.

    Raises:
        InputError: it cannot be read, lacks columns, names a slot that is none, or a parcel twice or not told.
    """
    import pandas as pd

    try:
        table = pd.read_csv(path, dtype="string", encoding="utf-8-sig").apply(lambda column: column.str.strip())
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise InputError(
            f"{path}: the sample cannot be read: {error}", hint=f"CSV in UTF-8 with {', '.join(REFERENCE_COLUMNS)}"
        ) from error
    missing = [name for name in REFERENCE_COLUMNS if name not in table.columns]
    if missing:
        raise InputError(
            f"{path}: columns {missing} are missing; found {list(table.columns)}",
            hint=f"a sample has the columns {', '.join(REFERENCE_COLUMNS)}",
        )
    empty = table[list(REFERENCE_COLUMNS)].isna().any(axis=1)
    if empty.any():
        raise InputError(f"{path}, line {int(empty.argmax()) + 2}: an empty cell", hint="leave the line out")
    slots = sorted(set(table["slot"]) - set(SLOTS))
    if slots:
        raise InputError(f"{path}: slot {slots[0]!r} is none", hint=f"known: {', '.join(SLOTS)}")
    twice = table.duplicated(["parcel_id", "slot"])
    if twice.any():
        name = table["parcel_id"][twice].iloc[0]
        raise InputError(f"{path}: parcel {name!r} stands twice in one slot", hint="one line per parcel and slot")
    told = stands[["parcel_id", "slot", "crop", "area_m2"]].rename(columns={"crop": "told"})
    joined = table.merge(told, on=["parcel_id", "slot"], how="left")
    lost = joined["told"].isna()
    if lost.any():
        row = joined[lost].iloc[0]
        first = f"{row['parcel_id']!r} in slot {row['slot']}"
        raise InputError(
            f"{path}: {int(lost.sum())} parcels have no stand in this run, first: {first}",
            hint="sample parcels that the run told, in the slots it told (stands.parquet)",
        )
    told_of: pd.DataFrame = joined
    return told_of


def area_lines(table: pd.DataFrame, *, simulated: bool) -> list[str]:
    """The totals for a terminal, in mu, hectares and acres."""
    sampled = table["corrected_m2"].notna().any()
    head = "slot  crop               stands    counted (mu)      ha   acres   expected (mu, +- se)"
    lines = ["on simulated data"] if simulated else []
    lines.append(head + ("   corrected (mu), 95 %" if sampled else ""))
    for row in table.to_dict("records"):
        words = (
            f"{row['slot']:<5} {row['crop']:<18} {row['stands']:>6} {m2_to_mu(row['counted_m2']):>15,.1f} "
            f"{m2_to_ha(row['counted_m2']):>7,.1f} {m2_to_acres(row['counted_m2']):>7,.1f} "
            f"{m2_to_mu(row['expected_m2']):>12,.1f} +- {m2_to_mu(row['expected_se_m2']):<7,.1f}"
        )
        if sampled and row["corrected_m2"] == row["corrected_m2"]:
            low, mid, high = (m2_to_mu(row[name]) for name in ("low_m2", "corrected_m2", "high_m2"))
            words += f" {mid:>9,.1f} ({low:,.1f} to {high:,.1f})" + (f" {row['code']}" if row["code"] else "")
        lines.append(words)
    if not sampled:
        lines.append("no sample was given: nothing is corrected (--reference FILE)")
    return lines


def _stands(publication: Path) -> pd.DataFrame:
    import pandas as pd

    columns = ["parcel_id", "slot", "crop", "crop_confidence", "crop_set", "area_m2_mid"]
    table = pd.read_parquet(publication / "stands.parquet", columns=columns)
    return table.rename(columns={"area_m2_mid": "area_m2"})
