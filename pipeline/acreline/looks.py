# SPDX-License-Identifier: Apache-2.0
"""What was seen of each parcel: sums over its pixels, kept as integers so that they add up exactly across blocks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from acreline.cubes import INDEX_BANDS, INDEX_NO_DATA, SATURATED, normalized_difference_x10000
from acreline.doors import check_looks
from acreline.errors import ContractError
from acreline.layers import (
    BANDS,
    DN_OFFSET,
    EVIDENCE_COLUMNS,
    FULL_COVER,
    HISTOGRAM_BINS,
    INDICES,
    LOGP_SCALE,
    LOOK_COLUMNS,
    Block,
    Cube,
    Looks,
    Maps,
)
from acreline.records import NOT_FARMLAND

if TYPE_CHECKING:
    import pandas as pd

UTC_MS: Final = "datetime64[ms, UTC]"
NDVI_FLOOR, NDVI_SPAN = -2000, 12_000
"""The NDVI histogram runs from -0.2 to 1.0 (index x 10000); what lies outside is counted in the end bins."""
BARE_NDVI = 2500
"""Below this a pixel shows soil (science: harvested or no canopy)."""
PLANTED_NDVI = 4000
PLANTED_PASSES = 2
"""A pixel bears a crop when its NDVI reached 0.4 on this many clear passes: one green look may be a cloud's rim."""
HEADS = ("crop_a", "crop_b", "health")
"""Heads of the network that name classes."""
"""The class of roads, roofs, woods and open water: it fills the whole year, so both slots must name it."""
NUMBERS = ("vigour", "energy")
"""What it says as a number, kept x 100."""
SUM = "sum"

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


def take_looks(cube: Cube, maps: Maps, block: Block) -> Looks:
    """Sum up what each pass and the network saw of each parcel in one block.

    Signals come from fully covered, clear pixels; 20 m bands give the value of the 20 m pixel around a 10 m pixel.

    Args:
        cube: pixels that cover the block's window.
        maps: crop and health of the block's window.
        block: the window and the exact coverage of its parcels.

    Returns:
        integer sums, sorted by key; a pass that saw no full pixel of a parcel has no row. In `evidence`, heads `vigour`
        and `energy` have one row, class `sum`: `logp` is the sum of number x 100. Head `land` tells planted, bare and
        unseen ground: `n_px` full pixels, `prob` covered ten-thousandths of pixels, edges too; and of the same ground
        `not_farmland`: full pixels that both slots call so, `prob` by the probability that the less sure gives it.

    Raises:
        ContractError: cube or maps do not cover the block's parcels.
    """
    cover = block.coverage
    order = np.lexsort((cover.col, cover.row, cover.parcel))
    parcel = cover.parcel[order].astype(np.int64)
    weight = cover.cover[order].astype(np.int64)
    row, col = cover.row[order].astype(np.int64), cover.col[order].astype(np.int64)
    names = np.asarray(cover.parcel_ids, dtype=object)
    full = weight >= FULL_COVER

    at = _locate(row, col, cube, "cube")
    passes, green, seen = _sum_passes(cube, at, parcel, full, names)
    on_map = _locate(row, col, maps, "maps")
    evidence = _sum_evidence(maps, on_map, parcel, full, weight, green, seen, names)
    land = {
        "parcel_id": names,
        "n_full": np.bincount(parcel[full], minlength=len(names)).astype(np.int64),
        "cover": _total(weight, parcel, len(names)),
    }
    return check_looks(Looks(*_tidy(_table(passes, LOOK_COLUMNS), evidence, _table(land, ("parcel_id",)))))


def merge_looks(parts: Iterable[Looks]) -> Looks:
    """Add up the looks of all blocks: the same table, bit for bit, however the land was cut into blocks.

    Args:
        parts: looks of the blocks, in any order.

    Returns:
        one row per (parcel, pass), per (parcel, head, class) and per parcel, sorted; a pass has its earliest time.
    """
    import pandas as pd

    listed = list(parts)
    empty_passes, empty_land = _table({}, LOOK_COLUMNS), _table({}, ("parcel_id", "n_full", "cover"))
    passes = pd.concat([empty_passes, *(_typed(part.passes) for part in listed)], ignore_index=True)
    evidence = pd.concat([_table({}, EVIDENCE_COLUMNS), *(_typed(part.evidence) for part in listed)], ignore_index=True)
    land = pd.concat([empty_land, *(_typed(part.land) for part in listed)], ignore_index=True)
    return check_looks(
        Looks(
            *_tidy(
                _add_up(passes, ["parcel_id", "pass_id"]),
                _add_up(evidence, ["parcel_id", "head", "cls"]),
                _add_up(land, ["parcel_id"]),
            )
        )
    )


