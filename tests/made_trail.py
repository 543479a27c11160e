# SPDX-License-Identifier: Apache-2.0
"""Kept trails of each edition, `tests/data/trails/<edition>/`: what code of that day wrote, never to be written again.

`python -m tests.made_trail` writes those of the present edition where none is kept yet: run it in the change that makes
a new edition, beside the new row of `credit/earlier.py`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from acreline import __version__
from acreline.chain import Chain
from acreline.config import read_family
from acreline.credit import (
    EDITION,
    CompiledPolicy,
    assess_credit,
    batch_to_json,
    compile_policy,
    decision_to_json,
    find_totals,
)
from acreline.lineage import LINEAGE_FILE, deciding_code, lineage_text, policy_to_json, read_compiled, read_lineage
from acreline.records import Farm
from acreline.tables import farm_from_json, farm_to_json
from tests.test_credit import CASES, make_farm, read_cases

TRAILS = Path(__file__).parent / "data" / "trails"
FIRST = TRAILS / "1" / "flanders"
"""The publication of the demo region as it was made on 27 November 2026."""


def kept_trails() -> list[Path]:
    """Folders with a lineage and a trail in them, of every edition."""
    return sorted(path.parent for path in TRAILS.rglob(LINEAGE_FILE))


def write_trail(folder: Path, farms: Sequence[Farm], policy: CompiledPolicy, as_of: date) -> None:
    """Lineage and trail of farms, as far as `replay` reads them."""
    told, persons = batch_to_json(farms, find_totals(farms, policy, as_of=as_of))
    lineage = {
        "code": {"acreline": __version__, "decides": deciding_code(), "trail": EDITION},
        "model": {"name": "kept", "version": "0", "weights_sha256": "0" * 64},
        "model_retired": None,
        "policy": policy_to_json(policy),
        "crop_names": {slug: list(words) for slug, words in sorted(policy.crop_names.items())},
        "county": None,
        "totals": told,
    }
    folder.mkdir(parents=True)
    (folder / LINEAGE_FILE).write_text(lineage_text(lineage), encoding="utf-8")
    shared, chain = hashlib.sha256((folder / LINEAGE_FILE).read_bytes()).hexdigest(), Chain()
    with (folder / "trail.jsonl").open("w", encoding="utf-8", newline="\n") as stream:
        for farm, decision, person in zip(farms, assess_credit(farms, policy, as_of=as_of), persons, strict=True):
            kept = {"farm": farm_to_json(farm), "lineage": {"person": person, "shared": shared}}
            stream.write(chain.seal({**decision_to_json(decision), **kept}) + "\n")


def write_present(root: Path) -> None:
    """Three real farms of Flanders whose crops are in doubt, and cases of the two packs."""
    policy = read_compiled(read_lineage(FIRST))
    lines = [json.loads(text) for text in (FIRST / "trail.jsonl").read_text(encoding="utf-8").splitlines()]
    farms = [farm_from_json(line["farm"]) for line in lines if line["farm_id"] in {"F-002", "F-004", "F-007"}]
    write_trail(root / "flanders", farms, policy, date.fromisoformat(lines[0]["as_of"]))
    for name in ("china", "kcc"):
        cases = read_cases(CASES / name / f"{read_family(name)[-1].id.removeprefix(f'{name}-')}.yaml")
        farms = [make_farm(case.get("farm"), f"F{n}") for n, case in enumerate(cases) if n % 3 == 0]
        write_trail(
            root / name, farms, compile_policy(read_family(name)[-1]), date.fromisoformat(str(cases[0]["as_of"]))
        )


if __name__ == "__main__":
    write_present(TRAILS / str(EDITION))
