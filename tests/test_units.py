# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acreline.units import M2_PER_UNIT, m2_to_acres, m2_to_ha, m2_to_mu, mu_to_m2, to_m2


def test_fifteen_mu_are_one_hectare_exactly():
    assert 15 * M2_PER_UNIT["mu"] == M2_PER_UNIT["ha"] == 10_000


def test_an_acre_is_4840_square_yards():
    assert M2_PER_UNIT["acre"] == 4840 * Fraction("0.9144") ** 2


@pytest.mark.parametrize(
    ("convert", "m2", "wanted"),
    [(m2_to_mu, 10_000, 15), (m2_to_ha, 2_500, 0.25), (m2_to_acres, 4046.8564224, 1), (mu_to_m2, 3, 2000)],
)
def test_by_hand(convert, m2, wanted):
    assert convert(m2) == pytest.approx(wanted, rel=1e-15)


@given(st.floats(1e-3, 1e9))
def test_mu_there_and_back(area):
    assert mu_to_m2(m2_to_mu(area)) == pytest.approx(area, rel=1e-14)


@pytest.mark.parametrize("unit", sorted(M2_PER_UNIT))
def test_to_m2_knows_every_unit(unit):
    assert to_m2(2.0, unit) == pytest.approx(2 * float(M2_PER_UNIT[unit]))


def test_an_unknown_unit_is_an_error():
    with pytest.raises(KeyError, match="hectare"):
        to_m2(1.0, "hectare")
