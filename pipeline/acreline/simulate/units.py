# SPDX-License-Identifier: Apache-2.0
"""Land units with the classes that grow on them: what a label map is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from acreline.simulate.crops import SimCrops
    from acreline.simulate.land import Land
    from acreline.simulate.rotations import Choices
    from acreline.simulate.settings import CountySettings


def name_crops(settings: CountySettings, land: Land, choices: Choices, crops: SimCrops) -> pd.DataFrame:
    """Land units with crop_a, crop_b (slugs) and class_a, class_b (of the network), NA where no field is.

    A crop of slot AB stands in both; a slot in which nothing grows has no crop and class `none`.
    """
    crop = {slot: np.full(len(land.units), None, dtype=object) for slot in "AB"}
    kind = {slot: np.full(len(land.units), None, dtype=object) for slot in "AB"}
    for number, rotation in enumerate(settings.rotations):
        units = choices.unit[choices.rotation == number]
        for slot in "AB":
            slug = rotation.ab or rotation.crops.get(slot)
            crop[slot][units] = slug
            kind[slot][units] = "none" if slug is None else crops.crops[slug].network_class
    return land.units.assign(crop_a=crop["A"], crop_b=crop["B"], class_a=kind["A"], class_b=kind["B"])
