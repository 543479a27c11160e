# SPDX-License-Identifier: Apache-2.0
"""Probabilities that mean what they say: one temperature, and sets that hold the true crop as often as promised.

Split conformal prediction with a threshold for each crop group of the likeliest class and each range of clear looks
(Vovk et al. 2003, Mondrian): both are known when a field is judged, so the promise holds within each such cell, for
fields like those it was taken from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from acreline.model.classes import HEADS, head_groups
from acreline.model.heads import ConformalCell, EnergyCell, Novelty, Pool, SlotHead, TemperatureCell
from acreline.promises import step_at

Logits = npt.NDArray[np.floating[Any]]
"""(field, class): mean log-probabilities over the pixels of fields that the network did not see in training."""
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
TEMPERATURES = np.exp(np.linspace(np.log(0.25), np.log(4.0), 161))
LOOK_STEPS = (0, 7, 13)
"""Cells of at most 6, of 7 to 12, and of more clear looks (science notes 2.5)."""
LEAST_FIELDS = {"simulated": 100, "real": 30}
"""Source -> fields that a cell of its own needs. 100: the tenth part is known to 3 points. Of real fields there are few
hundred; a rough threshold of real land is better than a fine one of simulated land alone."""


@dataclass(frozen=True)
class SlotFields:
    """Fields of one source, as the head of one slot told them."""

    logits: Logits
    """(field, class)."""
    label: Ints
    """(field,): place in the head's classes."""
    looks: Ints
    """(field,): clear looks."""
    place: npt.NDArray[np.str_]
    """(field,): fields of one place are never parted."""

    def __len__(self) -> int:
        return len(self.label)

    def keep(self, chosen: npt.NDArray[np.bool_]) -> SlotFields:
        """Only these fields."""
        return SlotFields(self.logits[chosen], self.label[chosen], self.looks[chosen], self.place[chosen])


def calibrated_probability(logits: Logits, temperature: float | Floats) -> Floats:
    """Softmax of logits / temperature, (field, class): what the river says of a field's mean log-probabilities.

    The temperature is one for all, or one of each field, (field,).
    """
    scaled = logits.astype(np.float64) / np.reshape(temperature, (-1, 1))
    scaled -= scaled.max(axis=1, keepdims=True)
    share = np.exp(scaled)
    probability: Floats = share / share.sum(axis=1, keepdims=True)
    return probability


def fit_temperature(logits: Logits, label: npt.NDArray[np.integer], weight: Floats | None = None) -> float:
    """The temperature under which the true crops were least surprising, from 0.25 to 4.

    Args:
        logits: (field, class).
        label: (field,).
        weight: (field,), what each counts; None: all the same.
    """
    rows = np.arange(len(label))
    values = logits.astype(np.float64)
    values -= values.max(axis=1, keepdims=True)

    def surprise(k: int) -> float:
        scaled = values / TEMPERATURES[k]
        return float(np.average(np.log(np.exp(scaled).sum(axis=1)) - scaled[rows, label], weights=weight))

    low, high = 0, len(TEMPERATURES) - 1
    while low < high:  # the surprise is convex in 1 / temperature: it has one valley
        middle = (low + high) // 2
        low, high = (low, middle) if surprise(middle) <= surprise(middle + 1) else (middle + 1, high)
    return float(TEMPERATURES[low])


def conformal_threshold(true_probability: Floats, alpha: float) -> float:
    """From which probability on a crop is in a field's set, so that at most a share `alpha` of sets miss the truth.

    Split conformal with score 1 - p_true: the k-th smallest p_true, k = floor(alpha (n + 1)); 0 (every crop is in
    every set) where too few fields are known to promise anything.
    """
    k = int(np.floor(alpha * (len(true_probability) + 1)))
    return float(np.sort(true_probability)[k - 1]) if k >= 1 else 0.0


def energy_threshold(energy: Floats, alpha: float) -> float:
    """Above which at most a share `alpha` of known fields lies: the k-th largest, k = floor(alpha (n + 1)).

    The largest where too few are known to promise that.
    """
    k = max(int(np.floor(alpha * (len(energy) + 1))), 1)
    return float(np.sort(energy)[-k])


