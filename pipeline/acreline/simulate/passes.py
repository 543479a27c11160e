# SPDX-License-Identifier: Apache-2.0
"""When the satellites pass over a county, where the sun stands then, and how much of the land they see."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from acreline.layers import PIXEL_M
from acreline.simulate.sky import SkySettings
from acreline.simulate.values import Overpass, Window

PASSES = 103
ORBITS = 143
ORBIT_STEP, STEP_DAYS = 43, 3
"""The swath to the west is 43 orbits of 100.7 minutes later: 3 days less 10 minutes (143 orbits in 10 days)."""
REPEAT_DAYS = 5
LOCAL_TIME_H = 10.5
"""Mean local solar time of the descending crossing."""
MAX_VIEW_DEG = 10.3
TRACK_DEG = 194.0
"""Heading of a descending orbit at middle latitudes, clockwise from north."""
S2C_SINCE = date(2025, 1, 21)
"""From here on Sentinel-2C flies in the place of 2A."""
EDGE_STEEPNESS = math.tan(math.radians(TRACK_DEG - 180))


def plan_passes(window: Window, season_start: date, season_end: date, sky: SkySettings, seed: int) -> list[Overpass]:
    """Every pass of a season, in the order of time.

    One pass in five days, two satellites in turn (or fewer, by the settings); where the settings ask for it also those
    of the neighbouring orbit, 2 or 3 days apart, whose swath ends over the county (`seen_part` says where).

    Args:
        window: the land.
        season_start: first day.
        season_end: last day.
        sky: the settings.
        seed: the county's.
    """
    draw = np.random.default_rng([seed, PASSES])
    orbit, first = int(draw.integers(1, ORBITS + 1)), int(draw.integers(REPEAT_DAYS))
    side = 1 if draw.random() < 0.5 else -1  # 1: the neighbour passes west of the county's own orbit, -1: east
    inner_deg, turn = float(draw.uniform(5.0, 9.5)), int(draw.integers(2))
    view_deg = inner_deg if sky.second_orbit_share > 0 else float(draw.uniform(0, MAX_VIEW_DEG))
    neighbour = (orbit + side * ORBIT_STEP - 1) % ORBITS + 1
    # orbit, days later, view angle, side: 1 where the satellite passes east of the county, -1 west
    lines = [(orbit, 0, view_deg, side)]
    if sky.second_orbit_share > 0:
        lines.append((neighbour, side * STEP_DAYS, MAX_VIEW_DEG, -side))
    found = []
    for number, later, zenith, satellite in lines:
        for k in range(-2, (season_end - season_start).days // sky.revisit_days + 3):
            day = season_start + timedelta(days=first + later + k * sky.revisit_days)
            if season_start <= day <= season_end:
                # of one satellite, the neighbour's pass is three days from the county's own
                place = ((day - date(2015, 1, 1)).days - later) // REPEAT_DAYS + turn
                found.append(_overpass(window, day, number, place % 2, zenith, satellite))
    return sorted((one for one in found if season_start <= one.time.date() <= season_end), key=lambda one: one.time)


def _overpass(window: Window, day: date, orbit: int, place: int, view_deg: float, side: int) -> Overpass:
    lon, lat = centre_lonlat(window)
    # a swath is 290 km wide: land west of the satellite's track has some minutes less of solar time
    hours = LOCAL_TIME_H - side * view_deg / MAX_VIEW_DEG * 145 / (111.3 * math.cos(math.radians(lat))) / 15
    moment = datetime.combine(day, time(tzinfo=UTC)) + timedelta(seconds=round(3600 * (hours - lon / 15)))
    zenith, azimuth = sun_place(day, lat, hours)
    first = "sentinel-2c" if day >= S2C_SINCE else "sentinel-2a"
    return Overpass(
        time=moment,
        platform=(first, "sentinel-2b")[place],
        orbit=orbit,
        sun_zenith_deg=zenith,
        sun_azimuth_deg=azimuth,
        view_zenith_deg=view_deg,
        view_azimuth_deg=(TRACK_DEG - 90 * side) % 360,
    )


def sun_place(day: date, lat_deg: float, solar_hours: float = LOCAL_TIME_H) -> tuple[float, float]:
    """Where the sun stands: zenith angle and azimuth clockwise from north, degrees.

    cos zenith = sin lat sin dec + cos lat cos dec cos h, with 15 degrees of hour angle h for each hour from noon;
    declination by FAO-56, eq. 24.
    """
    lat, angle = math.radians(lat_deg), math.radians(15 * (solar_hours - 12))
    dec = 0.409 * math.sin(2 * math.pi * day.timetuple().tm_yday / 365 - 1.39)
    up = math.sin(lat) * math.sin(dec) + math.cos(lat) * math.cos(dec) * math.cos(angle)
    north = math.cos(lat) * math.sin(dec) - math.sin(lat) * math.cos(dec) * math.cos(angle)
    east = -math.cos(dec) * math.sin(angle)
    return math.degrees(math.acos(min(1.0, max(-1.0, up)))), math.degrees(math.atan2(east, north)) % 360


@lru_cache(maxsize=16)
def centre_lonlat(window: Window) -> tuple[float, float]:
    """Longitude and latitude of the window's middle, degrees."""
    from pyproj import Transformer

    x = window.origin_x + (window.col + window.width / 2) * PIXEL_M
    y = window.origin_y - (window.row + window.height / 2) * PIXEL_M
    lon, lat = Transformer.from_crs(window.crs, "EPSG:4326", always_xy=True).transform(x, y)
    return float(lon), float(lat)


def seen_part(overpass: Overpass, passes: list[Overpass], window: Window, share: float) -> npt.NDArray[np.bool_]:
    """Which 20 m cells lie in the swath: all for the county's own orbit, a part up to a slanting edge for the other.

    Args:
        overpass: the pass.
        passes: all passes; the orbit with the smaller view angle is the county's own.
        window: the land.
        share: part of the land in the neighbour's swath, 0 to 1.

    Returns:
        bool (height / 2, width / 2); the part is `share` of it to within a row of cells.
    """
    rows, cols = window.height // 2, window.width // 2
    if overpass.view_zenith_deg <= min(one.view_zenith_deg for one in passes) or share >= 1:
        return np.ones((rows, cols), bool)
    east_of_edge = math.sin(math.radians(overpass.view_azimuth_deg)) > 0  # where the satellite stands
    place = np.arange(cols)[None, :] + EDGE_STEEPNESS * np.arange(rows)[:, None]
    place = -place if east_of_edge else place
    return np.asarray(place <= np.quantile(place, share))
