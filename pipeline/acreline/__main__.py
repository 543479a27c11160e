# SPDX-License-Identifier: Apache-2.0
"""`python -m acreline` is the command `acreline`."""

from acreline.cli import main

main()
