# SPDX-License-Identifier: Apache-2.0
"""Light that a canopy catches in a season, and what it makes of it: the index that yields are told by (science 4.1)."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

PAR_SHARE = 0.48
"""Share of solar radiation that plants can use."""
SOLAR_CONSTANT = 0.0820
"""MJ per m2 and minute."""
CLOUDED = 0.5
"""What reaches the ground of the light above the air, where no weather tells it: it enters all fields alike."""
USUAL_CHLOROPHYLL = 0.45
"""Chlorophyll of a usual leaf, g per m2 of leaf (45 ug per cm2)."""
CHLOROPHYLL_COUNTS = (0.6, 1.05)
"""Least and most that the chlorophyll of leaves changes what they make of light."""
FIXED_HARVEST = 0.5
"""Share of the harvest index that does not depend on light after flowering."""
HARVEST_COUNTS = (0.75, 1.1)


def sun_above(latitude_deg: float, day_of_year: npt.NDArray[np.integer]) -> Floats:
    """Sun at the top of the atmosphere, MJ m-2 d-1 (FAO Irrigation and Drainage Paper 56, eq. 21 to 25)."""
    day = np.asarray(day_of_year)
    phi = math.radians(latitude_deg)
    declination = 0.409 * np.sin(2 * np.pi * day / 365 - 1.39)
    nearness = 1 + 0.033 * np.cos(2 * np.pi * day / 365)
    sunset = np.arccos(np.clip(-math.tan(phi) * np.tan(declination), -1, 1))
    lit = sunset * math.sin(phi) * np.sin(declination) + math.cos(phi) * np.cos(declination) * np.sin(sunset)
    return np.asarray(24 * 60 / np.pi * SOLAR_CONSTANT * nearness * lit, dtype=np.float64)


def usable_light(radiation_mj_per_m2: npt.NDArray[np.floating]) -> Floats:
    """Light that plants can use, MJ per m2 and day, of the sun's radiation at the ground."""
    return PAR_SHARE * np.asarray(radiation_mj_per_m2, np.float64)


def light_worth(
    lai: npt.NDArray[np.floating],
    fapar: npt.NDArray[np.floating],
    chlorophyll_g_per_m2: npt.NDArray[np.floating],
) -> Floats:
    """What leaves make of the light above them, as a share of what the greenest canopy makes; any shape.

    Args:
        lai: green leaf area.
        fapar: share of the usable light that it absorbs.
        chlorophyll_g_per_m2: of all leaves over the ground.
    """
    usual = np.maximum(USUAL_CHLOROPHYLL * lai, 0.02)
    return np.asarray(fapar * np.clip(chlorophyll_g_per_m2 / usual, *CHLOROPHYLL_COUNTS), np.float64)


def harvest_part(filled: Floats, middle: Floats | float) -> Floats:
    """How far a field's harvest index lies from the usual, by its light after flowering against the middle field's."""
    share = np.divide(filled, middle, out=np.ones_like(filled), where=np.asarray(middle) > 0)
    return np.clip(FIXED_HARVEST + (1 - FIXED_HARVEST) * share, *HARVEST_COUNTS)


def growth_index(lai: Floats, fapar: Floats, chlorophyll_g_per_m2: Floats, light: Floats, flowering: int) -> Floats:
    """What fields of one crop made of the season's light, comparable among them alone; (field,).

    Light that green leaves caught, times how green they were for their area, times how much of the harvest was filled
    after flowering, against the middle field.

    Args:
        lai: green leaf area, (field, day).
        fapar: share of the usable light that it absorbs, (field, day).
        chlorophyll_g_per_m2: (field, day).
        light: usable light, MJ per m2, (day,).
        flowering: the day, by place, on which grain begins to fill.
    """
    made = (light * light_worth(lai, fapar, chlorophyll_g_per_m2)).sum(axis=1)
    filled = (light * fapar)[:, flowering:].sum(axis=1)
    return np.asarray(made * harvest_part(filled, float(np.median(filled))), np.float64)
