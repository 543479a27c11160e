# SPDX-License-Identifier: Apache-2.0
"""The network: a cube in, maps of crop and health out. torch lives in this room and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from acreline.model.card import Card, Model, load_model
from acreline.model.learning import Recipe
from acreline.model.segment import segment_cube

if TYPE_CHECKING:
    from acreline.model.evaluate import evaluate_model, report_lines

__all__ = ["Card", "Model", "Recipe", "evaluate_model", "load_model", "report_lines", "segment_cube"]

_LATER = {"evaluate_model": "evaluate", "report_lines": "evaluate"}
"""What a run does not need is opened when it is asked for."""


def __getattr__(name: str) -> Any:
    import importlib

    if name in _LATER:
        return getattr(importlib.import_module(f"{__name__}.{_LATER[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
