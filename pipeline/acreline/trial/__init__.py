# SPDX-License-Identifier: Apache-2.0
"""The network on trial: trained from the packaged labels, reported on the demo square or on labelled data of anyone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from acreline.trial.demo import evaluate_on_demo, train_packaged
    from acreline.trial.evaluate import evaluate_data
    from acreline.trial.training import train_model
    from acreline.trial.words import report_table

__all__ = ["evaluate_data", "evaluate_on_demo", "report_table", "train_model", "train_packaged"]

_ROOMS = {
    "evaluate_data": "evaluate",
    "evaluate_on_demo": "demo",
    "report_table": "words",
    "train_model": "training",
    "train_packaged": "demo",
}
"""Each is opened when it is asked for: reading labels needs no training, and the other way round."""


def __getattr__(name: str) -> Any:
    import importlib

    if name in _ROOMS:
        return getattr(importlib.import_module(f"{__name__}.{_ROOMS[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
