# SPDX-License-Identifier: Apache-2.0
"""What an event's outline touches: farms, land, harvest and limits of a finished run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acreline.errors import InputError, StoreError
from acreline.units import m2_to_ha, m2_to_mu

if TYPE_CHECKING:
    import geopandas as gpd
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

COLUMNS = (
    "event", "farm_id", "parcels", "parcels_not_judged", "touched_m2", "touched_mu", "touched_ha", "farm_m2",
    "planted_touched_m2", "value_low", "value_mid", "value_high", "currency", "outcome", "limit", "limit_share",
    "limit_exposed", "limit_currency",
)  # fmt: skip
FAR = "EPSG:4326"
PARQUET = (".parquet", ".geoparquet")
DRAWN = "a vector file with polygons: GeoJSON, GeoPackage, GeoParquet, Shapefile"
LEAST_M2 = 1.0
"""A smaller cut is two outlines that share an edge."""
JUDGED = ("ok", "degraded")
LOST = ("failed", "rejected")
KEY = ["event", "farm_id"]


@dataclass(frozen=True)
class Outlines:
    """The ground of one or several events."""

    names: tuple[str, ...]
    shapes: npt.NDArray[np.object_]
    """One shape per name, (n,), lon/lat (WGS84), valid, with ground."""
    mended: int = 0
    """Drawn polygons that crossed themselves and were made valid."""
    bare: int = 0
    """Rows of the file without ground, which take no part."""


def measure_exposure(publication: Path, outlines: Outlines) -> pd.DataFrame:
    """Farms, land and money of a run that lie inside the outlines of events.

    Args:
        publication: of a run.
        outlines: as `read_outlines` gives them.

    Returns:
        one row per event and farm that it touches, `COLUMNS`, by event, largest land first: parcels touched, and those
        of them that were not judged, of whose harvest nothing is told; touched land on the ellipsoid; all of the farm's
        drawn land; planted land, and value of the harvest (currency), each stand by the touched share of its parcel;
        outcome and limit of its decision; limit_share, touched over drawn land, 0 to 1; limit_exposed, that share of
        the limit. Planted land and value are missing where a touched parcel is failed or rejected; value also where
        that of a touched stand is, or where stands are valued in two currencies.

    Raises:
        StoreError: the publication cannot be read.
    """
    import geopandas as gpd
    import numpy as np
    import pandas as pd

    try:
        parcels = gpd.read_parquet(publication / "parcels.parquet")  # type: ignore[no-untyped-call]
        stands = pd.read_parquet(publication / "stands.parquet")
        decided = pd.read_parquet(publication / "decisions.parquet").set_index("farm_id")
    except (OSError, ValueError) as error:
        raise StoreError(f"{publication}: cannot be read: {error}", hint="see `acreline verify`") from error
    area = parcels["metrics:area"].to_numpy(dtype="float64", na_value=np.nan)
    event, parcel, touched_m2 = _touched(parcels.geometry.to_numpy(), area, outlines.shapes)
    hit = pd.DataFrame(parcels[["id", "farm_id", "status"]]).iloc[parcel].reset_index(drop=True)
    hit = hit.assign(event=event, touched_m2=touched_m2, share=(touched_m2 / area[parcel]).clip(0, 1))
    hit = hit.assign(unjudged=~hit["status"].isin(JUDGED), lost=hit["status"].isin(LOST))

    groups = hit.groupby(KEY)
    farms = groups.agg(parcels=("id", "size"), touched_m2=("touched_m2", "sum"), lost=("lost", "any"))
    farms["parcels_not_judged"] = groups["unjudged"].sum()
    farms["touched_mu"] = farms["touched_m2"] * m2_to_mu(1)
    farms["touched_ha"] = farms["touched_m2"] * m2_to_ha(1)
    of_farm = farms.index.get_level_values("farm_id")
    drawn = pd.Series(area).groupby(parcels["farm_id"].to_numpy()).sum()
    farms["farm_m2"] = drawn.reindex(of_farm).to_numpy()
    farms["limit_share"] = (farms["touched_m2"] / farms["farm_m2"]).clip(upper=1.0)

    ids = {"parcel_id": hit["id"]}  # an id that stands twice is rejected and bears no stand
    stands = stands.merge(hit.assign(**ids)[[*KEY, "parcel_id", "share"]], on=["farm_id", "parcel_id"])
    farms = farms.join(_harvest(stands)).reset_index()
    farms.loc[farms["lost"], "planted_touched_m2"] = np.nan
    value = ["value_low", "value_mid", "value_high"]
    untold = farms["lost"] | farms["unknown"].eq(True)
    farms.loc[untold, value] = np.nan
    farms["currency"] = farms["currency"].astype(object).where(farms["currency"].notna() & ~untold, None)
    idle = ~farms["lost"] & farms["unknown"].isna() & (farms["parcels_not_judged"] == 0)  # nothing grew there
    farms.loc[idle, ["planted_touched_m2", *value]] = 0.0

    ruled = decided.reindex(farms["farm_id"])
    farms["outcome"], farms["limit"] = ruled["outcome"].to_numpy(), ruled["limit"].to_numpy()
    farms["limit_currency"] = ruled["currency"].to_numpy()
    farms["limit_exposed"] = (pd.to_numeric(farms["limit"]).astype("float64") * farms["limit_share"]).round(2)
    farms["event"] = np.asarray(outlines.names, dtype=object)[farms["event"].to_numpy(dtype="int64")]
    farms = farms.sort_values(["event", "touched_m2", "farm_id"], ascending=[True, False, True], kind="stable")
    told: pd.DataFrame = farms[list(COLUMNS)].reset_index(drop=True)
    return told


def touched_parcels(publication: Path, outlines: Outlines) -> pd.DataFrame:
    """The parcels of a run that lie inside the outlines of events.

    Returns:
        one row per event and parcel that it touches: event, farm_id, parcel_id, share of the parcel inside (0 to 1),
        touched_m2.

    Raises:
        StoreError: the publication cannot be read.
    """
    import geopandas as gpd
    import numpy as np
    import pandas as pd

    try:
        parcels = gpd.read_parquet(publication / "parcels.parquet")  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise StoreError(f"{publication}: cannot be read: {error}", hint="see `acreline verify`") from error
    area = parcels["metrics:area"].to_numpy(dtype="float64", na_value=np.nan)
    event, parcel, touched_m2 = _touched(parcels.geometry.to_numpy(), area, outlines.shapes)
    hit = pd.DataFrame(parcels[["id", "farm_id"]]).iloc[parcel].reset_index(drop=True)
    names = np.asarray(outlines.names, dtype=object)[event]
    told = hit.assign(event=names, parcel_id=hit["id"], touched_m2=touched_m2, share=touched_m2 / area[parcel])
    rows: pd.DataFrame = told[["event", "farm_id", "parcel_id", "share", "touched_m2"]].reset_index(drop=True)
    return rows


def read_outlines(path: Path, name: str | None = None, column: str | None = None) -> Outlines:
    """The ground of the events in a file; all its polygons are one event, unless a column `event` names several.

    Args:
        path: polygons of a flood, a hail swath and the like (GeoJSON, GeoPackage, GeoParquet or another vector file)
            with a coordinate reference system.
        name: of the one event that all polygons are; default the column `event`, else the file's name.
        column: that must name the polygons, of places that are no events.

    Raises:
        InputError: the file cannot be read, has no reference system, no polygon or no ground, lies nowhere on earth,
            lacks the column asked for, or a polygon has no name where others have one.
    """
    import geopandas as gpd
    import numpy as np
    import shapely

    table = _read(path)
    if table.crs is None:
        raise InputError(f"{path}: no coordinate reference system", hint="write the file with its CRS, e.g. EPSG:4326")
    kinds = sorted(set(table.geom_type.dropna()) - {"Polygon", "MultiPolygon"})
    if kinds or not len(table):
        raise InputError(
            f"{path}: an event's outline is of polygons; found {', '.join(kinds) or 'nothing'}",
            hint="draw the ground that was struck, not a line or a point",
        )
    drawn = table.geometry.to_numpy()
    shapes = shapely.make_valid(drawn)
    ground = shapely.area(shapes) > 0
    if not ground.any():
        raise InputError(f"{path}: the outline holds no ground", hint="check the polygons")
    mended = int((ground & ~shapely.is_valid(drawn)).sum())
    shapes = shapely.make_valid(gpd.GeoSeries(shapes[ground], crs=table.crs).to_crs(FAR).to_numpy())
    west, south, east, north = shapely.total_bounds(shapes)
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        raise InputError(
            f"{path}: the outline lies nowhere on earth: {west:g} to {east:g} east, {south:g} to {north:g} north",
            hint=f"its coordinates do not fit its reference system {table.crs.to_string()}",
        )
    named = _event_names(table[ground], path, name, column)
    names = sorted(set(named))
    joined = [shapely.union_all(shapes[named == one]) for one in names]
    return Outlines(tuple(names), np.array(joined, dtype=object), mended, int((~ground).sum()))


def _read(path: Path) -> gpd.GeoDataFrame:
    """The outlines of a file as they stand in it."""
    import geopandas as gpd
    import pyarrow.parquet as pq

    if not path.is_file():
        found = "a folder" if path.is_dir() else "no such file"
        raise InputError(f"{path}: the event's outline cannot be read: {found}", hint=f"give {DRAWN}")
    try:
        if path.suffix.lower() not in PARQUET:
            table = gpd.read_file(path)  # type: ignore[no-untyped-call]
        elif b"geo" in (pq.read_schema(path).metadata or {}):
            table = gpd.read_parquet(path)  # type: ignore[no-untyped-call]
        else:
            table = None
    except Exception as error:
        found = str(error).split(".;")[0].partition("\n")[0].rstrip(".")
        raise InputError(f"{path}: the event's outline cannot be read: {found}", hint=f"give {DRAWN}") from error
    if not isinstance(table, gpd.GeoDataFrame):
        raise InputError(f"{path}: a table without outlines: no geometry in it", hint=f"give {DRAWN}")
    return table


def _event_names(table: gpd.GeoDataFrame, path: Path, name: str | None, wanted: str | None) -> npt.NDArray[Any]:
    """The event, or place, that each polygon is of."""
    import numpy as np

    column = wanted or "event"
    if wanted is not None and wanted not in table.columns:
        raise InputError(
            f"{path}: no column {wanted} names its polygons", hint="give the column's name: --place COLUMN"
        )
    if name is not None or column not in table.columns:
        return np.full(len(table), name or path.stem, dtype=object)
    named = table[column].astype("string").fillna("").str.strip()
    if (named == "").any():
        raise InputError(
            f"{path}: {int((named == '').sum())} of {len(table)} polygons have no name in the column {column}",
            hint="name each polygon's event, or give --name: all are one event"
            if wanted is None
            else f"name each polygon's {column}",
        )
    return np.asarray(named, dtype=object)


def _touched(
    drawn: npt.NDArray[Any], area_m2: npt.NDArray[np.float64], outlines: npt.NDArray[Any]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Which outline touches which parcel (index of each), and the parcel's land inside it on the ellipsoid, m2."""
    import geopandas as gpd
    import numpy as np
    import shapely

    from acreline.geo import geodesic_area_m2

    shapes = shapely.make_valid(drawn)
    tree = shapely.STRtree(shapes)
    event, parcel = tree.query(outlines, predicate="intersects")
    inside = np.isin(event * len(shapes) + parcel, np.array([len(shapes), 1]) @ tree.query(outlines, "covers"))
    touched = area_m2[parcel]
    cut = shapely.intersection(shapes[parcel[~inside]], outlines[event[~inside]])
    touched[~inside] = np.minimum(geodesic_area_m2(gpd.GeoSeries(cut, crs=FAR)), touched[~inside])
    real = touched >= LEAST_M2
    return event[real], parcel[real], touched[real]


