# SPDX-License-Identifier: Apache-2.0
"""The four tests as one page that needs no network, no script and no font."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from acreline.layers import HEALTH_CLASSES
from acreline.trial import curves_drawn
from acreline.trial.charts import heat_map
from acreline.trial.four_tests import HEADLINES, headline
from acreline.trial.page import SIMULATED_LIMIT, group_name, render_page


def render_tests(told: Mapping[str, Any], rows: Sequence[Mapping[str, Any]] = ()) -> str:
    """The text of the page. Same figures, same bytes; what has no figure has a dash, and no empty drawing.

    Args:
        told: what `four_tests.four_tests` returns.
        rows: figures with their targets, baselines and whether they were met, as benchmarks write them.
    """
    return render_page(
        "four_tests.html.j2",
        "report.css",
        "four_tests.css",
        contenders=told["contenders"],
        model=told["contenders"][0]["name"] if told["contenders"] else "",
        tests=[_test(name, part) for name, part in told["tests"].items()],
        headlines=HEADLINES,
        rows=[(setting, list(same)) for setting, same in groupby(rows, key=lambda row: row["setting"])],
        name=class_name,
        limit=SIMULATED_LIMIT,
    )


def class_name(name: str) -> tuple[str, str]:
    """English and Chinese name of a crop, a group or a health class; never empty."""
    if name in HEALTH_CLASSES:
        _, chinese, english = HEALTH_CLASSES[name]
        return english, chinese
    return group_name(name)


def _test(name: str, part: Mapping[str, Any]) -> dict[str, Any]:
    told = part["contenders"]
    first = next(iter(told.values()))
    health = first["health"]
    as_of = first.get("as_of")
    return {
        "key": name,
        "words": part["words"],
        "counties": part["counties"],
        "table": {one: headline(figures) for one, figures in told.items()},
        "seeds": part["seeds"],
        "differences": part["differences"],
        "first": first,
        "health": health,
        "as_of": as_of,
        "strange": first.get("strange"),
        "months": curves_drawn.month_lines(as_of) if as_of and as_of["A"]["months"] else None,
        "kept": curves_drawn.kept_lines(told),
        "reliability": curves_drawn.reliability_lines(first),
        "sizes": curves_drawn.size_lines(first),
        "confusion": heat_map(health["confusion"]) if health and health["n_parcels"] else None,
    }
