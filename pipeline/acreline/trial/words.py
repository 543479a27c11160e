# SPDX-License-Identifier: Apache-2.0
"""The report in a few lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

SHOWN = 5
"""Codes that are not scored are named up to so many; all stand in the file of figures."""


def report_table(metrics: dict[str, Any]) -> Iterator[str]:
    """Headline, one line for each way of telling, F1 by class, what was left out and what cannot be trusted."""
    model, forest, unit = metrics["model"], metrics["random_forest"], metrics["unit"][0]
    simulated = ", on simulated data" if metrics["simulated"] else ""
    yield (
        f"{model['name']} {model['version']} on {metrics['data']['name']}: task {metrics['task']}, "
        f"{metrics['n']:,} {unit} in {metrics['places']:,} places{simulated}"
    )
    yield f"{'':<14}  {'accuracy':>8}  {'95 %':<14}  macro-F1  kappa"
    if metrics["oa"] is not None:
        yield _row("model", metrics)
    yield _row("random forest", forest)
    yield _row("boosting", metrics["gradient_boosting"])
    yield f"{'majority':<14}  {metrics['majority_oa']:8.3f}  always {metrics['majority']}"
    names = sorted(forest["per_class"], key=lambda name: -forest["per_class"][name]["n"])
    for name in names:
        told = (metrics["per_class"] or {}).get(name)
        mine = f"model F1 {told['f1']:.2f}, " if told else ""
        theirs = forest["per_class"][name]
        yield f"  {name:<16} n {theirs['n']:>6,}  {mine}forest F1 {theirs['f1']:.2f}"
    if metrics["regions"]:
        model_right, forest_right = metrics["regions"]["right"], forest["regions"]["right"]
        yield f"regions right: model {model_right}, forest {forest_right}, of {metrics['regions']['n']}"
    if metrics["conformal"]:
        sets = metrics["conformal"]
        low, high = metrics["accuracy_at_80_ci95"] or ("-", "-")
        yield f"most certain 80 %: accuracy {metrics['accuracy_at_80']:.3f} (95 % {low} to {high})"
        yield (
            f"crop sets: promised {sets['promised']:.0%}, held {sets['held']:.1%}, mean size {sets['mean_size']:.2f}; "
            f"ECE {metrics['calibration']['ece']:.3f}"
        )
    left = sum(row["n"] for row in metrics["not_scored"])
    if left:
        most = [f"{row['name']} ({row['code'] or 'no code'}) {row['n']}" for row in metrics["not_scored"]]
        more = " ..." if len(most) > SHOWN else ""
        yield f"not scored: {left:,} of {metrics['data']['rows']:,}: {', '.join(most[:SHOWN])}{more}"
    if metrics["oa"] is None:
        yield f"no figures of the model: {metrics['why']['model']}"
    if model["taught_by_these"]:
        yield f"not evidence: {model['taught_by_these']:,} of these {unit} are among the data the model was trained on"
    if forest["seen_in_training"]:
        yield f"forest: {forest['seen_in_training']:,} of these {unit} are packaged labels, {forest['how']}"


def _row(name: str, told: dict[str, Any]) -> str:
    kappa = "-" if told["kappa"] is None else f"{told['kappa']:.3f}"
    between = "one place" if told["ci95"] is None else "{:.3f} to {:.3f}".format(*told["ci95"])
    return f"{name:<14}  {told['oa']:8.3f}  {between:<14}  {told['macro_f1']:8.3f}  {kappa}"
