# SPDX-License-Identifier: Apache-2.0
"""Looks: sums over pixels, by hand on small rasters, and the same bits however the land is cut."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pandas.testing
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acreline.errors import ContractError
from acreline.layers import BANDS_10M, LOOK_COLUMNS, Looks
from acreline.looks import merge_looks, take_looks
from tests.made_looks import made_block, made_cube, made_maps

FULL = 10_000
SQUARE = {(r, c): FULL for r in range(2) for c in range(2)}
NIR, RED = [[4000, 4000], [1800, 4000]], [[2000, 2000], [1800, 0]]


def _green_looks(passes: int = 2) -> Looks:
    cube = made_cube({"B08": [NIR] * passes, "B04": [RED] * passes, "B11": [[[1500]]] * passes}, days=None)
    maps = made_maps(
        {"maize": [[-100, -100], [-2000, -100]], "grassland": [[-2400, -2400], [-150, -2400]]},
        {"normal": [[-50] * 2] * 2, "drought": [[-3000] * 2] * 2},
        [[True, True], [True, False]],
    )
    return take_looks(cube, maps, made_block({"p": SQUARE}, 2, 2))


def test_sums_of_a_pass_by_hand() -> None:
    # reflectance x 10000: NIR 3000, 3000, 800; red 1000, 1000, 800; the fourth pixel has no red, so no data at all
    first = _green_looks().passes.iloc[0]
    assert (first["n_seen"], first["n_clear"], first["n_water"], first["n_bare"]) == (3, 3, 0, 1)
    assert first["sum_B08"] == 6800
    assert first["sum_B04"] == 2800
    assert first["sum_ndvi"] == 5000 + 5000 + 0
    assert first["ssq_ndvi"] == 2 * 5000**2
    assert first["sum_B11"] == 3 * 500  # the 20 m pixel's value, once for each 10 m pixel
    assert first["sum_ndmi"] == 3 * 3333  # (1000 - 500) / 1500, B8A 1000
    # NDVI 0 is bin floor(0.2 * 16 / 1.2) = 2, NDVI 0.5 is bin floor(0.7 * 16 / 1.2) = 9
    assert (first["hist_02"], first["hist_09"]) == (1, 2)
    assert sum(first[f"hist_{k:02d}"] for k in range(16)) == first["n_clear"]


def test_evidence_by_hand() -> None:
    evidence = _green_looks().evidence.set_index(["head", "cls"])
    assert evidence.loc[("crop_b", "maize"), "n_px"] == 2
    assert evidence.loc[("crop_b", "maize"), "logp"] == -100 - 100 - 2000
    assert evidence.loc[("crop_b", "grassland"), "n_px"] == 1
    # exp(-50/1024) = 0.95235
    assert evidence.loc[("health", "normal"), "prob"] == 3 * 9523
    assert evidence.loc[("crop_b_health", "maize|normal"), "n_px"] == 2
    assert ("crop_b_health", "maize|drought") not in evidence.index
    # planted: two pixels green on two passes; bare: the third; unseen: the one that is not valid
    assert evidence.loc[("land", "planted"), ["n_px", "prob"]].tolist() == [2, 20_000]
    assert evidence.loc[("land", "bare"), ["n_px", "prob"]].tolist() == [1, 10_000]
    assert evidence.loc[("land", "unseen"), ["n_px", "prob"]].tolist() == [1, 10_000]


def test_land_that_is_no_farmland_is_what_both_slots_call_so() -> None:
    """A crop; trees (0.8 and 0.7); one that only the late slot calls so (0.1 and 0.6); trees on an edge, unheard."""
    ln = {p: round(1024 * np.log(p)) for p in (0.9, 0.8, 0.7, 0.6, 0.2, 0.1)}
    first = {"maize": [ln[0.9], ln[0.1], ln[0.9], ln[0.2]], "non_agri": [ln[0.1], ln[0.8], ln[0.1], ln[0.8]]}
    late = {"maize": [ln[0.9], ln[0.1], ln[0.2], ln[0.2]], "non_agri": [ln[0.1], ln[0.7], ln[0.6], ln[0.8]]}
    heads = [{name: [row] * 2 for name, row in slot.items()} for slot in (first, late)]
    cells = {"p": {(0, 0): FULL, (0, 1): FULL, (0, 2): FULL, (0, 3): 4000}}
    maps = made_maps(heads[1], {"normal": [[0] * 4] * 2}, crop_a=heads[0])
    cube = made_cube({"B08": [[[4000] * 4] * 2], "B04": [[[2000] * 4] * 2]})
    told = take_looks(cube, maps, made_block(cells, 2, 4)).evidence.set_index(["head", "cls"])
    assert told.loc[("land", "not_farmland"), "n_px"] == 1
    assert told.loc[("land", "not_farmland"), "prob"] == pytest.approx(1000 + 7000 + 1000, rel=2e-3)


def test_both_slots_and_the_numbers_are_summed() -> None:
    cube = made_cube({"B08": [NIR], "B04": [RED], "B11": [[[1500]]]})
    maps = made_maps(
        {"maize": [[-100] * 2] * 2, "none": [[-2400] * 2] * 2},
        {"normal": [[-50] * 2] * 2, "drought": [[-3000] * 2] * 2},
        [[True, True], [True, False]],
        crop_a={"none": [[-20, -3000], [-20, -20]], "winter_cereal": [[-4000, -50], [-4000, -4000]]},
        vigour=[[150, -20], [7, 9999]],
        energy=[[-300, -310], [-290, 9999]],
    )
    evidence = take_looks(cube, maps, made_block({"p": SQUARE}, 2, 2)).evidence.set_index(["head", "cls"])
    assert evidence.loc[("crop_a", "none"), ["n_px", "logp"]].tolist() == [2, -20 - 3000 - 20]
    assert evidence.loc[("crop_a", "winter_cereal"), "n_px"] == 1
    assert evidence.loc[("crop_b", "maize"), "n_px"] == 3
    assert evidence.loc[("crop_a_health", "winter_cereal|normal"), "n_px"] == 1
    assert evidence.loc[("crop_a_health", "none|normal"), "n_px"] == 2
    assert evidence.loc[("crop_b_health", "maize|normal"), "n_px"] == 3
    # sums of number x 100 over the valid pixels
    assert evidence.loc[("vigour", "sum"), ["n_px", "logp", "prob"]].tolist() == [3, 137, 0]
    assert evidence.loc[("energy", "sum"), ["n_px", "logp"]].tolist() == [3, -900]


def test_one_green_pass_is_not_planted() -> None:
    evidence = _green_looks(passes=1).evidence
    assert set(evidence.loc[evidence["head"] == "land", "cls"]) == {"bare", "unseen"}


def test_edge_pixels_count_for_land_but_not_for_the_signal() -> None:
    cube = made_cube({"B08": [[[4000, 9000]] * 2] * 2, "B04": [[[2000, 1500]] * 2] * 2})
    maps = made_maps({"maize": [[-1, -1]] * 2}, {"normal": [[-1, -1]] * 2})
    looks = take_looks(cube, maps, made_block({"p": {(0, 0): 9990, (0, 1): 9989, (1, 1): 2500}}, 2, 2))
    assert looks.land.iloc[0][["n_full", "cover"]].tolist() == [1, 9990 + 9989 + 2500]
    assert looks.passes["sum_B08"].tolist() == [3000, 3000]
    planted = looks.evidence[looks.evidence["cls"] == "planted"].iloc[0]
    assert (planted["n_px"], planted["prob"]) == (1, 9990 + 9989 + 2500)


def test_clouds_water_and_no_data_are_kept_apart() -> None:
    cube = made_cube(
        {"B08": [[[4000] * 2] * 2] * 3, "B04": [[[2000] * 2] * 2, [[2000] * 2] * 2, [[0] * 2] * 2]},
        clear=[[[True, False], [True, True]], [[False] * 2] * 2, [[True] * 2] * 2],
        water=[[[True]], [[False]], [[False]]],
    )
    maps = made_maps({"maize": [[-1, -1]] * 2}, {"normal": [[-1, -1]] * 2})
    passes = take_looks(cube, maps, made_block({"p": SQUARE}, 2, 2)).passes
    assert passes["n_seen"].tolist() == [4, 4]  # the pass without data has no row
    assert passes["n_clear"].tolist() == [3, 0]
    assert passes["n_water"].tolist() == [3, 0]
    assert passes.loc[1, [c for c in LOOK_COLUMNS if c.startswith("sum_")]].sum() == 0


def test_saturated_and_black_pixels_are_no_look() -> None:
    cube = made_cube({"B08": [[[65535, 900], [4000, 4000]]], "B04": [[[2000, 900], [2000, 2000]]]})
    maps = made_maps({"maize": [[-1, -1]] * 2}, {"normal": [[-1, -1]] * 2})
    row = take_looks(cube, maps, made_block({"p": SQUARE}, 2, 2)).passes.iloc[0]
    assert (row["n_seen"], row["n_clear"], row["sum_ndvi"]) == (3, 2, 10_000)


def test_a_cube_that_lacks_the_ground_is_refused() -> None:
    cube = made_cube({"B08": [NIR]}, row=10)
    maps = made_maps({"maize": [[-1, -1]] * 2}, {"normal": [[-1, -1]] * 2})
    with pytest.raises(ContractError, match=r"cube of 2 x 2 px from \(10, 0\) does not cover rows 0..1, columns 0..1"):
        take_looks(cube, maps, made_block({"p": SQUARE}, 2, 2))


def test_nothing_to_add_up_gives_empty_tables_with_the_same_types() -> None:
    empty, filled = merge_looks([]), _green_looks()
    for name in ("passes", "evidence", "land"):
        assert len(getattr(empty, name)) == 0
        assert getattr(empty, name).dtypes.to_dict() == getattr(filled, name).dtypes.to_dict()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 7), st.booleans())
def test_the_same_bits_however_the_land_is_cut(seed: int, cut_half: int, turned: bool) -> None:
    rng = np.random.default_rng(seed)
    height, width, passes = 16, 6, 3
    dn = {band: rng.integers(900, 6000, (passes, height, width)) for band in BANDS_10M}
    clear = rng.random((passes, height, width)) < 0.7
    crop = {name: rng.integers(-9000, 0, (height, width)) for name in ("maize", "grassland", "none", "non_agri")}
    health = {name: rng.integers(-9000, 0, (height, width)) for name in ("normal", "flood")}
    valid = rng.random((height, width)) < 0.9
    cells = {
        name: {
            (r, c): int(rng.choice([10_000, 10_000, 9990, 5000]))
            for r in range(height)
            for c in range(width)
            if rng.random() < 0.6
        }
        for name in ("b", "a", "c")
    }
    cube, maps = made_cube(dn, clear), made_maps(crop, health, valid)
    whole = merge_looks([take_looks(cube, maps, made_block(cells, height, width))])
    cut = 2 * cut_half
    parts = []
    for low, high in ((0, cut), (cut, height)):
        inside = {
            name: {at: v for at, v in given_cells.items() if low <= at[0] < high} for name, given_cells in cells.items()
        }
        part_maps = made_maps(
            {k: v[low:high] for k, v in crop.items()}, {k: v[low:high] for k, v in health.items()}, valid[low:high],
            row=low,
        )  # fmt: skip
        parts.append(take_looks(cube, part_maps, made_block(inside, high - low, width, row=low)))
    merged = merge_looks(reversed(parts) if turned else parts)
    for name in ("passes", "evidence", "land"):
        pandas.testing.assert_frame_equal(getattr(whole, name), getattr(merged, name))


def test_a_pass_split_over_blocks_has_its_earliest_time() -> None:
    looks = _green_looks(passes=1)
    later = looks.passes.assign(time=looks.passes["time"] + pd.Timedelta(seconds=14))
    merged = merge_looks([Looks(later, looks.evidence.head(0), looks.land.head(0)), looks])
    assert len(merged.passes) == 1
    assert merged.passes["time"].iloc[0] == looks.passes["time"].iloc[0]
    assert merged.passes["n_seen"].iloc[0] == 2 * looks.passes["n_seen"].iloc[0]


def test_files_give_the_same_looks_back(tmp_path: object) -> None:
    from pathlib import Path

    from acreline.tables import write_table

    looks, folder = _green_looks(), Path(str(tmp_path))
    for name in ("passes", "evidence", "land"):
        write_table(getattr(looks, name), folder / f"{name}.parquet")
    back = merge_looks(
        [Looks(*(pd.read_parquet(folder / f"{name}.parquet") for name in ("passes", "evidence", "land")))]
    )
    for name in ("passes", "evidence", "land"):
        pandas.testing.assert_frame_equal(getattr(back, name), getattr(looks, name))
