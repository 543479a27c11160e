# SPDX-License-Identifier: Apache-2.0
"""The papers of a release, made from code, cards and `inventory.yaml`, and whether any of them is missing or bare."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acreline.credit import CompiledPolicy
from acreline.errors import StoreError
from acreline.privacy import read_purposes
from acreline.review.files import json_text, plain
from acreline.review.inventory import Answer, Component, Figure, Inventory, Shipped, Words

UNFILLED = re.compile(
    r"\s*(?:-\s*)?(?:todo|tbd|tbc|fixme|xxx|\?+|\.\.\.|n/?a|to be (?:filled|written|done)[^\n]*)?[.\s]*", re.IGNORECASE
)
"""What stands where nobody has written anything yet."""


@dataclass(frozen=True)
class Part:
    """A section: its heading in both languages, and its text as Markdown."""

    heading: Words
    text: str


@dataclass(frozen=True)
class Paper:
    """One document of a release."""

    file: str
    title: Words
    parts: tuple[Part, ...]

    def markdown(self) -> str:
        """The paper as Markdown; same words, same bytes."""
        lines = [f"# {self.title[0]} / {self.title[1]}", ""]
        for part in self.parts:
            lines += [f"## {part.heading[0]} / {part.heading[1]}", "", part.text, ""]
        return "\n".join(lines).rstrip() + "\n"


@dataclass(frozen=True)
class Papers:
    """All papers of a release, and why it is refused, if it is."""

    papers: tuple[Paper, ...]
    faults: tuple[str, ...]
    inventory: tuple[dict[str, Any], ...]


def make_papers(shipped: Shipped, inventory: Inventory) -> Papers:
    """Inventory, a card per model, per policy and per step, impact assessment and measures of oversight.

    Args:
        shipped: from `find_shipped`.
        inventory: from `read_inventory`.

    Returns:
        the papers that can be made, and a fault for each that cannot, for each empty section, and for words about a
        version that is not shipped.
    """
    faults: list[str] = []
    cards = {card["name"]: card for card in shipped.models}
    wanted = [("model", card["name"], card["version"]) for card in shipped.models]
    wanted += [("policy", one.policy.id, one.version) for one in shipped.policies]
    wanted += list(shipped.steps)
    known: dict[tuple[str, str], Component] = {(one.kind, one.name): one for one in inventory.components}
    twice = [one.name for one in inventory.components if known[one.kind, one.name] is not one]
    faults += [f"{name} stands twice in the inventory" for name in twice]
    found: list[Component] = []
    papers: list[Paper] = []
    policies = {one.policy.id: one for one in shipped.policies}
    for kind, name, version in wanted:
        component = known.get((kind, name))
        if component is None:
            faults.append(f"{kind} {name}@{version} is shipped and has no paper: add it to the inventory")
            continue
        if component.version != version:
            faults.append(f"{kind} {name}: version {version} is shipped, the inventory speaks of {component.version}")
            continue
        found.append(component)
        own: tuple[Part, ...] = ()
        if kind in ("model", "policy"):
            own = _model_parts(cards[name]) if kind == "model" else _policy_parts(policies[name])
        file = f"{kind}-{name}-{version}.md"
        papers.append(Paper(file, (f"{name} {version}", f"{name} {version}"), (*_component_parts(component), *own)))
    names = {(kind, name) for kind, name, _ in wanted}
    lost = [one for one in inventory.components if (one.kind, one.name) not in names]
    faults += [f"{one.kind} {one.name} stands in the inventory and is not shipped" for one in lost]
    papers = [_inventory_paper(found, shipped), *papers]
    papers += [_impact_paper(inventory.impact, cards, faults), _oversight_paper(inventory)]
    faults += [fault for paper in papers for fault in bare_parts(paper)]
    rows = tuple(plain(one.model_dump(mode="json")) for one in found)
    return Papers(tuple(papers), tuple(faults), rows)


def bare_parts(paper: Paper) -> list[str]:
    """A fault for each section in which nobody has written anything."""
    faults = [] if paper.parts else [f"{paper.file}: has no section"]
    for part in paper.parts:
        if any(UNFILLED.fullmatch(line) for line in part.text.splitlines() if line.strip()) or not part.text.strip():
            faults.append(f"{paper.file}: section {part.heading[0]!r} is empty")
    return faults


def write_papers(papers: Papers, out: Path) -> list[Path]:
    """Write each paper as Markdown, and `inventory.json`.

    Raises:
        StoreError: the folder cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        for paper in papers.papers:
            (out / paper.file).write_text(paper.markdown(), encoding="utf-8", newline="\n")
        index = out / "inventory.json"
        text = json_text({"components": list(papers.inventory), "papers": [paper.file for paper in papers.papers]})
        index.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise StoreError(f"{out}: cannot be written: {error}", hint="check the folder of --out") from error
    return [*(out / paper.file for paper in papers.papers), index]


