# SPDX-License-Identifier: Apache-2.0
"""Give a finished checkpoint its promise of simulated land anew, and measure it on the held-out counties of its recipe.

    python benchmarks/promise_again.py acrenet-s --version 0.5.1 --out DIR

The weights stay as they are to the last bit; the promise of real land stays too, for the networks of the folds that it
stands on are not kept. `acreline train` takes both. Ten minutes of two cores, most of them to draw counties.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from acreline.model.card import load_model, save_model
from acreline.trial.calibration import county_fields, novelty_scores, simulated_promise
from acreline.trial.counties import county_bank, draw_counties
from acreline.trial.teaching import check_teaching, one_by_one
from acreline.trial.training import measure_held_out


def main() -> None:
    """Draw, calibrate, measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="of configs/models, or the YAML file of a checkpoint")
    parser.add_argument("--version", required=True, help="of the card that is written")
    parser.add_argument("--work", type=Path, default=Path("runs/promise-again"), help="drawn counties are kept here")
    parser.add_argument("--out", type=Path, required=True, help="receives weights, card and the YAML that names them")
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()

    model = load_model(asked.model)
    teaching = check_teaching(model.card.recipe)
    calibrating, held_out = one_by_one(teaching.calibrate_on), one_by_one(teaching.held_out)
    wanted = [*calibrating, *held_out]
    files = draw_counties(
        wanted, asked.work, workers=asked.workers, progress=lambda done, total, words: print(done, total, words)
    )
    paths = dict(zip(wanted, files, strict=True))
    land = [county_bank(paths[one], teaching.axis.of) for one in calibrating]
    promise, promised = simulated_promise(
        [county_fields(model.net, bank, np.random.default_rng(k)) for k, bank in enumerate(land)],
        [novelty_scores(model.net, bank, np.random.default_rng(k)) for k, bank in enumerate(land)],
    )
    if promise is None:
        raise SystemExit(f"{asked.model}: its recipe names no county to calibrate on (calibrate_on)")
    told = measure_held_out(model.net, teaching, {one: paths[one] for one in held_out}, promise.heads, settle=False)
    settled = {key: model.card.metrics["simulated"][key] for key in ("normal_bias", "settled_on")}
    metrics = model.card.metrics | {"calibration_on_simulated": promised, "simulated": settled | told}
    card = model.card.model_copy(update={"version": asked.version, "on_simulated": promise, "metrics": metrics})
    print(save_model(model.net, card, asked.out))


if __name__ == "__main__":
    main()
