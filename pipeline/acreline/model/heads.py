# SPDX-License-Identifier: Apache-2.0
"""What a card says of its crop heads and of unknown land: temperatures, conformal cells, and from where on land is new.

A card with cells of no group, with one number for unknown land, or with one promise for all land, is as good as one of
today.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from pydantic import Field, model_validator

from acreline.config import Settings
from acreline.promises import ConformalStep, EnergyStep, SlotCalibration, TemperatureStep

Pool = Literal["cell", "looks", "all"]
"""Fields that a number was taken from: those of its own crop group and looks, of its looks, or all of the source."""


class ConformalCell(Settings):
    """Split-conformal threshold of parcels that were seen so often and told to bear a crop of a group."""

    from_looks: int = Field(ge=0, description="holds from this number of clear looks on")
    threshold: float = Field(ge=0, le=1, description="a class is in the set from this calibrated probability on")
    n: int = Field(0, ge=0, description="fields the threshold was taken from")
    group: str | None = Field(
        None, description="holds where the likeliest class is of this group; none: of any group without cells"
    )
    source: str | None = Field(None, description="simulated or real: the source whose threshold is the lower one")
    taken_from: Pool = Field("cell", description="fields of that source: of this cell, of its looks, or all")
    fields: dict[str, int] = Field(default_factory=dict, description="source -> calibration fields in this very cell")


class TemperatureCell(Settings):
    """The temperature of fields that were seen so often."""

    from_looks: int = Field(ge=0, description="holds from this number of clear looks on")
    temperature: float = Field(gt=0)
    n: int = Field(0, ge=0, description="fields it was fitted on")


class SlotHead(Settings):
    """The crop head of one season slot: what it may say, and what its probabilities are worth."""

    classes: tuple[str, ...] = Field(min_length=2)
    temperature: float = Field(gt=0)
    temperatures: tuple[TemperatureCell, ...] = Field((), description="the same by clear looks; wins over the one")
    alpha: float = Field(gt=0, lt=1, description="share of fields whose set may miss the true crop")
    alone_from: float = Field(
        0, ge=0, le=1, description="a crop stands alone in a set from this probability on, else with its runner-up"
    )
    groups: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="crop group -> its classes; the group is that of the likeliest class"
    )
    cells: tuple[ConformalCell, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _fits(self) -> SlotHead:
        listed = [name for names in self.groups.values() for name in names]
        odd = sorted({name for name in listed if name not in self.classes or listed.count(name) > 1})
        if odd:
            raise ValueError(f"groups: {odd} are no classes of this head, or stand in two groups")
        strangers = sorted({cell.group for cell in self.cells if cell.group is not None} - set(self.groups))
        if strangers:
            raise ValueError(f"cells of groups {strangers}: no such group; the card lists {sorted(self.groups)}")
        warm = [cell.from_looks for cell in self.temperatures]
        if warm and not _rises_from_0(warm):
            raise ValueError(f"temperatures must rise by from_looks, the first from 0; found {warm}")
        for group in [None, *self.groups]:
            of_group = "" if group is None else f" of group {group}"
            starts = [cell.from_looks for cell in self.cells if cell.group == group]
            if (starts or group is None) and not _rises_from_0(starts):
                raise ValueError(f"cells{of_group} must rise by from_looks, the first from 0; found {starts}")
        return self

    @property
    def calibration(self) -> SlotCalibration:
        """The same facts as plain values."""
        cells = tuple(ConformalStep(cell.from_looks, cell.threshold, cell.n, cell.group) for cell in self.cells)
        warm = tuple(TemperatureStep(cell.from_looks, cell.temperature) for cell in self.temperatures)
        return SlotCalibration(
            self.classes, self.temperature, self.alpha, cells, dict(self.groups), warm, self.alone_from
        )


class EnergyCell(Settings):
    """From which mean energy on a parcel that was seen so often is unlike what was taught."""

    from_looks: int = Field(ge=0, description="holds from this number of clear looks on")
    above: float = Field(description="mean energy of a parcel above which it is unlike")
    n: int = Field(0, ge=0, description="fields the number was taken from")
    source: str | None = Field(None, description="simulated or real: the source whose number is the higher one")
    taken_from: Pool = Field("cell", description="fields of that source: of these looks, or all")


class Novelty(Settings):
    """From where on land counts as unlike anything that was taught."""

    energy: float | None = Field(None, description="mean energy of a parcel above which it is unlike; none: not told")
    cells: tuple[EnergyCell, ...] = Field((), description="the same by clear looks; wins over the one number")
    alpha: float = Field(0.05, gt=0, lt=1, description="share of known land that lies above it all the same")
    auroc: dict[str, float] = Field(
        default_factory=dict, description="kind of made unknown land -> how well it is told from known land"
    )

    @model_validator(mode="after")
    def _fits(self) -> Novelty:
        starts = [cell.from_looks for cell in self.cells]
        if starts and not _rises_from_0(starts):
            raise ValueError(f"cells of unknown land must rise by from_looks, the first from 0; found {starts}")
        return self

    @property
    def steps(self) -> tuple[EnergyStep, ...]:
        """The same facts as plain values."""
        return tuple(EnergyStep(cell.from_looks, cell.above) for cell in self.cells)


class LandPromise(Settings):
    """What a card promises on land of one kind, where that kind has fields enough of its own to promise by."""

    heads: dict[Literal["A", "B"], SlotHead] = Field(description="season slot -> its crop head")
    unknown: Novelty = Field(default_factory=lambda: Novelty())


def _rises_from_0(starts: Sequence[int]) -> bool:
    return bool(starts) and starts[0] == 0 and all(one < other for one, other in pairwise(starts))
