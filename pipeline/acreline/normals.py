# SPDX-License-Identifier: Apache-2.0
"""How green each crop usually is, week by week: made from runs of earlier years, read by those of later ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from acreline.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

FEWEST_FIELDS = 10
"""Fields of a crop in a week of one year below which its usual greenness is not told."""
MIN_SPREAD = 0.02
CLEAR_SHARE = 0.5
COLUMNS = ("crop", "week", "ndvi", "ndvi_sd", "n_fields", "years")


def make_normals(publications: Sequence[Path]) -> pd.DataFrame:
    """Usual NDVI of each crop by ISO week over several runs, a run a year.

    Fields that may be judged and whose crop is decided (a set of one name) count; a field's value in a week is the mean
    of its looks that are at least half clear.

    Args:
        publications: of finished runs, of different harvest years.

    Returns:
        crop, week, ndvi (mean over years of the fields' median), ndvi_sd (spread of fields, 1.4826 MAD, and of years
        together, at least 0.02), n_fields (over all years), years (`a|b` text); weeks with fewer than 10 fields of a
        crop in a year are left out of that year.

    Raises:
        StoreError: no publication.
        InputError: two runs are of one harvest year, or nothing can be told of any crop.
    """
    import numpy as np
    import pandas as pd

    from acreline.store import read_manifest

    parts: list[pd.DataFrame] = []
    seen: dict[int, Path] = {}
    for publication in publications:
        year = int(str(read_manifest(publication)["season"]["end"])[:4])
        if year in seen:
            raise InputError(
                f"{publication}: a second run of {year}, beside {seen[year]}", hint="give one run for each year"
            )
        seen[year] = publication
        parts.append(_weeks(publication).assign(year=year))
    weeks = pd.concat(parts, ignore_index=True)
    weeks = weeks[weeks["n_fields"] >= FEWEST_FIELDS]
    if weeks.empty:
        raise InputError(
            f"normals: no crop has {FEWEST_FIELDS} judged fields in any week of {len(parts)} runs",
            hint="give runs of larger regions",
        )
    by_week = weeks.groupby(["crop", "week"])
    within, between = by_week["variance"].mean(), by_week["ndvi"].var(ddof=0)
    table = pd.DataFrame(
        {
            "ndvi": by_week["ndvi"].mean().round(4),
            "ndvi_sd": np.maximum(np.sqrt(within + between), MIN_SPREAD).round(4),
            "n_fields": by_week["n_fields"].sum(),
            "years": by_week["year"].agg(lambda years: "|".join(str(year) for year in sorted(years))),
        }
    )
    return table.reset_index()[list(COLUMNS)]


def _weeks(publication: Path) -> pd.DataFrame:
    """Median and spread of each crop's fields in each week of one run."""
    import pandas as pd

    parcels = pd.read_parquet(publication / "parcels.parquet", columns=["id", "status"])
    judged = parcels.loc[parcels["status"].isin(["ok", "degraded"]), "id"]
    stands = pd.read_parquet(publication / "stands.parquet", columns=["parcel_id", "crop", "crop_set"])
    sure = stands[stands["parcel_id"].isin(judged) & (stands["crop_set"] == stands["crop"])]
    sure = sure[sure["crop"] != "unknown"][["parcel_id", "crop"]].drop_duplicates()
    looks = pd.read_parquet(
        publication / "looks.parquet", columns=["parcel_id", "time", "n_seen", "n_clear", "sum_ndvi"]
    )
    looks = looks[(looks["n_clear"] > 0) & (looks["n_clear"] >= CLEAR_SHARE * looks["n_seen"])]
    looks = looks.assign(
        ndvi=looks["sum_ndvi"] / looks["n_clear"] / 10_000, week=looks["time"].dt.isocalendar()["week"].astype("int64")
    )
    fields = looks.merge(sure, on="parcel_id").groupby(["crop", "week", "parcel_id"])["ndvi"].mean().reset_index()
    key = [fields["crop"], fields["week"]]
    off = (fields["ndvi"] - fields["ndvi"].groupby(key).transform("median")).abs()
    by_week = fields.groupby(["crop", "week"])["ndvi"]
    return pd.DataFrame(
        {
            "ndvi": by_week.median(),
            "variance": (1.4826 * off.groupby(key).median()) ** 2,
            "n_fields": by_week.size(),
        }
    ).reset_index()
