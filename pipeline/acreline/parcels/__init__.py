# SPDX-License-Identifier: Apache-2.0
"""The farm file: every row comes in with a status, in longitude and latitude, on the ground it was drawn on."""

from __future__ import annotations

from acreline.parcels.files import FID, ParcelFile, open_parcel_file
from acreline.parcels.read import guess_columns, read_parcels

__all__ = ["FID", "ParcelFile", "guess_columns", "open_parcel_file", "read_parcels"]
