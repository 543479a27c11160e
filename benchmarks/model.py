# SPDX-License-Identifier: Apache-2.0
"""The crop and health model against its targets and its rivals: four tests on simulated land, three tasks on real.

    python benchmarks/model.py [--seeds DIR ...] [--rivals DIR] [--presto FILE]

Writes benchmarks/results/model.json, targets missed and all, and a page to --out. The counties of the tests are drawn
once into --work and kept (about two minutes each on one core); the first baselines are taught on the counties of the
model's recipe, which are drawn too unless they lie in --taught.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from model_rows import REAL, card_rows, missing_figures, simulated_rows, square_rows, stricken_rows
from rows import write_rows

from acreline.errors import AcrelineError
from acreline.model import Model, load_model
from acreline.model.members import AcreNets
from acreline.model.painting import paint_bank
from acreline.trial import measure
from acreline.trial.as_of import Load
from acreline.trial.counties import county_bank, draw_counties
from acreline.trial.evaluate import measure_series
from acreline.trial.forest import forest_says
from acreline.trial.four_tests import Contender, four_tests
from acreline.trial.held_out_land import held_out_land
from acreline.trial.packaged import read_packaged
from acreline.trial.read import read_labelled
from acreline.trial.rivals import RIVALS, find_rival
from acreline.trial.tasks import TASKS
from acreline.trial.teaching import check_teaching, one_by_one, packaged_teaching, read_banks
from acreline.trial.tests_page import render_tests

MODEL, TOP_MODEL = "acrenet-s", "acrenet-toa"
EQUAL = f"{MODEL}, one network at equal time"
MONTHLY = ("unseen_year", "unseen_zone_and_year")
SQUARE = Path(__file__).parents[1] / "data" / "flanders-2018"
SAVED = Path(__file__).parent / "rivals"
"""Baselines and networks of equal time as `teach_rivals.py` left them, so that nobody waits hours to see them again."""


def tell(done: int, total: int, words: str) -> None:
    """Progress, a line each."""
    print(f"{done}/{total} {words}", flush=True)


def contender(name: str, model: Model, *, seed_of: str | None, months: Sequence[str] = ()) -> Contender:
    """A checkpoint of this house."""
    card = model.card
    size = sum(value.numel() for value in model.net.parameters())
    words = f"{card.architecture.members} networks averaged"
    paint = partial(paint_bank, model.net)
    return Contender(name, paint, card.axis, seed_of, model.calibration(simulated=True), words, size, tuple(months))


def models_of(seeds: Sequence[Path]) -> tuple[Model, list[Contender]]:
    """The shipped model, first, and further seeds of it: folders or YAML files of `acreline train`."""
    shipped = load_model(MODEL)
    found = [contender(MODEL, shipped, seed_of=MODEL if seeds else None, months=MONTHLY)]
    for place in seeds:
        path = place / f"{MODEL}.yaml" if place.is_dir() else place
        other = load_model(str(path.resolve()), path.parent)
        seed = other.card.recipe.get("seed", "?")
        found.append(contender(f"{MODEL}, {place.stem} (seed {seed})", other, seed_of=MODEL))
    return shipped, found


def equal_time(saved: Path | None, shipped: Model) -> list[Contender]:
    """Networks of the model's shape that were taught for as long as the neural baselines, of `teach_rivals.py`."""
    from safetensors.torch import load_file

    found = []
    for path in sorted(saved.glob("acrenet-*.json")) if saved is not None else ():
        told = json.loads(path.read_text(encoding="utf-8"))
        net = check_teaching(told["recipe"]).build()
        weights = load_file(path.with_suffix(".safetensors"))
        net.load_state_dict({key.removeprefix("members.0."): value for key, value in weights.items()})
        nets = AcreNets([net]).eval().requires_grad_(False)
        name = f"{EQUAL}, seed {told['seed']}, {told['minutes']:g} minutes"
        words = f"land alone, {told['steps']} steps: what fits {told['minutes']:g} minutes of one core"
        size = sum(value.numel() for value in net.parameters())
        found.append(Contender(name, partial(paint_bank, nets), shipped.card.axis, EQUAL, None, words, size))
    return found


