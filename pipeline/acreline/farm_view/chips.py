# SPDX-License-Identifier: Apache-2.0
"""The farm on a few clear days of its season, as small pictures in one row."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import shapely

from acreline.errors import ConfigError
from acreline.farm_view.style import INK, short_day
from acreline.report.field import BRIGHTEST, GAMMA, NDVI_STEPS, scale_bar

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from matplotlib.axes import Axes

    from acreline.farm_view.view import FarmView

CHIPS = ("colour", "ndvi", "none")
MOST_CHIPS = 6
LEAST_PX = 24
WHOLE_FARM_PX = 96
"""A farm that fits into a square of this side is shown whole; of any other, its largest parcel."""
DAYS_BEFORE, DAYS_AFTER = 35, 25
"""What is shown of the time before emergence and after harvest, where both are known."""
NEARBY = 0.35
"""A look this far from the day that is wanted is near it, as a share of the days between two chips."""
HAZY, FAR_BLUE = 0.05, 0.1
"""More reflectance in blue that counts as much as one step farther away, and what a look that is not near counts as."""
WHOLE = 0.98
"""Clear share from which a parcel counts as seen whole."""
PALER = 0.3
"""Share of white that is mixed into what lies around the farm."""


@dataclass(frozen=True)
class Chip:
    """The farm on one day."""

    day: date
    colour: npt.NDArray[np.float32]
    """Red, green and blue as drawn, (y, x, 3), 0 to 1, NaN = no data."""
    ndvi: npt.NDArray[np.float32]
    """(y, x), NaN under cloud and without data."""
    extent: tuple[float, float, float, float]
    """west, east, south, north in metres of the tile's CRS."""
    shapes: dict[str, shapely.Geometry]
    """Parcels by id, in the tile's CRS."""

    @property
    def tallness(self) -> float:
        """Height over width."""
        west, east, south, north = self.extent
        return (north - south) / (east - west)


def choose_days(looks: pd.DataFrame, seasons: pd.DataFrame, most: int = MOST_CHIPS) -> pd.DataFrame:
    """Clear looks of one parcel, spread over its season.

    Args:
        looks: of the parcel, as `FarmView.looks`.
        seasons: of the parcel; from before the first emergence to after the last harvest where both are known.
        most: how many.

    Returns:
        rows of `looks` in order of time, no look twice: for each of `most` evenly spread days a look that is near it
        and dark in blue, in which haze is bright; of looks that saw the parcel whole where there are any.
    """
    import pandas as pd

    clear = looks[looks["kind"] == "clear"].sort_values("time", kind="stable")
    whole = clear[clear["clear_share"] >= WHOLE]
    table = (clear if whole.empty else whole).reset_index(drop=True)
    if len(table) <= most:
        return table
    first, last = table["time"].iloc[0], table["time"].iloc[-1]
    emerged, cut = seasons["emergence"].min(), seasons["harvest"].max()
    if pd.notna(emerged) and pd.notna(cut):
        first = max(first, emerged - pd.Timedelta(days=DAYS_BEFORE))
        last = min(last, cut + pd.Timedelta(days=DAYS_AFTER))
    inside = table[table["time"].between(first, last)].reset_index(drop=True)
    if inside.empty:  # dates that no look reaches
        inside, first, last = table, table["time"].iloc[0], table["time"].iloc[-1]
    if len(inside) <= most:
        return inside
    wanted, step = np.linspace(0.0, (last - first).total_seconds(), most, retstep=True)
    away = np.abs((inside["time"] - first).dt.total_seconds().to_numpy()[None, :] - wanted[:, None]) / step
    haze = np.where(away <= NEARBY, inside["blue"].to_numpy()[None, :], FAR_BLUE)
    best = (away + haze / HAZY).argmin(axis=1)
    return inside.iloc[np.unique(best)]