# --- sections ---------------------------------------------------------------------------------------------------------
def _list(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _whole(*texts: str) -> str:
    """Paragraphs; nothing where one of them is bare, so that its section counts as empty."""
    return "" if any(UNFILLED.fullmatch(text) for text in texts) else "\n\n".join(texts)


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    cells = [[str(cell).replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *cells)) if cells else ""


def _component_parts(one: Component) -> tuple[Part, ...]:
    seen = one.last_validation
    return (
        Part(("Purpose", "用途"), _whole(*one.purpose)),
        Part(("Owner and tier", "负责人与等级"), _whole(one.owner, f"Tier {one.tier}")),
        Part(("Limits", "限制"), _list(one.limits)),
        Part(("Data", "数据"), _list(one.data)),
        Part(("Last validation", "最近一次验证"), f"{seen.day}, by {seen.by}: {seen.found}"),
    )


def _inventory_paper(found: Sequence[Component], shipped: Shipped) -> Paper:
    head = ("component", "kind", "version", "owner", "tier", "purpose", "last validation")
    rows = [
        (one.name, one.kind, one.version, one.owner, one.tier, one.purpose[0],
         f"{one.last_validation.day}, {one.last_validation.by}")
        for one in found
    ]  # fmt: skip
    scope = (
        "Every part that moves a limit, or moves what moves one, rule engine and policies with it: they are simple and "
        "they decide, so they stand under the same order as the network."
        "\n\n凡影响额度的部分均列入，规则引擎与政策亦然。"
    )
    return Paper(
        "inventory.md",
        ("Inventory of models, steps and policies", "模型、步骤与政策清单"),
        (
            Part(("Scope", "范围"), scope),
            Part(("Components", "清单"), _table(head, rows)),
            Part(("Code that decides", "决定代码"), f"Digest of rules, records and codes: `{shipped.code}`"),
        ),
    )


def _model_parts(card: Mapping[str, Any]) -> tuple[Part, ...]:
    heads = {slot: ", ".join(head["classes"]) for slot, head in card.get("heads", {}).items()}
    told = [f"licence: {card.get('licence')}; made {card.get('created')}; weights `{card.get('weights_sha256')}`"]
    told += [f"reads {card.get('level')} bands {', '.join(card.get('bands', []))}"]
    told += [f"crops of slot {slot}: {names}" for slot, names in heads.items()]
    told += [f"health classes: {', '.join(card.get('health_classes', []))}; health {card.get('health')}"]
    data = card.get("data", [])
    drawn = [one for one in data if one.get("origin") == SIMULATED_ORIGIN]
    sources = [(one["name"], one["origin"], one["licence"], one["fields"]) for one in data if one not in drawn]
    if drawn:
        fields = sum(one["fields"] for one in drawn)
        sources.append((f"{len(drawn)} simulated counties", SIMULATED_ORIGIN, drawn[0]["licence"], fields))
    measured = [f"{path}: {figure}" for path, figure in measured_figures(card.get("metrics", {}))]
    return (
        Part(("What it is", "说明"), _list(told)),
        Part(("Taught of", "训练数据"), _table(("name", "origin", "licence", "fields"), sources)),
        Part(("Measured", "测得结果"), _list(measured)),
        Part(("Remarks of the card", "备注"), _list([str(one) for one in card.get("remarks", [])])),
    )


MEASURED = {
    "accuracy": "interval_95",
    "oa": "ci95",
    "parcel_accuracy": "parcel_accuracy_ci95",
    "area_weighted_accuracy": "",
    "false_alarms": "",
    "measured": "",
    "held": "",
}
"""Figures of a card that its paper shows, wherever they stand -> the key of their interval beside them, if any."""
COUNTS = ("n", "n_parcels", "fields")
SIMULATED_ORIGIN = "acreline simulate"
LEFT_OUT = ("training", "by_looks", "by_cell", "by_size", "by_month", "forest", "forest_maize_and_grassland")


def measured_figures(metrics: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """The main figures of a card by path, each with its n and its interval where the card has them."""
    for name in sorted(metrics):
        value = metrics[name]
        where = f"{path}.{name}" if path else name
        if isinstance(value, Mapping):
            if name not in LEFT_OUT:
                yield from measured_figures(value, where)
        elif name in MEASURED and isinstance(value, int | float):
            yield where, _figure(name, metrics, simulated=".simulated." in f".{where}.")


def _figure(name: str, beside: Mapping[str, Any], *, simulated: bool) -> str:
    n = next((beside[key] for key in COUNTS if isinstance(beside.get(key), int)), None)
    span = beside.get(MEASURED.get(name, ""))
    words = f"{beside[name]:.3g}"
    words += f" (95 % {span[0]:.3g} to {span[1]:.3g})" if span else ""
    words += f", n {n:,}" if n is not None else ""
    words += " in all" if n is not None and name == "false_alarms" else ""
    return words + (", on simulated data" if simulated else "")


def _policy_parts(compiled: CompiledPolicy) -> tuple[Part, ...]:
    policy = compiled.policy
    until = "further notice" if policy.valid_to is None else str(policy.valid_to)
    told = [
        policy.title,
        f"holds from {policy.valid_from} to {until}",
        f"written by {policy.author}, approved by {policy.approver}",
        f"limits in {policy.currency}, rounded down to {policy.round_to}; harvest at its quantile {policy.quantile}",
    ]
    rows = [
        (k, entry.rule.name, entry.rule.title[0], entry.rule.title[1], entry.source)
        for k, entry in enumerate(compiled.rules, start=1)
    ]
    numbers = [
        f"{entry.rule.name}: {json_text(entry.settings.model_dump(mode='json')).strip()}" for entry in compiled.rules
    ]
    codes = [f"`{code}`: {words[0]}" for entry in compiled.rules for code, words in sorted(entry.rule.reasons.items())]
    return (
        Part(("What it says", "内容"), _list(told)),
        Part(("Rules in order", "规则顺序"), _table(("", "rule", "title", "名称", "source"), rows)),
        Part(("Numbers", "参数"), "```text\n" + "\n".join(numbers) + "\n```"),
        Part(("Reasons it can give", "可给出的理由"), _list(codes)),
        Part(("Facts it may look at", "可用事实"), _facts()),
    )


def _facts() -> str:
    features = read_purposes().features
    return _list([f"{name}: {', '.join(getattr(features, name))}" for name in ("farm", "stand", "applicant")])


def _impact_paper(answers: Sequence[Answer], cards: Mapping[str, Mapping[str, Any]], faults: list[str]) -> Paper:
    parts = []
    for one in answers:
        figures = []
        for figure in one.figures:
            words = find_figure(figure, cards)
            if words is None:
                faults.append(f"impact-assessment.md: no figure {figure.path} of model {figure.model}")
            else:
                figures.append(f"{figure.words}: {words} ({figure.model})")
        texts = [*one.answer, *([_list(figures)] if figures else []), f"Asked by: {one.asked_by}"]
        parts.append(Part(one.heading, _whole(*texts)))
    purposes = read_purposes()
    rows = [
        (f"{row.table}.{row.name}", row.purpose[0], row.legal_basis[0], f"{row.retention_months} months",
         row.retention_why[0])
        for row in purposes.fields
    ]  # fmt: skip
    head = ("field", "purpose", "legal basis", "kept", "why so long")
    parts.append(Part(("Personal data taken in", "所处理的个人信息"), _table(head, rows)))
    kept = [
        (row.kind, row.what[0], row.purpose[0], f"{row.retention_months} months", row.readers[0], row.told[0])
        for row in purposes.files
    ]
    about = ("kind", "what it is", "purpose", "kept", "who reads it", "when the person is deleted")
    parts.append(Part(("Files that people hand in or acts keep", "提交及保存的材料"), _table(about, kept)))
    refused = [f"{', '.join(entry.words)}: {entry.reason[0]}" for entry in purposes.refused]
    parts.append(Part(("Never taken in", "不予接收的字段"), _list(refused)))
    return Paper("impact-assessment.md", ("Impact assessment", "个人信息保护与基本权利影响评估"), tuple(parts))


def find_figure(figure: Figure, cards: Mapping[str, Mapping[str, Any]]) -> str | None:
    """A figure of a card with its n and interval; None where the card has no such number."""
    at: Any = cards.get(figure.model)
    beside: Any = None
    for key in figure.path.split("."):
        beside = at
        if isinstance(at, list):
            at = at[int(key)] if key.isdigit() and int(key) < len(at) else None
        else:
            at = at.get(key) if isinstance(at, Mapping) else None
    if not isinstance(at, int | float) or isinstance(at, bool):
        return None
    return _figure(figure.path.rpartition(".")[2], beside, simulated=".simulated." in f".{figure.path}.")


def _oversight_paper(inventory: Inventory) -> Paper:
    parts = tuple(
        Part(one.measure, _list([one.who, one.how, f"asked by {one.asked_by}"]) if all(one.measure) else "")
        for one in inventory.oversight
    )
    return Paper("oversight.md", ("Measures of human oversight", "人工监督措施"), parts)
