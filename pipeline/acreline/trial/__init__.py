# SPDX-License-Identifier: Apache-2.0
"""The network on trial: trained from the packaged labels, reported on the demo square or on labelled data of anyone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from acreline.trial.demo import evaluate_on_demo, train_packaged
    from acreline.trial.evaluate import evaluate_data
    from acreline.trial.field_yields import evaluate_yield, yield_lines
    from acreline.trial.leaf_area import evaluate_health, health_lines
    from acreline.trial.proxies import measure_proxies, proxy_lines, read_groups, write_proxies
    from acreline.trial.season_curve import curve_lines, draw_curve
    from acreline.trial.segments_told import report_segments, segment_lines, write_segments
    from acreline.trial.training import train_model
    from acreline.trial.words import report_table

__all__ = [
    "curve_lines",
    "draw_curve",
    "evaluate_data",
    "evaluate_health",
    "evaluate_on_demo",
    "evaluate_yield",
    "health_lines",
    "measure_proxies",
    "proxy_lines",
    "read_groups",
    "report_segments",
    "report_table",
    "segment_lines",
    "train_model",
    "train_packaged",
    "write_proxies",
    "write_segments",
    "yield_lines",
]

_ROOMS = {
    "curve_lines": "season_curve",
    "draw_curve": "season_curve",
    "evaluate_data": "evaluate",
    "evaluate_health": "leaf_area",
    "evaluate_on_demo": "demo",
    "evaluate_yield": "field_yields",
    "health_lines": "leaf_area",
    "measure_proxies": "proxies",
    "proxy_lines": "proxies",
    "read_groups": "proxies",
    "report_segments": "segments_told",
    "report_table": "words",
    "segment_lines": "segments_told",
    "train_model": "training",
    "train_packaged": "demo",
    "write_proxies": "proxies",
    "write_segments": "segments_told",
    "yield_lines": "field_yields",
}
"""Each is opened when it is asked for: reading labels needs no training, and the other way round."""


def __getattr__(name: str) -> Any:
    import importlib

    if name in _ROOMS:
        return getattr(importlib.import_module(f"{__name__}.{_ROOMS[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
