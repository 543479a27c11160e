# SPDX-License-Identifier: Apache-2.0
"""How many threads torch may use: sums have one order only on one, and processes run side by side instead."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def torch_threads(count: int = 1) -> Iterator[None]:
    """Torch's arithmetic on so many threads within; what was before holds again after."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