def _harvest(stands: pd.DataFrame) -> pd.DataFrame:
    """Planted land and value of touched stands by event and farm; `unknown`: no one sum of values can be told."""
    # Land that bears two crops a year is planted once: the larger of its stands counts.
    planted = (stands["area_m2_mid"] * stands["share"]).groupby([*(stands[name] for name in KEY), stands["parcel_id"]])
    ends = ("value_low", "value_mid", "value_high")
    values = {end: stands[end].astype("float64") * stands["share"] for end in ends}
    groups = stands.assign(**values, missing=stands["value_mid"].isna()).groupby(KEY)
    harvest: pd.DataFrame = groups[list(ends)].sum()
    harvest["planted_touched_m2"] = planted.max().groupby(level=KEY).sum()
    harvest["currency"] = groups["currency"].first()
    harvest["unknown"] = groups["missing"].any() | (groups["currency"].nunique() > 1)
    return harvest


def exposure_lines(table: pd.DataFrame, outlines: Outlines, *, simulated: bool) -> list[str]:
    """The farms and the totals of each event for a terminal."""
    lines = ["on simulated data"] if simulated else []
    if outlines.mended:
        lines.append(f"polygons that crossed themselves and were mended: {outlines.mended}; look at them on a map")
    if outlines.bare:
        lines.append(f"rows without ground, left out: {outlines.bare}")
    for name in outlines.names:
        farms = table[table["event"] == name]
        lines += [f"{name}: the outline touches no parcel of this run"] if farms.empty else _event_lines(name, farms)
    if len(outlines.names) > 1:
        lines.append("a farm that several events touch stands under each of them: do not add up the events")
    return lines


