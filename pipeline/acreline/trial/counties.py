# SPDX-License-Identifier: Apache-2.0
"""Simulated counties as land to learn from and to be tested on: pixels straight from the simulator, no scenes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from acreline.cubes import clear_from_scl
from acreline.errors import ConfigError, InputError
from acreline.hashing import code_digest, digest
from acreline.layers import DN_OFFSET, TimeAxis
from acreline.model.banks import Bank, edge_pixels, times_to_days
from acreline.model.classes import HEADS, NONE
from acreline.simulate.classes import CLASSES
from acreline.simulate.values import SUB, County
from acreline.thermal import Temperatures
from acreline.workers import worker_pool

EVENT_STEP_DAYS = 6
NAMED = 0.3
"""A mishap is told and looked for from this strength on (science notes, 5.4: severity 0.3 to 1); a weaker one is
neither damage nor none."""
VIGOUR_STEP_DAYS = 30
EDGE_TRUST = 0.2
"""Weight of a pixel at a field's edge: its spectrum is mixed, its label is that of the larger piece."""
Progress = Callable[[int, int, str], None]

if TYPE_CHECKING:
    from acreline.simulate.settings import CountySettings


@dataclass(frozen=True)
class Wanted:
    """One county to draw."""

    config: str
    parcels: int
    seed: int
    mishaps: float = 1
    """Times the usual number of floods, hail storms and so on: usual land has too few of a kind to learn from."""
    year: int | None = None
    """Seed of the year's weather, bad luck, passes and sky, so that other land can be seen in the same year; None: the
    land's own seed."""

    @property
    def name(self) -> str:
        """Name of its file."""
        more = "" if self.mishaps == 1 else f"-mishaps{self.mishaps:g}"
        more += "" if self.year is None else f"-year{self.year}"
        return f"{self.config}-{self.parcels}-{self.seed}{more}"

    @property
    def settings(self) -> CountySettings:
        """The county's settings, with that many mishaps."""
        from acreline.simulate.settings import read_county

        usual = read_county(self.config)
        events = [one.model_copy(update={"expected": one.expected * self.mishaps}) for one in usual.events]
        return usual.model_copy(update={"events": type(usual.events)(events)})


def draw_counties(
    wanted: Sequence[Wanted], folder: Path, *, workers: int = 2, progress: Progress | None = None
) -> list[Path]:
    """Draw counties into a folder, one file each; one that lies there from the same code and settings is kept.

    Args:
        wanted: what to draw.
        folder: where the files are kept.
        workers: processes.
        progress: called with (done, in all, name).

    Returns:
        the files, in the order asked for.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{one.name}.npz" for one in wanted]
    todo = [(one, path) for one, path in zip(wanted, paths, strict=True) if not _is_current(path, one)]
    with worker_pool(max(1, min(workers, len(todo) or 1))) as pool:
        for done, name in enumerate(pool.map(_draw, todo), start=1):
            if progress is not None:
                progress(done, len(todo), name)
    return paths


def _draw(job: tuple[Wanted, Path]) -> str:
    one, path = job
    arrays = county_arrays(one)
    part = path.with_suffix(".part.npz")
    np.savez(part, allow_pickle=False, key=np.array(_key(one)), **arrays)
    part.replace(path)
    return one.name


def _key(one: Wanted) -> str:
    settings = one.settings
    year = [] if one.year is None else [one.year]
    return digest([settings.model_dump(mode="json"), one.parcels, one.seed, *year, code_digest("simulate")])


def _is_current(path: Path, one: Wanted) -> bool:
    if not path.is_file():
        return False
    with np.load(path, allow_pickle=False) as stored:
        return "tmean_c" in stored and str(stored["key"]) == _key(one)


def county_arrays(one: Wanted) -> dict[str, npt.NDArray[Any]]:
    """Everything a bank needs of one county, as plain arrays."""
    from acreline.simulate.county import make_county

    settings = one.settings
    county = make_county(settings, parcels=one.parcels, seed=one.seed, weather_seed=one.year)
    events, event_day, vigour, vigour_day = health_history(county)
    return {
        "config": np.array(one.config),
        "harvest_year": np.array(county.season_end.year),
        **watch_county(county, settings),
        **truth_layers(county),
        "event": events,
        "event_day": event_day,
        "vigour": vigour,
        "vigour_day": vigour_day,
        "season": np.array([str(county.season_start), str(county.season_end)]),
        "tmean_c": county.weather["tmean_c"].to_numpy(np.float32),
    }


def watch_county(county: County, settings: CountySettings) -> dict[str, npt.NDArray[Any]]:
    """What is seen of a county on every pass.

    Returns:
        times (time,); dn10 uint16 (time, 4, y, x) and dn20 (time, 6, y, x), 0 = not seen; scl uint8 (time, y, x) on the
        20 m grid.
    """
    from acreline.simulate.clouds import draw_clouds, put_clouds
    from acreline.simulate.passes import plan_passes, seen_part
    from acreline.simulate.scl import classify
    from acreline.simulate.sensor import sense
    from acreline.simulate.sky import plan_sky, read_sky

    sky = read_sky(settings.sky, settings.file)
    passes = plan_passes(county.window, county.season_start, county.season_end, sky, county.year_seed)
    fine, coarse, scl = [], [], []
    for overpass, state in zip(passes, plan_sky(passes, sky, county.year_seed), strict=True):
        clear = sense(county, overpass)
        clouds = draw_clouds(state, overpass, (county.window.height // 2, county.window.width // 2), county.seed)
        seen = put_clouds(clear, clouds, state)
        valid = seen_part(overpass, passes, county.window, sky.second_orbit_share)
        scl.append(np.asarray(classify(clear, seen, clouds, state, valid, county.seed), np.uint8))
        fine.append(_encode(seen.fine, _grid(valid, seen.fine.shape[-2:])))
        coarse.append(_encode(seen.coarse, _grid(valid, seen.coarse.shape[-2:])))
    times = np.array([overpass.time.replace(tzinfo=None) for overpass in passes], dtype="datetime64[s]")
    return {"times": times, "dn10": np.stack(fine), "dn20": np.stack(coarse), "scl": np.stack(scl)}


def truth_layers(county: County) -> dict[str, npt.NDArray[Any]]:
    """crop_a and crop_b uint8 (y, x), codes of the simulator's classes; parcel int32 (y, x), -1 = in no farm file."""
    from acreline.simulate.truth import truth_rasters

    rasters = truth_rasters(county)
    kinds = {"crop_a": np.uint8, "crop_b": np.uint8, "parcel": np.int32}
    return {name: np.asarray(rasters[name], kind) for name, kind in kinds.items()}


