# SPDX-License-Identifier: Apache-2.0
"""Figures of the model with their targets, as rows: on simulated land from the four tests, on real land from cards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rows import Row, make_row

from acreline.trial.four_tests import HEADLINES, TESTS, headline

COMMAND = "python benchmarks/model.py"
FAR = ("unseen_zone", "unseen_zone_and_year")
TARGETS: Mapping[str, tuple[str, str]] = {
    "miou_a": (">= 0.72", ">= 0.60"),
    "miou_b": (">= 0.72", ">= 0.60"),
    "oa_a": (">= 0.92", ">= 0.85"),
    "oa_b": (">= 0.92", ">= 0.85"),
    "macro_f1_a": (">= 0.85", ">= 0.75"),
    "macro_f1_b": (">= 0.85", ">= 0.75"),
    "accepted_accuracy": (">= 0.95", ">= 0.92"),
    "accepted_share": (">= 0.70", ">= 0.55"),
    "kept_70": (">= 0.95", ""),
    "kept_55": ("", ">= 0.92"),
    "coverage_a": ("0.88..0.92", ">= 0.87"),
    "coverage_b": ("0.88..0.92", ">= 0.87"),
    "ece_a": ("<= 0.03", "<= 0.06"),
    "ece_b": ("<= 0.03", "<= 0.06"),
    "health_f1": (">= 0.65", ">= 0.55"),
    "flood_iou": (">= 0.75", ">= 0.70"),
    "false_alarms": ("<= 0.05", "<= 0.08"),
}
"""Headline -> target in a climate that was taught, and in one that was not; empty: no row there."""
USUAL = {
    "accepted_accuracy": "all parcels, both slots right: {all}",
    "kept_70": "all parcels, both slots right: {all}",
    "kept_55": "all parcels, both slots right: {all}",
    "accepted_share": "1 if nothing is referred",
    "coverage": "promised {promised}",
    "ece": "0 if confidence is accuracy",
    "health_f1": "0 if all is called normal",
    "flood_iou": "0 if all is called normal",
    "false_alarms": "0 if all is called normal",
}
REAL = {"A": ("acrenet-toa", "bavaria-2018"), "B": ("acrenet-s", "france-2023")}
"""Task -> the model that reads its data, and the packaged labels that it is told on in folds of places."""
REAL_TARGETS: Mapping[str, tuple[str, str, str]] = {
    "oa": ("accuracy", ">= 0.955", ">= 0.82"),
    "macro_f1": ("macro-F1", ">= 0.92", ">= 0.66"),
    "accuracy_at_80": ("accuracy of the most certain 80 %", ">= 0.98", ">= 0.88"),
    "ece": ("expected calibration error", "<= 0.05", "<= 0.05"),
}
"""Key of a card's `cross_validation.<source>.groups` -> quantity, target of task A, of task B."""
COVERAGE = "0.88..0.92"


def simulated_rows(told: Mapping[str, Any]) -> list[Row]:
    """A row for each figure that has a target in a test; of several seeds of the model the mean."""
    rows = []
    contenders = told["contenders"]
    first, model = contenders[0]["name"], contenders[0]["model"]
    for test, part in told["tests"].items():
        mine = headline(part["contenders"][first])
        seeds = part["seeds"].get(model, {})
        others = [one for one in contenders[1:] if one["model"] is None or one["model"] != model]
        for key, pair in TARGETS.items():
            target = pair[test in FAR]
            value, n = mine[key]
            if not target or value is None or not n:
                continue
            spread = ""
            if key in seeds:
                value, spread = seeds[key]["mean"], f"; mean of {seeds[key]['n']} seeds, sd {seeds[key]['sd']:.3f}"
            rows.append(
                make_row(
                    HEADLINES[key],
                    f"{first}, {TESTS[test][0]}: {', '.join(part['counties'])}; on simulated data{spread}",
                    value,
                    "share",
                    n=n,
                    target=target,
                    baseline=_beside(key, part, others, first),
                    command=COMMAND,
                )
            )
    return rows


def missing_figures(told: Mapping[str, Any]) -> list[str]:
    """Words for each figure that has a target and could not be had."""
    first = told["contenders"][0]["name"]
    absent = [f"test {test!r}: no county for it" for test in TESTS if test not in told["tests"]]
    return absent + [
        f"{HEADLINES[key]}: not to be had in the test {test!r}"
        for test, part in told["tests"].items()
        for key, pair in TARGETS.items()
        if pair[test in FAR] and _nothing(*headline(part["contenders"][first])[key])
    ]


def _nothing(value: float | None, n: int) -> bool:
    """Nothing to measure: land without a flood has no share of it."""
    return value is None or not n


def stricken_rows(model: str, metrics: Mapping[str, Any]) -> list[Row]:
    """Rows of health on the card's counties with more mishaps than usual: usual land has too few of a kind."""
    rows = []
    for number, part in enumerate(("same_climate_stricken", "unseen_climate_stricken")):
        told = metrics.get("simulated", {}).get(part)
        if told is None:
            continue
        health = told["health"]
        found = (
            ("health_f1", health["macro_f1_events"], health["n_events"]),
            ("flood_iou", health["flood_iou"], health["flood_pixels"]),
            ("false_alarms", health["false_alarms"], health["n_normal"]),
        )
        setting = (
            f"{model}, {part.replace('_', ' ')}: {', '.join(told['counties'])}; on simulated data; the card's figure"
        )
        rows += [
            make_row(
                HEADLINES[key], setting, value, "share", n=n, target=TARGETS[key][number], baseline=USUAL[key],
                command=COMMAND,
            )
            for key, value, n in found
            if not _nothing(value, n)
        ]  # fmt: skip
    return rows