# --- pixels -------------------------------------------------------------------------------------------------------
def _locate(row: Ints, col: Ints, grid: Cube | Maps, what: str) -> tuple[Ints, Ints]:
    """Tile pixels as rows and columns of an array, refused when any lies outside it."""
    y, x = row - int(grid.attrs["row"]), col - int(grid.attrs["col"])
    height, width = grid.sizes["y"], grid.sizes["x"]
    if len(y) and (y.min() < 0 or x.min() < 0 or y.max() >= height or x.max() >= width):
        raise ContractError(
            f"looks: {what} of {height} x {width} px from ({grid.attrs['row']}, {grid.attrs['col']}) does not cover "
            f"rows {row.min()}..{row.max()}, columns {col.min()}..{col.max()}",
            hint="this is a fault of acreline: please report it with the run's log",
        )
    return y, x


def _sum_passes(
    cube: Cube, at: tuple[Ints, Ints], parcel: Ints, full: Mask, names: npt.NDArray[Any]
) -> tuple[dict[str, npt.NDArray[Any]], Ints, Ints]:
    """Columns of the look table; and of every covered pixel, on how many passes it was green and clear."""
    y, x = at
    y20, x20 = y // 2, x // 2
    dn10, dn20 = cube["dn10"].values, cube["dn20"].values
    clear_px, water_px = cube["clear"].values, cube["water"].values
    times = cube["time"].values.astype("datetime64[ms]")
    pass_ids = cube["pass_id"].values
    green, seen = np.zeros(len(y), dtype=np.int64), np.zeros(len(y), dtype=np.int64)
    columns: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in LOOK_COLUMNS}
    for t in range(len(times)):
        dn = np.concatenate([dn10[t][:, y, x], dn20[t][:, y20, x20]])  # (band, px)
        has_data = ((dn != 0) & (dn != SATURATED)).all(axis=0)
        by_band = dict(zip(BANDS, dn, strict=True))
        indices = {
            name: normalized_difference_x10000(by_band[first], by_band[second]).astype(np.int64)
            for name, (first, second) in INDEX_BANDS.items()
        }
        # A pixel black in both bands of an index is no look at a field.
        lit = np.all([value != INDEX_NO_DATA for value in indices.values()], axis=0)
        clear = has_data & lit & clear_px[t][y, x]
        ndvi = indices["ndvi"]
        green += clear & (ndvi >= PLANTED_NDVI)
        seen += clear
        sums = _Sums(parcel, full & has_data, len(names))
        there = np.flatnonzero(sums.count)
        columns["parcel_id"].append(names[there])
        columns["pass_id"].append(np.full(len(there), str(pass_ids[t]), dtype=object))
        columns["time"].append(np.full(len(there), times[t]))
        columns["n_seen"].append(sums.count[there])
        used = _Sums(parcel, full & clear, len(names))
        columns["n_clear"].append(used.count[there])
        columns["n_water"].append(used.of(water_px[t][y20, x20])[there])
        columns["n_bare"].append(used.of(ndvi < BARE_NDVI)[there])
        for name, value in by_band.items():
            columns[f"sum_{name}"].append(used.of(value.astype(np.int64) - DN_OFFSET)[there])
        for name in INDICES:
            value = indices[name]
            columns[f"sum_{name}"].append(used.of(value)[there])
            columns[f"ssq_{name}"].append(used.of(value * value)[there])
        histogram = used.histogram(np.clip((ndvi - NDVI_FLOOR) * HISTOGRAM_BINS // NDVI_SPAN, 0, HISTOGRAM_BINS - 1))
        for k in range(HISTOGRAM_BINS):
            columns[f"hist_{k:02d}"].append(histogram[there, k])
    return {name: np.concatenate(values) for name, values in columns.items() if values}, green, seen


def _sum_evidence(
    maps: Maps,
    at: tuple[Ints, Ints],
    parcel: Ints,
    full: Mask,
    weight: Ints,
    green: Ints,
    seen: Ints,
    names: npt.NDArray[Any],
) -> pd.DataFrame:
    """What the network said of each parcel's full pixels, and which of its ground bears a crop."""
    import pandas as pd

    y, x = at
    valid = maps["valid"].values[y, x]
    measured = _Sums(parcel, full & valid, len(names))
    tables = []
    best: dict[str, Ints] = {}
    classes: dict[str, list[str]] = {}
    other_land, odds = valid.copy(), np.full(len(y), 10_000, dtype=np.int64)
    for head in HEADS:
        classes[head] = [str(name) for name in maps[f"{head}_class"].values]
        if not classes[head]:
            continue
        logp = maps[f"{head}_logp"].values[:, y, x]  # (class, px)
        best[head] = logp.argmax(axis=0)
        prob = _PROBABILITY[np.clip(-logp.astype(np.int64), 0, len(_PROBABILITY) - 1)]
        if head != "health":
            outside = classes[head].index(NOT_FARMLAND) if NOT_FARMLAND in classes[head] else -1
            other_land &= best[head] == outside
            odds = np.minimum(odds, prob[outside] if outside >= 0 else 0)
        for k, name in enumerate(classes[head]):
            tables.append(measured.rows(names, head, name, best[head] == k, measured.of(logp[k]), measured.of(prob[k])))
    none = np.zeros(len(names), dtype=np.int64)
    for head in (name for name in HEADS if name != "health" and {name, "health"} <= set(best)):
        pairs = best[head] * len(classes["health"]) + best["health"]
        for pair in np.unique(pairs[measured.rows_used]):
            crop, health = divmod(int(pair), len(classes["health"]))
            name = f"{classes[head][crop]}|{classes['health'][health]}"
            rows = measured.rows(names, f"{head}_health", name, pairs == pair, none, none)
            tables.append(rows[rows["n_px"] > 0])
    for number in NUMBERS:
        total = measured.of(maps[number].values[y, x])
        tables.append(measured.rows(names, number, SUM, np.ones_like(valid), total, none))
    looked_at = valid & (seen > 0)
    planted = looked_at & (green >= PLANTED_PASSES)
    ground, covered = _Sums(parcel, full, len(names)), _Sums(parcel, np.ones_like(full), len(names))
    for name, mask in (("planted", planted), ("bare", looked_at & ~planted), ("unseen", ~looked_at)):
        rows = covered.rows(names, "land", name, mask, none, covered.of(weight * mask))
        rows["n_px"] = ground.of(mask)[covered.count > 0]
        tables.append(rows[rows["prob"] > 0])
    if {"crop_a", "crop_b"} <= set(best):
        rows = measured.rows(names, "land", "not_farmland", other_land, none, measured.of(odds))
        tables.append(rows[rows["prob"] > 0])
    return _typed(pd.concat(tables, ignore_index=True))


class _Sums:
    """Sums per parcel over some of the pixels, exact in int64."""

    def __init__(self, parcel: Ints, mask: Mask, n_parcels: int) -> None:
        self.rows_used = np.flatnonzero(mask)
        owner = parcel[self.rows_used]
        self.count: Ints = np.bincount(owner, minlength=n_parcels).astype(np.int64)
        self._owner = owner
        self._there = np.flatnonzero(self.count)
        self._starts = np.searchsorted(owner, self._there)  # pixels are sorted by parcel

    def of(self, values: npt.NDArray[Any]) -> Ints:
        """Sum of `values` (one per covered pixel) over the pixels used, (parcel,)."""
        total = np.zeros(len(self.count), dtype=np.int64)
        if len(self._there):
            total[self._there] = np.add.reduceat(values[self.rows_used].astype(np.int64), self._starts)
        return total

    def histogram(self, bins: Ints) -> Ints:
        """Pixels used by bin, (parcel, bin)."""
        cell = self._owner * HISTOGRAM_BINS + bins[self.rows_used]
        size = len(self.count) * HISTOGRAM_BINS
        return np.bincount(cell, minlength=size).astype(np.int64).reshape(-1, HISTOGRAM_BINS)

    def rows(self, names: npt.NDArray[Any], head: str, cls: str, mask: Mask, logp: Ints, prob: Ints) -> pd.DataFrame:
        """Evidence rows of one class for the parcels that have pixels."""
        import pandas as pd

        there = self._there
        values = (names[there], head, cls, self.of(mask)[there], logp[there], prob[there])
        return pd.DataFrame(dict(zip(EVIDENCE_COLUMNS, values, strict=True)))


def _total(values: Ints, parcel: Ints, n_parcels: int) -> Ints:
    return _Sums(parcel, np.ones(len(values), dtype=bool), n_parcels).of(values)


_PROBABILITY = np.rint(np.exp(-np.arange(32_769) / LOGP_SCALE) * 10_000).astype(np.int64)
"""exp(-i / 1024) in ten-thousandths for every int16 log-probability."""


# --- tables -------------------------------------------------------------------------------------------------------
def _table(values: Mapping[str, npt.NDArray[Any]], columns: tuple[str, ...]) -> pd.DataFrame:
    """A table with all the columns and fixed types, empty where nothing was found."""
    import pandas as pd

    names = list(dict.fromkeys([*columns, *values]))
    return _typed(pd.DataFrame({name: values.get(name, np.empty(0, dtype=np.int64)) for name in names}))


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    """Text, times and whole numbers in one type each, wherever the table comes from."""
    import pandas as pd

    kinds: dict[str, Any] = dict.fromkeys(table.columns, "int64")
    kinds.update({name: "string" for name in ("parcel_id", "pass_id", "head", "cls") if name in kinds})
    if "time" in kinds:
        kinds.pop("time")
        table = table.assign(time=pd.to_datetime(table["time"], utc=True).astype(UTC_MS))
    return table.astype(kinds)


def _add_up(table: pd.DataFrame, key: list[str]) -> pd.DataFrame:
    if not table.duplicated(key).any():
        return table
    numbers = [name for name in table.columns if name not in key and name != "time"]
    how = dict.fromkeys(numbers, "sum") | ({"time": "min"} if "time" in table.columns else {})
    columns = list(table.columns)
    return _typed(table.groupby(key, sort=False).agg(how).reset_index()[columns])


def _tidy(passes: pd.DataFrame, evidence: pd.DataFrame, land: pd.DataFrame) -> tuple[pd.DataFrame, ...]:
    tables = ((passes, ["parcel_id", "pass_id"]), (evidence, ["parcel_id", "head", "cls"]), (land, ["parcel_id"]))
    return tuple(table.sort_values(key, kind="stable").reset_index(drop=True) for table, key in tables)
