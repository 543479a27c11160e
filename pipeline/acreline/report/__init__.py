# SPDX-License-Identifier: Apache-2.0
"""What people read of a publication: a map page for the credit officer, a page for each farm, a STAC catalogue."""

from __future__ import annotations

from acreline.report.catalog import write_catalog
from acreline.report.farm_page import write_farm_pages
from acreline.report.field import FieldPicture, Unseen
from acreline.report.page import write_map_page

__all__ = ["FieldPicture", "Unseen", "write_catalog", "write_farm_pages", "write_map_page"]
