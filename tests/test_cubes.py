# SPDX-License-Identifier: Apache-2.0
"""Indices, masks and time bins, with answers worked out by hand."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from acreline.cubes import INDEX_NO_DATA, band_values, bin_series, clear_from_scl, index_x10000, reflectance
from acreline.doors import check_cube
from acreline.errors import ContractError
from acreline.layers import BANDS_10M, BANDS_20M, TimeAxis

YEAR = TimeAxis(date(2020, 1, 1), date(2020, 1, 11), 10)  # ten bins of one day


def make_cube(dn10: dict[str, int], dn20: dict[str, int], side20: int = 1) -> xr.Dataset:
    """One look; every band 1500 but those given, which stand in the first pixel."""
    ten = np.full((1, 4, 2 * side20, 2 * side20), 1500, np.uint16)
    twenty = np.full((1, 6, side20, side20), 1500, np.uint16)
    for band, value in dn10.items():
        ten[0, BANDS_10M.index(band), 0, 0] = value
    for band, value in dn20.items():
        twenty[0, BANDS_20M.index(band), 0, 0] = value
    return check_cube(
        xr.Dataset(
            {
                "dn10": (("time", "band10", "y", "x"), ten),
                "dn20": (("time", "band20", "y20", "x20"), twenty),
                "clear": (("time", "y", "x"), np.ones(ten.shape[::2][:1] + ten.shape[2:], bool)),
                "water": (("time", "y20", "x20"), np.zeros((1, side20, side20), bool)),
            },
            coords={
                "time": np.array(["2020-01-01"], "datetime64[ns]"),
                "pass_id": ("time", ["p"]),
                "band10": list(BANDS_10M),
                "band20": list(BANDS_20M),
                "y": np.arange(2.0 * side20),
                "x": np.arange(2.0 * side20),
                "y20": np.arange(1.0 * side20),
                "x20": np.arange(1.0 * side20),
            },
            attrs={"crs": "EPSG:32631", "tile": "31UDS", "row": 0, "col": 0, "origin_x": 0.0, "origin_y": 0.0},
        )
    )


def test_reflectance_takes_the_raise_off_and_marks_no_data():
    cube = make_cube({"B08": 4000, "B04": 0}, {"B11": 65535})
    out = reflectance(cube, ["B08", "B04", "B11"])
    assert out.dims == ("time", "band", "y", "x")
    assert out.dtype == np.float32
    assert out.sel(band="B08").values[0, 0, 0] == pytest.approx(0.3)
    assert np.isnan(out.sel(band="B04").values[0, 0, 0])
    assert np.isnan(out.sel(band="B11").values).all()  # saturated


def test_a_20_m_pixel_is_repeated_on_its_four_and_never_mixed():
    cube = make_cube({}, {"B8A": 3000}, side20=2)
    values = band_values(cube, "B8A")[0]
    assert values.tolist() == [[3000, 3000, 1500, 1500]] * 2 + [[1500] * 4] * 2


def test_an_unknown_band_is_our_own_mistake():
    with pytest.raises(ContractError, match="no band 'B10'"):
        band_values(make_cube({}, {}), "B10")


def test_indices_by_hand():
    cube = make_cube({"B08": 4000, "B04": 2000, "B03": 1800}, {"B8A": 3500, "B05": 2500, "B11": 2200})
    assert int(index_x10000(cube, "ndvi")[0, 0, 0]) == 5000  # (0.3 - 0.1) / (0.3 + 0.1)
    assert int(index_x10000(cube, "ndre")[0, 0, 0]) == 2500  # (0.25 - 0.15) / 0.40
    assert int(index_x10000(cube, "ndmi")[0, 0, 0]) == 3514  # 0.13 / 0.37 = 0.351351
    assert int(index_x10000(cube, "mndwi")[0, 0, 0]) == -2000  # (0.08 - 0.12) / 0.20
    assert index_x10000(cube, "ndvi").dtype == np.int16


@pytest.mark.parametrize(
    ("b08", "b04", "want"), [(0, 2000, INDEX_NO_DATA), (2000, 0, INDEX_NO_DATA), (900, 1000, INDEX_NO_DATA),
                             (2000, 800, 10000), (65535, 2000, INDEX_NO_DATA)],
)  # fmt: skip
def test_indices_where_there_is_little_to_divide(b08, b04, want):
    assert int(index_x10000(make_cube({"B08": b08, "B04": b04}, {}), "ndvi")[0, 0, 0]) == want


def test_an_unknown_index_is_refused():
    with pytest.raises(ContractError, match="no index 'evi'"):
        index_x10000(make_cube({}, {}), "evi")


def test_clouds_grow_by_three_and_shadows_by_two():
    scl = np.full((2, 9, 9), 4, np.uint8)
    scl[0, 4, 4] = 9
    scl[1, 4, 4] = 3
    clear = clear_from_scl(scl)[:, ::2, ::2]
    assert (~clear[0]).sum() == 49
    assert (~clear[1]).sum() == 25
    assert not clear[0, 1, 1]
    assert clear[0, 0, 4]


def test_snow_and_no_data_are_not_clear_and_water_is():
    scl = np.array([[[0, 11, 6], [7, 5, 4], [1, 2, 6]]], np.uint8)
    valid = np.ones((1, 6, 6), bool)
    valid[0, 5, 5] = False
    clear = clear_from_scl(scl, valid)
    assert clear[0, ::2, ::2].tolist() == [[False, False, True], [True] * 3, [False, False, True]]
    assert not clear[0, 5, 5]
    assert clear[0, 4, 4]


def series(
    values: list[float], days: list[float], clear: list[bool] | None = None, axis: TimeAxis = YEAR
) -> np.ndarray:
    array = np.array(values, np.float32)[:, None, None]
    times = np.datetime64(axis.start, "s") + (np.array(days) * 86400).astype("timedelta64[s]")
    seen = np.array([True] * len(days) if clear is None else clear)[:, None]
    return bin_series(array, seen, times, axis)[:, :, 0]


def test_a_look_in_the_middle_of_a_bin_is_that_bin():
    out = series([0.4], [2.5])
    assert out[2, 0] == pytest.approx(0.4)
    assert out[2, 1] == 1  # support
    assert out[2, 2] == 0  # age
    assert out[3, 1] == pytest.approx(np.exp(-2))  # one bin away, s = half a bin
    assert out[5, 1] == 0
    assert (out[:, 0] == out[2, 0]).all()  # held on both sides
    assert out[9, 2] == pytest.approx(7 / 30)


def test_looks_in_a_bin_are_weighted_by_distance():
    near, far = 1.0, np.exp(-((0.5) ** 2) / 0.5)
    out = series([0.2, 0.6], [2.5, 3.0])
    assert out[2, 0] == pytest.approx((0.2 * near + 0.6 * far) / (near + far), rel=1e-6)


def test_an_empty_bin_is_interpolated_in_time():
    out = series([0.0, 0.8], [1.5, 8.5])
    # Bins 0 to 2 feel only the first look, 7 to 9 only the second; 3 to 6 lie between bins 2 and 7.
    assert out[[3, 4, 5, 6], 0].tolist() == pytest.approx([0.16, 0.32, 0.48, 0.64])
    assert out[4, 1] == 0


def test_clouds_and_holes_never_enter():
    out = series([0.3, 0.9, float("nan")], [2.5, 2.6, 2.5], [True, False, True])
    assert out[2, 0] == pytest.approx(0.3)


def test_a_pixel_never_seen_is_nought_with_full_age():
    out = series([0.9], [2.5], [False])
    assert out[:, 0].tolist() == [0] * 10
    assert out[:, 1].tolist() == [0] * 10
    assert out[:, 2].tolist() == [2] * 10


def test_age_is_clipped_at_two():
    long = TimeAxis(date(2020, 1, 1), date(2020, 12, 26), 36)
    out = series([0.5], [5.0], axis=long)
    assert out[0, 2] == 0
    assert out[35, 2] == 2


def test_later_looks_do_not_change_what_lies_before_them():
    early = series([0.2, 0.4], [1.5, 2.5])
    both = series([0.2, 0.4, 0.9], [1.5, 2.5, 8.5])
    assert early[:3, 0].tolist() == both[:3, 0].tolist()
    assert early[4, 0] == pytest.approx(0.4)  # held from the last look


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_pixel_has_the_same_bits_in_any_window_and_order(seed):
    rng = np.random.default_rng(seed)
    values = rng.random((12, 2, 5, 7)).astype(np.float32)
    clear = rng.random((12, 5, 7)) < 0.6
    times = np.datetime64("2020-01-01", "s") + rng.integers(0, 864000, 12).astype("timedelta64[s]")
    whole = bin_series(values, clear, times, YEAR)
    window = bin_series(values[:, :, 1:4, 2:3], clear[:, 1:4, 2:3], times, YEAR)
    assert np.array_equal(whole[:, :, 1:4, 2:3], window)
    assert np.isfinite(whole).all()
    assert whole[:, :2].min() >= 0
    assert whole[:, :2].max() <= 1


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_bins_are_to_the_bit_those_of_one_pixel_after_the_other(seed):
    """Filling gaps and ages, done for many pixels at once, against the definition, pixel by pixel."""
    rng = np.random.default_rng(seed)
    looks, bins = int(rng.integers(0, 9)), int(rng.integers(1, 9))
    axis = TimeAxis(date(2021, 10, 1), date(2022, 12, 15), bins)
    step_days = (axis.end - axis.start).days / bins
    days = rng.integers(-20, 460, looks)
    values = rng.random((looks, 2, 3, 2)).astype(np.float32)
    clear = rng.random((looks, 3, 2)) < rng.choice([0.0, 0.5, 1.1], (looks, 1, 1))
    found = bin_series(values, clear, np.datetime64(axis.start, "s") + days * np.timedelta64(86400, "s"), axis)
    for y, x in np.ndindex(3, 2):
        seen = [look for look in np.argsort(days, kind="stable") if clear[look, y, x]]
        support = found[:, 2, y, x]
        filled = np.flatnonzero(support)
        for k in range(bins):
            gaps = [abs(days[look] - (k + 0.5) * step_days) for look in seen]
            assert found[k, 3, y, x] == np.float32(min([*gaps, 60.0])) / 30
            if not filled.size:
                assert (found[k, :2, y, x] == 0).all()
            elif not support[k]:
                before, after = filled[filled < k], filled[filled > k]
                low, high = (before[-1] if before.size else after[0]), (after[0] if after.size else before[-1])
                share = np.float32((k - low) / max(high - low, 1)) if before.size else np.float32(0)
                left, right = found[low, :2, y, x], found[high, :2, y, x]
                assert (found[k, :2, y, x] == left + (right - left) * share).all()
