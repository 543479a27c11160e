# SPDX-License-Identifier: Apache-2.0
"""The figures behind a parcel's status in English and Chinese: the tables hold them as English text, part by part."""

from __future__ import annotations

import re

from acreline.report.words import word

Pair = tuple[str, str]
SENTENCES: tuple[tuple[str, str], ...] = (
    # claims
    (r"in the season to (\S+) (\S+) of it lay with farm (.+?)(?:, and parts with (\d+) more)?",
     r"截至 {0} 的季节中，{1} 属于农户 {2}|，另有部分属于其他 {3} 户"),
    (r"drawn (\S+) m2, registered (\S+) m2 \((\S+)\)", r"所画面积 {0} 平方米，登记面积 {1} 平方米（{2}）"),
    (r"water on (\d+) of (\d+) clear looks, (\S+) of its pixels in the middle of them",
     r"{1} 次清晰观测中 {0} 次有水，水面像元占比中位数 {2}"),
    (r"road, roof or wood on (\d+) of (\d+) full pixels \((\S+) by probability\)",
     r"{1} 个完整像元中有 {0} 个为道路、建筑或林木（按概率 {2}）"),
    (r"drawn (\S+) m2, its pixels cover (\S+) m2 \((\S+)\)", r"所画面积 {0} 平方米，像元覆盖 {1} 平方米（{2}）"),
    (r"drawn on (\S+), (-?\d+) days after the harvest of about (\S+)", r"勾绘于 {0}，约在 {2} 收获后 {1} 天"),
    (r"(\S+ ?%) of it is also parcel (.+?)(?:, and (\d+) more)?", r"{0} 与地块 {1} 重叠|，另与 {2} 个地块重叠"),
    # seen well enough
    (r"(\d+) clear looks \(needs (\d+)\)", r"{0} 次清晰观测（需 {1} 次）"),
    (r"newest clear look on (\S+), older than (\d+) days", r"最近清晰观测为 {0}，已超过 {1} 天"),
    (r"(\d+) full pixels \(needs (\d+)\), (\S+) left 5 m inside \(needs (\S+)\)",
     r"{0} 个完整像元（需 {1} 个），向内 5 米后剩余 {2}（需 {3}）"),
    (r"a block under it could not be measured", r"其所在分块未能测定"),
    (r"no block measured it", r"没有分块测定过该地块"),
    (r"scenes_lost (\d+)", r"{0} 景覆盖影像无法读取"),
    # the farm file
    (r"no value in column (.+)", r"{0} 列没有值"),
    (r"another row has the same id", r"另一行编号相同"),
    (r"column (.+) holds no area above zero", r"{0} 列不是大于零的面积"),
    (r"column (.+) holds no day such as (\S+)", r"{0} 列不是日期（例：{1}）"),
    (r"the row has no outline", r"该行没有边界"),
    (r"the outline's bytes cannot be read as a shape", r"边界数据无法识别"),
    (r"the outline is a (\w+)", r"边界不是面，而是 {0}"),
    (r"(\d+) vertices, the limit is (\d+)", r"{0} 个顶点，上限为 {1}"),
    (r"a coordinate is not a finite number", r"坐标不是有限数值"),
    (r"(\S+) m2 as drawn, (\S+) m2 repaired", r"所画面积 {0} 平方米，修复后 {1} 平方米"),
    (r"less than (\S+) m2", r"小于 {0} 平方米"),
    (r"(\S+) ha, the limit is (\S+) ha", r"{0} 公顷，上限为 {1} 公顷"),
    (r"only partly inside tile(.+)", r"仅部分位于分幅{0} 内"),
    (r"no scene's tile reaches it", r"没有影像分幅覆盖该地块"),
)  # fmt: skip
"""What a part says -> Chinese; what stands behind the bar is said only where the part has its last figure."""
ENGLISH = {r"scenes_lost (\d+)": "{0} scenes over it could not be read"}
_READ = tuple((re.compile(pattern), chinese, ENGLISH.get(pattern)) for pattern, chinese in SENTENCES)


def detail_said(detail: str | None) -> Pair | None:
    """A parcel's `detail` in words; a part that has none is shown as it is, never hidden. None where there is none."""
    if not detail:
        return None
    parts = [_part(text) for text in detail.split("; ")]
    return "; ".join(english for english, _ in parts), "；".join(chinese for _, chinese in parts)


def _part(text: str) -> Pair:
    earlier = re.fullmatch(r"was (\w+)", text)
    if earlier:
        english, chinese = word("flag", earlier[1])
        return f"also: {english}", f"另有：{chinese}"
    for pattern, template, plain in _READ:
        found = pattern.fullmatch(text)
        if found:
            chinese, _, rest = template.partition("|")
            figures = found.groups("")
            chinese = (chinese + (rest if figures and figures[-1] else "")).format(*figures)
            return plain.format(*figures) if plain else text, chinese
    return text, text
