# SPDX-License-Identifier: Apache-2.0
"""Totals of sown land by crop, with their errors.

A map's own count is biased wherever it confuses crops unevenly: rare ones most. The corrected total is the stratified
estimator of Olofsson et al. 2014 (Remote Sensing of Environment 148, 42-57), with parcels in the place of pixels: the
share of a stratum that truly bears a crop is a ratio of areas over its sampled parcels (Cochran 1977, chapter 6).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from acreline.area.reference import SLOTS, crop_words, land_told, read_reference, unjudged_land
from acreline.records import NO_CROP

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

OTHER = "other"
"""What a single-named stand may be beside its name."""
NOT_JUDGED = "not_judged"
Z_95 = 1.959964
ADDED = 4
"""Parcels added to a stratum whose sample agrees as one, half of them against it: Agresti & Coull 1998 (The American
Statistician 52, 119-126), so that five of five are not certainty."""
FEWEST = 5
"""Sampled parcels of a stratum below which its share is told, but hardly known."""
COLUMNS = (
    "slot", "crop", "stands", "counted_m2", "expected_m2", "expected_se_m2", "corrected_m2", "corrected_se_m2",
    "low_m2", "high_m2", "sampled", "code",
)  # fmt: skip


def region_areas(publication: Path, reference: Path | None = None, sampled_in: Path | None = None) -> pd.DataFrame:
    """Totals of sown land by crop and slot, three ways side by side.

    Args:
        publication: of a run.
        reference: CSV of a random sample of parcels whose crop was seen on the ground: parcel_id, slot, crop.
        sampled_in: publication in which the parcels of the sample were told, for a sample of another season or of a
            region beside this one: what it says of each name is taken to hold here. None: in this one.

    Returns:
        one row per (slot, crop), largest first, `COLUMNS`, square metres. counted: planted land of the stands so named,
        and as `none` the drawn land of judged parcels on which nothing was told in that slot. expected: the land of the
        stands shared among the names by their calibrated probability, what is left of it by the other names of the set
        (`other` where there is none); missing for `none`. corrected, with its standard error and 95 % interval: by the
        sample; missing without one. `code`: not_sampled (a stratum of this name has no sampled parcel and is believed
        as it is, with the error of one of which half is right), few_sampled. Last, where there is any, a row
        `not_judged`: parcels of which too little was seen to say what grows; their land is in no other row.

    Raises:
        StoreError: no publication.
        InputError: the sample is missing or empty, lacks columns, names a crop that is not known, or a parcel twice or
            one that was not told.
    """
    import numpy as np
    import pandas as pd

    land = land_told(publication)
    counted = land.groupby(["slot", "crop"])["area_m2"].agg(counted_m2="sum", stands="size")
    table = counted.join(expected_areas(land[land["crop"] != NO_CROP]), how="outer")
    if reference is not None:
        there = publication if sampled_in is None else sampled_in
        words = crop_words(there) | crop_words(publication)
        sample = read_reference(reference, land if sampled_in is None else land_told(there), words)
        parts = [corrected_areas(land[land["slot"] == slot], sample[sample["slot"] == slot]).assign(slot=slot)
                 for slot in SLOTS if (sample["slot"] == slot).any()]  # fmt: skip
        table = table.join(pd.concat(parts).set_index(["slot", "crop"]), how="outer")
    table = table.reset_index()
    for name in COLUMNS:
        if name not in table:
            table[name] = None if name == "code" else float("nan")
    table[["counted_m2", "stands"]] = table[["counted_m2", "stands"]].fillna(0)
    grown = table["crop"] != NO_CROP
    for name in ("expected_m2", "expected_se_m2"):
        table[name] = table[name].fillna(0).where(grown)
    table["order"] = np.where(grown, table[["counted_m2", "expected_m2"]].max(axis=1), -1.0)
    table = table.sort_values(["slot", "order", "crop"], ascending=[True, False, True], kind="stable")
    parcels, area_m2 = unjudged_land(publication)
    if parcels:
        row = {"slot": "AB", "crop": NOT_JUDGED, "stands": parcels, "counted_m2": area_m2, "code": NOT_JUDGED}
        table = pd.concat([table, pd.DataFrame([row])], ignore_index=True)
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
        crop=pd.Series(rest, index=stands.index, dtype=object), others=[len(one) for one in rest]
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

    Where the sampled parcels of a stratum agree as one, they spread by nothing, and of one parcel no spread is known:
    its name (and the one that was found instead) then has the variance of an Agresti-Coull share. A name that was never
    found in a stratum adds no doubt there, as in Olofsson et al.

    Args:
        stands: of one slot: crop, area_m2.
        sample: of the same slot: told (the stratum), crop (what is true), area_m2.

    Returns:
        crop, corrected_m2, corrected_se_m2, low_m2, high_m2 (95 %, between 0 and all land of the slot), sampled
        (parcels of that stratum), code; the corrected areas add up to the land of all stands.
    """
    import numpy as np
    import pandas as pd

    land = stands.groupby("crop")["area_m2"].sum()
    crops = sorted({str(name) for name in (*land.index, *sample["crop"])})
    total, variance = np.zeros(len(crops)), np.zeros(len(crops))
    size = sample.groupby("told").size().reindex(land.index, fill_value=0)
    for name, area in land.items():  # strata are crops: a few dozen
        mine = sample[sample["told"] == name]
        is_crop = mine["crop"].to_numpy(dtype=object)[:, None] == np.array(crops, dtype=object)[None, :]
        share, spread = _shares(is_crop, mine["area_m2"].to_numpy(dtype="float64"), crops.index(str(name)))
        total += area * share
        variance += area**2 * spread
    error, all_m2 = np.sqrt(variance), float(land.sum())
    sampled = size.reindex(crops, fill_value=0).to_numpy(dtype="float64")
    mapped = np.isin(crops, list(land.index))
    return pd.DataFrame(
        {
            "crop": crops,
            "corrected_m2": total,
            "corrected_se_m2": error,
            "low_m2": (total - Z_95 * error).clip(min=0.0),
            "high_m2": np.minimum(total + Z_95 * error, np.maximum(all_m2, total)),
            "sampled": sampled,
            "code": [
                "not_sampled" if told and not count else "few_sampled" if count < FEWEST else None
                for told, count in zip(mapped, sampled, strict=True)
            ],
        }
    )


def _shares(
    is_crop: npt.NDArray[np.bool_], weight: npt.NDArray[np.float64], own: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """What share of a stratum truly is each crop, and the variance of that, (crop,); unseen, it is what it is called.

    Args:
        is_crop: (parcel, crop).
        weight: land of the sampled parcels, (parcel,).
        own: the crop that the stratum is called by.
    """
    import numpy as np

    n = len(weight)
    share, spread = np.zeros(is_crop.shape[1]), np.zeros(is_crop.shape[1])
    share[own] = 1.0
    if n:
        share = weight @ is_crop / weight.sum()
    if n > 1:
        off = weight[:, None] * (is_crop - share)
        spread = (off**2).sum(axis=0) / (n - 1) / n / weight.mean() ** 2
    found = is_crop.sum(axis=0)  # counted: a weighted share of all of them is 1 but for its last digits
    agree = (found == n) & (n > 0)
    agree[own] |= found[own] == 0
    alike = weight.sum() ** 2 / (weight**2).sum() if n else 0.0  # as many parcels of one size (Kish 1965)
    careful = (alike * share + ADDED / 2) / (alike + ADDED)
    spread = np.where(agree, careful * (1 - careful) / (alike + ADDED), spread)
    return share, spread
