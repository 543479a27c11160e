# SPDX-License-Identifier: Apache-2.0
"""The processes of a training: members of the model, and networks of the folds that tell what they were not shown.

Land first: counties and squares, of which every pixel is known. Labelled points are few, and a network that meets them
for thousands of steps knows them by heart: they join for the last steps alone. The folds go on from the same networks
for the same steps without the points of their places, so what they tell is what the model itself may promise; one
network tells a little less than the members together, and five folds of one take less time than five of two.
"""

from __future__ import annotations

import functools
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from acreline.errors import ConfigError
from acreline.model.banks import Bank, inputs_of
from acreline.model.learning import Lesson, learn
from acreline.model.painting import net_state, nets_of
from acreline.model.watching import Row, predict_alone
from acreline.trial.calibration import Fields, point_fields
from acreline.trial.counties import county_bank
from acreline.trial.drawings import tell_drawings
from acreline.trial.packaged import read_folds
from acreline.trial.teaching import Teaching, read_banks
from acreline.workers import worker_pool

Progress = Callable[[int, int, str], None]
Told = Mapping[str, tuple[int, Row]]
"""Name of a training -> its step, and the last number of each kind."""
TELL_EVERY_S = 2.0
TELL_EVERY_STEPS = 10
STOP = "stop"


@dataclass(frozen=True)
class Ground:
    """What all networks of one training share."""

    teaching: Teaching
    counties: tuple[Path, ...]
    """Drawn counties to learn from."""
    work: Path
    """Where half-done members are kept."""
    watch: Path | None = None
    """A drawn county that is only looked at, see `learning.Lesson`."""


@dataclass(frozen=True)
class Fold:
    """What the networks of a fold say of places that they were not shown."""

    rows: list[tuple[Bank, npt.NDArray[np.float32], npt.NDArray[np.float32]]]
    fields: list[Fields]
    drawings: list[Any]


@dataclass(frozen=True)
class Member:
    """A network that is part of the model."""

    state: dict[str, npt.NDArray[Any]]
    curve: list[Row]


State = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class _Job:
    """What one process does: the land part of a member, or the points part of a member or of a fold."""

    ground: Ground
    part: Literal["land", "points"]
    number: int
    """Of the member or of the fold."""
    fold: bool = False
    feeders: int = 0
    begun: tuple[State, ...] = ()
    """Networks to go on from; empty: from nothing."""

    @property
    def words(self) -> str:
        name = f"{'fold' if self.fold else 'member'} {self.number + 1}"
        return f"{name}, land" if self.part == "land" else name

    @property
    def steps(self) -> int:
        teaching = self.ground.teaching
        if self.part == "land":
            return teaching.steps
        if self.fold:
            return teaching.fold_networks * (teaching.points.steps + teaching.fold_health_steps)
        return teaching.points.steps + teaching.health_steps


def teach_all(ground: Ground, workers: int, tell: Progress) -> tuple[list[Fold], list[Member]]:
    """Teach the networks of the folds and the members, several at a time.

    Args:
        ground: what they share.
        workers: processes; the weights do not depend on it.
        tell: called with (steps done, in all, losses and macro-F1 in words).

    Raises:
        ConfigError: see `learning.learn`; or a process was ended from outside.
    """
    teaching = ground.teaching
    processes = max(1, min(workers, teaching.folds + teaching.members))
    # On a GPU the network is quick and the drawing slow: the cores that are free draw ahead.
    spare = (os.cpu_count() or 1) // processes - 1
    feeders = max(1, spare) if teaching.chosen_device().type == "cuda" else 0
    first, then = jobs_of(ground, feeders)
    context = get_context("spawn")
    with (
        memory_told(),
        context.Manager() as manager,
        worker_pool(processes, _leave_ctrl_c) as pool,
    ):
        told = manager.dict()

        def work(jobs: Sequence[_Job]) -> list[Any]:
            waiting = [pool.submit(_work, job, told) for job in jobs]
            _wait(waiting, lambda: tell(*progress_words([*first, *then], dict(told))))
            return [one.result() for one in waiting]

        try:
            land: list[Member] = work(first)
            done = work([_after(job, land) for job in then])
        except BaseException:
            told[STOP] = (0, {})  # those that are at work end within a few steps
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    members = done[: teaching.members]
    curves = [one.curve for one in land] or [[] for _ in members]
    joined = [
        Member(member.state, [*curve, *_later(member.curve, teaching.steps if land else 0)])
        for member, curve in zip(members, curves, strict=True)
    ]
    return done[teaching.members :], joined


def jobs_of(ground: Ground, feeders: int = 0) -> tuple[list[_Job], list[_Job]]:
    """What is done first, and what then; the long ones stand first, so that no core waits at the end."""
    teaching = ground.teaching
    members, folds = range(teaching.members), range(teaching.folds)
    first = [_Job(ground, "land", k, feeders=feeders) for k in members] if teaching.land else []
    then = [_Job(ground, "points", k, feeders=feeders) for k in members]
    return first, then + [_Job(ground, "points", k, fold=True, feeders=feeders) for k in folds]


def _after(job: _Job, land: Sequence[Member]) -> _Job:
    """The job goes on from what was taught of land: a member from its own network, a fold from as many as it takes."""
    count = job.ground.teaching.fold_networks if job.fold else 1
    mine = [land[k] for k in sorted((job.number + k) % len(land) for k in range(count))] if land else []
    return replace(job, begun=tuple(member.state for member in mine))


