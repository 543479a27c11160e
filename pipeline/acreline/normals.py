# SPDX-License-Identifier: Apache-2.0
"""How green each crop usually is, week by week: made from runs of earlier years, read by those of later ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from acreline.errors import ConfigError, InputError, StoreError

if TYPE_CHECKING:
    import pandas as pd

FEWEST_FIELDS = 10
"""Fields of a crop in a week of one year below which its usual greenness is not told."""
YEARS_SPREAD, YEARS_WORTH = 0.05, 2
"""Spread of a crop's greenness from year to year that is taken before any is seen (order of magnitude), and how many
degrees of freedom it counts for beside the years' own."""
CLEAR_SHARE = 0.5
COLUMNS = ("crop", "week", "ndvi", "ndvi_sd", "n_fields", "n_years", "years")
ENDINGS = (".csv", ".parquet")


@dataclass(frozen=True)
class Normals:
    """Usual greenness, and what it was made from."""

    table: pd.DataFrame
    """One row per (crop, ISO week): `COLUMNS`."""
    years: tuple[int, ...]
    """Harvest years of the runs."""
    left_out: int
    """Weeks of a crop in one year with too few fields."""
    simulated: bool
    """A run among them is of simulated land."""


def make_normals(publications: Sequence[Path]) -> Normals:
    """Usual NDVI of each crop by ISO week over several runs, a run a year.

    The spread says how far a field of another year may lie: that of fields, and that of years, which few years show
    badly. Of n years with sample variance s^2 (divisor n - 1) it is taken as (2 x 0.05^2 + (n - 1) s^2) / (n + 1), a
    scaled inverse chi-squared prior of 2 degrees of freedom, times 1 + 1/n since their mean is uncertain too (Gelman et
    al. 2013, Bayesian Data Analysis, 2.6 and 3.2).

    Fields that may be judged and whose crop is decided (a set of one name) count; a field's value in a week is the mean
    of its looks that are at least half clear.

    Args:
        publications: of finished runs, of different harvest years.

    Returns:
        crop, week, ndvi (mean over years of the fields' median), ndvi_sd (spread of fields, 1.4826 MAD, and of years
        together), n_fields (over all years), n_years, years (`a|b` text); weeks with fewer than 10
        fields of a crop in a year are left out of that year, and counted.

    Raises:
        StoreError: no publication.
        InputError: two runs are of one harvest year, or nothing can be told of any crop.
    """
    import numpy as np
    import pandas as pd

    from acreline.store import read_manifest

    parts: list[pd.DataFrame] = []
    seen: dict[int, Path] = {}
    simulated = False
    for publication in publications:
        manifest = read_manifest(publication)
        year = int(str(manifest["season"]["end"])[:4])
        if year in seen:
            raise InputError(
                f"{publication}: a second run of {year}, beside {seen[year]}", hint="give one run for each year"
            )
        seen[year] = publication
        simulated |= bool(manifest.get("simulated"))
        parts.append(_weeks(publication).assign(year=year))
    weeks = pd.concat(parts, ignore_index=True)
    few = weeks["n_fields"] < FEWEST_FIELDS
    weeks = weeks[~few]
    if weeks.empty:
        raise InputError(
            f"normals: no crop has {FEWEST_FIELDS} judged fields in any week of {len(parts)} runs",
            hint="give runs of larger regions",
        )
    by_week = weeks.groupby(["crop", "week"])
    n_years = by_week["year"].nunique()
    squares = by_week["ndvi"].var(ddof=1).fillna(0.0) * (n_years - 1)
    years = (YEARS_WORTH * YEARS_SPREAD**2 + squares) / (YEARS_WORTH + n_years - 1) * (1 + 1 / n_years)
    within = by_week["variance"].mean()
    table = pd.DataFrame(
        {
            "ndvi": by_week["ndvi"].mean().round(4),
            "ndvi_sd": np.sqrt(within + years).round(4),
            "n_fields": by_week["n_fields"].sum(),
            "n_years": n_years,
            "years": by_week["year"].agg(lambda years: "|".join(str(year) for year in sorted(years))),
        }
    )
    return Normals(table.reset_index()[list(COLUMNS)], tuple(sorted(seen)), int(few.sum()), simulated)


def check_ending(out: Path) -> None:
    """Refuse a file that would be of another kind than its name says, before the work.

    Raises:
        ConfigError: it ends in neither .csv nor .parquet.
    """
    if out.suffix not in ENDINGS:
        raise ConfigError(f"--out: {out}: normals are CSV or Parquet", hint="end the name in .csv or .parquet")


def write_normals(table: pd.DataFrame, out: Path) -> None:
    """Write normals as CSV or Parquet, by the file's ending; equal rows give equal bytes.

    Raises:
        ConfigError: the ending is neither.
        StoreError: it cannot be written.
    """
    from acreline.tables import write_table

    check_ending(out)
    try:
        if out.suffix == ".parquet":
            write_table(table, out)
        else:
            table.to_csv(out, index=False, lineterminator="\n")
    except OSError as error:
        raise StoreError(f"{out}: cannot be written: {error}", hint="check the folder of --out") from error


def normals_lines(normals: Normals, out: Path) -> list[str]:
    """What was made and left out, and what to do with it, for a terminal."""
    table, years = normals.table, ", ".join(str(year) for year in normals.years)
    lines = ["on simulated data"] if normals.simulated else []
    lines.append(f"{out}: {table['crop'].nunique()} crops, {len(table)} weeks, years {years}")
    if normals.left_out:
        lines.append(f"left out, fewer than {FEWEST_FIELDS} fields of a crop in a week: {normals.left_out} weeks")
    return [*lines, f"next: name it under `normals:` of the region file of a year after {normals.years[-1]}"]


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