def _beside(key: str, part: Mapping[str, Any], others: Sequence[Mapping[str, Any]], first: str) -> str:
    """The rivals' figures, seeds of one as mean and spread; without any, what the figure would be otherwise."""
    parts = []
    told = part["contenders"]
    own = told[first]
    if key.startswith(("oa_", "macro_f1_", "miou_")):
        slot = own[f"slot_{key[-1].upper()}"]
        majority = slot["majority"] if key.startswith("miou_") else slot["parcel_majority"]
        parts.append(f"commonest class {majority:.3f} of {'pixels' if key.startswith('miou_') else 'parcels'}")
    summed = {name: seeds[key] for name, seeds in part["seeds"].items() if key in seeds}
    alone = [one["name"] for one in others if one["model"] not in summed]
    parts += [f"{name} {value:.3f}" for name in alone for value, _ in [headline(told[name])[key]] if value is not None]
    for name in dict.fromkeys(one["model"] for one in others if one["model"] in summed):
        seeds = summed[name]
        parts.append(f"{name} {seeds['mean']:.3f} (mean of {seeds['n']} seeds, sd {seeds['sd']:.3f})")
    usual = USUAL.get(key) or USUAL.get(key[:-2], "")
    if usual:
        sets = own["slot_" + key[-1].upper()]["sets"] if key.startswith("coverage_") else None
        promised = f"{sets['promised']:.2f}" if sets else "nothing"
        everything = own["both_slots"]["accuracy"]
        parts.append(usual.format(promised=promised, all=f"{everything:.3f}" if everything is not None else "none"))
    return "; ".join(parts)


def card_rows(metrics: Mapping[str, Mapping[str, Any]], beside: Mapping[str, str]) -> tuple[list[Row], list[str]]:
    """Rows of real data from the figures of cards, and what a card does not hold.

    Args:
        metrics: name of a model -> `metrics` of its card.
        beside: task (A, B) -> words of the baselines.
    """
    rows, missing = [], []
    for number, (task, (model, source)) in enumerate(REAL.items(), start=1):
        told = metrics.get(model, {}).get("cross_validation", {}).get(source, {}).get("groups", {})
        setting = f"task {task}, {model}, real: {source}, places held back in folds; the card's figure"
        for key, words in REAL_TARGETS.items():
            if told.get(key) is None:
                missing.append(
                    f"task {task}, {words[0]}: the card of {model} has no cross_validation.{source}.groups.{key}"
                )
                continue
            usual = (
                f"commonest group {told['majority_oa']:.3f}" if key in ("oa", "accuracy_at_80") else USUAL.get(key, "")
            )
            baseline = "; ".join(filter(None, [usual, beside.get(task, "") if key in ("oa", "macro_f1") else ""]))
            rows.append(
                make_row(
                    words[0],
                    setting,
                    told[key],
                    "share",
                    n=told["n"],
                    target=words[number],
                    baseline=baseline,
                    command=COMMAND,
                )
            )
        for slot, sources in sorted(metrics.get(model, {}).get("calibration", {}).get("coverage", {}).items()):
            sets = sources["real"]
            rows.append(
                make_row(
                    f"coverage of crop sets, slot {slot}", f"{setting}; sets made on half of the places",
                    sets["measured"], "share", n=sets["fields"], target=COVERAGE, command=COMMAND,
                    baseline=f"promised {sets['promised']:.2f}; {sets['mean_set_size']:.1f} crops a set",
                )
            )  # fmt: skip
    return rows, missing


def square_rows(metrics: Mapping[str, Any]) -> list[Row]:
    """Rows of task D from a report of `acreline evaluate` on a square that no training read."""
    if metrics["oa"] is None:
        return []
    forest, regions, sets = metrics["random_forest"], metrics["regions"], metrics["conformal"]
    setting = f"task D, {metrics['model']['name']}, real: {metrics['data']['name']}, which no training reads"
    usual = f"commonest group {metrics['majority_oa']:.3f}; random forest {forest['oa']:.3f}"
    right = f"random forest {forest['regions']['right']} of {forest['regions']['n']}"
    n, share = metrics["n"], round(regions["right"] / regions["n"], 4)
    kept = metrics["accuracy_at_80"]
    told = (
        ("pixel accuracy", metrics["oa"], n, ">= 0.86", usual),
        (f"regions right, {regions['right']} of {regions['n']}", share, regions["n"], ">= 0.888", right),
        ("accuracy of the most certain 80 % of pixels", kept, round(0.8 * n), ">= 0.90", f"all {metrics['oa']:.3f}"),
        ("coverage of crop sets", sets["held"], n, COVERAGE, f"promised {sets['promised']:.2f}"),
        ("expected calibration error", metrics["calibration"]["ece"], n, "<= 0.05", USUAL["ece"]),
    )
    return [
        make_row(quantity, setting, value, "share", n=count, target=target, baseline=baseline, command=COMMAND)
        for quantity, value, count, target, baseline in told
    ]
