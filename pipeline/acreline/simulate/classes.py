# SPDX-License-Identifier: Apache-2.0
"""What the network may call a pixel: the classes of land in one fixed order, so that a number means one thing."""

from __future__ import annotations

CLASSES: tuple[str, ...] = (
    "none",  # fallow, bare, or nothing grown in this season slot
    "winter_cereal",
    "winter_barley",
    "spring_cereal",
    "rapeseed",
    "early_rice",
    "late_rice",
    "single_rice",
    "maize",
    "soybean",
    "cotton",
    "peanut",
    "potato",
    "sweet_potato",
    "sunflower",
    "beet",
    "pulses",
    "sugarcane",
    "tobacco",
    "tea",
    "perennial",  # apple, citrus, vines
    "vegetables",
    "greenhouse",
    "grassland",
    "non_agri",
)
"""Code of a class = its place in this list, 0 to 24."""

CODE: dict[str, int] = {name: code for code, name in enumerate(CLASSES)}
