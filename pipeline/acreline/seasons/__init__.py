# SPDX-License-Identifier: Apache-2.0
"""What grew on each parcel and when: crop with its doubt, emergence, peak and harvest, and the stage it is in now."""

from __future__ import annotations

from acreline.seasons.describe import describe_seasons, judged_only, without_guesses

__all__ = ["describe_seasons", "judged_only", "without_guesses"]
