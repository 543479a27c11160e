# SPDX-License-Identifier: Apache-2.0
"""Leaf area, light and chlorophyll read back from reflectance; the light of a season by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from acreline.errors import ConfigError, InputError
from acreline.inversion import INPUT_BANDS, invert_canopy, lai_interval, read_network
from acreline.light import growth_index, sun_above, usable_light
from tests.scripts import load_script


def test_canopies_that_it_was_not_fitted_to_are_read_back() -> None:
    script = load_script("build_inversion")
    canopies = script.draw_canopies(4000, 7)
    true = script.targets(canopies)
    found = invert_canopy(script.look(canopies, 8), INPUT_BANDS)
    for k, told in enumerate((found.lai, found.fapar, found.chlorophyll_g_per_m2)):
        assert np.corrcoef(told, true[:, k])[0, 1] > 0.9
    low, high = lai_interval(found.lai)
    assert 0.87 < np.mean((low <= true[:, 0]) & (true[:, 0] <= high)) < 0.93


def test_light_of_leaves_by_hand() -> None:
    script = load_script("build_inversion")
    one = {"lai": 2.0, "cbrown": 0.5, "ala": 57.3, "sun_zenith_deg": 30.0, "cab": 45.0}
    green, light, chlorophyll = script.targets({key: np.array([value]) for key, value in one.items()})[0]
    assert green == 1.0
    assert chlorophyll == pytest.approx(0.45)
    assert light == pytest.approx(0.94 * (1 - np.exp(-0.577)), abs=0.02)  # spherical leaves: K about 0.5 / cos 30


def test_bare_ground_and_a_dense_canopy_are_told_apart() -> None:
    bare = [0.12, 0.16, 0.19, 0.21, 0.23, 0.25, 0.33, 0.28]
    dense = [0.06, 0.03, 0.08, 0.30, 0.40, 0.45, 0.18, 0.08]
    found = invert_canopy(np.array([bare, dense, [np.nan, *dense[1:]]]), INPUT_BANDS)
    assert found.lai[0] < 0.3
    assert found.lai[1] > 3
    assert found.fapar[0] < 0.15 < 0.7 < found.fapar[1] <= 0.94
    assert np.isnan([found.lai[2], found.fapar[2], found.chlorophyll_g_per_m2[2]]).all()


def test_b08_stands_in_for_b8a_and_nothing_for_the_others() -> None:
    bands = [band if band != "B8A" else "B08" for band in INPUT_BANDS]
    dense = np.array([[0.06, 0.03, 0.08, 0.30, 0.40, 0.45, 0.18, 0.08]])
    assert invert_canopy(dense, bands).lai == pytest.approx(invert_canopy(dense, INPUT_BANDS).lai)
    with pytest.raises(InputError, match="leaf area: bands B05 are missing; found B03, B04") as caught:
        invert_canopy(np.zeros((1, 7)), [band for band in INPUT_BANDS if band != "B05"])
    assert "B08 may stand in for B8A" in caught.value.hint


@pytest.mark.parametrize("content", [None, b"no"])
def test_coefficients_that_cannot_be_read(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "inversion.npz").write_bytes(content)
    with pytest.raises(ConfigError, match=r"leaf area: the coefficients in inversion.npz cannot be read") as caught:
        read_network(tmp_path / "inversion.npz")
    assert "build_inversion.py" in caught.value.hint


# --- light --------------------------------------------------------------------------------------------------------
def test_light_above_the_air_as_in_fao_56() -> None:
    assert sun_above(-20, np.array([246])) == pytest.approx([32.2], abs=0.1)  # FAO 56, example 8
    assert sun_above(80, np.array([1])) == pytest.approx([0], abs=1e-9)  # polar night
    assert usable_light(np.array([10.0])) == pytest.approx([4.8])


def test_growth_by_hand() -> None:
    lai = np.array([[2.0, 2.0], [2.0, 2.0], [2.0, 2.0]])
    fapar = np.array([[0.5, 0.5], [0.5, 0.25], [0.5, 0.5]])
    chlorophyll = np.array([[0.9, 0.9], [0.9, 0.9], [0.72, 0.1]])  # usual; usual; 0.8 of it and the least counted, 0.6
    told = growth_index(lai, fapar, chlorophyll, np.array([2.0, 4.0]), 1)
    assert told[0] == pytest.approx(3.0)  # (2 + 4) x 0.5, as much after flowering as the middle field
    assert told[1] == pytest.approx(2.0 * 0.75)  # half of the middle field's light after flowering: 0.5 + 0.5 x 0.5
    assert told[2] == pytest.approx(0.8 + 1.2)