def rivals_of(shipped: Model, saved: Path | None, taught: Path, workers: int) -> list[Contender]:
    """Baselines: those without a network are taught here, networks are read where they were saved."""
    teaching = packaged_teaching(MODEL)
    out = []
    banks: Any = None
    for name, rival in RIVALS.items():
        if rival.build is not None:
            if saved is None or not (saved / f"{name}.json").is_file():
                print(f"{name}: left out, no saved network in {saved or '--rivals'}")
                continue
            from acreline.trial.rivals.learn import load_rival

            painter: Any = load_rival(saved, name)
        else:
            if banks is None:
                paths = draw_counties(one_by_one(teaching.counties), taught, workers=workers, progress=tell)
                banks = read_banks(teaching, paths)
            teach = find_rival(name).teach
            assert teach is not None
            painter = teach(banks, teaching.seed, 1)
        out.append(Contender(name, painter.paint, shipped.card.axis, None, None, rival.words[0], painter.parameters))
    return out


def baselines_beside(presto: Path | None) -> dict[str, str]:
    """Task -> accuracy and macro-F1 of its baselines on the same places, each told by one that never saw its place."""
    out = {}
    for task_name, (_, source) in REAL.items():
        series, task = read_packaged(source), TASKS[task_name]
        groups = list(task.groups)
        known = series.keep(np.isin(series.group, groups))
        true = np.array([groups.index(group) for group in known.group.tolist()], np.int64)
        says = {"random forest": forest_says(known, task)}
        if presto is not None and task_name == "B":
            from acreline.trial.rivals.presto_series import presto_says

            says["Presto and regression"] = presto_says(known, task, presto)
        words = []
        for name, said in says.items():
            told = measure.scores(true, said.probability.argmax(axis=1), groups, known.cell)
            words.append(f"{name} accuracy {told['oa']:.3f}, macro-F1 {told['macro_f1']:.3f}")
        out[task_name] = "; ".join(words)
    return out


def main() -> None:
    """Draw, paint, measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("runs/bench-model/work"), help="drawn counties are kept here")
    parser.add_argument("--out", type=Path, default=Path("runs/bench-model"), help="receives index.html and tests.json")
    parser.add_argument("--parcels", type=int, default=300, help="of each county")
    parser.add_argument("--counties", type=int, default=1, help="lands a zone and year")
    parser.add_argument("--zones", nargs="*", help="only these zones of configs/simulate/")
    parser.add_argument("--mishaps", type=float, default=1, help="times the usual number of floods, storms and so on")
    parser.add_argument("--seeds", type=Path, nargs="*", default=(), help="further trainings of the same recipe")
    parser.add_argument("--rivals", type=Path, default=SAVED, help="folder of saved baseline networks")
    parser.add_argument("--taught", type=Path, help="where the counties of the recipe lie; default: --work")
    parser.add_argument("--without-rivals", action="store_true", help="the model alone")
    parser.add_argument("--without-real", action="store_true", help="no rows of real data")
    parser.add_argument("--presto", type=Path, help="file of Presto's weights")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--dry", action="store_true", help="a trial: write the page, not the results")
    asked = parser.parse_args()

    shipped, contenders = models_of(asked.seeds)
    if not asked.without_rivals:
        contenders += equal_time(asked.rivals, shipped)
        contenders += rivals_of(shipped, asked.rivals, asked.taught or asked.work, asked.workers)
    wanted = held_out_land(
        shipped.card.recipe, parcels=asked.parcels, zones=asked.zones, counties=asked.counties, mishaps=asked.mishaps
    )
    every = [one for some in wanted.values() for one in some]
    paths = iter(draw_counties(every, asked.work, workers=asked.workers, progress=tell))
    land: dict[str, list[Load]] = {
        test: [partial(county_bank, next(paths)) for _ in some] for test, some in wanted.items()
    }
    told = four_tests(contenders, land, tell)

    rows, missing = simulated_rows(told), missing_figures(told)
    rows += stricken_rows(MODEL, shipped.card.metrics)
    if not asked.without_real:
        metrics = {name: load_model(name).card.metrics for name in (MODEL, TOP_MODEL)}
        real, gaps = card_rows(metrics, baselines_beside(asked.presto))
        rows, missing = rows + real, missing + gaps
        try:
            series, digest = read_labelled(SQUARE)
            rows += square_rows(measure_series(series, shipped, digest))
        except AcrelineError as error:
            missing.append(f"task D: {error}")
    asked.out.mkdir(parents=True, exist_ok=True)
    (asked.out / "tests.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    (asked.out / "index.html").write_text(render_tests(told, rows), encoding="utf-8", newline="\n")
    if not asked.dry:
        write_rows("model", rows)
    for row in rows:
        met = {True: "met   ", False: "missed", None: "      "}[row["met"]]
        print(f"{met} {row['quantity']}: {row['value']:.3f} (target {row['target']}, n {row['n']:,}), {row['setting']}")
    for words in missing:
        print(f"no row: {words}")
    print(f"page: {asked.out / 'index.html'}")


if __name__ == "__main__":
    main()