def _event_lines(name: str, farms: pd.DataFrame) -> list[str]:
    lines = [f"{name}:", "farm          parcels   land (mu)   of farm   harvest at stake, low to high        limit"]
    for row in farms.to_dict("records"):
        known = row["value_mid"] == row["value_mid"]
        value = f"{row['value_low']:,.0f} to {row['value_high']:,.0f} {row['currency'] or ''}" if known else "not known"
        value += f" (not of {row['parcels_not_judged']} parcels)" if known and row["parcels_not_judged"] else ""
        limit = row["outcome"] if row["limit"] is None else f"{row['outcome']} {row['limit']:,.0f}"
        lines.append(
            f"{row['farm_id']:<13} {row['parcels']:>7} {row['touched_mu']:>11,.1f} {row['limit_share']:>9.0%}   "
            f"{value.strip():<36} {limit}"
        )
    land, planted = farms["touched_m2"].sum(), farms["planted_touched_m2"].sum()
    lines.append(
        f"{len(farms)} farms, {int(farms['parcels'].sum())} parcels, {m2_to_mu(land):,.1f} mu "
        f"({land:,.0f} m2, {m2_to_ha(land):,.1f} ha), planted {m2_to_mu(planted):,.1f} mu"
    )
    for currency, part in farms.groupby("currency"):
        low, mid, high = (part[f"value_{end}"].sum() for end in ("low", "mid", "high"))
        lines.append(f"harvest at stake: {low:,.0f} to {high:,.0f} {currency}, middle {mid:,.0f}, of {len(part)} farms")
    bare = int((farms["value_mid"].notna() & farms["currency"].isna()).sum())
    if bare:
        lines.append(f"nothing grew on the touched land of {bare} farms")
    unknown, dark = int(farms["value_mid"].isna().sum()), int(farms["parcels_not_judged"].sum())
    if unknown or dark:
        lines.append(f"in no sum: the harvest of {unknown} farms, and of {dark} touched parcels that were not judged")
    for currency, part in farms[farms["limit"].notna()].groupby("limit_currency"):
        granted, exposed = sum(part["limit"]), part["limit_exposed"].sum()
        lines.append(
            f"limits of touched farms: {granted:,.0f} {currency}, {exposed:,.0f} of it by the touched share of land"
        )
    lines.append(f"with a person: {int((farms['outcome'] == 'refer').sum())} farms")
    return lines
