# SPDX-License-Identifier: Apache-2.0
"""Growth stages in the words that farmers use for their crop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Pair = tuple[str, str]

GROUPS: dict[str, tuple[str, ...]] = {
    "cereal": ("winter_cereal", "winter_barley", "spring_cereal"),
    "rice": ("early_rice", "late_rice", "single_rice"),
    "maize": ("maize", "sugarcane"),
    "pods": ("soybean", "pulses", "peanut", "rapeseed"),
    "roots": ("potato", "sweet_potato", "beet"),
    "bolls": ("cotton",),
    "heads": ("sunflower",),
    "leaves": ("vegetables", "tobacco"),
}
"""Crops that grow by the same stages."""
COMMON: dict[str, Pair] = {
    "not_begun": ("not up yet", "尚未出苗"),
    "bare": ("bare ground", "裸地"),
    "emerging": ("seedling", "苗期"),
    "growing": ("growing", "生长期"),
    "peak": ("fullest growth", "生长旺盛期"),
    "senescing": ("ripening", "成熟期"),
    "harvested": ("harvested", "已收获"),
    "permanent": ("standing all year", "常年生长"),
    "unknown": ("not known", "未知"),
}
"""Words of `seasons.dates.STAGES` for any crop."""
OWN: dict[str, dict[str, Pair]] = {
    "cereal": {
        "emerging": ("seedling to tillering", "苗期至分蘖期"),
        "growing": ("jointing", "拔节期"),
        "peak": ("heading", "抽穗期"),
        "senescing": ("grain filling to ripeness", "灌浆至成熟期"),
    },
    "rice": {
        "emerging": ("transplanted, turning green", "移栽返青期"),
        "growing": ("tillering to jointing", "分蘖至拔节期"),
        "peak": ("heading", "抽穗期"),
        "senescing": ("grain filling to ripeness", "灌浆至成熟期"),
    },
    "maize": {
        "growing": ("jointing", "拔节期"),
        "peak": ("tasselling", "抽雄期"),
        "senescing": ("grain filling to ripeness", "灌浆至成熟期"),
    },
    "pods": {
        "growing": ("branching", "分枝期"),
        "peak": ("flowering to pod setting", "开花结荚期"),
        "senescing": ("pods filling to ripeness", "鼓粒至成熟期"),
    },
    "roots": {
        "growing": ("leaves closing the rows", "茎叶封垄期"),
        "peak": ("roots or tubers growing", "块根块茎膨大期"),
        "senescing": ("tops dying back", "茎叶枯黄期"),
    },
    "bolls": {
        "growing": ("squaring", "现蕾期"),
        "peak": ("flowering and boll setting", "花铃期"),
        "senescing": ("bolls opening", "吐絮期"),
    },
    "heads": {
        "growing": ("budding", "现蕾期"),
        "peak": ("flowering", "开花期"),
    },
    "leaves": {
        "peak": ("ready to be picked", "采收期"),
        "senescing": ("past its best", "生长后期"),
    },
}

DATED: dict[str, Pair] = {
    "emergence": ("up", "出苗"),
    "peak": ("fullest", "最茂盛"),
    "senescence": ("ripening from", "开始成熟"),
    "harvest": ("cut", "收割"),
}
"""What is dated of a stand, in order."""


def stage_words(crop: str | None, stage: str | None) -> Pair:
    """English and Chinese words of a stage for a crop; those of any crop where it has none of its own.

    The stage is read from greenness alone (`seasons.dates`): it tells the span in which a crop is, not the day of an
    ear.
    """
    if not stage:
        return COMMON["unknown"]
    group = next((name for name, crops in GROUPS.items() if crop in crops), "")
    plain = stage.replace("_", " ")
    return OWN.get(group, {}).get(stage) or COMMON.get(stage, (plain, plain))


def season_line(row: Mapping[str, Any]) -> Pair:
    """A stand's stage and dates in one line, each date with its doubt in days.

    Args:
        row: of the table of seasons: crop, stage, and dates as text or None with their doubts.
    """
    en, zh = (list(words) for words in zip(stage_words(row["crop"], row["stage"]), strict=True))
    for name, said in DATED.items():
        if row.get(name):
            day, doubt = str(row[name])[:10], row.get(f"{name}_doubt_days")
            sure = "" if doubt is None else f" ± {max(1, round(float(doubt)))}"
            en.append(f"{said[0]} {day}{sure and sure + ' days'}")
            zh.append(f"{said[1]}{day}{sure and sure + '天'}")
    return ", ".join(en), "，".join(zh)
