# SPDX-License-Identifier: Apache-2.0
"""How well each field stands: against the same crop nearby, against a normal year, and by the network's eye."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from acreline.curves import clear_looks, end_of_day, has_code, join_codes, known_days, nullable, parcel_ids
from acreline.doors import check_health
from acreline.errors import InputError
from acreline.layers import (
    HEALTH_CLASSES,
    LOGP_SCALE,
    UNKNOWN,
    Health,
    Looks,
    Seasons,
)
from acreline.records import NO_CROP

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]

WEIGHTS = {"ndvi": 0.5, "ndre": 0.3, "ndmi": 0.2}
"""Science 3.1: V = 0.5 z(LAI) + 0.3 z(canopy chlorophyll) + 0.2 z(NDMI); NDVI and NDRE stand in for the first two."""
WINDOW_DAYS = 20
"""Vigour is read within this many days of the field's own peak, so that a late field is not called ill."""
OPEN_DAYS = 40
"""While the peak is not reached: from the looks of the last this many days."""
MIN_NEIGHBOURS = 5
MIN_SPREAD = 0.02
"""Fields that are all alike to better than this index difference are not ranked any finer: it is the sensor's noise."""
MAX_VIGOUR = 5.0
MIN_CONFIDENCE = 0.5
"""A class that has not even half of the probability is not published as what the field is."""
WEAK, VERY_WEAK = -1.0, -2.0
"""Grades of vigour (science 3.1): damage shows from weak on, and a sound field is not very weak."""
DAMAGED = tuple(name for name in HEALTH_CLASSES if name not in ("normal", "harvested", "other"))
NORMAL_COLUMNS = ("crop", "week", "ndvi", "ndvi_sd")


def score_health(looks: Looks, seasons: Seasons, normals: pd.DataFrame | None = None) -> Health:
    """Grade each field against its neighbours of the same crop, and name what the network saw.

    Vigour is a robust z: (mean index - median of the same crop and slot) / (1.4826 MAD), over the looks within 20 days
    of the field's own peak (of the crop's middle peak in slot AB); of the last 40 days before the newest look where the
    peak is not reached; -5 to 5, 0 is usual. The median includes the field itself. The network's class is that of the
    field: it does not say in which of two crops a year the field was struck, so both stands of a field carry it.

    Args:
        looks: what was seen.
        seasons: crop and dates of each parcel.
        normals: usual NDVI by crop and ISO week, columns crop, week, ndvi, ndvi_sd; or None.

    Returns:
        one row per (parcel, slot): health class with its probability (`unknown` where the network said nothing, where
        no crop grew, or with code health_doubtful where its best class has a probability below 0.5);
        confirmed, whether class and vigour go together (damage on a weak field, or a normal one that is not very weak):
        False with code health_disagrees, missing where one of them is silent;
        vigour, None with code few_neighbours (fewer than 5 others) or no_look (no clear look in the window);
        vigour_normal, None with code no_normal; `evidence` is a JSON list of the passes used.

    Raises:
        InputError: the table of normals lacks a column.
    """
    import pandas as pd

    table = _looks_in_window(looks, seasons)
    sums = table.groupby("row")[list(WEIGHTS)].mean().reindex(range(len(seasons)))
    crop = seasons["crop"].to_numpy(dtype=object)
    is_open = has_code(seasons, "peak_not_reached").astype(int).astype(str)
    group = (seasons["crop"] + "|" + seasons["slot"] + "|" + is_open).to_numpy(dtype=object)
    grown = (crop != UNKNOWN) & (crop != NO_CROP)
    comparable = grown & sums["ndvi"].notna().to_numpy()
    vigour, neighbours = _compare(sums, group, comparable)
    few = comparable & np.isnan(vigour)
    normal = _against_normal(table, crop, len(seasons), normals)
    health, confidence = _network_voice(looks, seasons)
    health, confidence = np.where(crop == NO_CROP, UNKNOWN, health), np.where(crop == NO_CROP, 0.0, confidence)
    doubtful = (health != UNKNOWN) & (confidence < MIN_CONFIDENCE)
    health = np.where(doubtful, UNKNOWN, health)
    agrees, differs = _beside_vigour(health, vigour)
    codes = {
        "health_doubtful": doubtful,
        "health_disagrees": differs,
        "no_look": ~sums["ndvi"].notna().to_numpy(),
        "few_neighbours": few,
        "no_normal": np.isnan(normal),
    }
    passes = table.groupby("row")["pass_id"].agg(lambda names: json.dumps(list(names)))
    return check_health(
        pd.DataFrame(
            {
                "parcel_id": seasons["parcel_id"].astype("string").to_numpy(),
                "slot": seasons["slot"].astype("string").to_numpy(),
                "health": pd.array(health, dtype="string"),
                "health_confidence": confidence,
                "confirmed": pd.arrays.BooleanArray(agrees, ~(agrees | differs)),
                "vigour": nullable(vigour),
                "vigour_neighbours": pd.array(neighbours, dtype="int32"),
                "vigour_normal": nullable(normal),
                "evidence": pd.array(passes.reindex(range(len(seasons)), fill_value="[]").to_numpy(), dtype="string"),
                "code": join_codes(codes, len(seasons)),
            }
        ).astype({"parcel_id": "string", "slot": "string"})
    )


