# SPDX-License-Identifier: Apache-2.0
"""A county from its settings, in one screen: land, crops, weather, bad luck, growth, and the truth about all of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from acreline.simulate.climate import draw_weather, surface_wetness
from acreline.simulate.crops import read_sim_crops
from acreline.simulate.damage import bend_weather, plan_events
from acreline.simulate.farmfile import draw_errors, farm_file, lonlat
from acreline.simulate.growth import gather_stands
from acreline.simulate.heat import feel_heat
from acreline.simulate.land import make_land
from acreline.simulate.rotations import choose_rotations
from acreline.simulate.stands import make_stands
from acreline.simulate.states import CountyStates, draw_ground, surface_units
from acreline.simulate.strikes import draw_mishaps, strike
from acreline.simulate.truth import tell_errors, truth_events, truth_parcels, truth_yields
from acreline.simulate.units import name_crops
from acreline.simulate.values import County

if TYPE_CHECKING:
    from acreline.simulate.settings import CountySettings

Progress = Callable[[str], None]


def make_county(
    settings: CountySettings,
    *,
    parcels: int | None = None,
    seed: int | None = None,
    weather_seed: int | None = None,
    progress: Progress | None = None,
) -> County:
    """Make a county with known truth; the same settings and seed give the same county, byte for byte.

    Args:
        settings: the county.
        parcels: how many parcels the farm file is to have; None: as the settings say.
        seed: of all chance in it; None: as the settings say.
        weather_seed: of the year alone: weather, what bad luck comes on which day, passes, their air, how cloudy they
            are. Land, crops, what each field does and where bad luck strikes follow `seed`. None: `seed`.
        progress: called with a word for each room that begins.

    Raises:
        ConfigError: the settings name a crop that is not known, or a tile that does not hold the place.
    """
    from acreline.simulate.settings import check_crops

    tell = progress or (lambda word: None)
    count, chosen = settings.parcels if parcels is None else parcels, settings.seed if seed is None else seed
    year = chosen if weather_seed is None else weather_seed
    crops = read_sim_crops()
    check_crops(settings, crops)
    start, end = settings.season

    tell("land")
    land = make_land(settings, chosen, count)
    choices = choose_rotations(settings, chosen, land)
    tell("weather")
    planned = plan_events(settings, year, count)
    weather = bend_weather(draw_weather(settings, year), planned)
    heat = feel_heat(settings, crops, weather)
    tell("growth")
    mishaps = draw_mishaps(settings, chosen, choices, land, crops)
    stands = make_stands(settings, chosen, crops, choices, heat, mishaps)
    snow = weather["snow"].to_numpy(dtype=np.float32)
    growing = gather_stands(stands, crops, heat, len(land.units), surface_wetness(weather), snow)
    tell("events")
    marks, told = strike(chosen, planned, land, growing, stands, crops)
    states = CountyStates(land, growing, draw_ground(chosen, land), marks, (start, end), surface_units(land.units))
    tell("truth")
    outlines = lonlat(land)
    true_parcels = truth_parcels(land, stands, crops, outlines, heat.start)
    yields = truth_yields(settings, chosen, land, stands, told, growing, crops, weather, true_parcels)
    errors = draw_errors(settings, chosen, land, true_parcels, yields, crops)
    days = weather["date"].dt.date
    return County(
        name=settings.name,
        seed=chosen,
        window=land.window,
        season_start=start,
        season_end=end,
        units=name_crops(settings, land, choices, crops),
        pairs=land.pairs,
        states=states,
        relief_m=land.relief_m,
        weather=weather.loc[(days >= start) & (days <= end)].reset_index(drop=True),
        parcels=farm_file(settings, chosen, land, errors),
        truth_parcels=tell_errors(true_parcels, errors),
        truth_events=truth_events(land, stands, told, heat.start),
        truth_yields=yields,
        weather_seed=weather_seed,
    )
