# SPDX-License-Identifier: Apache-2.0
"""The command line: parse, call one library function, print, choose the exit code."""

from __future__ import annotations

from acreline.cli import asks, evidence, leaving, nightly, people, portfolio, region, release, trials
from acreline.cli.app import app, main

__all__ = [
    "app", "asks", "evidence", "leaving", "main", "nightly", "people", "portfolio", "region", "release", "trials",
]  # fmt: skip
