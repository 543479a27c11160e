# SPDX-License-Identifier: Apache-2.0
"""The measured parts of README.md, made again: the demo's farms, and how good the packaged models are.

    python benchmarks/front_page.py       # about a minute; after a new checkpoint is packaged

Runs the demo into a folder of its own and scores the packaged model on the demo square, which goes into the model's
card; the rest is read from the cards. Parts stand between `<!-- NAME -->` and `<!-- /NAME -->`.
"""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import Any

import acreline
from acreline.config import packaged_configs, read_region
from acreline.credit import decision_from_json
from acreline.desk import farm_rows, read_farms
from acreline.model import load_model, report_lines
from acreline.model.card import record_metrics
from acreline.trial.demo import REGION, score_on_demo

README = Path(__file__).parents[1] / "README.md"
WEIGHTS = Path(acreline.__file__).parent / "model" / "weights"
MODEL, TOP_MODEL = "acrenet-s", "acrenet-toa"
LAND = {
    "same_climate": "climates that were taught",
    "unseen_climate": "a climate that was not",
    "same_climate_stricken": "taught climates, with {mishaps} times the usual mishaps",
    "unseen_climate_stricken": "a climate that was not, with {mishaps} times the usual mishaps",
}


def main() -> None:
    """Measure, record and write."""
    parts = {"demo table": demo_table(), "accuracy": square_text(), "figures": figures_text()}
    text = README.read_text(encoding="utf-8")
    for name, part in parts.items():
        start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        pattern = re.compile(re.escape(start) + ".*?" + re.escape(end), re.DOTALL)
        if not pattern.search(text):
            raise SystemExit(f"README.md: expected {start} ... {end}, found none")
        text = pattern.sub(lambda _, words=f"{start}\n\n{part}\n\n{end}": words, text)  # type: ignore[misc]
    README.write_text(text, encoding="utf-8")


def demo_table() -> str:
    """What the demo prints of its farms."""
    with tempfile.TemporaryDirectory() as folder:
        store = acreline.Store(Path(folder))
        acreline.run_region(read_region(packaged_configs() / "regions" / f"{REGION}.yaml"), store)
        publication = (Path(folder) / "latest").resolve()
        trail = (publication / "trail.jsonl").read_text(encoding="utf-8").splitlines()
        rows = farm_rows(read_farms(publication)[0], [decision_from_json(json.loads(line)) for line in trail])
        lines = [f"| {' | '.join(row)} |" for row in rows]
    head = ("farm", "parcels", "mu", "ha", "crop", "health", "limit", "outcome", "first reason")
    return "\n".join([f"| {' | '.join(head)} |", "| --- " * len(head) + "|", *lines])


def square_text() -> str:
    """What `acreline evaluate` prints; the same goes into the card."""
    model = load_model(MODEL)
    scenes, scores = score_on_demo(model)
    record_metrics(WEIGHTS / f"{MODEL}.yaml", "demo_square", scores[0])
    first = f"{model.card.name} {model.card.version} on {REGION}, {scenes} scenes; no training reads it"
    return "\n".join(["```text", first, *(line for part in scores for line in report_lines(part)), "```"])


def figures_text() -> str:
    """Held-back places and simulated counties, from the cards."""
    metrics = load_model(MODEL).card.metrics
    folds, top = metrics["cross_validation"], load_model(TOP_MODEL).card.metrics["cross_validation"]
    lines = [
        "Real land, told in five folds by networks that never saw the place; each sample stands alone:",
        "",
        "| labels | n | classes | accuracy (95 %) | macro-F1 | majority |",
        "| --- | --- | --- | --- | --- | --- |",
        *(fold_row(name, row) for name, row in folds.items()),
        *(fold_row(f"{name} (`{TOP_MODEL}`)", row) for name, row in top.items()),
        "",
        *(f"{name}: {fold_words(load_model(name).card.recipe)}." for name in (MODEL, TOP_MODEL)),
        "",
        "What stands in each of two season slots, and how it fares, is known from simulated counties alone. **On",
        "simulated data**, counties that were not learned from:",
        "",
        "| land | slot A | slot B | parcels told without a person | damage, macro-F1 by parcel | false alarms |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    simulated = metrics["simulated"]
    lines += [land_row(key, simulated[key]) for key in LAND if key in simulated]
    lines += [
        "",
        "Told without a person: one crop alone stands in each slot's set. Simulated scenes have a promise of their own",
        "(`docs/decisions/0019-a-promise-for-each-kind-of-land.md`); real land has the more careful one above.",
    ]
    drawn = metrics.get("health_head_on_drawings")
    if drawn:
        lines += [
            "",
            "That is no evidence of accuracy on real fields. Of damage drawn into real fields of held-back French",
            "cells, networks of the folds told the kind with"
            f" macro-F1 {drawn['macro_f1']:.2f} (n {drawn['n']:,}, majority"
            f" {drawn['majority']:.3f}).",
        ]
    return "\n".join(lines)


def fold_words(recipe: dict[str, Any]) -> str:
    """What told the folds, by the recipe that taught the checkpoint."""
    if "points" in recipe and (recipe.get("fold_members") or recipe["members"]) < recipe["members"]:
        return f"one network a fold, where {recipe['members']} ship, taught of its other places as they were"
    if "points" in recipe:
        return f"{recipe['members']} networks a fold, as many as ship, taught of its other places as they were"
    return f"one network a fold, taught for {recipe['fold_steps']} steps, lighter than those that ship"


def fold_row(name: str, row: dict[str, Any]) -> str:
    """One source of labels, by its scored groups."""
    groups = row["groups"]
    low, high = groups["ci95"]
    return (
        f"| {name} | {groups['n']} | scored groups | {groups['oa']:.3f} ({low:.2f} to {high:.2f}) | "
        f"{groups['macro_f1']:.2f} | {groups['majority_oa']:.3f} |"
    )


def land_row(key: str, row: dict[str, Any]) -> str:
    """One kind of land."""
    names = [name.split("-mishaps") for name in row["counties"]]
    words = LAND[key].format(mishaps=names[0][-1]) + f" ({', '.join(name[0] for name in names)})"
    cells = [
        f"mIoU {slot['miou']:.2f} (n {slot['n_pixels']:,} pixels), parcels {slot['parcel_accuracy']:.2f} / macro-F1 "
        f"{slot['parcel_macro_f1']:.2f} (n {slot['n_parcels']})"
        for slot in (row["slot_A"], row["slot_B"])
    ]
    health = row["health"]
    found = health["macro_f1_events"]
    told = "-" if found is None else f"{found:.2f} (n {sum(health['n'].values())} struck)"
    alarms = health["false_alarms"]
    both = row["both_slots"]
    sure = "-" if not both["accepted_n"] else f"{both['accepted_share']:.2f}, right {both['accepted_accuracy']:.2f}"
    cells.append(f"{sure} (n {both['n']})")
    return f"| {words} | {' | '.join(cells)} | {told} | {'-' if alarms is None else f'{alarms:.2f}'} |"


if __name__ == "__main__":
    main()
