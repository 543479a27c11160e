# SPDX-License-Identifier: Apache-2.0
"""`acreline.farm(run, "F-0042")`: all that a run found out about one farm, in one line of a notebook."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acreline.config import Region, provider_of, read_region
from acreline.errors import ConfigError
from acreline.farm_view.read import read_farm, read_parcels_of, read_rows
from acreline.layers import EVIDENCE_COLUMNS, LOOK_COLUMNS, Looks
from acreline.records import Decision, Farm
from acreline.store import open_publication, read_manifest

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd
    import xarray as xr
    from matplotlib.figure import Figure

    from acreline.farm_view.pixels import Window
    from acreline.report import FieldPicture, Unseen

PARCEL_TABLES = ("seasons", "health", "events", "growth", "looks")
MARGIN_PX = 4


def farm(run: Path | str, farm_id: str, *, region: Region | Path | str | None = None) -> FarmView:
    """One farm of a finished run.

    Args:
        run: an OUT folder of `acreline run`, its `latest`, or a publication.
        farm_id: as in the farm file.
        region: the run's region or its file; only pixels need it, and only where the file is neither one that comes
            with acreline nor in the current folder. It may say that the scenes lie elsewhere now.

    Returns:
        the view; only rows of this farm are read.

    Raises:
        ConfigError: no such farm (the hint lists some that are there), or another region's file.
        StoreError: no publication there, or a file of it cannot be read.
    """
    publication = open_publication(Path(run))
    manifest = read_manifest(publication)
    facts, decision = read_farm(publication, farm_id)
    if region is not None and not isinstance(region, Region):
        region = read_region(region)
    if region is not None and region.name != manifest["region"]:
        raise ConfigError(
            f"region {region.name!r} is not the one of this run, {manifest['region']!r}",
            hint="give the region file that the run was made with",
        )
    parcels = read_parcels_of(publication, farm_id)
    measured = parcels.loc[parcels["status"] != "rejected", "parcel_id"].astype(str).tolist()  # a refused id may be
    tables = {name: read_rows(publication, name, "parcel_id", measured) for name in PARCEL_TABLES}  # another's too
    stands = read_rows(publication, "stands", "farm_id", [farm_id])
    passes = tables.pop("looks")[list(LOOK_COLUMNS)]
    return FarmView(
        publication, manifest, facts, decision, parcels, stands=stands, passes=passes, region=region, **tables
    )


@dataclass(frozen=True, eq=False, repr=False)
class FarmView:
    """All that a run found out about one farm; made by `acreline.farm`."""

    publication: Path
    """Folder of the publication all this comes from."""
    manifest: Mapping[str, Any]
    """Of the publication."""
    facts: Farm
    """The farm in figures; areas in square metres."""
    decision: Decision
    """Outcome, limit and reasons, with the trail of every step."""
    parcels: gpd.GeoDataFrame
    """One row per parcel in lon/lat: `parcel_id`, `area_m2`, `status`, `crop`, ..."""
    seasons: pd.DataFrame
    """One row per parcel and season slot: crop, stage, dates with their doubt in days."""
    health: pd.DataFrame
    events: pd.DataFrame
    growth: pd.DataFrame
    stands: pd.DataFrame
    """One row per parcel and slot with its land, harvest and worth as intervals."""
    passes: pd.DataFrame
    """The raw looks: sums over pixels, `layers.LOOK_COLUMNS`."""
    region: Region | None = None

    @property
    def farm_id(self) -> str:
        """The farm's id."""
        return self.facts.farm_id

    @property
    def measured_ids(self) -> tuple[str, ...]:
        """Ids of the parcels that were not refused, the largest first."""
        kept = self.parcels[self.parcels["status"] != "rejected"]
        ordered = kept.sort_values(["area_m2", "parcel_id"], ascending=[False, True], kind="stable")
        return tuple(ordered["parcel_id"].astype(str))

    @cached_property
    def looks(self) -> pd.DataFrame:
        """Every look at every parcel.

        Returns:
            rows by parcel and time: parcel_id, pass_id, time (UTC), ndvi (mean over clear pixels, NaN without one),
            blue (mean reflectance in B02, likewise), clear_share (0 to 1, of the most pixels ever seen), kind: `clear`
            (may speak), `cloudy` (less than half clear) or `haze` (out of line with the looks before and after).
        """
        import numpy as np

        from acreline.curves import clear_looks

        table = self.passes[self.passes["n_seen"] > 0].sort_values(["parcel_id", "time", "pass_id"], kind="stable")
        n_clear = table["n_clear"].to_numpy(dtype="float64")
        most = table.groupby("parcel_id")["n_seen"].transform("max").to_numpy(dtype="float64")
        told = table[["parcel_id", "pass_id", "time"]].reset_index(drop=True)
        for name, column in (("ndvi", "sum_ndvi"), ("blue", "sum_B02")):
            told[name] = table[column].to_numpy() / np.where(n_clear > 0, n_clear, np.nan) / 10_000
        told["clear_share"] = n_clear / most
        speaks = clear_looks(self._as_looks(table))[["parcel_id", "pass_id"]].assign(speaks=True)
        heard = told.merge(speaks, on=["parcel_id", "pass_id"], how="left")["speaks"].notna().to_numpy()
        told["kind"] = np.where(heard, "clear", np.where(2 * n_clear >= most, "haze", "cloudy"))
        return told

    def curve(self, parcel_id: str) -> pd.DataFrame:
        """One parcel's greenness day by day, smoothed as all stages see it.

        Returns:
            one row per day from the first clear look to the last: date (UTC), ndvi (smoothed; NaN where the looks are
            too few for a curve), seen (NDVI of that day's clear look, else NaN). No rows without a clear look.

        Raises:
            ConfigError: the farm has no such parcel.
        """
        import pandas as pd

        from acreline.curves import clear_looks, dates_of, smooth_curves

        self._row(parcel_id)
        table = clear_looks(self._as_looks(self.passes[self.passes["parcel_id"] == parcel_id]))
        for curve in smooth_curves(table, 1):
            days = dates_of(curve.first_day + pd.RangeIndex(curve.value.shape[1]).to_numpy(dtype="float64"))
            return pd.DataFrame({"date": days, "ndvi": curve.value[0], "seen": curve.raw[0]})
        return pd.DataFrame(
            {"date": dates_of([]), "ndvi": pd.Series(dtype="float64"), "seen": pd.Series(dtype="float64")}
        )

    def maps(self, parcel_id: str | None = None, *, margin_px: int = MARGIN_PX) -> xr.Dataset:
        """Crop and health of each pixel around the farm, as published.

        Args:
            parcel_id: around this parcel only.
            margin_px: pixels of 10 m around it.

        Returns:
            `crop` uint8 (slot, y, x), `health` uint8 (y, x), 0 = not told, in the tile's CRS (`attrs["crs"]`);
            `parcel` int16 (y, x), 0 = none, k = the k-th of `attrs["parcel_ids"]`; `attrs["classes"]`: layer -> code ->
            [slug, colour, Chinese name, English name].

        Raises:
            ConfigError: the farm has no such parcel, or its parcels lie too far apart: name one.
            StoreError: no map reaches there.
        """
        from acreline.farm_view.pixels import read_maps

        maps = read_maps(self.publication, self.window(parcel_id, margin_px=margin_px))
        return maps.assign_attrs(classes=self.manifest["classes"])

    def cube(
        self,
        parcel_id: str | None = None,
        *,
        passes: Collection[str] | None = None,
        margin_px: int = MARGIN_PX,
        least_px: int = 2,
    ) -> xr.Dataset:
        """The farm's window through the season, read from the scenes that the run used; this reads pixels.

        Args:
            parcel_id: around this parcel only.
            passes: pass ids as in `looks`; None: every pass that the run used.
            margin_px: pixels of 10 m around it.
            least_px: least length of a side.

        Returns:
            `reflectance` float32 (time, band, y, x) of all ten bands at 10 m, NaN = no data; `ndvi` float32
            (time, y, x), NaN = no data, not masked; `clear` bool (time, y, x); `parcel` as in `maps`; in the tile's
            CRS; `pass_id` along time.

        Raises:
            ConfigError: no such parcel, too far apart, no such pass, or the region file is not found.
            SourceError: scenes that the run used are no longer there or cannot be read any more.
        """
        from acreline.farm_view.pixels import read_pixels

        window = self.window(parcel_id, margin_px=margin_px, least_px=least_px)
        kept = self.parcels[self.parcels["status"] != "rejected"]
        return read_pixels(self.publication, self.manifest, self._region(), kept, window, passes)

    def pictures(self) -> dict[str, FieldPicture | Unseen]:
        """What the pages of farms show of each parcel, read again from the scenes that the run used.

        Returns:
            parcel id -> its look near the peak and through the season, or why there is none; refused and failed parcels
            are not in it.

        Raises:
            ConfigError: the region file is not found.
            SourceError: the catalogue does not answer.
        """
        from acreline.farm_view.pixels import find_scenes
        from acreline.layers import Parcels, Seasons
        from acreline.pictures import picture_parcels

        region, rows = self._region(), read_rows(self.publication, "scenes", "status", ["used"])
        kept = self.parcels[self.parcels["status"] != "rejected"]
        scenes = find_scenes(self.manifest, region, kept, set(rows["scene_id"]))
        looks, provider = self._as_looks(self.passes), provider_of(region, self.manifest.get("provider"))
        return picture_parcels(Parcels(kept), looks, Seasons(self.seasons), scenes, provider.read)

    def plot(self, lang: str = "en", *, chips: str = "colour") -> Figure:
        """The farm in one picture: what the satellite saw through the season above the curves of its largest parcels.

        Args:
            lang: en or zh; without a Chinese font on this machine the labels are English.
            chips: colour (as an eye sees it), ndvi, or none (no pixels are read).

        Raises:
            ConfigError: matplotlib is not installed, or an argument is none of these.
        """
        from acreline.farm_view.plot import plot_farm

        return plot_farm(self, lang, chips)

    def __repr__(self) -> str:
        from acreline.farm_view.card import one_line

        return f"FarmView({one_line(self)})"

    def _repr_html_(self) -> str:
        from acreline.farm_view.card import farm_card

        return farm_card(self)

    # --- on the way ---------------------------------------------------------------------------------------------
    def _as_looks(self, passes: pd.DataFrame) -> Looks:
        """Looks for the curve's rules; the most pixels ever seen stand for all full pixels of a parcel."""
        import pandas as pd

        most = passes.groupby("parcel_id")["n_seen"].max()
        land = pd.DataFrame({"parcel_id": most.index, "n_full": most.to_numpy(), "cover": 0})
        return Looks(passes, pd.DataFrame(columns=list(EVIDENCE_COLUMNS)), land)

    def _row(self, parcel_id: str) -> gpd.GeoDataFrame:
        rows: gpd.GeoDataFrame = self.parcels[self.parcels["parcel_id"] == parcel_id]
        if rows.empty:
            known = ", ".join(self.parcels["parcel_id"].astype(str).head(12))
            raise ConfigError(f"farm {self.farm_id}: no parcel {parcel_id!r}", hint=f"it has {known}")
        return rows

    def window(self, parcel_id: str | None = None, *, margin_px: int = MARGIN_PX, least_px: int = 2) -> Window:
        """The rectangle of the satellite's grid that `maps` and `cube` cover; arguments and errors are theirs."""
        from acreline.farm_view.pixels import window_around

        rows = self.parcels if parcel_id is None else self._row(parcel_id)
        rows = rows[rows["status"] != "rejected"]
        return window_around(rows, self.farm_id, margin_px=margin_px, least_px=least_px)

    def _region(self) -> Region:
        from acreline.farm_view.pixels import find_region

        sha256 = self.manifest["inputs"].get("region", "")
        found = self.region or find_region(sha256, Path.cwd())
        if found is None:
            raise ConfigError(
                f"pixels are read from the scenes; the region file of the run (sha256 {sha256[:12]}...) is neither one "
                "that comes with acreline nor in the current folder",
                hint=f"name it: acreline.farm(run, {self.farm_id!r}, region=FILE)",
            )
        return found