def _later(curve: list[Row], steps: int) -> list[Row]:
    """The rows of a curve that goes on after so many steps."""
    return [{**row, "step": row["step"] + steps} for row in curve]


def _wait(waiting: Sequence[Future[Any]], tell: Callable[[], None]) -> None:
    """Until all are done, or one of them failed: then its error is raised, whatever the others do."""
    left = set(waiting)
    while left:
        done, left = wait(left, timeout=TELL_EVERY_S, return_when=FIRST_EXCEPTION)
        for one in done:
            one.result()
        tell()


@contextmanager
def memory_told() -> Iterator[None]:
    """Say in words that a process vanished.

    Raises:
        ConfigError: one was ended from outside, as Linux does where memory is short.
    """
    try:
        yield
    except BrokenProcessPool as error:
        raise ConfigError(
            "training: a process was ended from outside, most likely because memory was short",
            hint="take fewer --workers, or fewer or smaller counties; the same command goes on where it stopped",
        ) from error


def progress_words(jobs: Sequence[_Job], told: Told) -> tuple[int, int, str]:
    """Steps done, in all, and the last losses and macro-F1 of what is being taught, in words."""
    words = []
    for job in jobs:
        step, numbers = told.get(job.words, (0, {}))
        if 0 < step < job.steps:
            words.append(f"{job.words} step {step}: {_numbers(numbers)}")
    done = sum(told[job.words][0] for job in jobs if job.words in told)
    return done, sum(job.steps for job in jobs), "; ".join(words) or "teaching"


def _numbers(numbers: Row) -> str:
    loss = sum(value for key, value in numbers.items() if not key.startswith("f1_"))
    scores = " ".join(f"{key[3:]} {value:.2f}" for key, value in numbers.items() if key.startswith("f1_"))
    return f"loss {loss:.2f}" + (f", macro-F1 {scores}" if scores else "")


# --- in a process of its own --------------------------------------------------------------------------------------
def _leave_ctrl_c() -> None:
    """Only the first process hears Ctrl-C, and tells the others by `STOP`: they end without a traceback each."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@functools.lru_cache(maxsize=1)
def _banks(recipe: str, counties: tuple[Path, ...]) -> tuple[Bank, ...]:
    return tuple(read_banks(Teaching.model_validate_json(recipe), counties))


def _work(job: _Job, told: Any) -> Fold | Member:
    """Teach one member, or the networks of one fold, and let these tell what they were not shown."""
    ground, teaching = job.ground, job.ground.teaching
    if STOP in told:
        raise KeyboardInterrupt
    banks = list(_banks(teaching.model_dump_json(), ground.counties))
    latest: Row = {}
    before = [0, 0]  # steps of the networks that are done, and of the one at work

    def tell(step: int, _: int, numbers: Row) -> None:
        if STOP in told:
            raise KeyboardInterrupt
        if step < before[1]:
            before[0] += before[1]
        before[1] = step
        latest.update(numbers)
        told[job.words] = (before[0] + step, dict(latest))

    start = nets_of(teaching, list(job.begun)) if job.begun else None
    points = [bank for bank in banks if bank.shape is None]
    land = [bank for bank in banks if bank.shape is not None]
    if not job.fold:
        watch = None if ground.watch is None else county_bank(ground.watch, teaching.axis.of)
        curve: list[Row] = []
        lesson = Lesson(
            1000 * teaching.seed + job.number, tell, TELL_EVERY_STEPS, watch=watch, feeders=job.feeders, curve=curve,
            keep=ground.work / f"{teaching.level}-{job.number}-{job.part}.state",
        )  # fmt: skip
        if job.part == "land":
            return Member(net_state(learn(teaching.land_recipe, land, lesson)), curve)
        return Member(net_state(learn(teaching.points_recipe, [*points, *land], lesson, start=start)), curve)
    parts = [(bank, fold_of(bank, teaching.folds) == job.number) for bank in points]
    recipe = teaching.points_recipe.model_copy(
        update={"members": teaching.fold_networks, "health_steps": teaching.fold_health_steps}
    )
    lesson = Lesson(500_000 + 100 * teaching.seed + job.number, tell, TELL_EVERY_STEPS, feeders=job.feeders)
    nets = learn(recipe, [*(bank.keep(~out) for bank, out in parts), *land], lesson, start=start)
    held = [bank.keep(out) for bank, out in parts if out.any()]
    tellable = [bank for bank in held if bank.taught.any()] if teaching.health_taught else []
    counties = [bank for bank in banks if bank.simulated]
    return Fold(
        [(bank, said[0], said[1]) for bank in held for said in [predict_alone(nets, alone_inputs(bank))]],
        [point_fields(nets, bank, np.random.default_rng(job.number), counties) for bank in held],
        [tell_drawings(nets, bank, job.number) for bank in tellable],
    )


def fold_of(bank: Bank, folds: int) -> npt.NDArray[np.int64]:
    """Fold of each sample by its place, as `data/labels/folds.csv` says, folded again where fewer are wanted."""
    listed = read_folds()
    return np.array([listed[bank.name, str(cell)] % folds for cell in bank.group], np.int64)


def alone_inputs(bank: Bank) -> npt.NDArray[np.float32]:
    """Network inputs (n, bin, channel) of every pixel of a bank."""
    return np.ascontiguousarray(inputs_of(bank, np.arange(bank.clear.shape[1])).transpose(2, 0, 1))
