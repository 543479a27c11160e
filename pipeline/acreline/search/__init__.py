# SPDX-License-Identifier: Apache-2.0
"""Which satellite scenes there are for a region and a season, proven complete as far as a catalogue lets us."""

from acreline.search.fallback import Found, search_catalogues
from acreline.search.stage import REASONS, check_signing, search_scenes

__all__ = ["REASONS", "Found", "check_signing", "search_catalogues", "search_scenes"]
