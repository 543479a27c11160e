# SPDX-License-Identifier: Apache-2.0
"""Doubt about a share or an F1: whole blocks of land are drawn again and again, the same ones for every contender."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
BOOTSTRAPS = 1000


def block_tables(true: Ints, found: Ints, classes: int, block: npt.NDArray[np.str_]) -> Floats:
    """(block, true, found): confusion counts of each block of land, blocks in the order of their names."""
    names, at = np.unique(block, return_inverse=True)
    place = (at * classes + true) * classes + found
    tables = np.bincount(place, minlength=len(names) * classes * classes)
    return tables.reshape(len(names), classes, classes).astype(np.float64)


def draw_counts(blocks: int, draws: int = BOOTSTRAPS) -> Ints:
    """(draw, block): how often each block is among as many drawn with replacement; the same ones every time."""
    return np.random.default_rng(0).multinomial(blocks, np.full(blocks, 1 / blocks), draws).astype(np.int64)


def draw_tables(tables: Floats, draws: int = BOOTSTRAPS) -> Floats:
    """(draw, true, found): sums over as many blocks as there are, drawn with replacement; same tables, same draws."""
    count = len(tables)
    sums: Floats = (draw_counts(count, draws) @ tables.reshape(count, -1)).reshape(draws, *tables.shape[1:])
    return sums


def accuracy_of(tables: Floats) -> Floats:
    """(..., true, found) -> share on the diagonal; NaN where nothing was counted."""
    total = tables.sum(axis=(-2, -1))
    return np.asarray(np.where(total > 0, np.trace(tables, axis1=-2, axis2=-1) / np.where(total > 0, total, 1), np.nan))


def macro_f1_of(tables: Floats) -> Floats:
    """(..., true, found) -> mean F1 over the classes that occur in truth; NaN where none does."""
    both = np.diagonal(tables, axis1=-2, axis2=-1)
    rows, columns = tables.sum(axis=-1), tables.sum(axis=-2)
    f1 = 2 * both / np.maximum(rows + columns, 1e-12)
    occurs = rows > 0
    count = occurs.sum(axis=-1)
    return np.asarray(np.where(count > 0, (f1 * occurs).sum(axis=-1) / np.maximum(count, 1), np.nan))


def interval_of(values: Floats) -> list[float] | None:
    """Middle 95 % of what was drawn; None where nothing was."""
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    low, high = np.percentile(values, [2.5, 97.5])
    return [round(float(low), 3), round(float(high), 3)]


def score_blocks(true: Ints, found: Ints, classes: int, block: npt.NDArray[np.str_]) -> dict[str, Any]:
    """n, oa, macro_f1 and their 95 % intervals (None where all lies in one block)."""
    if not len(true):
        return {"n": 0, "oa": None, "macro_f1": None, "oa_ci95": None, "macro_f1_ci95": None, "blocks": 0}
    tables = block_tables(true, found, classes, block)
    drawn = draw_tables(tables) if len(tables) > 1 else tables[:0]
    table = tables.sum(axis=0)
    return {
        "n": len(true),
        "oa": round(float(accuracy_of(table)), 4),
        "macro_f1": round(float(macro_f1_of(table)), 4),
        "oa_ci95": interval_of(accuracy_of(drawn)),
        "macro_f1_ci95": interval_of(macro_f1_of(drawn)),
        "blocks": len(tables),
    }


def paired_difference(
    true: Ints, one: Ints, other: Ints, classes: int, block: npt.NDArray[np.str_]
) -> dict[str, dict[str, Any]]:
    """How much `one` is better than `other` on the same parcels, the same blocks drawn for both.

    Args:
        true: (parcel,) class index.
        one: (parcel,) as the first says.
        other: (parcel,) as the second says.
        classes: how many there are.
        block: (parcel,) name of its block of land.

    Returns:
        oa and macro_f1, each with difference, ci95 (None where all lies in one block) and better (share of the draws
        in which `one` is ahead).
    """
    pair = [block_tables(true, found, classes, block) for found in (one, other)]
    out: dict[str, dict[str, Any]] = {}
    for name, score in (("oa", accuracy_of), ("macro_f1", macro_f1_of)):
        whole = [score(tables.sum(axis=0)) for tables in pair]
        gap = score(draw_tables(pair[0])) - score(draw_tables(pair[1]))
        many = len(pair[0]) > 1
        out[name] = {
            "difference": round(float(whole[0] - whole[1]), 4),
            "ci95": interval_of(gap) if many else None,
            "better": round(float((gap > 0).mean()), 3) if many else None,
        }
    return out
