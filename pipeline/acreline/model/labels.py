# SPDX-License-Identifier: Apache-2.0
"""Which code of a label source means which crop, and the squares of land to learn from as arrays."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from acreline.config import packaged_configs
from acreline.errors import ConfigError, InputError
from acreline.model.classes import CROP_CLASSES
from acreline.thermal import Temperatures, unpack_temperatures

IGNORED = "none"
"""What a label file says of a code that is known and deliberately not learned."""
NO_LABEL = -1
TEST_SQUARE = "00002806639B424A"
"""The demo region's square: the test set, never trained or tuned on."""


@dataclass(frozen=True)
class LabelMap:
    """One source's codes: what they are called, which class they teach, in which group they are scored."""

    name: str
    classes: dict[int, str]
    groups: dict[int, str]

    def indices(self, codes: npt.NDArray[np.integer]) -> npt.NDArray[np.int16]:
        """Codes -> index into `CROP_CLASSES`, `NO_LABEL` for 0 and for codes that are ignored on purpose.

        Raises:
            InputError: a code that the file does not list.
        """
        out = np.full(codes.shape, NO_LABEL, np.int16)
        for code in np.unique(codes).tolist():
            if code == 0:
                continue
            if code not in self.classes:
                raise InputError(
                    f"label code {code} is not in configs/labels/{self.name}.csv",
                    hint=f"add a line for it; its slug is a crop class or `{IGNORED}`",
                )
            if self.classes[code] != IGNORED:
                out[codes == code] = CROP_CLASSES.index(self.classes[code])
        return out


@dataclass(frozen=True)
class Square:
    """A whole square of land through a season."""

    name: str
    harvest_year: int
    times: npt.NDArray[np.datetime64]
    values: npt.NDArray[np.uint16]
    """(time, band, y20, x20), as a cube's numbers."""
    scl: npt.NDArray[np.uint8]
    """(time, y20, x20)."""
    label: npt.NDArray[np.int16]
    """(y, x) on the 10 m grid."""
    field: npt.NDArray[np.int32]
    """(y, x): number of the field, 0 = no label."""
    temperatures: Temperatures | None = None


def read_label_map(name: str) -> LabelMap:
    """Read `configs/labels/<name>.csv`: code, name, group, slug (the class that it teaches).

    Raises:
        ConfigError: the file is missing, or names a class the crop heads do not have.
    """
    path = packaged_configs() / "labels" / f"{name}.csv"
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except FileNotFoundError as error:
        raise ConfigError(f"labels: no file {path.name}", hint="see configs/labels/") from error
    classes = {int(row["code"]): row["slug"] for row in rows}
    for code, crop in classes.items():
        if crop not in (*CROP_CLASSES, IGNORED):
            raise ConfigError(
                f"{path.name}: code {code} names the unknown crop class {crop!r}",
                hint=f"known: {', '.join(CROP_CLASSES)}, {IGNORED}",
            )
    return LabelMap(name, classes, {int(row["code"]): row["group"] for row in rows})


def read_square(path: Path) -> Square:
    """Read a packed square of `data/training/`.

    Raises:
        InputError: the file is missing, is not what `data/build_training.py` writes, or holds an unlisted code; or the
            square is the demo region's, which is kept for the test.
    """
    refuse_test_square(path.stem)
    raw = _read_arrays(path, ("harvest_year", "times", "values", "scl", "code", "field", "label_map", "square"))
    refuse_test_square(str(raw["square"]))
    label = read_label_map(str(raw["label_map"])).indices(raw["code"])
    with np.load(path, allow_pickle=False) as stored:
        known = unpack_temperatures(stored)
    return Square(
        path.stem, int(raw["harvest_year"]), raw["times"], raw["values"], raw["scl"], label, raw["field"],
        known[0] if known else None,
    )  # fmt: skip


def number_fields(codes: npt.NDArray[np.integer]) -> npt.NDArray[np.int32]:
    """Label raster -> number of each 4-connected patch of one code, from 1 by code and place; 0 = no label."""
    height, width = codes.shape
    number = np.where(codes > 0, np.arange(1, height * width + 1).reshape(codes.shape), 0)
    while True:  # the lowest number walks through its patch
        before = number.copy()
        for ahead, behind in (
            ((slice(1, None), slice(None)), (slice(None, -1), slice(None))),
            ((slice(None), slice(1, None)), (slice(None), slice(None, -1))),
        ):
            same = (codes[ahead] == codes[behind]) & (codes[ahead] > 0)
            low = np.minimum(number[ahead], number[behind])
            number[ahead] = np.where(same, low, number[ahead])
            number[behind] = np.where(same, np.minimum(low, number[behind]), number[behind])
        if np.array_equal(before, number):
            break
    names = np.unique(number[number > 0])
    ranked = names[np.argsort(codes.ravel()[names - 1], kind="stable")]  # by code, then in reading order
    rank = np.zeros(height * width + 1, np.int32)
    rank[ranked] = np.arange(1, len(ranked) + 1)
    return rank[number]


def refuse_test_square(name: str) -> None:
    """Stop anything that would train or tune on the test square.

    Raises:
        InputError: the name is that square's.
    """
    if TEST_SQUARE.lower() in name.lower():
        raise InputError(
            f"square {TEST_SQUARE} is the test set and is never trained on",
            hint="train on the other squares; `acreline evaluate` reads this one",
        )


def _read_arrays(path: Path, keys: tuple[str, ...]) -> dict[str, npt.NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {key: stored[key] for key in keys}
    except (OSError, KeyError, ValueError) as error:
        raise InputError(
            f"{path.name}: not a training file of acreline: {error}", hint="run data/build_training.py again"
        ) from error
