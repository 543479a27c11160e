# SPDX-License-Identifier: Apache-2.0
"""From a recipe to a checkpoint with its card: draw counties, teach, calibrate on places held back, write it down."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import numpy as np
import structlog

from acreline.errors import StoreError
from acreline.model.card import Architecture, Card, Source, save_model
from acreline.model.heads import SlotHead
from acreline.model.members import AcreNets
from acreline.model.painting import add_normal_bias, nets_of
from acreline.promises import Calibration
from acreline.trial.calibration import (
    calibrate_heads,
    county_fields,
    energy_scale,
    join_fields,
    novelty_scores,
    simulated_promise,
)
from acreline.trial.counties import Wanted, county_bank, draw_counties
from acreline.trial.curves_page import write_curves
from acreline.trial.drawings import drawing_scores
from acreline.trial.held_back import HeldBack, cross_validation
from acreline.trial.painting import choose_normal_bias, figures, measure_county
from acreline.trial.teach import Ground, memory_told, teach_all
from acreline.trial.teaching import (
    Teaching,
    check_sources,
    check_teaching,
    one_by_one,
    read_banks,
    sources_of,
    untaught_classes,
)

log = structlog.get_logger(__name__)
Progress = Callable[[int, int, str], None]
BATCH = "single fields of the step's own batch, real and simulated ones"


def train_model(
    recipe: dict[str, Any],
    out: Path,
    *,
    name: str,
    seed: int | None = None,
    workers: int = 2,
    device: str | None = None,
    steps: int | None = None,
    version: str = "0.5.1",
    created: date | None = None,
    progress: Progress | None = None,
) -> Path:
    """Train a checkpoint, calibrate it on places it did not see, and write weights, card and the YAML that names them.

    Args:
        recipe: keys of `teaching.Teaching`.
        out: receives `<name>.safetensors`, `<name>.json`, `<name>.yaml` and `<name>-curves.html`; drawn counties and
            half-done trainings are kept in `out/work`, from which a training that was stopped goes on.
        name: of the model.
        seed: wins over the recipe's.
        workers: processes; the weights do not depend on it.
        device: auto, cpu or cuda; wins over the recipe's.
        steps: of land, of each member; wins over the recipe's. Points and health are taught for no longer than that.
        version: of the model.
        created: date on the card; default today (UTC).
        progress: called with (done, in all, words).

    Returns:
        the YAML file; its path can stand in a region's `model:`.

    Raises:
        ConfigError: the recipe has a key, name or number that is wrong, a GPU is asked for and there is none, memory
            does not suffice, or the training diverged.
        InputError: training data are missing or damaged, teach nothing, or name the demo region's square.
        StoreError: the folder cannot be made.
    """
    given = {"seed": seed, "device": device, "steps": steps}
    teaching = check_teaching({**recipe, **{key: value for key, value in given.items() if value is not None}})
    if steps is not None:
        teaching = teaching.model_copy(
            update={
                "points": teaching.points.model_copy(update={"steps": min(teaching.points.steps, steps)}),
                "health_steps": min(teaching.health_steps, steps),
                "fold_health_steps": min(teaching.fold_health_steps, steps),
            }
        )
    chosen = teaching.chosen_device()
    check_sources(teaching)
    work = out / "work"
    try:
        work.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{out}: cannot be written: {error.strerror or error}", hint="choose another --out") from error
    tell = progress or (lambda done, total, words: None)
    started = time.perf_counter()
    taught, calibrating, held_out = (
        one_by_one(kinds) for kinds in (teaching.counties, teaching.calibrate_on, teaching.held_out)
    )
    wanted = [*taught, *calibrating, *held_out]
    with memory_told():
        files = draw_counties(wanted, work / "counties", workers=workers, progress=tell)
    paths = dict(zip(wanted, files, strict=True))
    sources, untaught = _look_at(teaching, [paths[one] for one in taught])
    drawn = time.perf_counter()
    # The one with most mishaps: on usual land hardly a health class is there to be watched.
    watched = sorted([*held_out, *calibrating], key=lambda one: -one.mishaps)[:1]
    watch = paths[watched[0]] if watched else None
    folds, members = teach_all(Ground(teaching, tuple(paths[one] for one in taught), work, watch), workers, tell)
    nets = nets_of(teaching, [member.state for member in members])
    finished = time.perf_counter()
    land = [county_bank(paths[one], teaching.axis.of) for one in calibrating]
    tell(0, 1, "calibrating")
    counties = [county_fields(nets, bank, np.random.default_rng(k)) for k, bank in enumerate(land)]
    strange = [novelty_scores(nets, bank, np.random.default_rng(k)) for k, bank in enumerate(land)]
    heads, unknown, promised = calibrate_heads(
        join_fields([one for fold in folds for one in fold.fields]),
        counties,
        scale=energy_scale(nets, [county_bank(paths[one], teaching.axis.of) for one in taught]) if land else None,
        strange=strange,
    )
    on_simulated, promised_simulated = simulated_promise(counties, strange)
    simulated_heads = heads if on_simulated is None else on_simulated.heads
    asked = {"seed": teaching.seed, "device": device, "steps": steps}
    drawings = [pair for fold in folds for pair in fold.drawings]
    metrics = {
        "cross_validation": cross_validation(teaching, HeldBack.of([row for fold in folds for row in fold.rows])),
        "calibration": promised,
        **({"calibration_on_simulated": promised_simulated} if on_simulated else {}),
        **({"health_head_on_drawings": drawing_scores(drawings)} if drawings else {}),
        "simulated": measure_held_out(nets, teaching, {one: paths[one] for one in held_out}, simulated_heads),
        "training": {
            "seed": teaching.seed,
            "minutes_drawing": round((drawn - started) / 60, 1),
            "minutes_teaching": round((finished - drawn) / 60, 1),
            "processes": workers,
            "device": str(chosen),
            "torch": installed("torch"),
            "get_it_again": " ".join(
                [f"acreline train {name}", *(f"--{key} {value}" for key, value in asked.items() if value is not None)]
            ),
            **({"untaught": untaught} if untaught else {}),
            "watched_on": f"{watched[0].name}, on simulated data, never learned from" if watched else BATCH,
            "curves": [member.curve for member in members],
        },
    }
    card = Card(
        name=name,
        version=version,
        created=created or datetime.now(UTC).date(),
        level=teaching.level,
        axis=teaching.axis,
        architecture=Architecture(
            stem=teaching.stem, width=teaching.width, levels=teaching.levels, dropout=teaching.dropout,
            members=teaching.members,
        ),
        heads=heads,
        unknown=unknown,
        on_simulated=on_simulated,
        data=sources,
        recipe=teaching.model_dump(mode="json"),
        metrics=metrics,
        remarks=teaching.remarks,
        weights_sha256="0" * 64,
    )  # fmt: skip
    settings = save_model(nets, card, out)
    write_curves(settings)
    return settings


def _look_at(teaching: Teaching, counties: Sequence[Path]) -> tuple[tuple[Source, ...], dict[str, list[str]]]:
    """Everything that is learned from, once: what the card says of it, and the classes that it does not teach."""
    banks = read_banks(teaching, counties)
    untaught = untaught_classes(teaching, banks)
    for head, names in untaught.items():
        log.warning("classes that no source teaches", head=head, classes=", ".join(names))
    return sources_of(banks), untaught


def measure_held_out(
    nets: AcreNets,
    teaching: Teaching,
    paths: Mapping[Wanted, Path],
    heads: Mapping[Any, SlotHead],
    *,
    settle: bool = True,
) -> dict[str, Any]:
    """Figures on counties that were not learned from, on simulated data.

    Counties with the usual number of mishaps tell of crops, those with more of health, where usual land has too few of
    a kind. The first of the latter whose climate was taught settles how calm the health head is made (`nets` is
    changed, unless `settle` is false: they were settled before) and is not measured on.
    """
    taught = {kind.config for kind in teaching.counties}
    banks = {one: county_bank(path, teaching.axis.of) for one, path in paths.items()}
    stricken = [one for one in banks if one.mishaps > 1]
    settling = [one for one in stricken if one.config in taught][:1]
    if not banks:
        return {}
    out: dict[str, Any] = {}
    if settling and settle:
        margins = [margin for one in settling for margin in measure_county(nets, banks[one])["normal_margins"]]
        bias = choose_normal_bias(margins)
        add_normal_bias(nets, bias)
        out = {"normal_bias": round(bias, 4), "settled_on": [one.name for one in settling]}
    calibration = Calibration({str(slot): head.calibration for slot, head in sorted(heads.items())}, {})
    for name, near in (("same_climate", True), ("unseen_climate", False)):
        some = [one for one in banks if (one.config in taught) == near and one not in settling]
        counts = {one: measure_county(nets, banks[one]) for one in some}
        usual = [count for one, count in counts.items() if one.mishaps <= 1]
        more = [count for one, count in counts.items() if one.mishaps > 1]
        if usual:
            out[name] = figures(usual, calibration)
        if more:
            out[f"{name}_stricken"] = figures(more, calibration)
    return out