def _looks_in_window(looks: Looks, seasons: Seasons) -> pd.DataFrame:
    """The clear looks that vigour is read from, with the row of `seasons` they belong to."""
    import pandas as pd

    table = clear_looks(looks, end_of_day(seasons["last_clear"].max()))
    ids = parcel_ids(looks)
    newest = int(table["day"].max()) if len(table) else 0
    peak = known_days(seasons["peak"])
    annual = (seasons["slot"] == "AB").to_numpy(dtype=bool)
    # Grass has no season of its own to be aligned by: all fields of it are read around their common middle peak.
    common = pd.Series(peak).groupby(seasons["crop"].to_numpy(dtype=object)).transform("median").to_numpy()
    peak = np.where(annual & ~np.isnan(peak), common, peak)
    is_open = has_code(seasons, "peak_not_reached")
    first = np.where(is_open, newest - OPEN_DAYS, peak - WINDOW_DAYS)
    last = np.where(is_open, newest, peak + WINDOW_DAYS)
    row = seasons.reset_index(drop=True).reset_index()[["index", "parcel_id"]].rename(columns={"index": "row"})
    row["parcel"] = ids.get_indexer(pd.Index(row["parcel_id"].astype("string")))
    joined = table.merge(row[["row", "parcel"]], on="parcel", how="inner")
    at, day = joined["row"].to_numpy(), joined["day"].to_numpy()
    with np.errstate(invalid="ignore"):
        inside = (day >= first[at]) & (day <= last[at])
    inner: pd.DataFrame = joined[inside].sort_values(["row", "day", "pass_id"], kind="stable").reset_index(drop=True)
    return inner


def _compare(
    means: pd.DataFrame, group: npt.NDArray[Any], comparable: npt.NDArray[np.bool_]
) -> tuple[Floats, npt.NDArray[np.int32]]:
    """Weighted robust z within each group, NaN where too few; and how many others there were."""
    fields = means[comparable].assign(group=group[comparable])
    by_group = fields.groupby("group")
    others = np.zeros(len(means), dtype=np.int32)
    others[comparable] = (by_group["ndvi"].transform("size") - 1).to_numpy(dtype=np.int32)
    score = np.zeros(int(comparable.sum()))
    for name, weight in WEIGHTS.items():
        off = fields[name] - by_group[name].transform("median")
        spread = 1.4826 * off.abs().groupby(fields["group"]).transform("median")
        score += weight * off.to_numpy() / np.maximum(spread.to_numpy(), MIN_SPREAD)
    vigour = np.full(len(means), np.nan)
    vigour[comparable] = np.clip(score, -MAX_VIGOUR, MAX_VIGOUR).round(4)
    vigour[others < MIN_NEIGHBOURS] = np.nan
    return vigour, others


def _against_normal(table: pd.DataFrame, crop: npt.NDArray[Any], n: int, normals: pd.DataFrame | None) -> Floats:
    """Mean over the looks of (NDVI - usual NDVI of the crop in that week) / its usual spread; NaN where not known."""
    if normals is None:
        return np.full(n, np.nan)
    missing = [name for name in NORMAL_COLUMNS if name not in normals.columns]
    if missing:
        raise InputError(
            f"normals: columns {missing} are missing; found {list(normals.columns)}",
            hint=f"a table of normals has the columns {', '.join(NORMAL_COLUMNS)}",
        )
    seen = table[["row", "ndvi"]].assign(
        crop=crop[table["row"].to_numpy()], week=table["time"].dt.isocalendar()["week"].astype("int64")
    )
    usual = normals[list(NORMAL_COLUMNS)].rename(columns={"ndvi": "usual"}).astype({"week": "int64"})
    usual["crop"] = usual["crop"].astype(object)
    both = seen.merge(usual, on=["crop", "week"], how="inner")
    z: pd.Series[Any] = (both["ndvi"] - both["usual"]) / np.maximum(both["ndvi_sd"], MIN_SPREAD)
    mean: Floats = z.groupby(both["row"]).mean().reindex(range(n)).to_numpy(dtype="float64")
    return np.clip(mean, -MAX_VIGOUR, MAX_VIGOUR).round(4)


def _beside_vigour(health: npt.NDArray[Any], vigour: Floats) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Rules and network side by side: where class and vigour go together, and where they do not."""
    damaged, normal = np.isin(health, DAMAGED), health == "normal"
    with np.errstate(invalid="ignore"):
        agrees = (damaged & (vigour < WEAK)) | (normal & (vigour >= VERY_WEAK))
        differs = (damaged & (vigour >= WEAK)) | (normal & (vigour < VERY_WEAK))
    return agrees, differs


def _network_voice(looks: Looks, seasons: Seasons) -> tuple[npt.NDArray[Any], Floats]:
    """Class of the highest mean log-probability over the parcel's pixels, and its share among all classes."""
    import pandas as pd

    rows = looks.evidence[looks.evidence["head"] == "health"]
    classes = sorted(set(rows["cls"]))
    if not classes:
        return np.full(len(seasons), UNKNOWN, dtype=object), np.zeros(len(seasons))
    ids = parcel_ids(looks)
    logp, n_px = np.full((len(ids), len(classes)), -np.inf), np.zeros((len(ids), len(classes)))
    row = ids.get_indexer(pd.Index(rows["parcel_id"].astype("string")))
    at = row, pd.Index(classes).get_indexer(pd.Index(rows["cls"]))
    logp[at], n_px[at] = rows["logp"].to_numpy(dtype="float64"), rows["n_px"].to_numpy(dtype="float64")
    total = n_px.sum(axis=1)
    logp[total == 0] = 0.0
    score = logp / np.maximum(total, 1)[:, None] / LOGP_SCALE
    probability = np.exp(score - score.max(axis=1, keepdims=True))
    probability /= probability.sum(axis=1, keepdims=True)
    best = probability.argmax(axis=1)
    name = np.where(total > 0, np.asarray(classes, dtype=object)[best], UNKNOWN)
    confidence = np.where(total > 0, probability.max(axis=1), 0.0).round(6)
    place = ids.get_indexer(pd.Index(seasons["parcel_id"].astype("string")))
    return name[place], confidence[place]
