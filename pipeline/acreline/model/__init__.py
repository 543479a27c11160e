# SPDX-License-Identifier: Apache-2.0
"""The network: a cube in, maps of crop and health out. torch lives in this room and nowhere else."""

from __future__ import annotations

from acreline.model.card import Card, Model, load_model
from acreline.model.evaluate import evaluate_model, report_lines
from acreline.model.fitting import Recipe
from acreline.model.segment import segment_cube
from acreline.model.train import train_model

__all__ = ["Card", "Model", "Recipe", "evaluate_model", "load_model", "report_lines", "segment_cube", "train_model"]
