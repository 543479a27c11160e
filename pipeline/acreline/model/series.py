# SPDX-License-Identifier: Apache-2.0
"""How the network speaks on a series: fields or pixels watched through a season, each by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from acreline.errors import ConfigError
from acreline.layers import BANDS, TimeAxis
from acreline.model.card import Model, SeasonAxis
from acreline.model.classes import CROP_SLOTS, HEADS, main_crop_logp
from acreline.model.inputs import CHANNELS, STAND_INS, VISIBLE, as_input, gather_bands
from acreline.model.threads import torch_threads
from acreline.thermal import Temperatures

Level = Literal["L2A", "L1C"]
BRIGHT_BLUE = 0.22
CIRRUS = 0.008
"""At the top of the atmosphere a composite with more blue, or more light at 1.4 um, than this saw a cloud."""
PART = 512
"""Series in one go."""


@dataclass(frozen=True)
class Picture:
    """The land in which the samples of a series lie, for a network that looks at surroundings."""

    values: npt.NDArray[np.float32]
    """(time, band, y, x): reflectance on the 10 m grid, NaN = not seen."""
    at: npt.NDArray[np.int64]
    """(n,): where each sample lies, as row x columns + column."""


@dataclass(frozen=True)
class LabelledSeries:
    """Fields, points or pixels watched through a season, with what is said to have grown there."""

    task: str
    """A, B, D, series or region: which groups are scored; see `acreline.trial.tasks`."""
    name: str
    level: Level
    """L2A: reflectance at the ground; L1C: at the top of the atmosphere."""
    harvest_year: int
    bands: tuple[str, ...]
    times: npt.NDArray[np.datetime64]
    """(time,), ascending."""
    values: npt.NDArray[np.float32]
    """(n, time, band): reflectance, about 0 to 1; NaN = not seen."""
    ids: npt.NDArray[np.str_]
    code: npt.NDArray[np.int64]
    """(n,): the source's own code; where the source has names only, 0."""
    label: npt.NDArray[np.str_]
    """(n,): the source's own name of it."""
    slug: npt.NDArray[np.str_]
    """(n,): class of land, of the wide list in `configs/labels/`; `none` = known and not taught."""
    group: npt.NDArray[np.str_]
    """(n,): group it is scored in, or `not scored`."""
    cell: npt.NDArray[np.str_]
    """(n,): place; samples of one place are never parted, and intervals are drawn over places."""
    size_m2: npt.NDArray[np.float64] | None = None
    """(n,): true area of each field, where it is known."""
    slot: npt.NDArray[np.str_] | None = None
    """(n,): season slot that each label speaks of (A, B, AB); None where each names the main crop of the year."""
    simulated: bool = False
    notes: tuple[str, ...] = ()
    """What reading decided, in words for the report."""
    picture: Picture | None = None
    """The land around, where the source is a picture; None: every sample stands alone."""
    temperatures: tuple[Temperatures, ...] = ()
    """Of each zone, for models that count time by warmth; empty: not known."""
    zone: npt.NDArray[np.int64] | None = None
    """(n,): place of each sample in `temperatures`; None: all lie in the first."""

    def keep(self, chosen: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> LabelledSeries:
        """Only these samples."""
        arrays = {name: getattr(self, name)[chosen] for name in ("values", "ids", "code", "label", "slug", "group")}
        sizes = None if self.size_m2 is None else self.size_m2[chosen]
        slots = None if self.slot is None else self.slot[chosen]
        zones = None if self.zone is None else self.zone[chosen]
        picture = None if self.picture is None else replace(self.picture, at=self.picture.at[chosen])
        arrays["cell"] = self.cell[chosen]
        return replace(self, **arrays, size_m2=sizes, slot=slots, zone=zones, picture=picture)

    def until(self, day: date) -> LabelledSeries:
        """As it was known at the end of a day: what was seen or measured later is gone."""
        seen = self.times < np.datetime64(day, "s") + np.timedelta64(1, "D")
        picture = None if self.picture is None else replace(self.picture, values=self.picture.values[seen])
        felt = [known for zone in self.temperatures if (known := zone.until(day)) is not None]
        warmth = tuple(felt) if len(felt) == len(self.temperatures) else ()
        return replace(self, times=self.times[seen], values=self.values[:, seen], picture=picture, temperatures=warmth)


def why_silent(model: Model, series: LabelledSeries) -> str | None:
    """Why a model cannot speak on a series, in words; None where it can."""
    level = str(model.card.level)
    if level != series.level:
        words = {"L2A": "surface reflectance", "L1C": "reflectance at the top of the atmosphere"}
        found = {"L2A": "surface reflectance", "L1C": "top of atmosphere"}[series.level]
        return (
            f"this model ({model.card.name}) reads {words[level]}; {series.name} is {found}; choose a model whose card "
            "says so"
        )
    if model.card.axis.kind == "thermal" and not series.temperatures:
        return (
            f"this model ({model.card.name}) counts time by warmth; {series.name} has no temperatures; choose a model "
            "on a calendar axis"
        )
    missing = [band for band in BANDS if not {band, STAND_INS.get(band)} & set(series.bands) and band not in VISIBLE]
    if missing:
        return f"this model ({model.card.name}) needs the bands {', '.join(missing)}, which {series.name} lacks"
    return None


def axis_parts(series: LabelledSeries, axis: SeasonAxis) -> Iterator[tuple[npt.NDArray[np.int64], TimeAxis]]:
    """The samples that share one time axis, and that axis: all of them by the calendar, those of a zone by warmth.

    Yields:
        indices of samples (m,), rising, and their axis; every sample once.

    Raises:
        ConfigError: the axis is thermal, and the series has no temperatures.
        InputError: no day of the season has a temperature.
    """
    if axis.kind == "thermal" and not series.temperatures:
        raise ConfigError(
            f"{series.name}: has no temperatures, and time is counted by warmth (axis: thermal)",
            hint="take a calendar axis, or data with daily temperatures",
        )
    if axis.kind == "calendar" or series.zone is None:
        known = series.temperatures[0] if series.temperatures else None
        yield np.arange(len(series.ids)), axis.of(series.harvest_year, known)
        return
    for number in np.unique(series.zone).tolist():
        yield np.flatnonzero(series.zone == number), axis.of(series.harvest_year, series.temperatures[number])


def seen_clearly(series: LabelledSeries) -> npt.NDArray[np.bool_]:
    """(n, time): something was measured, and at the top of the atmosphere no cloud shows in it."""
    seen: npt.NDArray[np.bool_] = np.logical_or.reduce(np.isfinite(series.values), axis=2)
    if series.level == "L1C":
        for band, most in (("B02", BRIGHT_BLUE), ("B10", CIRRUS)):
            if band in series.bands:
                seen &= np.less_equal(series.values[:, :, series.bands.index(band)], most)
    return seen


def classify_series(
    model: Model, series: LabelledSeries, progress: Callable[[int, int], None] | None = None
) -> npt.NDArray[np.float32]:
    """Say which crop of each field or pixel is the main one of the year.

    Args:
        model: network and card.
        series: what was seen; the level must be the card's. B08 and B8A may stand in for each other, and the visible
            bands may be absent together.
        progress: called with (series done, series in all).

    Returns:
        float32 (n, classes): log-probabilities in the order of the card's crop classes, by the card's temperatures. A
        series that was never seen speaks as the network does on no look at all.

    Raises:
        ConfigError: the model does not read this level, a band is missing, or temperatures are that it needs.
    """
    slots = classify_slots(model, series, progress)
    logp: npt.NDArray[np.float32] = main_crop_logp(slots["A"], slots["B"]).astype(np.float32)
    return logp


def classify_slots(
    model: Model, series: LabelledSeries, progress: Callable[[int, int], None] | None = None
) -> dict[str, npt.NDArray[np.float64]]:
    """Say what each field or pixel bears in each season slot; arguments and errors as `classify_series`.

    Returns:
        slot (A, B) -> (n, classes of the slot's head), log-probabilities by the card's temperatures.
    """
    why = why_silent(model, series)
    if why is not None:
        raise ConfigError(why, hint="acreline list models shows what there is")
    if series.picture is not None:
        return _classify_picture(model, series, series.picture)
    gathered = gather_bands(np.clip(series.values, 0, 1).transpose(1, 2, 0), series.bands)  # (t, 10, n)
    assert gathered is not None, "why_silent has looked at the bands"
    values, visible = gathered
    measured: npt.NDArray[np.bool_] = np.logical_and.reduce(np.isfinite(values), axis=1)
    clear = np.asarray(measured & seen_clearly(series).T)
    x = np.zeros((model.card.axis.bins, len(CHANNELS), len(series.ids)), np.float32)  # (k, c, n)
    for mine, axis in axis_parts(series, model.card.axis):
        x[:, :, mine] = as_input(values[..., mine], clear[:, mine], series.times, axis, visible)
    # Pixels of 10 m that lie in one pixel of 20 m may be equal: each is asked once.
    flat, back = np.unique(x.reshape(-1, x.shape[2]).T, axis=0, return_inverse=True)
    rows = torch.from_numpy(np.ascontiguousarray(flat).reshape(-1, *x.shape[:2]))
    parts: dict[str, list[torch.Tensor]] = {"A": [], "B": []}
    with torch.inference_mode(), torch_threads():
        for start in range(0, len(rows), PART):
            some = rows[start : start + PART].permute(1, 2, 0)[None, :, :, None]  # (n, k, c) -> (1, k, c, 1, n)
            heads = model.net.auxiliary(model.net.embed(some))
            for slot, logits in (("A", heads.crop_a), ("B", heads.crop_b)):
                parts[slot].append(logits[0, :, 0].T.double())
            if progress is not None:
                progress(min(start + PART, len(rows)), len(rows))
    return {slot: _cooled(torch.cat(part)[back.ravel()], model, series, slot) for slot, part in parts.items()}


def _classify_picture(model: Model, series: LabelledSeries, picture: Picture) -> dict[str, npt.NDArray[np.float64]]:
    """What the network says of each sample with its surroundings; as `classify_slots`."""
    gathered = gather_bands(np.clip(picture.values, 0, 1), series.bands)  # (t, 10, y, x)
    assert gathered is not None, "why_silent has looked at the bands"
    values, visible = gathered
    clear: npt.NDArray[np.bool_] = np.logical_and.reduce(np.isfinite(values), axis=1)
    axis = model.card.axis.of(series.harvest_year, series.temperatures[0] if series.temperatures else None)
    x = as_input(values, clear, series.times, axis, visible)  # (k, c, y, x)
    rows, cols = x.shape[2:]
    with torch.inference_mode(), torch_threads():
        y = model.net.embed(torch.from_numpy(np.ascontiguousarray(x))[None])
        y = torch.nn.functional.pad(y, (0, -cols % 4, 0, -rows % 4), mode="replicate")  # whole levels
        heads = model.net.decode(y)
        out = {}
        for slot, logits in (("A", heads.crop_a), ("B", heads.crop_b)):
            flat = logits[0, :, :rows, :cols].reshape(logits.shape[1], -1).T.double()
            out[slot] = _cooled(flat[picture.at], model, series, slot)
    return out


def _cooled(logits: torch.Tensor, model: Model, series: LabelledSeries, slot: str) -> npt.NDArray[np.float64]:
    """Log-probabilities (n, class) of logits (n, class), by the card's promise for land like this and its looks."""
    promise = model.calibration(simulated=series.simulated).slots[slot]
    looks = seen_clearly(series).sum(axis=1).astype(np.int64)
    warmth = torch.from_numpy(promise.temperatures(looks))[:, None]
    told: npt.NDArray[np.float64] = torch.log_softmax(logits / warmth, dim=1).numpy()
    return told


def set_thresholds(
    model: Model, series: LabelledSeries, classes: tuple[str, ...], slots: dict[str, npt.NDArray[np.float64]]
) -> tuple[npt.NDArray[np.float64], float]:
    """From which probability on a class is in the set of a sample, by the card.

    The card's thresholds are of each slot's head, by crop group of its likeliest class and number of clear looks. A
    class that may fill several slots has the lowest of theirs.

    Args:
        model: network and card.
        series: what was seen.
        classes: names asked for.
        slots: what `classify_slots` says of the series.

    Returns:
        (n, classes), and the share of samples whose set may miss the truth.
    """
    looks = seen_clearly(series).sum(axis=1).astype(np.int64)
    heads = model.card.promise(simulated=series.simulated).heads
    by_slot = {slot: head.calibration.threshold(looks, slots[slot].argmax(axis=1)) for slot, head in heads.items()}
    columns = [
        np.minimum.reduce([steps for slot, steps in by_slot.items() if slot in "".join(CROP_SLOTS.get(name, ("AB",)))])
        for name in classes
    ]
    return np.stack(columns, axis=1), max(head.alpha for head in heads.values())


def slot_logp(
    slots: dict[str, npt.NDArray[np.float64]], slot: npt.NDArray[np.str_], classes: tuple[str, ...]
) -> npt.NDArray[np.float64]:
    """What each sample's own slot says of these classes, (n, classes); a class that its head lacks is out of question.

    A sample of slot AB is told by both heads: the mean of their log-probabilities.
    """
    out = np.full((len(slot), len(classes)), -np.inf)
    for column, name in enumerate(classes):
        told = {head: slots[head][:, HEADS[head].index(name)] for head in ("A", "B") if name in HEADS[head]}
        for letters in ("A", "B", "AB"):
            mine = slot == letters
            if all(letter in told for letter in letters):
                out[mine, column] = np.mean([told[letter][mine] for letter in letters], axis=0)
    return out
