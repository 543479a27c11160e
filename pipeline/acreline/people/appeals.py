# SPDX-License-Identifier: Apache-2.0
"""Appeals."""

from acreline.decision_log import user_name
from acreline.retired import utc_now

__all__ = ["user_name", "utc_now"]
