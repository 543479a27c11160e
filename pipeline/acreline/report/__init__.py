# SPDX-License-Identifier: Apache-2.0
"""What people read of a publication: one map page for the credit officer, one STAC catalogue for the analyst."""

from __future__ import annotations

from acreline.report.catalog import write_catalog
from acreline.report.page import write_map_page

__all__ = ["write_catalog", "write_map_page"]
