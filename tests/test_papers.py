# SPDX-License-Identifier: Apache-2.0
"""Papers of a release: every shipped version has its own, no section is bare, no figure is written by hand."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from acreline import cli
from acreline.config import packaged_configs, read_policy
from acreline.credit import compile_policy
from acreline.errors import ConfigError, StoreError
from acreline.review.inventory import Figure, Inventory, Shipped, read_inventory, shipped_steps
from acreline.review.papers import Paper, Part, bare_parts, find_figure, make_papers, measured_figures, write_papers

CARD = {
    "name": "small",
    "version": "0.1",
    "licence": "Apache-2.0",
    "created": "2026-01-01",
    "weights_sha256": "ab" * 32,
    "level": "L2A",
    "bands": ["B04", "B08"],
    "heads": {"A": {"classes": ["none", "maize"]}},
    "health_classes": ["normal"],
    "health": "not validated",
    "data": [
        {"name": "fields", "origin": "drawn", "licence": "MIT", "fields": 3},
        *({"name": f"c{k}", "origin": "acreline simulate", "licence": "Apache-2.0", "fields": 10} for k in (1, 2)),
    ],
    "metrics": {
        "real": {"n": 40, "accuracy": 0.8, "interval_95": [0.7, 0.9], "false_alarms": 0.1},
        "simulated": {"x": {"oa": 0.5, "n": 7, "by_size": [{"n": 3, "oa": 0.25}]}},
        "training": {"accuracy": 1.0},
    },
    "remarks": ["Small."],
}


def shipped() -> Shipped:
    return Shipped([CARD], [compile_policy(read_policy("demo"))], (("step", "yield-step", "0.1.0"),), "c0de")


def words() -> dict[str, Any]:
    """An inventory of what `shipped` holds, as its file would say it."""
    one = {
        "owner": "A. Person",
        "tier": 1,
        "purpose": ["To try.", "试用。"],
        "limits": ["For tests alone."],
        "data": ["Drawn."],
        "last_validation": {"day": "2026-01-02", "by": "another person", "found": "it works (tests)"},
    }
    named = [
        ("model", "small", "0.1"),
        ("policy", "demo-1", shipped().policies[0].version),
        ("step", "yield-step", "0.1.0"),
    ]
    return {
        "components": [{**one, "kind": kind, "name": name, "version": version} for kind, name, version in named],
        "impact": [
            {
                "heading": ["Harm", "损害"],
                "asked_by": "PIPL 56(2)",
                "answer": ["Some.", "有。"],
                "figures": [{"model": "small", "path": "metrics.real.accuracy", "words": "told right"}],
            }
        ],
        "oversight": [
            {"measure": ["A person", "人工"], "who": "an officer", "how": "`acreline explain`", "asked_by": "AI Act 14"}
        ],
    }


def faults(change: Callable[[dict[str, Any]], Any]) -> tuple[str, ...]:
    raw = words()
    change(raw)
    return make_papers(shipped(), Inventory.model_validate(raw)).faults


# --- what is shipped ------------------------------------------------------------------------------------------------
def test_every_packaged_model_and_policy_has_its_paper_and_no_section_is_bare() -> None:
    """Red? A model, policy, weights or version changed: read its words in configs/inventory.yaml, mend them, set it."""
    done = CliRunner().invoke(cli.app, ["papers", "--check"])
    assert done.exit_code == 0, done.output
    assert re.search(r"\d+ papers, none missing", done.output)


def test_the_papers_of_the_package_are_written_from_code_and_cards(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli.app, ["papers", "--out", str(tmp_path / "papers")])
    assert done.exit_code == 0, done.output
    listed = json.loads((tmp_path / "papers" / "inventory.json").read_text(encoding="utf-8"))
    kinds = {one["kind"] for one in listed["components"]}
    assert kinds == {"model", "policy", "step", "engine"}
    for file in listed["papers"]:
        assert (tmp_path / "papers" / file).is_file()
    impact = (tmp_path / "papers" / "impact-assessment.md").read_text(encoding="utf-8")
    assert "Files that people hand in or acts keep" in impact
    assert "| photo | a photo of a field, handed in by the farmer" in impact
    assert "taken away on deletion" in impact
    assert "个人信息保护" in impact
    assert "applicants.existing_debt" in impact, "the fields come from configs/privacy/purposes.yaml"
    assert re.search(r"the demo square in Flanders: 0\.\d+ \(95 % 0\.\d+ to 0\.\d+\), n 19", impact)
    for article in ("PIPL 55", "PIPL 56(1)", "PIPL 56(2)", "PIPL 56(3)", "27(1)(a)", "27(1)(b)", "27(1)(c)", "27(1)(d)",
                    "27(1)(e)", "27(1)(f)"):  # fmt: skip
        assert article in impact
    assert "AI Act 14" in (tmp_path / "papers" / "oversight.md").read_text(encoding="utf-8")


def test_oversight_names_commands_that_there_are() -> None:
    known = {info.name or info.callback.__name__ for info in cli.app.registered_commands if info.callback}
    known |= {group.name for group in cli.app.registered_groups if group.name}
    told = {name for one in read_inventory().oversight for name in re.findall(r"`acreline ([a-z-]+)", one.how)}
    assert told
    assert told <= known


def test_steps_have_the_version_of_their_bytes() -> None:
    names = {name: version for _, name, version in shipped_steps()}
    assert set(names) == {"inversion", "yield-step", "rule-engine"}
    assert re.fullmatch("[0-9a-f]{16}", names["inversion"])


# --- whole papers ---------------------------------------------------------------------------------------------------
def test_a_whole_release_has_no_fault_and_the_same_bytes_twice(tmp_path: Path) -> None:
    made = make_papers(shipped(), Inventory.model_validate(words()))
    assert made.faults == ()
    assert [paper.file for paper in made.papers][:2] == ["inventory.md", "model-small-0.1.md"]
    for name in ("a", "b"):
        write_papers(made, tmp_path / name)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()
    model = (tmp_path / "a" / "model-small-0.1.md").read_text(encoding="utf-8")
    assert "- real.accuracy: 0.8 (95 % 0.7 to 0.9), n 40\n" in model
    assert "- real.false_alarms: 0.1, n 40 in all\n" in model
    assert "| 2 simulated counties | acreline simulate | Apache-2.0 | 20 |" in model
    policy = next((tmp_path / "a").glob("policy-demo-1-*.md")).read_text(encoding="utf-8")
    assert "approved by demo risk committee" in policy
    assert "crop_cap_per_mu" in policy


def test_figures_of_a_card_come_with_n_and_interval_and_say_simulated() -> None:
    told = dict(measured_figures(CARD["metrics"]))  # type: ignore[arg-type]
    assert told == {
        "real.accuracy": "0.8 (95 % 0.7 to 0.9), n 40",
        "real.false_alarms": "0.1, n 40 in all",
        "simulated.x.oa": "0.5, n 7, on simulated data",
    }
    cards = {"small": CARD}
    deep = Figure(model="small", path="metrics.simulated.x.by_size.0.oa", words="")
    assert find_figure(deep, cards) == "0.25, n 3, on simulated data"


@pytest.mark.parametrize(
    "path",
    [
        "metrics.real.nothing",
        "metrics.simulated.x.by_size.1.oa",
        "metrics.simulated.x.by_size.a.oa",
        "name",
        "metrics.real",
    ],
)
def test_a_path_that_is_no_number_is_none(path: str) -> None:
    assert find_figure(Figure(model="small", path=path, words=""), {"small": CARD}) is None
    assert find_figure(Figure(model="other", path=path, words=""), {"small": CARD}) is None


# --- what is refused ------------------------------------------------------------------------------------------------
def test_a_shipped_version_without_words_is_a_fault() -> None:
    assert faults(lambda raw: raw["components"].pop(0)) == (
        "model small@0.1 is shipped and has no paper: add it to the inventory",
    )


def test_words_of_another_version_are_a_fault() -> None:
    assert faults(lambda raw: raw["components"][0].update(version="0.0")) == (
        "model small: version 0.1 is shipped, the inventory speaks of 0.0",
    )


def test_words_of_what_is_not_shipped_are_a_fault() -> None:
    def change(raw: dict[str, Any]) -> None:
        raw["components"].append(raw["components"][0] | {"name": "gone"})

    assert faults(change) == ("model gone stands in the inventory and is not shipped",)


def test_a_component_that_stands_twice_is_a_fault() -> None:
    assert "small stands twice in the inventory" in faults(lambda raw: raw["components"].append(raw["components"][0]))


@pytest.mark.parametrize(
    ("keys", "value", "section"),
    [
        (("components", 0, "limits"), [], "Limits"),
        (("components", 0, "limits"), ["One.", ""], "Limits"),
        (("components", 0, "data"), ["TODO"], "Data"),
        (("components", 0, "owner"), " ", "Owner and tier"),
        (("components", 0, "purpose"), ["To try.", ""], "Purpose"),
        (("impact", 0, "answer"), ["to be written later", "有。"], "Harm"),
        (("impact", 0, "answer"), ["Some.", "..."], "Harm"),
        (("oversight", 0, "who"), "", "A person"),
        (("oversight", 0, "how"), "tbd", "A person"),
    ],
)
def test_a_bare_section_is_a_fault(keys: tuple[Any, ...], value: Any, section: str) -> None:
    def change(raw: dict[str, Any]) -> None:
        at: Any = raw
        for key in keys[:-1]:
            at = at[key]
        at[keys[-1]] = value

    found = faults(change)
    assert len(found) == 1
    assert found[0].endswith(f"section {section!r} is empty")


def test_a_figure_that_no_card_has_is_a_fault() -> None:
    def change(raw: dict[str, Any]) -> None:
        raw["impact"][0]["figures"][0]["path"] = "metrics.real.gone"

    assert faults(change) == ("impact-assessment.md: no figure metrics.real.gone of model small",)


def test_no_measure_of_oversight_at_all_is_a_fault() -> None:
    assert faults(lambda raw: raw.update(oversight=[])) == ("oversight.md: has no section",)


def test_words_that_begin_like_a_placeholder_are_words() -> None:
    text = "Not a number: napkins... and todo lists are words."
    assert bare_parts(Paper("x.md", ("x", "x"), (Part(("s", "s"), text),))) == []


# --- the command ----------------------------------------------------------------------------------------------------
def test_a_release_with_faults_is_refused_with_exit_code_2(tmp_path: Path) -> None:
    raw = yaml.safe_load((packaged_configs() / "inventory.yaml").read_text(encoding="utf-8"))
    raw["components"] = [one for one in raw["components"] if one["name"] != "kcc-2017"]
    own = tmp_path / "own.yaml"
    own.write_text(yaml.safe_dump(raw, allow_unicode=True), encoding="utf-8")
    done = CliRunner().invoke(cli.app, ["papers", "--check", "--inventory", str(own)])
    assert isinstance(done.exception, ConfigError)
    assert done.exception.exit_code == 2
    assert "release refused: 1 faults" in done.exception.message
    assert "policy kcc-2017@" in done.output


@pytest.mark.parametrize("more", [[], ["--check", "--out", "x"]])
def test_papers_are_written_or_checked(more: list[str]) -> None:
    done = CliRunner().invoke(cli.app, ["papers", *more])
    assert isinstance(done.exception, ConfigError)
    assert "written or checked" in done.exception.message


def test_a_folder_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(StoreError, match="cannot be written"):
        write_papers(make_papers(shipped(), Inventory.model_validate(words())), tmp_path / "file")


def test_the_schema_beside_the_inventory_is_the_one_of_the_code() -> None:
    told = (packaged_configs() / "inventory.schema.json").read_text(encoding="utf-8")
    assert told == json.dumps(Inventory.model_json_schema(), indent=2, sort_keys=True) + "\n"
