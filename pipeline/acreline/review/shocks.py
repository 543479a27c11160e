# SPDX-License-Identifier: Apache-2.0
"""Facts of farms as they would be after a flood, a fall of prices or a bad year; nothing else of them changes."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from acreline.errors import ConfigError
from acreline.events import list_detectors
from acreline.records import ZERO, Farm, Interval, Stand, Struck

EVERY = "*"
"""In the place of a crop: all of them."""
Touched = Mapping[tuple[str, str], tuple[float, float]]
"""(farm, parcel) -> share of the parcel inside an outline (0 to 1), and that land in m2."""
LEAST, MOST = -1.0, 5.0
"""Change of a price or a yield, as a share: from all of it lost to six times as much."""


def read_change(text: str, option: str, crops: Iterable[str]) -> tuple[str, float]:
    """`maize=-0.2` as a crop and a change; `-0.2` alone is of every crop.

    Args:
        text: as typed.
        option: it was typed for, for messages.
        crops: that there are.

    Raises:
        ConfigError: it is no change, lies beyond -1 to 5, or names a crop that nobody grows.
    """
    crop, _, number = text.rpartition("=")
    crop = crop.strip() or EVERY
    try:
        change = float(number)
    except ValueError as error:
        raise ConfigError(f"{option}: {text!r} is no change", hint="write maize=-0.2, or -0.2 for all crops") from error
    if not LEAST <= change <= MOST:
        raise ConfigError(
            f"{option}: a change of {change:g}",
            hint=f"a share from {LEAST:g} to {MOST:g}: -0.2 is a fifth less",
        )
    known = sorted(set(crops))
    if crop != EVERY and crop not in known:
        close = difflib.get_close_matches(crop, known, n=1, cutoff=0.5)
        near = f"did you mean {close[0]!r}? " if close else ""
        raise ConfigError(
            f"{option}: no farm of this run may grow {crop!r}", hint=f"{near}there are: {', '.join(known) or 'none'}"
        )
    return crop, change


def crops_of(farms: Iterable[Farm]) -> set[str]:
    """Crops that stand, or may stand, on any farm."""
    return {crop for farm in farms for stand in farm.stands for crop in (stand.crop, *stand.crop_set)}


def change_prices(farms: Sequence[Farm], changes: Mapping[str, float]) -> list[Farm]:
    """Harvests worth more or less by crop, as a share; yields and costs stay.

    Where several crops cannot be told apart and only some of them change, the low end takes the worst and the high end
    the best of what they change by: the range is never too narrow.
    """

    def changed(stand: Stand) -> Stand:
        if stand.value is None:
            return stand
        own = _change_of(stand.crop, changes)
        every = [own, *(_change_of(crop, changes) for crop in stand.crop_set)]
        return replace(stand, value=_scaled(stand.value, min(every), own, max(every)))

    return [_rebuilt(farm, changed) for farm in farms]


def change_yields(farms: Sequence[Farm], changes: Mapping[str, float]) -> list[Farm]:
    """Harvests of more or less by crop, as a share, and worth as much more or less; prices and costs stay."""

    def changed(stand: Stand) -> Stand:
        own = _change_of(stand.crop, changes)
        every = [own, *(_change_of(crop, changes) for crop in stand.crop_set)]
        kilograms, value = stand.yield_kg_per_ha, stand.value
        return replace(
            stand,
            yield_kg_per_ha=None if kilograms is None else _scaled(kilograms, own, own, own),
            value=None if value is None else _scaled(value, min(every), own, max(every)),
        )

    return [_rebuilt(farm, changed) for farm in farms]


def strike(farms: Sequence[Farm], touched: Touched, damage: float, event: str, *, seen: bool = True) -> list[Farm]:
    """Harvests lost where the ground was struck: of each stand the share `damage` on the struck share of its parcel.

    Args:
        farms: as measured.
        touched: what lies inside the outline.
        damage: share of the harvest that is lost there, 0 to 1.
        event: what struck; where it is one that a run looks for (`acreline list events`), the struck farms say so.
        seen: False: the harvest falls and no farm says why, as where nobody has looked yet.

    Raises:
        ConfigError: damage is beyond 0 to 1.
    """
    if not 0 <= damage <= 1:
        raise ConfigError(f"--damage: {damage:g} is no share of a harvest", hint="from 0 to 1: 0.4 is two fifths lost")
    known = seen and event in list_detectors()

    def changed(stand: Stand) -> Stand:
        lost = -damage * touched.get((stand.farm_id, stand.parcel_id), (0.0, 0.0))[0]
        kilograms, value = stand.yield_kg_per_ha, stand.value
        return replace(
            stand,
            yield_kg_per_ha=None if kilograms is None else _scaled(kilograms, lost, lost, lost),
            value=None if value is None else _scaled(value, lost, lost, lost),
        )

    out = []
    for farm in farms:
        land_m2 = sum(touched[farm.farm_id, one][1] for one in farm.parcel_ids if (farm.farm_id, one) in touched)
        struck = _rebuilt(farm, changed) if land_m2 else farm
        out.append(_marked(struck, event, land_m2, damage) if known and land_m2 else struck)
    return out


def _marked(farm: Farm, event: str, land_m2: float, severity: float) -> Farm:
    """The event stands among the farm's; where the land is not known its share is 1: a part may be all of it."""
    share = min(1.0, round(land_m2 / farm.area_m2, 4)) if farm.area_m2 else 1.0
    others = [one for one in farm.struck if one.event != event]
    before = next((one for one in farm.struck if one.event == event), Struck(event, 0.0, 0.0))
    one = Struck(event, max(before.share, share), max(before.severity, severity))
    struck = tuple(sorted((*others, one), key=lambda hit: hit.event))
    return replace(farm, events=tuple(sorted({*farm.events, event})), struck=struck)


def _change_of(crop: str, changes: Mapping[str, float]) -> float:
    """A crop's own change, else that of every crop."""
    return changes.get(crop, changes.get(EVERY, 0.0))


def _scaled(span: Interval, low: float, mid: float, high: float) -> Interval:
    ends = span.low * (1 + low), span.mid * (1 + mid), span.high * (1 + high)
    return Interval(min(ends), sorted(ends)[1], max(ends))


def _rebuilt(farm: Farm, changed: Callable[[Stand], Stand]) -> Farm:
    """A farm with other stands, and the worth of all of them where it had one."""
    stands = tuple(changed(stand) for stand in farm.stands)
    if farm.value is None:
        return replace(farm, stands=stands)
    values = [stand.value for stand in stands if stand.value is not None]
    return replace(farm, stands=stands, value=sum(values, ZERO))
