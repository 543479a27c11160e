# SPDX-License-Identifier: Apache-2.0
"""Other years, sensors and skies over the same land: how series are varied in training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from acreline.layers import BANDS
from acreline.model.banks import Bank, reflectance_of

HAZE = np.array([1.6, 1.2, 0.9, 0.55, 0.8, 0.7, 0.65, 0.5, 0.25, 0.15], np.float32)
"""A thin veil's reflectance by band, relative to 600 nm: (wavelength / 550 nm)^-1.3, in the order of `BANDS`."""


@dataclass(frozen=True)
class Changes:
    """How much the series are varied in training."""

    shift_days: float = 15
    stretch: float = 0.05
    drop: float = 0.5
    hole_days: float = 45
    gain: float = 0.03
    look_gain: float = 0.02
    haze: float = 0.01
    in_season: float = 0.3
    """Share of draws that end on a random day: the as-of date of a run in season."""
    damage: float = 0.3
    """Share of real fields into which damage is drawn."""
    blind: float = 0.15
    """Share of draws whose visible bands are taken away."""


class Looked(NamedTuple):
    """What is seen of some pixels."""

    values: npt.NDArray[np.float32]
    """Reflectance (look, band, pixel), 0 to 1."""
    clear: npt.NDArray[np.bool_]
    """(look, pixel)."""
    days: npt.NDArray[np.float64]
    """(look,) as the network is told."""
    source_days: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Sky:
    """One year, sensor and sky for all pixels of a draw."""

    days: npt.NDArray[np.float64]
    """(time,) as the network is told."""
    source_days: npt.NDArray[np.float64]
    kept: npt.NDArray[np.bool_]
    """(time,)."""
    gain: npt.NDArray[np.float32]
    """(time, band)."""
    haze: npt.NDArray[np.float32]
    visible: bool
    as_of: float
    """In days of the source."""

    def look(self, bank: Bank, pixels: npt.NDArray[np.int64]) -> Looked:
        """Some pixels under this sky, in the looks that show one of them: from the others nothing is learned."""
        clear = bank.clear[:, pixels] & self.kept[:, None]
        seen = np.flatnonzero(clear.any(axis=1))
        seen = seen if len(seen) else np.zeros(1, np.int64)  # a look that shows nothing, rather than none at all
        values = reflectance_of(bank.read(pixels, seen))
        values *= self.gain[seen, :, None]
        values += self.haze[seen, :, None]
        if not self.visible:
            values[:, :3] = 0
        return Looked(np.clip(values, 0, 1, out=values), clear[seen], self.days[seen], self.source_days[seen])


def vary_sky(bank: Bank, changes: Changes, rng: np.random.Generator) -> Sky:
    """Another year, sensor and sky: time shifted and stretched, looks lost, gain and haze changed."""
    length = (bank.axis.end - bank.axis.start).days
    middle = length / 2
    stretch, shift = rng.uniform(1 - changes.stretch, 1 + changes.stretch), rng.uniform(-1, 1) * changes.shift_days
    days = (bank.days - middle) * stretch + middle + shift
    looks = len(days)
    kept = rng.random(looks) >= rng.uniform(0, changes.drop)
    hole = rng.uniform(0, length)
    kept &= ~((days >= hole) & (days < hole + rng.uniform(0, changes.hole_days)))
    as_of = np.inf
    if rng.random() < changes.in_season:
        last = rng.uniform(float(bank.axis.on_axis(np.array([150.0]))[0]), length)
        kept &= days <= last
        as_of = (last - shift - middle) / stretch + middle
    gain = rng.normal(1, changes.gain, (1, len(BANDS))) * rng.normal(1, changes.look_gain, (looks, 1))
    haze = np.abs(rng.normal(0, changes.haze, (looks, 1))) * HAZE[None]
    visible = bank.visible and rng.random() >= changes.blind
    return Sky(days, bank.days, kept, gain.astype(np.float32), haze.astype(np.float32), visible, as_of)
