# SPDX-License-Identifier: Apache-2.0
"""Which satellite scenes there are for a region and a season, proven complete as far as a catalogue lets us."""

from acreline.search.stage import REASONS, search_scenes

__all__ = ["REASONS", "search_scenes"]
