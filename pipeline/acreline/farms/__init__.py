# SPDX-License-Identifier: Apache-2.0
"""From tables to farms: which parcels may be judged, and the plain facts of each farm that money is decided on."""

from __future__ import annotations

from acreline.farms.applicants import read_applicants
from acreline.farms.gather import gather_farms
from acreline.farms.judge import judge_parcels

__all__ = ["gather_farms", "judge_parcels", "read_applicants"]
