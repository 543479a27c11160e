# SPDX-License-Identifier: Apache-2.0
"""Names and days that stay on one line: browsers break `A-0001` and `2026-03-01` at their hyphens otherwise."""

from __future__ import annotations

import re

LONGEST = 24
"""Characters; a longer name may break, or it would reach beyond a phone's edge."""
_NAME = re.compile(r"(?<![0-9A-Za-z-])(?=[A-Za-z-]*[0-9])[0-9A-Za-z]+(?:-[0-9A-Za-z]+)+(?![0-9A-Za-z-])")


def unbroken(text: str) -> str:
    """Names with a hyphen and a digit, and days, each in a span that a page's style keeps on one line.

    Args:
        text: escaped already, without tags.

    >>> unbroken("appeal A-0001, well-kept")
    'appeal <span class="unbroken">A-0001</span>, well-kept'
    """

    def keep(found: re.Match[str]) -> str:
        return found[0] if len(found[0]) > LONGEST else f'<span class="unbroken">{found[0]}</span>'

    return _NAME.sub(keep, text)