def read_chips(view: FarmView, parcel_id: str) -> list[Chip]:
    """Read the farm on the chosen days of its largest parcel; see `FarmView.cube` for what can go wrong."""
    looks = view.looks[view.looks["parcel_id"] == parcel_id]
    chosen = choose_days(looks, view.seasons[view.seasons["parcel_id"] == parcel_id])
    if chosen.empty:
        return []
    only: str | None = None
    try:
        window = view.window()
        if max(window.height, window.width) > WHOLE_FARM_PX:
            only = parcel_id
    except ConfigError:  # its parcels lie too far apart for one picture
        only = parcel_id
    window = view.window(only)
    side = max(window.height, window.width, LEAST_PX)
    cube = _where_seen(view.cube(only, passes=list(chosen["pass_id"]), least_px=side))
    red_green_blue = cube["reflectance"].sel(band=["B04", "B03", "B02"]).transpose("time", "y", "x", "band").to_numpy()
    drawn = np.clip(red_green_blue / (BRIGHTEST / 10_000), 0, 1) ** (1 / GAMMA)
    around = (cube["parcel"].to_numpy() == 0)[None, :, :, None]
    drawn = np.where(around, drawn * (1 - PALER) + PALER, drawn).astype(np.float32)
    ndvi = cube["ndvi"].where(cube["clear"]).to_numpy()
    half = float(cube["x"][1] - cube["x"][0]) / 2
    west, east = float(cube["x"][0]) - half, float(cube["x"][-1]) + half
    south, north = float(cube["y"][-1]) - half, float(cube["y"][0]) + half
    days = [date.fromisoformat(str(moment)[:10]) for moment in cube["time"].to_numpy()]
    extent = (west, east, south, north)
    return [Chip(day, drawn[k], ndvi[k], extent, dict(window.shapes)) for k, day in enumerate(days)]


def _where_seen(cube: xr.Dataset) -> xr.Dataset:
    """The rows and columns in which some pass has data: at the edge of the scenes a chip is not half empty."""
    seen = cube["reflectance"].notnull().any(("time", "band"))
    rows, cols = (np.flatnonzero(seen.any(along).to_numpy()) for along in ("x", "y"))
    if not len(rows):
        return cube
    return cube.isel(y=slice(int(rows[0]), int(rows[-1]) + 1), x=slice(int(cols[0]), int(cols[-1]) + 1))


def draw_chip(ax: Axes, chip: Chip, kind: str, zh: int, numbers: dict[str, int], *, scale: bool) -> None:
    """One chip with the outlines of the parcels; `numbers` are written on those that have a curve below."""
    from matplotlib import patheffects
    from matplotlib.colors import ListedColormap

    if kind == "ndvi":
        steps = ListedColormap(list(NDVI_STEPS)).with_extremes(bad="#dfe3e6")
        ax.imshow(chip.ndvi, extent=chip.extent, cmap=steps, vmin=0, vmax=1, interpolation="nearest")
    else:
        ax.imshow(np.nan_to_num(chip.colour, nan=1.0), extent=chip.extent, interpolation="nearest")
    halo: list[Any] = [patheffects.Stroke(linewidth=1.9, foreground=INK, alpha=0.55), patheffects.Normal()]
    for name, shape in chip.shapes.items():
        for part in shapely.get_parts(shape):
            for ring in (part.exterior, *part.interiors):
                x, y = np.asarray(ring.coords)[:, :2].T
                ax.plot(x, y, color="white", lw=1.0, path_effects=halo, solid_joinstyle="round")
        if name in numbers:
            at = shapely.point_on_surface(shape)
            ax.text(at.x, at.y, str(numbers[name]), color="white", size=8, weight="bold", ha="center", va="center",
                    path_effects=[patheffects.Stroke(linewidth=1.8, foreground=INK), patheffects.Normal()])  # fmt: skip
    ax.set(xlim=chip.extent[:2], ylim=chip.extent[2:], xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.set_xlabel(short_day(chip.day, zh), color=INK, size=8.5, labelpad=3)
    if scale:
        west, _, south, _ = chip.extent
        metres, _ = scale_bar(chip.colour.shape[0])
        pad = 0.05 * (chip.extent[1] - west)
        ax.plot([west + pad, west + pad + metres], [south + pad] * 2, color="white", lw=1.8, path_effects=halo,
                solid_capstyle="butt")  # fmt: skip
        ax.text(west + pad, south + 1.5 * pad, f"{metres} m", color="white", size=7, va="bottom",
                path_effects=[patheffects.Stroke(linewidth=1.6, foreground=INK), patheffects.Normal()])  # fmt: skip
