# SPDX-License-Identifier: Apache-2.0
"""Teach the neural baselines, and one network of the model's shape, for the same minutes on the same land.

    python benchmarks/teach_rivals.py --minutes 40 --out runs/rivals [--names utae lraspp acrenet] [--seeds 8 9]
        [--steps N] [--device cuda --feeders 4]

Each is taught by itself on one core for the steps that fit the minutes, drawing of batches included, by a probe on this
machine just before. On a GPU the same steps take less: give those that a probe found on a core as --steps. What is
saved is read by `benchmarks/model.py --rivals DIR`. `acrenet` is one member of the model's
recipe, for a comparison at equal time: one of the recipe's own seed and one of each of --seeds, which tell how much is
chance. Their checkpoints are `DIR/acrenet-SEED.safetensors`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

from safetensors.torch import save_file

from acreline.model.banks import Bank
from acreline.model.learning import Lesson, learn
from acreline.trial.counties import draw_counties
from acreline.trial.rivals import RIVALS
from acreline.trial.rivals.learn import build_rival, learn_rival, rival_recipe, save_rival
from acreline.trial.rivals.speed import probe, steps_in
from acreline.trial.teaching import Teaching, one_by_one, packaged_teaching, read_banks

NETWORKS = ("acrenet", *(name for name, rival in RIVALS.items() if rival.build is not None))


def main() -> None:
    """Probe, teach and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=40)
    parser.add_argument("--out", type=Path, default=Path("runs/rivals"))
    parser.add_argument("--names", nargs="*", choices=NETWORKS, default=NETWORKS)
    parser.add_argument("--model", default="acrenet-s", help="its recipe says what is taught from")
    parser.add_argument(
        "--taught", type=Path, default=Path("runs/bench-model/work"), help="drawn counties are kept here"
    )
    parser.add_argument("--seeds", type=int, nargs="*", help="of acrenet; default: the recipe's own")
    parser.add_argument("--steps", type=int, help="in place of the probe: as many as another process found to fit")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--feeders", type=int, default=0, help="processes that draw batches ahead")
    parser.add_argument("--probe", action="store_true", help="tell the steps that fit, and teach nothing")
    parser.add_argument("--workers", type=int, default=2, help="processes that draw counties")
    asked = parser.parse_args()
    teaching = packaged_teaching(asked.model)
    paths = draw_counties(one_by_one(teaching.counties), asked.taught, workers=asked.workers)
    banks = read_banks(teaching, paths)
    asked.out.mkdir(parents=True, exist_ok=True)
    for name in asked.names:
        steps = asked.steps or steps_in(probe(name, teaching, banks), asked.minutes, feeders=False)
        print(f"{name}: {steps} steps in {asked.minutes:g} minutes of one core", flush=True)
        if asked.probe:
            continue
        if name == "acrenet":
            for seed in asked.seeds or [teaching.seed]:
                teach_own(teaching, banks, seed, steps, asked)
        else:
            recipe = rival_recipe(teaching)
            net = build_rival(name, recipe, seed=teaching.seed)
            how = {"device": asked.device, "feeders": asked.feeders}
            save_rival(learn_rival(net, recipe, banks, seed=teaching.seed, steps=steps, **how), asked.out)
            print(f"{name}: taught", flush=True)


def teach_own(teaching: Teaching, banks: Sequence[Bank], seed: int, steps: int, asked: argparse.Namespace) -> None:
    """One network of the model's shape, taught of land alone; its weights and a JSON file beside them."""
    given = {"steps": steps, "seed": seed, "device": asked.device}
    recipe = teaching.land_recipe.model_copy(update=given)
    lesson = Lesson(1000 * seed, feeders=asked.feeders)
    started, clock = time.process_time(), time.perf_counter()
    nets = learn(recipe, [bank for bank in banks if bank.shape is not None], lesson)
    spent = time.process_time() - started if asked.device == "cpu" else time.perf_counter() - clock
    weights = {key: value.contiguous() for key, value in nets.state_dict().items()}
    save_file(weights, asked.out / f"acrenet-{seed}.safetensors")
    told = {
        "name": "acrenet",
        "seed": seed,
        "minutes": asked.minutes,
        "minutes_spent": round(spent / 60, 1),
        "device": asked.device,
        "steps": steps,
        "step_seconds": round(spent / steps, 4),
        "recipe": recipe.model_dump(mode="json"),
    }
    (asked.out / f"acrenet-{seed}.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(f"acrenet, seed {seed}: taught in {spent / 60:.1f} minutes, {asked.device}", flush=True)


if __name__ == "__main__":
    main()