def _grid(valid: npt.NDArray[np.bool_], shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """The swath on another grid: of 10 m from 20 m, or the other way round."""
    if valid.shape == shape:
        return valid
    if shape[0] > valid.shape[0]:
        return valid.repeat(2, axis=0).repeat(2, axis=1)
    return valid[::2, ::2]


def _encode(reflectance: npt.NDArray[np.float32], valid: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint16]:
    values = np.clip(np.rint(reflectance * 10000 + DN_OFFSET), 1, 65535).astype(np.uint16)
    return np.where(valid, values, np.uint16(0))


def health_history(county: County) -> tuple[npt.NDArray[Any], ...]:
    """What struck each pixel and from which day it shows, and its vigour month by month.

    Where several mishaps struck a pixel, the one that was strongest at its peak is told.

    Returns:
        event int16 (y, x), place in the health classes, 0 = nothing, -1 = something weaker than `NAMED` struck; its
        first day float32 (y, x), days since the season's start; vigour float16 (day, y, x), NaN where nothing grows;
        the days of it.
    """
    from datetime import timedelta

    from acreline.layers import HEALTH_CLASSES

    harvested = list(HEALTH_CLASSES).index("harvested")
    pair = main_pair(county)
    peak = np.zeros((len(HEALTH_CLASSES), *pair.shape), np.float32)
    named, shown = np.full_like(peak, np.inf), np.full(pair.shape, np.inf, np.float32)
    length = (county.season_end - county.season_start).days
    vigour, days = [], []
    for number in range(0, length, EVENT_STEP_DAYS):
        told = county.states.health_on(county.season_start + timedelta(days=number))  # type: ignore[attr-defined]
        kind, strength = told["kind"][pair], told["strength"][pair]
        struck = (kind > 0) & (kind != harvested)
        rows, cols = np.nonzero(struck)
        at = (kind[rows, cols], rows, cols)
        peak[at] = np.maximum(peak[at], strength[rows, cols])
        named[at] = np.where(strength[rows, cols] >= NAMED, np.minimum(named[at], number), named[at])
        shown[struck] = np.minimum(shown[struck], number)
        if number % VIGOUR_STEP_DAYS == 0:
            value = told["vigour"][pair].astype(np.float32)
            vigour.append(np.where(value == 0, np.nan, value).astype(np.float16))
            days.append(number)
    event = peak.argmax(axis=0).astype(np.int16)
    since = np.take_along_axis(named, event[None].astype(np.int64), axis=0)[0]
    weak = (event > 0) & (peak.max(axis=0) < NAMED)
    event[weak], since[weak] = -1, shown[weak]
    return event, since, np.stack(vigour), np.array(days, np.float64)


def main_pair(county: County) -> npt.NDArray[np.int32]:
    """(y, x): the piece of ground that holds most of each pixel; of equals the first."""
    cells = county.pairs.cell
    height, width = cells.shape[0] // SUB, cells.shape[1] // SUB
    blocks = np.sort(cells.reshape(height, SUB, width, SUB).transpose(0, 2, 1, 3).reshape(height, width, -1), axis=2)
    best = blocks[..., 0].copy()
    most = np.zeros(best.shape, np.int64)
    for k in range(blocks.shape[2]):
        count = (blocks == blocks[..., k : k + 1]).sum(axis=2)
        better = count > most
        best[better], most[better] = blocks[..., k][better], count[better]
    return best


def county_bank(path: Path, axis_of: Callable[[int, Temperatures | None], TimeAxis]) -> Bank:
    """One drawn county as a bank.

    Args:
        path: what `draw_counties` wrote.
        axis_of: harvest year and the county's temperatures -> its bins, `SeasonAxis.of`; days of looks, events and
            vigour are those of the axis.

    Raises:
        ConfigError: the axis is thermal, and the file is of a time before temperatures were kept.
        InputError: the file is not one that `draw_counties` wrote.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            raw = {key: stored[key] for key in stored.files if key != "key"}
    except (OSError, ValueError) as error:
        raise InputError(f"{path.name}: not a drawn county: {error}", hint="draw it again") from error
    try:
        axis = axis_of(int(raw["harvest_year"]), _temperatures(raw))
    except ConfigError as error:
        raise ConfigError(
            f"{path.name}: drawn before temperatures were kept; {error.message}", hint="draw it again"
        ) from error
    looks, _, height, width = raw["dn10"].shape
    measured = np.logical_and.reduce(raw["dn10"] != 0, axis=1)
    measured &= np.logical_and.reduce(raw["dn20"] != 0, axis=1).repeat(2, axis=1).repeat(2, axis=2)
    clear = clear_from_scl(raw["scl"], measured).reshape(looks, -1)
    parcel = raw["parcel"].astype(np.int64)
    heads = {slot: _codes(slot) for slot in "AB"}
    crop_a, crop_b = heads["A"][raw["crop_a"]], heads["B"][raw["crop_b"]]
    # Ground in no farm file is taught too: all of one kind as one field.
    kind = raw["crop_a"].astype(np.int64) * len(CLASSES) + raw["crop_b"]
    field = np.where(parcel >= 0, parcel + 1, parcel.max(initial=0) + 2 + kind)
    day = raw["event_day"]
    return Bank(
        name=path.stem,
        axis=axis,
        days=times_to_days(raw["times"], axis),
        fine=raw["dn10"].reshape(looks, 4, -1),
        coarse=raw["dn20"].reshape(looks, 6, -1),
        visible=True,
        clear=clear,
        crop_a=crop_a.ravel(),
        crop_b=crop_b.ravel(),
        field=field.ravel(),
        group=np.full(height * width, path.stem),
        shape=(height, width),
        event=raw["event"].astype(np.int16).ravel(),
        event_day=axis.on_axis(day.ravel()).astype(np.float32),
        vigour=raw["vigour"].astype(np.float32).reshape(len(raw["vigour"]), -1),
        vigour_days=axis.on_axis(raw["vigour_day"]),
        weight=np.where(edge_pixels(field), EDGE_TRUST, 1).astype(np.float32).ravel(),
        simulated=True,
        registered=int(parcel.max(initial=-1)) + 1,
    )


def _temperatures(raw: dict[str, npt.NDArray[Any]]) -> Temperatures | None:
    """The county's own, from the season's first day on."""
    if "tmean_c" not in raw:
        return None
    return Temperatures(date.fromisoformat(str(raw["season"][0])), raw["tmean_c"].astype(np.float64))


def _codes(slot: str) -> npt.NDArray[np.int16]:
    """Code of the simulator's class -> place in a slot's head."""
    head = HEADS[slot]
    return np.array([head.index(name) if name in head else head.index(NONE) for name in CLASSES], np.int16)
