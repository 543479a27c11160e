# SPDX-License-Identifier: Apache-2.0
"""What an event's outline touches: farms, land, harvest and limits of a finished run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from acreline.errors import InputError
from acreline.units import m2_to_ha, m2_to_mu

if TYPE_CHECKING:
    import geopandas as gpd
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

COLUMNS = (
    "farm_id", "parcels", "touched_m2", "touched_mu", "farm_m2", "planted_touched_m2", "value_low", "value_mid",
    "value_high", "currency", "outcome", "limit", "limit_share",
)  # fmt: skip
FAR = "EPSG:4326"
LEAST_M2 = 1.0
"""A smaller cut is two outlines that share an edge."""


def measure_exposure(publication: Path, event: Path) -> pd.DataFrame:
    """Farms, land and money of a run that lie inside the outline of an event.

    Args:
        publication: of a run.
        event: polygons of a flood, a hail swath and the like (GeoJSON, GeoPackage or another vector file) with a
            coordinate reference system; several are one event.

    Returns:
        one row per farm that is touched, largest land first, `COLUMNS`: parcels touched; touched land on the ellipsoid;
        all of its drawn land; planted land in it, and value of the harvest in it, both by the touched share of each
        parcel; outcome and limit of its decision; limit_share, the touched share of its drawn land. Value is missing
        where that of a touched stand is.

    Raises:
        StoreError: no publication.
        InputError: the outline cannot be read, has no reference system, no polygon or no land.
    """
    import geopandas as gpd
    import pandas as pd

    parcels = gpd.read_parquet(publication / "parcels.parquet")  # type: ignore[no-untyped-call]
    parcels = parcels[["id", "farm_id", "metrics:area", "geometry"]]
    outline = read_outline(event)
    share, touched_m2 = _touched(parcels, outline)
    hit = parcels.assign(share=share, touched_m2=touched_m2)
    by_farm = hit.groupby("farm_id").agg(
        parcels=("share", lambda values: int((values > 0).sum())),
        touched_m2=("touched_m2", "sum"),
        farm_m2=("metrics:area", "sum"),
    )
    by_farm = by_farm[by_farm["parcels"] > 0]
    stands = pd.read_parquet(publication / "stands.parquet").merge(
        hit[["id", "share"]].rename(columns={"id": "parcel_id"}), on="parcel_id"
    )
    stands = stands[stands["share"] > 0]
    # Land that bears two crops a year is planted once: the larger of its stands counts.
    planted = (stands["area_m2_mid"] * stands["share"]).groupby([stands["farm_id"], stands["parcel_id"]]).max()
    by_farm["planted_touched_m2"] = planted.groupby("farm_id").sum().reindex(by_farm.index).fillna(0.0)
    for end in ("low", "mid", "high"):
        value = stands[f"value_{end}"].astype("Float64") * stands["share"]
        by_farm[f"value_{end}"] = value.groupby(stands["farm_id"]).apply(_whole_sum).reindex(by_farm.index)
    by_farm["currency"] = stands.groupby("farm_id")["currency"].first().reindex(by_farm.index)
    decided = pd.read_parquet(publication / "decisions.parquet").set_index("farm_id")
    by_farm["outcome"] = decided["outcome"].reindex(by_farm.index)
    by_farm["limit"] = decided["limit"].reindex(by_farm.index)
    by_farm["limit_share"] = (by_farm["touched_m2"] / by_farm["farm_m2"]).clip(upper=1.0)
    by_farm["touched_mu"] = by_farm["touched_m2"].map(m2_to_mu)
    table = by_farm.reset_index().sort_values(["touched_m2", "farm_id"], ascending=[False, True], kind="stable")
    told: pd.DataFrame = table[list(COLUMNS)].reset_index(drop=True)
    return told


def read_outline(path: Path) -> Any:
    """The polygons of an event as one shape in lon/lat (WGS84), made valid.

    Raises:
        InputError: the file cannot be read, has no reference system, no polygon or no land.
    """
    import geopandas as gpd
    import shapely

    try:
        table = gpd.read_file(path)  # type: ignore[no-untyped-call]
    except Exception as error:
        raise InputError(
            f"{path}: the event's outline cannot be read: {error}", hint="GeoJSON, GeoPackage or another vector file"
        ) from error
    if table.crs is None:
        raise InputError(f"{path}: no coordinate reference system", hint="write the file with its CRS, e.g. EPSG:4326")
    kinds = sorted(set(table.geom_type.dropna()) - {"Polygon", "MultiPolygon"})
    if kinds or not len(table):
        raise InputError(
            f"{path}: an event's outline is of polygons; found {', '.join(kinds) or 'nothing'}",
            hint="draw the ground that was struck, not a line or a point",
        )
    shapes = shapely.make_valid(table.to_crs(FAR).geometry.to_numpy())
    shape = shapely.union_all(shapes[~shapely.is_empty(shapes)])
    if shapely.area(shape) == 0:
        raise InputError(f"{path}: the outline holds no ground", hint="check the polygons")
    return shape


def _touched(parcels: gpd.GeoDataFrame, outline: Any) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Share of each parcel inside the outline, 0 to 1, and its land there in m2."""
    import numpy as np
    import shapely

    shapes = shapely.make_valid(parcels.geometry.to_numpy())
    area = parcels["metrics:area"].to_numpy(dtype="float64", na_value=np.nan)
    share = np.zeros(len(parcels))
    shapely.prepare(outline)
    near = np.flatnonzero(shapely.intersects(shapes, outline))
    whole = shapely.area(shapes[near])
    cut = shapely.area(shapely.intersection(shapes[near], outline))
    # A parcel is small: the share of degrees is the share of ground.
    share[near] = np.divide(cut, whole, out=np.zeros_like(cut), where=whole > 0).clip(0, 1)
    touched = np.nan_to_num(share * area)
    share[touched < LEAST_M2] = 0.0
    return share, np.where(touched < LEAST_M2, 0.0, touched)


def _whole_sum(values: Any) -> float | None:
    """The sum; missing where one of them is."""
    return None if values.isna().any() else float(values.sum())


def exposure_lines(table: pd.DataFrame, *, simulated: bool) -> list[str]:
    """The farms and the totals for a terminal."""
    lines = ["on simulated data"] if simulated else []
    if table.empty:
        return [*lines, "the outline touches no parcel of this run"]
    lines.append("farm          parcels   land (mu)   of farm   harvest at stake, low to high        limit")
    for row in table.to_dict("records"):
        known = row["value_mid"] == row["value_mid"] and row["value_mid"] is not None
        value = f"{row['value_low']:,.0f} to {row['value_high']:,.0f} {row['currency']}" if known else "not known"
        limit = row["outcome"] if row["limit"] is None else f"{row['outcome']} {row['limit']:,.0f}"
        lines.append(
            f"{row['farm_id']:<13} {row['parcels']:>7} {row['touched_mu']:>11,.1f} {row['limit_share']:>9.0%}   "
            f"{value:<36} {limit}"
        )
    land, limits = table["touched_m2"].sum(), [limit for limit in table["limit"] if limit is not None]
    lines.append(
        f"{len(table)} farms, {int(table['parcels'].sum())} parcels, {m2_to_mu(land):,.1f} mu "
        f"({m2_to_ha(land):,.1f} ha); "
        f"limits of touched farms {sum(limits):,.0f}, {(table['outcome'] == 'refer').sum()} of them with a person"
    )
    return lines
