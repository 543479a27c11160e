# SPDX-License-Identifier: Apache-2.0
"""The processes of a training: members of the model, and networks of the folds that tell what they were not shown."""

from __future__ import annotations

import functools
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from acreline.errors import ConfigError
from acreline.model.banks import Bank, inputs_of
from acreline.model.learning import Lesson, learn
from acreline.model.painting import net_state
from acreline.model.watching import Row, predict_alone
from acreline.trial.calibration import Fields, point_fields
from acreline.trial.counties import county_bank
from acreline.trial.drawings import tell_drawings
from acreline.trial.packaged import read_folds
from acreline.trial.teaching import Teaching, read_banks

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
    """What a network says of places that it was not shown."""

    rows: list[tuple[Bank, npt.NDArray[np.float32], npt.NDArray[np.float32]]]
    fields: list[Fields]
    drawings: list[Any]


@dataclass(frozen=True)
class Member:
    """A network that is part of the model."""

    state: dict[str, npt.NDArray[Any]]
    curve: list[Row]


@dataclass(frozen=True)
class _Job:
    ground: Ground
    fold: int | None
    member: int
    feeders: int

    @property
    def words(self) -> str:
        return f"member {self.member + 1}" if self.fold is None else f"fold {self.fold + 1}"

    @property
    def steps(self) -> int:
        teaching = self.ground.teaching
        return (
            teaching.steps + teaching.health_steps
            if self.fold is None
            else teaching.fold_steps + teaching.fold_health_steps
        )


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
    jobs = [_Job(ground, fold, 0, feeders) for fold in range(teaching.folds)]
    jobs += [_Job(ground, None, member, feeders) for member in range(teaching.members)]
    context = get_context("spawn")
    with (
        memory_told(),
        context.Manager() as manager,
        ProcessPoolExecutor(processes, mp_context=context, initializer=_leave_ctrl_c) as pool,
    ):
        told = manager.dict()
        # The long ones first, so that no core waits at the end; the order of results is that of the jobs.
        order = sorted(range(len(jobs)), key=lambda k: jobs[k].fold is not None)
        waiting = {k: pool.submit(_work, jobs[k], told) for k in order}
        try:
            _wait([waiting[k] for k in order], lambda: tell(*progress_words(jobs, dict(told))))
        except BaseException:
            told[STOP] = (0, {})  # those that are at work end within a few steps
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    done: list[Any] = [waiting[k].result() for k in range(len(jobs))]
    return done[: teaching.folds], done[teaching.folds :]


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
    """Teach one member, or one network without a part of the places and let it tell what it was not shown."""
    ground, teaching = job.ground, job.ground.teaching
    if STOP in told:
        raise KeyboardInterrupt
    banks = list(_banks(teaching.model_dump_json(), ground.counties))
    latest: Row = {}

    def tell(step: int, _: int, numbers: Row) -> None:
        if STOP in told:
            raise KeyboardInterrupt
        latest.update(numbers)
        told[job.words] = (step, dict(latest))

    if job.fold is None:
        one = teaching.model_copy(update={"members": 1})
        watch = None if ground.watch is None else county_bank(ground.watch, teaching.axis.of)
        curve: list[Row] = []
        lesson = Lesson(
            1000 * teaching.seed + job.member, tell, TELL_EVERY_STEPS, watch=watch, feeders=job.feeders, curve=curve,
            keep=ground.work / f"{teaching.level}-{job.member}.state",
        )  # fmt: skip
        return Member(net_state(learn(one, banks, lesson)), curve)
    real = [bank for bank in banks if not bank.simulated and bank.shape is None]
    rest = [bank for bank in banks if bank.simulated or bank.shape is not None]
    parts = [(bank, fold_of(bank, teaching.folds) == job.fold) for bank in real]
    light = {
        "members": 1, "steps": teaching.fold_steps, "health_steps": teaching.fold_health_steps,
        "shares": {**teaching.shares, "singles": teaching.fold_singles, "mosaics": 0, "crops": 0},
    }  # fmt: skip
    shown = [bank.keep(~out) for bank, out in parts]
    lesson = Lesson(500_000 + 100 * teaching.seed + job.fold, tell, TELL_EVERY_STEPS, feeders=job.feeders)
    nets = learn(teaching.model_copy(update=light), [*shown, *rest], lesson)
    held = [bank.keep(out) for bank, out in parts if out.any()]
    tellable = [bank for bank in held if bank.taught.any()] if teaching.health_taught else []
    counties = [bank for bank in banks if bank.simulated]
    return Fold(
        [(bank, said[0], said[1]) for bank in held for said in [predict_alone(nets, alone_inputs(bank))]],
        [point_fields(nets, bank, np.random.default_rng(job.fold), counties) for bank in held],
        [tell_drawings(nets, bank, job.fold) for bank in tellable],
    )


def fold_of(bank: Bank, folds: int) -> npt.NDArray[np.int64]:
    """Fold of each sample by its place, as `data/labels/folds.csv` says, folded again where fewer are wanted."""
    listed = read_folds()
    return np.array([listed[bank.name, str(cell)] % folds for cell in bank.group], np.int64)


def alone_inputs(bank: Bank) -> npt.NDArray[np.float32]:
    """Network inputs (n, bin, channel) of every pixel of a bank."""
    return np.ascontiguousarray(inputs_of(bank, np.arange(bank.clear.shape[1])).transpose(2, 0, 1))
