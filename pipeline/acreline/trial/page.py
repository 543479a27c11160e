# SPDX-License-Identifier: Apache-2.0
"""The report as one page that needs no network, no script and no font: opened from a folder or a mail."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

from acreline.trial import charts
from acreline.trial.tasks import WORDS

_HERE = Path(__file__).parent / "templates"
LEVELS = {
    "L2A": ("surface reflectance", "地表反射率"),
    "L1C": ("top of atmosphere", "大气层顶反射率"),
}
LIMITS = (
    (
        "Crops and parcels of other lands: labels of one place say nothing of China's fields, unless they lie there.",
        "不能说明其他地区：除非标签本身在中国，否则不能说明中国的作物与地块。",
    ),
    (
        "Transfer between years: all labels here are of one harvest.",
        "不能说明跨年份的表现：这里的标签只来自一个收获年。",
    ),
    (
        "Default on a loan: a crop that is named is not a debt that is paid.",
        "不能说明贷款违约：认出作物不等于贷款会还清。",
    ),
    (
        "The best published 10 m crop maps of China stand at 73 to 95 % overall accuracy.",
        "已发表的中国 10 米作物图，总体精度为 73% 至 95%。",
    ),
)
SIMULATED_LIMIT = (
    "The real world: these data are simulated. A figure above 97 % says that the simulation is too easy.",
    "不能说明真实世界：数据为模拟。高于 97% 的数字只说明模拟过于简单。",
)


def render_page(template: str, *styles: str, **values: Any) -> str:
    """One page that may load nothing: a template of this room with its style sheets inside.

    Args:
        template: its file.
        styles: files of style sheets, one after the other.
        values: what the template is given beside `policy` and `style`.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    style = "".join((_HERE / name).read_text(encoding="utf-8") for name in styles)
    policy = f"default-src 'none'; style-src {style_hash(style)}; img-src data:; base-uri 'none'; form-action 'none'"
    return environment.get_template(template).render(policy=policy, style=style, **values)


def render_report(metrics: dict[str, Any]) -> str:
    """The text of `index.html`. Same figures, same bytes; what cannot be known has no drawing, but a reason."""
    spoken = metrics["oa"] is not None
    return render_page(
        "report.html.j2",
        "report.css",
        m=metrics,
        forest=metrics["random_forest"],
        boosting=metrics["gradient_boosting"],
        spoken=spoken,
        name=group_name,
        classes=_class_rows(metrics),
        heat=charts.heat_map(metrics["confusion"]) if spoken else None,
        reliability=charts.reliability(metrics["calibration"]) if spoken else None,
        kept=charts.kept(metrics["risk_coverage"]) if spoken else None,
        months=charts.by_month(metrics["by_month"], metrics["majority_oa"]) if spoken and metrics["by_month"] else None,
        level=LEVELS[metrics["data"]["level"]],
        silent=metrics["why"].get("model", ""),
        left_out=sum(row["n"] for row in metrics["not_scored"]),
        limits=[*([SIMULATED_LIMIT] if metrics["simulated"] else []), *LIMITS],
    )


def group_name(group: str) -> tuple[str, str]:
    """English and Chinese name of a group; never empty."""
    return WORDS.get(group, (group.replace("_", " "), group))


def _class_rows(metrics: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of the table by class: the model's figures where it speaks, the forest's beside them, most samples first."""
    model, forest = metrics["per_class"] or {}, metrics["random_forest"]["per_class"]
    names = sorted({*model, *forest}, key=lambda name: (-forest.get(name, model.get(name))["n"], name))
    return [{"name": name, "model": model.get(name), "forest": forest.get(name)} for name in names]


def style_hash(text: str) -> str:
    """Source expression of a style for the page's content security policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
