# SPDX-License-Identifier: Apache-2.0
"""Fields to calibrate on, of counties and of real places that were held back, and what a card may promise by them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from acreline.layers import LOGP_SCALE, MIN_FULL_PX
from acreline.model.banks import Bank, inputs_of
from acreline.model.calibrate import (
    LAND,
    LOOK_STEPS,
    SIMULATED,
    Ranges,
    SlotFields,
    area_under_curve,
    fit_head,
    fit_novelty,
)
from acreline.model.heads import LandPromise, Novelty, SlotHead
from acreline.model.members import AcreNets
from acreline.model.novelty import pixel_energy
from acreline.model.segment import LOGP_MIN
from acreline.model.views import draw_views
from acreline.promises import step_at
from acreline.trial.set_coverage import measured_coverage
from acreline.trial.strange import made_unknowns

ALPHA = 0.10
"""Share of sets that may miss the true crop."""
UNLIKE = 0.05
"""Share of known land that may be called unknown (science notes 2.5)."""
PURE = 0.8
"""A field whose commonest crop covers less of it has no one true crop: such fields are referred, not judged."""
MADE_PX = 5
"""Pixels of each field that unknown land is made from."""
STRIP_ROWS = 16
PART = 512
"""Pixels told in one go."""
FLOOR = LOGP_MIN / LOGP_SCALE
"""Maps keep no log-probability below this: nor are means taken of lower ones."""

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Fields:
    """Fields that a network had not seen, as the river would hear of them."""

    logp_a: npt.NDArray[np.float32]
    """(field, class): mean log-probability over the field's pixels, head of slot A."""
    logp_b: npt.NDArray[np.float32]
    crop_a: npt.NDArray[np.int16]
    """(field,): place in the head of slot A, -1 = not known."""
    crop_b: npt.NDArray[np.int16]
    looks: npt.NDArray[np.int64]
    """(field,): passes on which at least half of it was clear."""
    pixels: npt.NDArray[np.int64]
    energy: Scores
    """(field,): mean of `novelty.pixel_energy`; of `point_fields` on the scale of `energy_scale`, NaN = not told."""
    place: npt.NDArray[np.str_]
    """(field,): fields of one place are never parted."""

    def __len__(self) -> int:
        return len(self.looks)

    def keep(self, chosen: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> Fields:
        """Only these fields."""
        return Fields(**{one.name: getattr(self, one.name)[chosen] for one in fields(self)})

    def slot(self, slot: str) -> SlotFields:
        """What one head said of the fields whose crop in its slot is known."""
        logp, label = (self.logp_a, self.crop_a) if slot == "A" else (self.logp_b, self.crop_b)
        known = label >= 0
        return SlotFields(logp[known], label[known].astype(np.int64), self.looks[known], self.place[known])


def join_fields(parts: Sequence[Fields]) -> Fields:
    """Fields of several lands one after the other."""
    return Fields(**{one.name: np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(Fields)})


def county_fields(nets: AcreNets, bank: Bank, rng: np.random.Generator) -> Fields:
    """Paint a county that was held back, seen often and seldom, and gather its fields.

    As the river does, a field is heard as the mean log-probability of its pixels off the edge, and its looks are the
    passes on which at least half of them were clear. Fields of fewer than 8 such pixels are not judged; ground in no
    parcel is no field. Each field stands once at most in each range of looks, in a view drawn by lot.

    Args:
        nets: the members.
        bank: a county as a picture, `counties.county_bank`.
        rng: of the views.
    """
    inner = _inner(bank)
    parts, numbers = [], []
    for view in draw_views(bank, rng).values():
        logp_a, logp_b, energy = _paint(nets, view)
        seen = inner & view.clear.any(axis=0)
        field, at, count = np.unique(bank.field[seen], return_inverse=True, return_counts=True)
        if not len(field):
            continue
        means = [_means(logp[:, seen].clip(FLOOR), at) for logp in (logp_a, logp_b)]
        clear = _means(view.clear[:, seen].astype(np.float64), at) >= 0.5
        labels = [_commonest(crop[seen], at, count) for crop in (bank.crop_a, bank.crop_b)]
        found = Fields(
            means[0].astype(np.float32), means[1].astype(np.float32), labels[0], labels[1],
            clear.sum(axis=1).astype(np.int64), count.astype(np.int64),
            _means(energy[None, seen], at)[:, 0], np.full(len(field), bank.name),
        )  # fmt: skip
        judged = (count >= MIN_FULL_PX) & (found.looks > 0)
        parts.append(found.keep(judged))
        numbers.append(field[judged])
    return _one_view_each(join_fields(parts), np.concatenate(numbers), rng)


def _paint(nets: AcreNets, bank: Bank) -> tuple[npt.NDArray[np.float32], ...]:
    """Log-probabilities (class, pixel) of both slots with their surroundings, and energy (pixel,), of a picture."""
    assert bank.shape is not None
    rows, cols = bank.shape
    strips = []
    with torch.inference_mode():
        for top in range(0, rows, STRIP_ROWS):
            x = _inputs(bank, np.arange(top * cols, min(top + STRIP_ROWS, rows) * cols))
            strips.append(nets.embed(torch.from_numpy(x).permute(1, 2, 0).reshape(*x.shape[1:], -1, cols)[None]))
        y = torch.cat(strips, dim=2)
        crops = nets.decode(torch.nn.functional.pad(y, (0, -cols % 4, 0, -rows % 4), mode="replicate"))[:2]
        logp = [torch.log_softmax(part[0, :, :rows, :cols], dim=0).flatten(1).numpy() for part in crops]
        return logp[0], logp[1], pixel_energy(nets, y)[0].flatten().numpy()


def point_fields(nets: AcreNets, bank: Bank, rng: np.random.Generator, counties: Sequence[Bank] = ()) -> Fields:
    """Let networks that were not shown them tell fields known from one pixel each, seen often and seldom.

    Args:
        nets: the members.
        bank: land without a picture, each pixel a field.
        rng: of the views.
        counties: that these networks learned from: energies are told in spreads from their middle, for networks that
            were taught for longer have lower ones. None: no energy is told.
    """
    every = np.arange(len(bank.field))
    middle, spread = energy_scale(nets, counties) if counties else (np.nan, 1.0)
    parts = []
    for view in draw_views(bank, rng).values():
        logp_a, logp_b, energy = _tell_alone(nets, _inputs(view, every))
        found = Fields(
            logp_a.clip(FLOOR), logp_b.clip(FLOOR), bank.crop_a, bank.crop_b, view.clear.sum(axis=0).astype(np.int64),
            np.ones(len(every), np.int64), (energy - middle) / spread, bank.group,
        )  # fmt: skip
        parts.append(found)
    once = _one_view_each(join_fields(parts), np.tile(every, len(parts)), rng)
    return once.keep(once.looks > 0)


def energy_scale(nets: AcreNets, counties: Sequence[Bank]) -> tuple[float, float]:
    """Median and interquartile range of the energies of counties' fields with all looks, for these networks."""
    rng = np.random.default_rng(0)
    found = []
    for bank in counties:
        pixels = _draw_pixels(bank, rng)
        at = np.unique(bank.field[pixels], return_inverse=True)[1]
        found.append(_means(_tell_alone(nets, _inputs(bank, pixels))[2][None], at)[:, 0])
    low, middle, high = np.quantile(np.concatenate(found), [0.25, 0.5, 0.75])
    return float(middle), float(max(high - low, 1e-6))


def _inputs(bank: Bank, pixels: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Network inputs (n, bin, channel) of some pixels."""
    return np.ascontiguousarray(inputs_of(bank, pixels).transpose(2, 0, 1))


def _tell_alone(
    nets: AcreNets, x: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], Scores]:
    """Log-probabilities (n, class) of both slots and energy (n,) of inputs (n, bin, channel), each by itself."""
    told: tuple[list[torch.Tensor], ...] = ([], [], [])
    with torch.inference_mode():
        for part in torch.split(torch.from_numpy(x), PART):
            y = nets.embed(part.permute(1, 2, 0)[None, :, :, None, :])
            heads = nets.auxiliary(y)
            for k in range(2):
                told[k].append(torch.log_softmax(heads[k], dim=1)[0, :, 0].T)
            told[2].append(pixel_energy(nets, y)[0, 0])
    logp_a, logp_b, energy = (torch.cat(part).numpy() for part in told)
    return logp_a, logp_b, energy.astype(np.float64)


def _draw_pixels(bank: Bank, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Up to `MADE_PX` pixels off the edge of each parcel that has enough of them to be judged; rising."""
    pixels = rng.permutation(np.flatnonzero(_inner(bank)))
    field = bank.field[pixels]
    pixels = pixels[np.argsort(field, kind="stable")]
    field = bank.field[pixels]
    first = np.searchsorted(field, field)
    size = np.searchsorted(field, field, side="right") - first
    return np.sort(pixels[(np.arange(len(field)) - first < MADE_PX) & (size >= MIN_FULL_PX)])


def _inner(bank: Bank) -> npt.NDArray[np.bool_]:
    """(pixel,): taught, off a field's edge, and in a parcel."""
    inner = bank.taught if bank.weight is None else bank.taught & (bank.weight >= 1)
    return inner if bank.registered is None else inner & (bank.field <= bank.registered)


def _one_view_each(told: Fields, number: npt.NDArray[np.int64], rng: np.random.Generator) -> Fields:
    """Of each field one view by lot in each range of looks: the same field twice would count as two that agree."""
    order = rng.permutation(len(told))
    key = number[order] * len(LOOK_STEPS) + step_at(told.looks[order], LOOK_STEPS)
    return told.keep(np.sort(order[np.unique(key, return_index=True)[1]]))


def _means(values: npt.NDArray[Any], at: npt.NDArray[np.int64]) -> Scores:
    """(row, pixel) -> (field, row)."""
    count = np.bincount(at)
    return np.stack([np.bincount(at, row, len(count)) / count for row in values], axis=1)


def _commonest(
    crop: npt.NDArray[np.int16], at: npt.NDArray[np.int64], count: npt.NDArray[np.int64]
) -> npt.NDArray[np.int16]:
    """The commonest crop of each field, -1 where it covers less than `PURE` of it, or none is known."""
    kinds = int(crop.max(initial=0)) + 2
    table = np.bincount(at * kinds + crop + 1, minlength=len(count) * kinds).reshape(len(count), kinds)
    best = table.argmax(axis=1)
    pure = table[np.arange(len(best)), best] >= PURE * count
    return np.where(pure, best - 1, -1).astype(np.int16)


# --- unknown land -------------------------------------------------------------------------------------------------
def novelty_scores(nets: AcreNets, bank: Bank, rng: np.random.Generator) -> dict[str, Scores]:
    """Mean energy of a county's fields as they are (`known`), and made strange: see `made_unknowns`.

    Up to five pixels of each field of at least 8 off the edge, with all looks.
    """
    pixels = _draw_pixels(bank, rng)
    x = _inputs(bank, pixels)
    at = np.unique(bank.field[pixels], return_inverse=True)[1]
    step_days = (bank.axis.end - bank.axis.start).days / bank.axis.bins
    given = {"known": x, **made_unknowns(x, at, step_days, rng)}
    return {name: _means(_tell_alone(nets, values)[2][None], at)[:, 0] for name, values in given.items()}


# --- the promise --------------------------------------------------------------------------------------------------
def calibrate_heads(
    real: Fields | None,
    counties: Sequence[Fields],
    *,
    scale: tuple[float, float] | None = None,
    strange: Sequence[Mapping[str, Scores]] = (),
    ranges: Ranges = LAND,
) -> tuple[dict[str, SlotHead], Novelty, dict[str, Any]]:
    """What a card may promise, from fields that were held back; see `docs/decisions/0008-calibration-in-cells.md`.

    Args:
        real: fields of real places, told by networks that never saw them; None: there are none.
        counties: simulated counties that nothing was learned from, told by the shipped networks.
        scale: `energy_scale` of the shipped networks; None: the energies of real fields are left out.
        strange: what `novelty_scores` says of the counties.
        ranges: of looks.

    Returns:
        slot -> head; the card's part on unknown land; and figures for its metrics: measured coverage by slot, source
        and cell over halvings of the places, and how well made unknown land is told from known land, on simulated data.

    Raises:
        ValueError: there is no field at all.
    """
    sources = {name: told for name, told in (("simulated", _joined(counties)), ("real", real)) if told is not None}
    heads: dict[str, SlotHead] = {}
    coverage: dict[str, Any] = {}
    for slot in ("A", "B"):
        told = {name: one.slot(slot) for name, one in sources.items()}
        heads[slot] = fit_head(slot, told, ALPHA, ranges=ranges)
        coverage[slot] = measured_coverage(slot, told, ALPHA, ranges=ranges)
    kinds = sorted({name for one in strange for name in one} - {"known"})
    pooled = {name: np.concatenate([one[name] for one in strange]) for name in ("known", *kinds) if strange}
    energies = {name: (one.energy, one.looks) for name, one in sources.items()}
    if real is not None:
        middle, spread = scale or (np.nan, np.nan)
        energies["real"] = (middle + spread * real.energy, real.looks)
    auroc = {name: area_under_curve(pooled["known"], pooled[name]) for name in kinds}
    novelty = fit_novelty(energies, UNLIKE, auroc=auroc, ranges=ranges)
    metrics: dict[str, Any] = {
        "coverage": coverage,
        "places": {name: len(np.unique(one.place)) for name, one in sources.items()},
    }
    if strange and novelty.cells:
        above = novelty.cells[-1].above
        metrics["unknown_land"] = {
            "on": "simulated data",
            "auroc": novelty.auroc,
            "referred": {name: round(float((values > above).mean()), 3) for name, values in pooled.items()},
            "fields": len(pooled["known"]),
        }
    return heads, novelty, metrics


def simulated_promise(
    counties: Sequence[Fields], strange: Sequence[Mapping[str, Scores]]
) -> tuple[LandPromise | None, dict[str, Any]]:
    """What a card may promise of simulated land, from simulated fields and from nothing else.

    See `docs/decisions/0019-a-promise-for-each-kind-of-land.md`.

    Args:
        counties: that nothing was learned from, told by the shipped networks; none: nothing is promised apart.
        strange: what `novelty_scores` says of them.

    Returns:
        the promise, and its figures as `calibrate_heads` measures them.
    """
    if not counties:
        return None, {}
    heads, unknown, figures = calibrate_heads(None, counties, strange=strange, ranges=SIMULATED)
    return LandPromise(heads={"A": heads["A"], "B": heads["B"]}, unknown=unknown), figures


def _joined(parts: Sequence[Fields]) -> Fields | None:
    return join_fields(parts) if parts else None
