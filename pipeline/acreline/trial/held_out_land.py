# SPDX-License-Identifier: Apache-2.0
"""Which counties the four tests of a model are held on: from what its recipe says it was taught, settled on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from acreline.config import list_configs
from acreline.errors import ConfigError
from acreline.trial.counties import Wanted
from acreline.trial.four_tests import TESTS

FIRST_SEED = 901
"""Land of the tests; a recipe that has used it moves it on."""


def held_out_land(
    recipe: Mapping[str, Any],
    *,
    parcels: int = 300,
    zones: Sequence[str] | None = None,
    counties: int = 1,
    mishaps: float = 1,
) -> dict[str, list[Wanted]]:
    """Counties of each test whose land no county of the recipe has.

    Args:
        recipe: of the model's card; its `counties` (config, seeds) say which climates and years were taught, and every
            county that it names anywhere is avoided.
        parcels: of each county.
        zones: only these of `configs/simulate/`; None: all.
        counties: lands a zone.
        mishaps: times the usual number of floods, hail storms and so on.

    Returns:
        test of `four_tests.TESTS` -> counties; empty lists where the recipe taught every zone, or none.

    Raises:
        ConfigError: a zone that is not known.
    """
    known = [name for name in list_configs("simulate") if name != "crops"]
    odd = sorted(set(zones or ()) - set(known))
    if odd:
        raise ConfigError(f"no zone is called {odd[0]!r}", hint=f"choose among {', '.join(known)}")
    taught: dict[str, int] = {}
    for kind in recipe.get("counties", ()):
        taught.setdefault(kind["config"], int(kind["seeds"][0]))
    used = {int(seed) for kinds in recipe.values() for seed in _seeds_of(kinds)}
    first = max([FIRST_SEED, *(seed + 1 for seed in used if seed >= FIRST_SEED)])
    out: dict[str, list[Wanted]] = {test: [] for test in TESTS}
    if not taught:
        return out
    some_year = next(iter(taught.values()))
    for zone in known if zones is None else zones:
        near = zone in taught
        for seed in range(first, first + counties):
            year = taught.get(zone, some_year)
            out["same_year" if near else "unseen_zone"].append(Wanted(zone, parcels, seed, mishaps, year))
            out["unseen_year" if near else "unseen_zone_and_year"].append(Wanted(zone, parcels, seed, mishaps))
    return out


def _seeds_of(kinds: Any) -> list[int]:
    """Seeds of every list of counties in a recipe's value."""
    if not isinstance(kinds, list | tuple):
        return []
    return [seed for kind in kinds if isinstance(kind, Mapping) for seed in kind.get("seeds", ())]
