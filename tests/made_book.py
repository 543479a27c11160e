# SPDX-License-Identifier: Apache-2.0
"""A run folder of drawn farms that a real policy decides: the drawn publication with applicants and a lineage."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from acreline import tables
from acreline.config import packaged_configs, read_policy
from acreline.credit import assess_credit, compile_policy, decision_line
from acreline.desk import read_farms
from acreline.lineage import policy_to_json
from acreline.records import Applicant, Farm
from tests.made_publication import END, make_publication

Change = Callable[[Farm], Farm]


def make_book(
    folder: Path,
    *,
    region: str = "made-square",
    county: str | None = "karnal",
    day: date = END,
    change: Change = lambda farm: farm,
) -> Path:
    """The drawn publication, decided by the demo policy; `change` alters each farm before."""
    publication = make_publication(folder)
    farms = [change(_asking(farm, day)) for farm in read_farms(publication)[0]]
    compiled = compile_policy(read_policy("demo", as_of=day))
    decisions = assess_credit(farms, compiled, as_of=day, county=county)
    tables.write_table(tables.stands_table(farms), publication / "stands.parquet")
    tables.write_table(tables.farms_table(farms), publication / "farms.parquet")
    tables.write_decisions(decisions, publication / "decisions.parquet")
    lines = [
        json.dumps({**json.loads(decision_line(decision)), "farm": tables.farm_to_json(farm)}, ensure_ascii=False)
        for farm, decision in zip(farms, decisions, strict=True)
    ]
    (publication / "trail.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    lineage = {"policy": policy_to_json(compiled), "crop_names": {}, "crops": {}, "scenes": []}
    (publication / "lineage.json").write_text(json.dumps(lineage), encoding="utf-8")
    set_head(publication, region=region, county=county, simulated=True, as_of=day.isoformat())
    return publication


def set_head(publication: Path, **values: Any) -> None:
    path = publication / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | values), encoding="utf-8")


def own_policy(path: Path, change: Callable[[dict[str, dict[str, Any]]], Any] = lambda rules: None, **head: Any) -> str:
    """The demo policy with other words at its head and other settings of its rules, as a file."""
    raw = yaml.safe_load((packaged_configs() / "policies" / "demo.yaml").read_text(encoding="utf-8"))
    change({rule["rule"]: rule.setdefault("settings", {}) for rule in raw["rules"]})
    path.write_text(yaml.safe_dump({**raw, "id": path.stem, **head}), encoding="utf-8")
    return str(path)


def _asking(farm: Farm, day: date) -> Farm:
    """Seen often and late enough, and asking for more than any cap gives."""
    asked = Applicant(farm.farm_id, requested=Decimal(100000), existing_debt=Decimal(0), record_years=3)
    return replace(farm, applicant=asked, clear_looks=max(farm.clear_looks, 12), last_clear=day)
