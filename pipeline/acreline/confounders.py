# SPDX-License-Identifier: Apache-2.0
"""What events are mistaken for, in words, English and Chinese: other events, and what a farmer or the sky does."""

from __future__ import annotations

from acreline.layers import HEALTH_CLASSES

CONFOUNDER_WORDS: dict[str, tuple[str, str]] = {
    **{name: (en, zh) for name, (_, zh, en) in HEALTH_CLASSES.items()},
    "early_harvest": ("early harvest", "提前收割"),
    "early_ripening": ("early ripening", "提前成熟"),
    "green_fodder": ("cut green as fodder", "青贮或青饲收割"),
    "late_sowing": ("sown late", "播种较晚"),
    "mowing": ("mowing", "刈割"),
    "nitrogen_shortage": ("want of nitrogen", "缺氮"),
    "other_crop": ("another crop", "其他作物"),
    "other_variety": ("another variety", "其他品种"),
    "paddy_transplanting": ("a paddy under water for transplanting", "稻田插秧灌水"),
    "pond": ("a pond", "池塘"),
    "senescence": ("natural ripening", "自然成熟变黄"),
    "shadow": ("shadow of clouds or hills", "云影或山影"),
}
"""Code, as a detector's `CONFOUNDERS` has it -> English and Chinese."""
