# SPDX-License-Identifier: Apache-2.0
"""Bad luck: which events come when, what weather goes with them, and what each does to a piece of ground.

Geometry, size and strength of the effects follow science, 5.4.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from acreline.simulate.climate import weather_start
from acreline.simulate.fields import chance

if TYPE_CHECKING:
    from acreline.simulate.settings import CountySettings

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
HEALTH_OF = {
    "flood": "flood",
    "drought": "drought",
    "lodging": "lodging_hail",
    "hail": "lodging_hail",
    "pest_disease": "pest_disease",
    "frost": "frost",
    "late_failed": "late_failed",
}
"""Kind of event -> health class of the network."""
FROST_C = -3.0
"""A wheat crop at jointing suffers below -2 to -4 degrees C (science, 3.1)."""
FLOOD_WATER = 0.75
DROUGHT_DAYS = 25.0
PEST_DAYS = 38.0
REGROWS_DAYS = 80.0


@dataclass(frozen=True)
class Planned:
    """An event that is going to happen."""

    number: int
    kind: str
    day: int
    """Day number."""
    lasts: int
    """Days under water or without rain; 1 where it is over in a day."""
    severity: float
    size_m: float
    bearing: float
    """Direction of a swath, radians from east."""
    crops: tuple[str, ...]


@dataclass(frozen=True)
class Mark:
    """What an event leaves on the pieces of ground that it struck."""

    number: int
    kind: str
    pair: Ints
    severity: Floats
    """(n,): 0 to 1."""
    start: Ints
    """(n,): day number on which it reached each piece."""
    lasts: Ints
    """(n,): days."""
    until: Ints
    """(n,): harvest of the stand that was struck; from then on only water remains."""

    @property
    def health(self) -> str:
        """Health class of the network."""
        return HEALTH_OF[self.kind]

    def strength(self, day: int) -> Floats:
        """(n,): share of the full effect that shows on a day, 0 to 1, severity included."""
        since = (day - self.start).astype(np.float32)
        on = (since >= 0) & (day < self.until)
        rise = {"drought": DROUGHT_DAYS, "pest_disease": PEST_DAYS}.get(self.kind, 1.0)
        after = np.maximum(since - self.lasts, 0)
        fades = {"drought": 25.0, "frost": 30.0, "hail": 60.0, "flood": REGROWS_DAYS}.get(self.kind)
        left = np.exp(-after / fades) if fades else np.ones_like(since)
        shown = self.severity * np.minimum(1, (since + 1) / rise) * left
        return np.asarray(np.where(on, shown, 0), dtype=np.float32)


def plan_events(settings: CountySettings, seed: int, parcels: int) -> list[Planned]:
    """Draw how many events of each kind come, when, and how strong; late and failed stands are drawn by field."""
    planned: list[Planned] = []
    start = weather_start(settings)
    for row, event in enumerate(settings.events):
        if event.kind == "late_failed":
            continue
        rng = chance(seed, "events", row, event.kind)
        first, last = (dt.date(settings.year, int(day[:2]), int(day[3:])) for day in event.window)
        for _ in range(rng.poisson(event.expected * parcels / 1000)):
            day = (first - start).days + int(rng.integers(0, (last - first).days + 1))
            severity = rng.uniform(*event.severity)
            lasts = {"flood": 5 + 20 * severity * rng.uniform(0.6, 1.0), "drought": rng.uniform(35, 65)}
            planned.append(
                Planned(
                    number=len(planned) + 1,
                    kind=event.kind,
                    day=day,
                    lasts=round(lasts.get(event.kind, 1)),
                    severity=float(severity),
                    size_m=float(rng.uniform(*event.size_m)),
                    bearing=float(rng.uniform(0, np.pi)),
                    crops=tuple(event.crops),
                )
            )
    return planned


def bend_weather(weather: pd.DataFrame, planned: list[Planned]) -> pd.DataFrame:
    """The weather that goes with the events: rain before a flood, none in a drought, a cold night with a frost."""
    rain, dim = weather["rain_mm"].to_numpy().copy(), weather["radiation_mj"].to_numpy().copy()
    low, mean, high = (weather[name].to_numpy().copy() for name in ("tmin_c", "tmean_c", "tmax_c"))
    wettest = {"flood": 70.0, "lodging": 18.0, "hail": 12.0}
    for event in sorted(planned, key=lambda one: one.kind != "drought"):  # a drought first: storms may break it
        day = event.day
        if event.kind == "drought":
            rain[max(0, day - 15) : day + event.lasts] *= 0.12
        elif event.kind == "frost":
            fall = max(0.0, low[day] - (FROST_C - 2.5 * event.severity))
            low[day], mean[day], high[day] = low[day] - fall, mean[day] - 0.5 * fall, high[day] - 0.2 * fall
        elif event.kind in wettest:
            rain[day] = max(rain[day], wettest[event.kind] * (0.6 + 0.6 * event.severity))
            if event.kind == "flood":
                rain[day - 1] = max(rain[day - 1], 35.0)
            dim[day] *= 0.6
    bent = {"rain_mm": rain, "radiation_mj": dim, "tmin_c": low, "tmean_c": mean, "tmax_c": high}
    return weather.assign(**{name: values.round(2) for name, values in bent.items()})


def mark_states(states: dict[str, Floats], mark: Mark, day: int) -> None:
    """Change the states of the pieces that an event struck, in place."""
    if day < int(mark.start.min(initial=1 << 30)):
        return
    strong = mark.strength(day)
    at = mark.pair
    if mark.kind == "flood":
        since = day - mark.start
        under = (since >= 0) & (since < mark.lasts)
        soaked = (since >= 0) & (since < mark.lasts + 6)
        depth = (FLOOD_WATER * (0.7 + 0.3 * mark.severity)).astype(np.float32)
        states["water"][at] = np.maximum(states["water"][at], np.where(under, depth, 0))
        states["soil_wet"][at] = np.maximum(states["soil_wet"][at], np.where(soaked, 1, 0))
    if not strong.any():
        return
    hit = strong > 0
    for name, change in _EFFECTS[mark.kind](strong, mark, day).items():
        factor, plus = change
        states[name][at] = np.where(hit, states[name][at] * factor + plus, states[name][at])
    if mark.kind == "lodging":
        flat = np.minimum(1, 0.5 + 0.8 * strong)
        states["ala"][at] = np.where(hit, states["ala"][at] + (32 - states["ala"][at]) * flat, states["ala"][at])


Change = dict[str, tuple[Any, Any]]


def _flood(s: Floats, mark: Mark, day: int) -> Change:
    return {"lai": (1 - 0.55 * s, 0.0), "cab": (1 - 0.2 * s, 0.0), "cbrown": (1.0, 0.12 * s)}


def _drought(s: Floats, mark: Mark, day: int) -> Change:
    return {
        "lai": (1 - 0.45 * s, 0.0),
        "cw": (1 - 0.45 * s, 0.0),
        "cab": (1 - 0.08 * s, 0.0),
        "cbrown": (1.0, 0.18 * s),
        "soil_wet": (1 - 0.9 * np.minimum(1, 2 * s), 0.0),
    }


def _lodging(s: Floats, mark: Mark, day: int) -> Change:
    return {"lai": (1 - (0.1 + 0.2 * s), 0.0), "cbrown": (1.0, 0.1)}


def _hail(s: Floats, mark: Mark, day: int) -> Change:
    share = np.minimum(1, s / np.maximum(mark.severity, 1e-6))  # what has not grown back
    return {"lai": (1 - (0.3 + 0.5 * mark.severity) * share, 0.0), "cbrown": (1.0, 0.35 * share)}


def _pest(s: Floats, mark: Mark, day: int) -> Change:
    late = np.clip((day - mark.start - 25) / 20, 0, 1)
    return {"cab": (1 - 0.5 * s, 0.0), "lai": (1 - 0.25 * s, 0.0), "cbrown": (1.0, 0.3 * s * late)}


def _frost(s: Floats, mark: Mark, day: int) -> Change:
    share = np.minimum(1, s / np.maximum(mark.severity, 1e-6))
    share = 0.4 + 0.6 * share  # a part never recovers: shoots are lost
    return {
        "cab": (1 - (0.2 + 0.2 * mark.severity) * share, 0.0),
        "lai": (1 - 0.25 * mark.severity * share, 0.0),
        "cbrown": (1.0, 0.18 * mark.severity * share),
    }


_EFFECTS = {
    "flood": _flood, "drought": _drought, "lodging": _lodging, "hail": _hail, "pest_disease": _pest, "frost": _frost,
}  # fmt: skip


def yield_lost(kind: str, severity: Floats, lasts: Ints, stage: Floats, *, paddy: npt.NDArray[Any]) -> Floats:
    """Share of the yield that an event takes, 0 to 0.95.

    Args:
        kind: of the event.
        severity: (n,) 0 to 1.
        lasts: (n,) days.
        stage: (n,) 1 at flowering, towards 0.4 far from it: loss is greatest when grain is set.
        paddy: (n,) rice stands water longer than dry-land crops.

    Lodging 5 to 28 % is published (science, 1.6); the others are orders of magnitude.
    """
    s = np.asarray(severity, np.float32)
    if kind == "flood":
        lost = s * (0.2 + 0.025 * np.asarray(lasts)) * stage * np.where(paddy, 0.4, 1.0)
    elif kind == "drought":
        lost = 0.55 * s * stage
    elif kind == "lodging":
        lost = 0.05 + 0.23 * s
    elif kind == "hail":
        lost = (0.15 + 0.6 * s) * stage
    elif kind == "pest_disease":
        lost = 0.35 * s
    else:
        lost = 0.3 * s * stage
    return np.clip(lost, 0, 0.95).astype(np.float32)
