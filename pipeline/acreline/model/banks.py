# SPDX-License-Identifier: Apache-2.0
"""What the network learns from: land watched through a season, each source on one calendar, pixel by pixel."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from acreline.cubes import clear_from_scl
from acreline.layers import BANDS, BANDS_20M, DN_OFFSET, DN_SCALE, TimeAxis
from acreline.model.classes import slot_targets
from acreline.model.inputs import add_visible, bin_quickly, gather_bands
from acreline.model.labels import Square

UNTAUGHT = -1


@dataclass(frozen=True)
class Bank:
    """One source of land: every pixel's series, and what is known of it."""

    name: str
    axis: TimeAxis
    days: npt.NDArray[np.float64]
    """(time,): days since the season's start on the axis, rising."""
    fine: npt.NDArray[np.uint16]
    """(time, band, pixel) as a cube's numbers: reflectance 0.0001 v - 0.1, 0 = no data. The first bands of `BANDS`: all
    ten, or the four of 10 m where `coarse` holds the others."""
    visible: bool
    """Whether the source has the visible bands."""
    clear: npt.NDArray[np.bool_]
    """(time, pixel)."""
    crop_a: npt.NDArray[np.int16]
    """(pixel,): place in the head of slot A, -1 = not taught."""
    crop_b: npt.NDArray[np.int16]
    field: npt.NDArray[np.int64]
    """(pixel,): pixels of one field share its number; 0 = of no field."""
    group: npt.NDArray[np.str_]
    """(pixel,): place, for folds that never part one."""
    shape: tuple[int, int] | None = None
    """Rows and columns where the pixels form a picture on the 10 m grid, in reading order."""
    event: npt.NDArray[np.int16] | None = None
    """(pixel,): place in the health classes of what struck the pixel, 0 = nothing, -1 = something too weak to be told;
    None: not known (a real source)."""
    event_day: npt.NDArray[np.float32] | None = None
    """(pixel,): the day from which it shows, days since the season's start on the axis."""
    vigour: npt.NDArray[np.float32] | None = None
    """(vigour day, pixel) on the days of `vigour_days`; NaN where nothing grows."""
    vigour_days: npt.NDArray[np.float64] | None = None
    weight: npt.NDArray[np.float32] | None = None
    """(pixel,): trust in the label, 1 where None; less at the edge of a field."""
    simulated: bool = False
    coarse: npt.NDArray[np.uint16] | None = None
    """(time, 6, pixel of 20 m): the other bands at their own size, where the pixels form a picture."""
    registered: int | None = None
    """Fields up to this number are parcels of a farm file, those above it pool other ground; None: all are parcels."""

    def read(self, pixels: npt.NDArray[np.int64], looks: npt.NDArray[np.int64] | None = None) -> npt.NDArray[np.uint16]:
        """(look, 10, pixel) of some pixels, in the order of `BANDS`; a 20 m pixel is repeated on its four.

        Args:
            pixels: (pixel,), which.
            looks: (look,), places in time; None: all.
        """
        looks = np.arange(len(self.fine)) if looks is None else looks
        fine = self.fine.shape[1]
        out = np.empty((len(looks), fine if self.coarse is None else len(BANDS), len(pixels)), np.uint16)
        at = pixels
        if self.coarse is not None:
            assert self.shape is not None
            cols = self.shape[1]
            at = pixels // cols // 2 * (cols // 2) + pixels % cols // 2
        for row, look in zip(out, looks.tolist(), strict=True):  # look by look: a county has a hundred of them and more
            np.take(self.fine[look], pixels, axis=1, out=row[:fine], mode="wrap")
            if self.coarse is not None:
                np.take(self.coarse[look], at, axis=1, out=row[fine:], mode="wrap")
        return out

    def keep(self, chosen: npt.NDArray[np.bool_]) -> Bank:
        """Only these pixels, no longer a picture."""
        return replace(
            self,
            fine=self.read(np.flatnonzero(chosen)),
            coarse=None,
            clear=self.clear[:, chosen],
            crop_a=self.crop_a[chosen],
            crop_b=self.crop_b[chosen],
            field=self.field[chosen],
            group=self.group[chosen],
            shape=None,
            event=None if self.event is None else self.event[chosen],
            event_day=None if self.event_day is None else self.event_day[chosen],
            vigour=None if self.vigour is None else self.vigour[:, chosen],
            weight=None if self.weight is None else self.weight[chosen],
        )

    @property
    def taught(self) -> npt.NDArray[np.bool_]:
        """(pixel,): something is known of its crop, and it belongs to a field."""
        return ((self.crop_a >= 0) | (self.crop_b >= 0)) & (self.field > 0)