@dataclass(frozen=True)
class _Found:
    """A number of one source for one cell, and where it comes from."""

    value: float
    n: int
    pool: Pool
    source: str


@dataclass(frozen=True)
class Ranges:
    """Ranges of clear looks that a promise is made for, and how."""

    steps: tuple[int, ...] = LOOK_STEPS
    """First number of looks of each, rising from 0."""
    own_temperature: bool = False
    """Each has a temperature of its own; else one holds for all looks."""
    sure_alone: bool = False
    """A crop stands alone in a set only where its own probability is as high as what is promised."""


LAND = Ranges()
"""Of the promise that holds for land: of real fields there are few hundred."""
SIMULATED = Ranges((0, 7, 13, 25), own_temperature=True, sure_alone=True)
"""Of simulated fields there is no end: whole seasons, which have 25 looks and more, stand apart from those cut off."""


def fit_head(
    slot: str,
    sources: Mapping[str, SlotFields],
    alpha: float,
    least: Mapping[str, int] = LEAST_FIELDS,
    ranges: Ranges = LAND,
) -> SlotHead:
    """Temperature and conformal cells of a head, from fields of several sources that were held back.

    The temperature weighs sources equally. Each cell takes the lowest, most careful, of the sources' thresholds. Where
    a source has too few fields in a cell, those of its looks stand in, of any group, and then all it has.

    Args:
        slot: A or B.
        sources: simulated, real -> its fields; one without fields is left out.
        alpha: share of sets that may miss the truth.
        least: source -> fields that a cell of its own needs; of a source not listed 100.
        ranges: of looks. One with too few fields for a temperature of its own takes that of all looks.

    Returns:
        the head, with a cell for each range of looks (any group) and for each group and range of looks.

    Raises:
        ValueError: no source has a field.
    """
    given = {name: fields for name, fields in sources.items() if len(fields)}
    if not given:
        raise ValueError(f"head {slot}: no field to calibrate on")
    groups = head_groups(slot)
    temperature, warm = _temperatures(given, least, ranges)
    told = {name: _tell(fields, (temperature, warm), slot, groups, ranges.steps) for name, fields in given.items()}
    cells = []
    for group in (None, *groups):
        at = -1 if group is None else list(groups).index(group)
        for step, from_looks in enumerate(ranges.steps):
            found = [
                _pooled(p_true, own, steps, (at, step), alpha, least.get(name, 100), name)
                for name, (p_true, own, steps) in told.items()
            ]
            careful = min(found, key=lambda one: one.value)
            counts = {
                name: int(((steps == step) & ((own == at) | (group is None))).sum())
                for name, (_, own, steps) in told.items()
            }
            cells.append(
                ConformalCell(
                    from_looks=from_looks, group=group, threshold=float(np.floor(careful.value * 1e4) / 1e4),
                    n=careful.n, source=careful.source, taken_from=careful.pool, fields=counts,
                )
            )  # fmt: skip
    return SlotHead(
        classes=HEADS[slot], temperature=temperature, temperatures=warm, alpha=alpha,
        alone_from=1 - alpha if ranges.sure_alone else 0, groups=groups, cells=tuple(cells),
    )  # fmt: skip


def _temperatures(
    given: Mapping[str, SlotFields], least: Mapping[str, int], ranges: Ranges
) -> tuple[float, tuple[TemperatureCell, ...]]:
    """One temperature for all looks, and those of the ranges that have their own; sources weigh the same in each."""

    def fit(parts: Mapping[str, SlotFields]) -> float:
        weight = np.concatenate([np.full(len(fields), 1 / max(len(fields), 1)) for fields in parts.values()])
        logits = np.concatenate([fields.logits for fields in parts.values()])
        label = np.concatenate([fields.label for fields in parts.values()])
        return round(fit_temperature(logits, label, weight), 4)

    every = fit(given)
    if not ranges.own_temperature:
        return every, ()
    cells = []
    for step, from_looks in enumerate(ranges.steps):
        mine = {name: fields.keep(step_at(fields.looks, ranges.steps) == step) for name, fields in given.items()}
        enough = all(len(fields) >= least.get(name, 100) for name, fields in mine.items())
        n = sum(len(fields) for fields in (mine if enough else given).values())
        cells.append(TemperatureCell(from_looks=from_looks, temperature=fit(mine) if enough else every, n=n))
    return every, tuple(cells)


