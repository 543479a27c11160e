# SPDX-License-Identifier: Apache-2.0
"""Colours, words and fonts of a farm's picture. What is dark was measured; what is grey could not speak."""

from __future__ import annotations

from datetime import date

INK, MUTED, FAINT, GRID = "#22303a", "#6b7780", "#b4bcc2", "#e9edf0"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
CHINESE_FONTS = (
    *("Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Source Han Sans SC", "Source Han Sans CN"),
    *("PingFang SC", "Hiragino Sans GB", "Microsoft YaHei", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei"),
    *("SimHei", "Heiti TC", "Arial Unicode MS"),
)
"""Fonts that can write Chinese, those that come with systems and distributions; the first that is there is taken."""
WORDS = {
    "clear": ("clear look", "清晰观测"),
    "cloudy": ("cloudy look", "有云观测"),
    "haze": ("set aside: haze or shadow", "剔除：薄云或阴影"),
    "smooth": ("NDVI, smoothed", "平滑后的植被指数（NDVI）"),
    "no_parcel": ("No parcel of this farm was measured.", "该农户没有已测定的地块。"),
    "no_look": ("never seen clear", "没有清晰观测"),
    "smaller": ("not shown: {n} smaller", "未显示：另有 {n} 个较小地块"),
    "no_pictures": ("No pictures: {why}", "无影像：{why}"),
    "as_of": ("as of {day}", "截至 {day}"),
    "suspected": ("suspected", "疑似"),
}
"""English and Chinese; all else is said in the words of the report."""


def chinese_font() -> str | None:
    """A font on this machine that can write Chinese; None where there is none."""
    from matplotlib.font_manager import fontManager

    known = {entry.name for entry in fontManager.ttflist}
    return next((name for name in CHINESE_FONTS if name in known), None)


def short_day(day: date, zh: int) -> str:
    """A day without its year."""
    return f"{day.month}月{day.day}日" if zh else f"{day.day} {MONTHS[day.month - 1]}"


def month_label(day: date, zh: int, *, year: bool) -> str:
    """A month under the axis, with its year below where that is wanted."""
    month = f"{day.month}月" if zh else MONTHS[day.month - 1]
    return f"{month}\n{day.year}{'年' if zh else ''}" if year else month


def shade(colour: str, share: float = 0.45) -> str:
    """A colour mixed with ink, so that a line in it reads on white."""
    parts = zip(bytes.fromhex(colour[1:]), bytes.fromhex(INK[1:]), strict=True)
    return "#" + "".join(f"{round(own * (1 - share) + ink * share):02x}" for own, ink in parts)