def square_bank(square: Square, axis: TimeAxis) -> Bank:
    """A square of 20 m bands as a bank on the 10 m grid; a 20 m pixel is repeated on its four 10 m pixels."""
    looks, _, height, width = square.values.shape
    gathered = gather_bands(square.values, BANDS_20M)
    assert gathered is not None
    values, visible = gathered
    fine = values.repeat(2, axis=2).repeat(2, axis=3).reshape(looks, values.shape[1], -1)
    measured = np.logical_and.reduce(square.values != 0, axis=1).repeat(2, axis=1).repeat(2, axis=2)
    clear = clear_from_scl(square.scl, measured).reshape(looks, -1)
    crop_a, crop_b = slot_targets(square.label.ravel())
    edge = edge_pixels(square.field)
    return Bank(
        name=square.name,
        axis=axis,
        days=times_to_days(square.times, axis),
        fine=fine,
        visible=visible,
        clear=clear,
        crop_a=crop_a,
        crop_b=crop_b,
        field=square.field.ravel().astype(np.int64),
        group=np.full(4 * height * width, square.name),
        shape=(2 * height, 2 * width),
        weight=np.where(edge, 0.2, 1).astype(np.float32).ravel(),
    )


def edge_pixels(field: npt.NDArray[np.integer]) -> npt.NDArray[np.bool_]:
    """(y, x): the pixel touches one of another field (or of none)."""
    edge = np.zeros(field.shape, np.bool_)
    edge[1:] |= field[1:] != field[:-1]
    edge[:-1] |= field[1:] != field[:-1]
    edge[:, 1:] |= field[:, 1:] != field[:, :-1]
    edge[:, :-1] |= field[:, 1:] != field[:, :-1]
    return edge


def boundary_distance(field: npt.NDArray[np.integer], reach_px: int = 4) -> npt.NDArray[np.float32]:
    """(..., y, x) -> distance to the nearest other field in pixels / `reach_px`: 0 at a boundary, 1 from there on."""
    distance = np.ones(field.shape, np.float32)
    for step in range(reach_px, -1, -1):
        near = np.zeros(field.shape, np.bool_)
        for axis in (-2, -1):
            for shift in range(1, step + 2):
                ahead = [slice(None)] * field.ndim
                behind = [slice(None)] * field.ndim
                ahead[axis], behind[axis] = slice(shift, None), slice(None, -shift)
                other = field[tuple(ahead)] != field[tuple(behind)]
                near[tuple(ahead)] |= other
                near[tuple(behind)] |= other
        distance[near] = step / reach_px
    return distance


def reflectance_of(values: npt.NDArray[np.uint16]) -> npt.NDArray[np.float32]:
    """A cube's numbers -> reflectance clipped to 0 ... 1, as the network is taught; no data becomes 0."""
    share: npt.NDArray[np.float32] = (values.astype(np.float32) - np.float32(DN_OFFSET)) * np.float32(DN_SCALE)
    return share.clip(0, 1)


def inputs_of(bank: Bank, pixels: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """What a network is given of some pixels of a bank, as they are: (bin, channel, pixel), as `inputs.CHANNELS`."""
    binned = bin_quickly(reflectance_of(bank.read(pixels)), bank.clear[:, pixels], bank.days, bank.axis)
    return add_visible(binned, bank.visible)


def times_to_days(times: npt.NDArray[np.datetime64], axis: TimeAxis) -> npt.NDArray[np.float64]:
    """Days since the season's start, on the axis."""
    days: npt.NDArray[np.float64] = (times.astype("datetime64[s]") - np.datetime64(axis.start, "s")) / np.timedelta64(
        86400, "s"
    )
    return axis.on_axis(days)
