# SPDX-License-Identifier: Apache-2.0
"""The only conversion factors of the house: square metres, mu, hectares, acres, kilograms, tonnes.

Areas are kept in square metres everywhere; the other units are made here, at the moment they are shown.
"""

from __future__ import annotations

from fractions import Fraction

M2_PER_MU = Fraction(2000, 3)  # 15 mu are one hectare exactly (State Council of China, 1984 order on legal units)
M2_PER_HA = Fraction(10_000)
M2_PER_ACRE = Fraction("4046.8564224")  # international acre, 1959 agreement: 4840 square yards of 0.9144 m
KG_PER_T = 1000

M2_PER_UNIT: dict[str, Fraction] = {"m2": Fraction(1), "mu": M2_PER_MU, "ha": M2_PER_HA, "acre": M2_PER_ACRE}

CURRENCIES_ZH = {"CNY": "元", "EUR": "欧元", "USD": "美元", "INR": "卢比"}
"""What a Chinese reader calls money; another currency goes by its code."""


def m2_to_mu(area_m2: float) -> float:
    """Square metres as mu (亩)."""
    return area_m2 / float(M2_PER_MU)


def m2_to_ha(area_m2: float) -> float:
    """Square metres as hectares."""
    return area_m2 / 10_000


def m2_to_acres(area_m2: float) -> float:
    """Square metres as international acres."""
    return area_m2 / float(M2_PER_ACRE)


def mu_to_m2(area_mu: float) -> float:
    """Mu (亩) as square metres."""
    return area_mu * float(M2_PER_MU)


def to_m2(area: float, unit: str) -> float:
    """An area in `unit` (one of m2, mu, ha, acre) as square metres.

    Raises:
        KeyError: the unit is none of the four.
    """
    return area * float(M2_PER_UNIT[unit])
