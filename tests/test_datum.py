# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod

from acreline.datum import CHINA_BOX, gcj02_to_bd09, to_wgs84, wgs84_to_gcj02
from acreline.errors import InputError

GEOD = Geod(ellps="WGS84")
# Town centres chosen by hand; the metres are measured ones, to about 15 m since no one said where in town.
TOWNS = [
    ("Dafeng", 120.46, 33.20, 473, 1164),
    ("Zhoukou", 114.65, 33.62, 531, 1199),
    ("Harbin", 126.60, 45.70, 507, 1326),
    ("Kunming", 102.72, 25.04, 361, 871),
    ("Kashgar", 75.99, 39.47, 256, 1066),
]


def metres(lon0, lat0, lon1, lat1):
    return np.asarray(GEOD.inv(lon0, lat0, lon1, lat1)[2])


@pytest.mark.parametrize(("town", "lon", "lat", "gcj_m", "bd_m"), TOWNS)
def test_shift_is_as_large_as_measured(town, lon, lat, gcj_m, bd_m):
    gcj = wgs84_to_gcj02(np.float64(lon), np.float64(lat))
    assert metres(lon, lat, *gcj) == pytest.approx(gcj_m, abs=15)
    assert metres(lon, lat, *gcj02_to_bd09(*gcj)) == pytest.approx(bd_m, abs=15)


def test_the_shift_at_tiananmen_is_the_one_others_publish():
    lon, lat = np.float64(116.3913), np.float64(39.9075)
    assert metres(lon, lat, *wgs84_to_gcj02(lon, lat)) == pytest.approx(556, abs=2)


@given(
    st.lists(
        st.tuples(st.floats(73.0, 136.9), st.floats(2.0, 54.9)),
        min_size=1,
        max_size=20,
    ),
    st.sampled_from(["gcj02", "bd09"]),
)
def test_there_and_back_is_exact(points, datum):
    lon, lat = np.array(points).T
    drawn = wgs84_to_gcj02(lon, lat)
    if datum == "bd09":
        drawn = gcj02_to_bd09(*drawn)
    assert metres(lon, lat, *to_wgs84(*drawn, datum)).max() < 1e-6


@pytest.mark.parametrize("datum", ["wgs84", "cgcs2000"])
def test_modern_datums_pass_unchanged_as_copies(datum):
    lon, lat = np.array([2.5, 116.4]), np.array([51.0, 39.9])
    x, y = to_wgs84(lon, lat, datum)
    assert np.array_equal(x, lon)
    assert np.array_equal(y, lat)
    assert x is not lon


@pytest.mark.parametrize("datum", ["gcj02", "bd09"])
@pytest.mark.parametrize("point", [(2.5, 51.0), (39.9, 116.4), (np.nan, 30.0)])
def test_outside_china_is_refused(datum, point):
    with pytest.raises(
        InputError, match="only defined in China; 1 of 2 points lie outside it, the first is point 1"
    ) as e:
        to_wgs84([110.0, point[0]], [35.0, point[1]], datum)
    assert "swapped" in e.value.hint
    assert e.value.context["first"] == 1


def test_scalars_empty_arrays_and_the_box_edge():
    lon, lat = to_wgs84(116.397, 39.909, "gcj02")
    assert metres(lon, lat, 116.397, 39.909) > 400
    assert to_wgs84([], [], "bd09")[0].shape == (0,)
    west, south, east, north = CHINA_BOX
    assert to_wgs84([west, east], [south, north], "gcj02")[0].shape == (2,)
