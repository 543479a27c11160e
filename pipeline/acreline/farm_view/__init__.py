# SPDX-License-Identifier: Apache-2.0
"""One farm of a finished run under an analyst's hands: facts, rows, curve, maps, pixels and a picture."""

from __future__ import annotations

from acreline.farm_view.view import FarmView, farm

__all__ = ["FarmView", "farm"]
