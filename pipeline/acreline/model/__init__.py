# SPDX-License-Identifier: Apache-2.0
"""The network: a cube in, maps of crop and health out. torch lives in this room and nowhere else."""

from __future__ import annotations

from acreline.model.card import Card, Model, load_model
from acreline.model.segment import segment_cube

__all__ = ["Card", "Model", "load_model", "segment_cube"]
