# SPDX-License-Identifier: Apache-2.0
"""What is scored: the groups of crops of each task, and which code of a label source means which of them."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from acreline.config import packaged_configs
from acreline.errors import ConfigError
from acreline.model.classes import CROP_CLASSES, NONE

NOT_SCORED = "not scored"
SLUGS = CROP_CLASSES
"""Classes of land that a label may teach: the `slug` of `configs/labels/*.csv`."""
WORDS: dict[str, tuple[str, str]] = {
    "winter_cereal": ("winter cereals", "冬谷物"),
    "winter cereals": ("winter cereals", "冬谷物"),
    "winter_barley": ("winter barley", "冬大麦"),
    "spring_cereal": ("spring cereals", "春谷物"),
    "spring_barley": ("spring barley", "春大麦"),
    "rapeseed": ("rapeseed", "油菜"),
    "early_rice": ("early rice", "早稻"),
    "late_rice": ("late rice", "晚稻"),
    "single_rice": ("single-season rice", "单季稻"),
    "maize": ("maize", "玉米"),
    "soybean": ("soybean", "大豆"),
    "soy": ("soybean", "大豆"),
    "cotton": ("cotton", "棉花"),
    "peanut": ("peanut", "花生"),
    "potato": ("potato", "马铃薯"),
    "sweet_potato": ("sweet potato", "甘薯"),
    "sunflower": ("sunflower", "向日葵"),
    "beet": ("beet", "甜菜"),
    "pulses": ("pulses", "豆类"),
    "legumes": ("legumes", "豆类"),
    "sugarcane": ("sugar cane", "甘蔗"),
    "tobacco": ("tobacco", "烟草"),
    "tea": ("tea", "茶园"),
    "perennial": ("perennial crops", "多年生作物"),
    "vegetables": ("vegetables", "蔬菜"),
    "greenhouse": ("greenhouse", "大棚"),
    "grassland": ("grassland", "草地"),
    "grass": ("grassland", "草地"),
    "sorghum": ("sorghum", "高粱"),
    "non_agri": ("not farmed", "非农用地"),
    "none": ("nothing grown", "未种作物"),
}
"""Group or class -> English and Chinese name."""


@dataclass(frozen=True)
class Task:
    """What is scored, and of what."""

    name: str
    unit: tuple[str, str]
    """What one sample is, in the plural: English, Chinese."""
    groups: Mapping[str, tuple[str, ...]]
    """Scored group -> classes of land whose probabilities it sums. No class: no model can name it, and it counts."""
    forest: str
    """Which inputs and packaged labels the random forest has: see `acreline.trial.forest`."""


_FRANCE: dict[str, tuple[str, ...]] = {
    "grassland": ("grassland",),
    "maize": ("maize",),
    "winter_cereal": ("winter_cereal", "winter_barley"),
    "sunflower": ("sunflower",),
    "rapeseed": ("rapeseed",),
    "soy": ("soybean",),
    "perennial": ("perennial", "tea"),
}
TASKS = {
    task.name: task
    for task in (
        Task(
            "A",
            ("parcels", "地块"),
            {
                "grassland": ("grassland",),
                "maize": ("maize",),
                "winter_cereal": ("winter_cereal",),
                "winter_barley": ("winter_barley",),
                "spring_barley": ("spring_cereal",),
                "rapeseed": ("rapeseed",),
            },
            "parcels",
        ),
        Task("B", ("points", "样点"), _FRANCE, "points"),
        Task("series", ("points", "样点"), _FRANCE, "points"),
        Task(
            "D",
            ("pixels of 10 m", "10 米像元"),
            {
                "maize": ("maize",),
                "grass": ("grassland",),
                "potato": ("potato",),
                "winter cereals": ("winter_cereal", "winter_barley"),
                "vegetables": ("vegetables",),
                "legumes": ("pulses",),
                "sorghum": (),
            },
            "pixels",
        ),
    )
}


def region_task(slugs: npt.NDArray[np.str_]) -> Task:
    """The task of a labelled region: every class that stands there is a group of its own, nothing grown too."""
    present = set(slugs.tolist())
    groups = {slug: (slug,) for slug in (*SLUGS, NONE) if slug in present}
    return Task("region", ("seasons of parcels", "地块季次"), groups, "pixels")


@dataclass(frozen=True)
class Code:
    """What one code of a label source means."""

    name: str
    slug: str
    group: str


@cache
def read_codes(source: str) -> Mapping[int, Code]:
    """Read `configs/labels/<source>.csv`: code, name, class, group, slug.

    Raises:
        ConfigError: there is no such file, or it names a class that does not exist.
    """
    path = packaged_configs() / "labels" / f"{source}.csv"
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except FileNotFoundError as error:
        raise ConfigError(f"labels: no file {path.name}", hint="see configs/labels/") from error
    for row in rows:
        if row["slug"] not in (*SLUGS, NONE):
            raise ConfigError(
                f"{path.name}: code {row['code']} has the unknown slug {row['slug']!r}",
                hint=f"known: {', '.join(SLUGS)}, {NONE}",
            )
    return {int(row["code"]): Code(row["name"], row["slug"], row["group"]) for row in rows}


def look_up(source: str, codes: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.str_], ...]:
    """Codes -> name, slug and group of each; a code that the file does not list is `none` and not scored."""
    listed = read_codes(source)
    found = [listed.get(int(code), Code("not listed", NONE, NOT_SCORED)) for code in codes]
    return (
        np.array([code.name for code in found], str),
        np.array([code.slug for code in found], str),
        np.array([code.group for code in found], str),
    )


def count_not_scored(
    code: npt.NDArray[np.int64], label: npt.NDArray[np.str_], out: npt.NDArray[np.bool_]
) -> list[dict[str, Any]]:
    """What is not scored, by code: code, name, n; the most frequent first."""
    pairs = sorted(zip(code[out].tolist(), label[out].tolist(), strict=True))
    counted = {pair: pairs.count(pair) for pair in sorted(set(pairs))}
    rows = [{"code": pair[0], "name": pair[1], "n": n} for pair, n in counted.items()]
    return sorted(rows, key=lambda row: (-int(row["n"]), int(row["code"]), str(row["name"])))
