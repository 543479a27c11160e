# SPDX-License-Identifier: Apache-2.0
"""What a model's card promises, as plain values: sets of crops, and from where on land is unlike all it was taught."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True)
class ConformalStep:
    """From how many clear looks on a threshold holds, for which crops, and on how many fields it stands."""

    from_looks: int
    threshold: float
    """A crop is in the parcel's set when its calibrated probability reaches this (split conformal)."""
    n: int
    group: str | None = None
    """It holds where the likeliest class is of this group; None: of any group that has no step of its own."""


@dataclass(frozen=True)
class EnergyStep:
    """From how many clear looks on a parcel whose mean energy lies above a number is unlike all that was taught."""

    from_looks: int
    above: float


@dataclass(frozen=True)
class TemperatureStep:
    """From how many clear looks on a temperature holds."""

    from_looks: int
    temperature: float


@dataclass(frozen=True)
class SlotCalibration:
    """What the model's card promises about the probabilities of one season slot."""

    classes: tuple[str, ...]
    """Classes in the order of the slot's crop head; `none` among them."""
    temperature: float
    """Parcel log-probabilities are divided by this before they are called probabilities."""
    alpha: float
    """Share of parcels whose set may miss the true crop."""
    cells: tuple[ConformalStep, ...]
    """Of each group that has any: rising by `from_looks`, the first from 0; those of group None are always there."""
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Group -> its classes; a class is in one group at most."""
    temperature_steps: tuple[TemperatureStep, ...] = ()
    """Rising by `from_looks`, the first from 0; they win over the one temperature. Empty: one for all looks."""
    alone_from: float = 0.0
    """From which probability on one crop may stand alone in a set."""

    def temperatures(self, looks: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """What the log-probabilities of parcels of so many clear looks are divided by, (parcel,)."""
        import numpy as np

        steps = self.temperature_steps or (TemperatureStep(0, self.temperature),)
        found: npt.NDArray[np.float64] = np.array([step.temperature for step in steps])[
            step_at(looks, [step.from_looks for step in steps])
        ]
        return found

    def threshold(self, looks: npt.NDArray[np.int64], best: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """The threshold that holds for parcels of so many clear looks and such a likeliest class.

        Args:
            looks: number of clear looks, (parcel,).
            best: place of the likeliest class in `classes`, (parcel,).

        Returns:
            (parcel,), 0 to 1.
        """
        import numpy as np

        names = [None, *dict.fromkeys(cell.group for cell in self.cells if cell.group is not None)]
        of_class = {name: names.index(group) for group in names[1:] for name in self.groups[str(group)]}
        mine = np.array([of_class.get(name, 0) for name in self.classes])[best]
        out = np.zeros(len(looks))
        for k, group in enumerate(names):
            cells = [cell for cell in self.cells if cell.group == group]
            at = step_at(looks, [cell.from_looks for cell in cells])
            out = np.where(mine == k, np.array([cell.threshold for cell in cells])[at], out)
        return out

    def may_be(self, share: npt.NDArray[np.float64], looks: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """The crops that a parcel may bear: those that reach the threshold, and always the likeliest.

        A threshold keeps its promise over many fields, also where it lets a doubtful one pass for certain. Where the
        card says `alone_from`, a crop stands alone from that probability of its own on; below it the runner-up is named
        too, and a person looks.

        Args:
            share: calibrated probabilities, (parcel, class); class as in `classes`.
            looks: number of clear looks, (parcel,).

        Returns:
            (parcel, class).
        """
        import numpy as np

        here, best = np.arange(len(share)), share.argmax(axis=1)
        inside: npt.NDArray[np.bool_] = share >= self.threshold(looks, best)[:, None]
        inside[here, best] = True
        doubtful = (inside.sum(axis=1) == 1) & (share[here, best] < self.alone_from)
        rest = share.copy()
        rest[here, best] = -1
        inside[here[doubtful], rest.argmax(axis=1)[doubtful]] = True
        return inside


def step_at(looks: npt.NDArray[np.int64], starts: Sequence[int]) -> npt.NDArray[np.int64]:
    """Place of the last step that begins at or below each number of looks; `starts` rise, the first is 0."""
    import numpy as np

    at: npt.NDArray[np.int64] = np.maximum(np.searchsorted(np.asarray(starts), looks, side="right") - 1, 0)
    return at


@dataclass(frozen=True)
class Calibration:
    """What the model's card promises about its probabilities."""

    slots: Mapping[str, SlotCalibration]
    """Of slot A and of slot B."""
    crop_slots: Mapping[str, tuple[str, ...]]
    """Crop class -> the season slots it may fill: A, B, AB."""
    energy_threshold: float | None = None
    """A parcel whose mean energy lies above this is unlike anything the network was taught; None: not
    told. Steps win over it."""
    energy_steps: tuple[EnergyStep, ...] = ()
    """The same by number of clear looks, rising, the first from 0: what was seen less is stranger to the network."""

    def unlike_above(self, looks: npt.NDArray[np.int64]) -> npt.NDArray[np.float64] | None:
        """From which mean energy on parcels of so many clear looks are unlike all that was taught, (parcel,).

        None where the card does not tell.
        """
        import numpy as np

        steps = self.energy_steps or (() if self.energy_threshold is None else (EnergyStep(0, self.energy_threshold),))
        if not steps:
            return None
        above: npt.NDArray[np.float64] = np.array([step.above for step in steps])[
            step_at(looks, [step.from_looks for step in steps])
        ]
        return above
