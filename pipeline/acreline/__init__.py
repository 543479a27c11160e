# SPDX-License-Identifier: Apache-2.0
"""Satellite scenes in, a farm's credit line out: each step open, measured and replayable.

The public names stand in the order of the river; each is loaded when first touched, so `import acreline` is quick.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "read_region": "config",
    "plan_run": "plan",
    "read_parcels": "parcels",
    "search_scenes": "search",
    "read_weather": "weather",
    "load_model": "model",
    "place_parcels": "geo",
    "split_blocks": "geo",
    "load_cube": "imagery",
    "clip_cube": "imagery",
    "segment_cube": "model",
    "take_looks": "looks",
    "merge_looks": "looks",
    "describe_seasons": "seasons",
    "score_health": "health",
    "detect_events": "events",
    "measure_growth": "growth",
    "read_applicants": "farms",
    "judge_parcels": "farms",
    "gather_farms": "farms",
    "estimate_yields": "yields",
    "compile_policy": "credit",
    "assess_credit": "credit",
    "run_region": "run",
    "Store": "store",
    "farm": "farm_view",
    "open_publication": "store",
    "verify_publication": "store",
    "train_model": "trial",
    "evaluate_model": "model",
}
__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'acreline' has no attribute {name!r}")
    value = getattr(import_module(f"acreline.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