def _tell(
    fields: SlotFields,
    temperature: tuple[float, tuple[TemperatureCell, ...]],
    slot: str,
    groups: Mapping[str, tuple[str, ...]],
    steps: tuple[int, ...],
) -> tuple[Floats, Ints, Ints]:
    """Probability of each field's true crop, group of its likeliest class, and its range of looks."""
    one, warm = temperature
    at = step_at(fields.looks, steps)
    probability = calibrated_probability(
        fields.logits, np.array([cell.temperature for cell in warm])[at] if warm else one
    )
    group_of = np.array([next(k for k, names in enumerate(groups.values()) if one in names) for one in HEADS[slot]])
    return probability[np.arange(len(fields)), fields.label], group_of[probability.argmax(axis=1)], at


def _pooled(
    p_true: Floats, group: Ints, step: Ints, cell: tuple[int, int], alpha: float, least: int, source: str
) -> _Found:
    """A source's threshold for a cell (group, -1 = any; range of looks), from the narrowest pool that is large enough.

    A small cell never turns a threshold down by its own few fields; it goes by its neighbours' until it has enough.
    """
    of_looks = step == cell[1]
    pools: list[tuple[Pool, npt.NDArray[np.bool_]]] = [("looks", of_looks), ("all", np.ones(len(step), np.bool_))]
    if cell[0] >= 0:
        pools.insert(0, ("cell", of_looks & (group == cell[0])))
    name, mine = next((pool for pool in pools if pool[1].sum() >= least), pools[-1])
    return _Found(conformal_threshold(p_true[mine], alpha), int(mine.sum()), name, source)


def fit_novelty(
    sources: Mapping[str, tuple[Floats, Ints]],
    alpha: float,
    *,
    auroc: Mapping[str, float] | None = None,
    least: Mapping[str, int] = LEAST_FIELDS,
    ranges: Ranges = LAND,
) -> Novelty:
    """From where on a field is unlike what was taught, by its clear looks.

    Each range of looks takes the higher of the sources' numbers: what either source knows must not be called unknown
    more often than was promised.

    Args:
        sources: simulated, real -> mean energy (field,), NaN = not told, and clear looks (field,) of known land.
        alpha: share of known fields that may lie above.
        auroc: kind of made unknown land -> area under the curve.
        least: source -> fields that a range of looks needs for a number of its own.
        ranges: of looks.
    """
    told = {name: (energy[~np.isnan(energy)], looks[~np.isnan(energy)]) for name, (energy, looks) in sources.items()}
    given = {name: pair for name, pair in told.items() if len(pair[0])}
    cells = []
    for step, from_looks in enumerate(ranges.steps):
        found = []
        for name, (energy, looks) in given.items():
            mine = step_at(looks, ranges.steps) == step
            own = mine.sum() >= least.get(name, 100)
            pool = energy[mine] if own else energy
            found.append(_Found(energy_threshold(pool, alpha), len(pool), "looks" if own else "all", name))
        if found:
            high = max(found, key=lambda one: one.value)
            above = float(np.ceil(high.value * 1e2) / 1e2)
            cells.append(
                EnergyCell(from_looks=from_looks, above=above, n=high.n, source=high.source, taken_from=high.pool)
            )
    return Novelty(
        energy=max((cell.above for cell in cells), default=None),
        cells=tuple(cells),
        alpha=alpha,
        auroc={name: round(value, 3) for name, value in (auroc or {}).items()},
    )


def area_under_curve(known: Floats, unknown: Floats) -> float:
    """Chance that an unknown field scores higher than a known one; ties count half (Mann-Whitney U / (n m))."""
    ranked = np.sort(known)
    below = np.searchsorted(ranked, unknown, side="left") + np.searchsorted(ranked, unknown, side="right")
    return float(below.mean() / 2 / len(known))
