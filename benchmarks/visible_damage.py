# SPDX-License-Identifier: Apache-2.0
"""How much of the damage of a simulated county can be seen at all: each county beside its twin without mishaps.

    python benchmarks/visible_damage.py [--zones sim-county yangtze] [--parcels 150] [--seed 401]

Land, crops, weather, passes and clouds are the same in both; only the mark of each mishap is missing in the twin. A
struck parcel can be seen where a sign (`model.departures`) of its mean on a clear look lies farther from its twin than
fields of the same crops lie apart on that look. It bounds what can be read from one field beside its kind, for nobody
has the twin. Late and failed stands are no marks but part of the growth, and are left out.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from rows import Row, make_row, write_rows

from acreline.cubes import clear_from_scl
from acreline.layers import HEALTH_CLASSES, MIN_FULL_PX
from acreline.model.banks import edge_pixels, reflectance_of
from acreline.model.departures import LEAST_SPREAD, signs_of
from acreline.trial.counties import Wanted, health_history, truth_layers, watch_county
from acreline.trial.county_counts import STRUCK, commonest

COMMAND = "python benchmarks/visible_damage.py"
SPREADS = (1.0, 2.0)
CLEAR = 0.6
"""Share of a parcel's inner pixels that must be clear for a look to count."""
FEWEST = 5
"""Fields of a kind from which on their spread is known."""
Floats = npt.NDArray[np.float32]


def main() -> None:
    """Make counties and their twins, compare, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--zones", nargs="*", default=["sim-county", "yangtze"])
    parser.add_argument("--parcels", type=int, default=150)
    parser.add_argument("--seed", type=int, default=401)
    parser.add_argument("--mishaps", type=float, default=5, help="times the usual number")
    asked = parser.parse_args()
    wanted = [Wanted(zone, asked.parcels, asked.seed, asked.mishaps) for zone in asked.zones]
    parts = []
    for one in wanted:
        parts.append(struck_parcels(one))
        print(f"{one.name}: {len(parts[-1]['kind'])} struck parcels", flush=True)
    told = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    rows = rows_of(told, ", ".join(one.name for one in wanted))
    write_rows("visible_damage", rows)
    for row in rows:
        print(f"{row['value']:.2f} {row['quantity']} (n {row['n']}); {row['baseline']}")


def struck_parcels(one: Wanted) -> dict[str, npt.NDArray[Any]]:
    """Struck parcels of a county: kind, clear looks since they were struck, and the greatest departure in spreads."""
    from acreline.simulate.county import make_county

    county = make_county(one.settings, parcels=one.parcels, seed=one.seed)
    twin = replace(county, states=replace(county.states, marks=()))  # type: ignore[type-var]
    layers = truth_layers(county)
    event, since, _, _ = health_history(county)
    sound, _, _, _ = health_history(twin)  # what is left there: late and failed stands
    inner = (layers["parcel"] >= 0) & ~edge_pixels(layers["parcel"] + 1)
    number, at, size = np.unique(layers["parcel"][inner], return_inverse=True, return_counts=True)
    kind = commonest(at, layers["crop_a"][inner].astype(np.int64) * 1000 + layers["crop_b"][inner], len(number))
    struck = commonest(at, np.where((event == sound)[inner], 0, event[inner]), len(number))
    share = np.bincount(at, event[inner] == struck[at], len(number)) / size
    mine = (struck > 0) & (share > STRUCK) & (size >= MIN_FULL_PX)
    first = np.full(len(number), np.inf)
    np.minimum.at(first, at, np.where(event[inner] == struck[at], since[inner], np.inf))

    looks = watch_county(county, one.settings)
    seen, clear = _means(looks, inner, at, size)
    usual, _ = _means(watch_county(twin, one.settings), inner, at, size)
    days = (looks["times"].astype("datetime64[D]") - np.datetime64(county.season_start, "D")).astype(float)
    after = clear & (days[:, None] >= first[None])
    far = np.abs(seen - usual) / (_spread(usual, clear, kind) + LEAST_SPREAD)  # (time, sign, parcel)
    most = np.where(after[:, None] & np.isfinite(far), far, 0).max(axis=(0, 1))
    return {"kind": struck[mine], "looks": after.sum(axis=0)[mine], "most": most[mine]}


def _means(
    looks: dict[str, npt.NDArray[Any]], inner: npt.NDArray[np.bool_], at: npt.NDArray[np.int64], size: Any
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Signs (time, sign, parcel) of each parcel's mean over its clear inner pixels, and whether the look counts."""
    bands = np.concatenate([looks["dn10"], looks["dn20"].repeat(2, axis=2).repeat(2, axis=3)], axis=1)
    clear = clear_from_scl(looks["scl"], np.logical_and.reduce(bands != 0, axis=1))[:, inner]
    values = bands[:, :, inner]
    count = np.stack([np.bincount(at, one, len(size)) for one in clear])
    sums = np.stack([
        np.stack([np.bincount(at, band * one, len(size)) for band in reflectance_of(look)])
        for look, one in zip(values, clear, strict=True)
    ])  # fmt: skip
    means = (sums / np.maximum(count, 1)[:, None]).astype(np.float32)
    with_flag = np.concatenate([means, np.ones_like(means[:, :1])], axis=1)
    return signs_of(torch.from_numpy(with_flag)[None])[0].numpy(), count >= CLEAR * size


def _spread(signs: Floats, clear: npt.NDArray[np.bool_], kind: npt.NDArray[np.int64]) -> Floats:
    """How far fields of a kind lie apart on each look, (time, sign, parcel); NaN where too few are seen."""
    out = np.full_like(signs, np.nan)
    for one in np.unique(kind):
        mine = kind == one
        seen = np.where(clear[:, None, mine], signs[:, :, mine], np.nan)
        enough = clear[:, mine].sum(axis=1) >= FEWEST
        if enough.any():
            out[np.ix_(enough, np.arange(signs.shape[1]), mine)] = np.nanstd(seen[enough], axis=2)[:, :, None]
    return out


def rows_of(told: dict[str, npt.NDArray[Any]], counties: str) -> list[Row]:
    """A row for each kind and each number of spreads."""
    rows = []
    for number in [*np.unique(told["kind"]), None]:
        mine = np.full(len(told["kind"]), True) if number is None else told["kind"] == number
        name = "of any kind" if number is None else list(HEALTH_CLASSES)[number]
        unseen = float((told["looks"][mine] == 0).mean())
        rows += [
            make_row(
                f"struck parcels, {name}, that a clear look shows {spreads:g} spreads or more from their twin",
                f"{counties}; on simulated data", round(float((told["most"][mine] >= spreads).mean()), 4), "share",
                n=int(mine.sum()), command=COMMAND, baseline=f"no clear look after the mishap: {unseen:.2f}",
            )
            for spreads in SPREADS
        ]  # fmt: skip
    return rows


if __name__ == "__main__":
    main()
