# SPDX-License-Identifier: Apache-2.0
"""How much land each crop has in a region: as mapped, expected by probability, and corrected by a sample."""

from __future__ import annotations

from acreline.area.estimate import COLUMNS, corrected_areas, expected_areas, region_areas
from acreline.area.reference import read_reference
from acreline.area.tell import area_lines, write_areas

__all__ = [
    "COLUMNS",
    "area_lines",
    "corrected_areas",
    "expected_areas",
    "read_reference",
    "region_areas",
    "write_areas",
]
