# SPDX-License-Identifier: Apache-2.0
"""Private by design: each field has its purpose, the limit sees no person, proxies are refused by name."""

from __future__ import annotations

import ast
import dataclasses
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from acreline.codes import LANGUAGES
from acreline.config import ParcelSource, packaged_configs, read_policy
from acreline.credit import assess_credit, compile_policy
from acreline.errors import ConfigError, InputError
from acreline.farms import read_applicants
from acreline.farms.applicants import APPLICANT_COLUMNS
from acreline.parcels import read_parcels
from acreline.parcels.read import SYNONYMS
from acreline.privacy import Purposes, file_purpose, kept_until, read_purposes, refused_column
from acreline.records import Applicant, Farm, Stand
from tests.made_evidence import DAY, FARMS, evidence_farm

RULES = Path(__file__).parents[1] / "pipeline" / "acreline" / "credit"
PLANTED = ["name", "sex", "gender", "age", "phone", "ethnicity", "village_code", "phone_brand", "surname", "民族"]
PROXIES = {"village_code", "phone_brand", "surname_script", "教育程度"}


# --- the purpose table ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("table", "names"), [("applicants", APPLICANT_COLUMNS), ("parcels", (*SYNONYMS, "geometry"))])
def test_every_personal_field_has_purpose_basis_and_term(table: str, names: tuple[str, ...]) -> None:
    rows = [row for row in read_purposes().fields if row.table == table]
    assert sorted(row.name for row in rows) == sorted(names)
    for row in rows:
        for words in (row.purpose, row.legal_basis, row.retention_why):
            assert len(words) == len(LANGUAGES)
            assert all(len(text) > 3 for text in words)
        assert row.retention_months >= 36  # PIPL art. 56; Reg B asks for 25 months


def test_the_one_field_that_names_a_person_is_the_banks_pseudonym() -> None:
    assert [(row.table, row.name) for row in read_purposes().fields if row.identifies] == [("applicants", "person_id")]
    assert str(kept_until(DAY)) == "2021-12-15"
    assert str(kept_until(DAY.replace(year=2024, month=2, day=29))) == "2027-02-28"


def test_every_kind_of_kept_file_has_purpose_term_readers_and_an_end() -> None:
    people = Path(__file__).parents[1] / "pipeline" / "acreline" / "people"
    made = set()
    for path in people.glob("*.py"):
        made |= set(re.findall(r'Kept\(\s*"([a-z]+)"', path.read_text(encoding="utf-8")))
    assert {"photo", "document", "boundary"} <= made
    assert {row.kind for row in read_purposes().files} == made
    for row in read_purposes().files:
        for words in (row.what, row.purpose, row.legal_basis, row.retention_why, row.readers, row.told):
            assert all(len(text) > 3 for text in words)
            assert re.search(r"[\u4e00-\u9fff]", words[1])
        assert row.retention_months >= 36  # PIPL art. 56
    assert {row.kind for row in read_purposes().files if row.on_deletion == "stays"} == {"explanation", "difference"}


def test_a_kept_file_of_a_kind_nobody_spoke_of_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"purposes\.yaml: files: no row for kept files of kind 'film'") as refused:
        file_purpose("film")
    assert "known: boundary, difference" in str(refused.value.hint)


def test_the_longest_term_of_names_and_files_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    found = read_purposes()
    longer = tuple(row.model_copy(update={"retention_months": 60}) for row in found.files[:1])
    monkeypatch.setattr("acreline.privacy.read_purposes", lambda: found.model_copy(update={"files": longer}))
    assert str(kept_until(DAY)) == "2023-12-15"


def test_the_table_has_its_schema() -> None:
    folder = packaged_configs() / "privacy"
    first = (folder / "purposes.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert first == "# yaml-language-server: $schema=purposes.schema.json"
    made = json.dumps(Purposes.model_json_schema(), indent=2, sort_keys=True) + "\n"
    assert (folder / "purposes.schema.json").read_text(encoding="utf-8") == made


# --- the feature list -------------------------------------------------------------------------------------------------
RECORDS = {"farm": Farm, "stand": Stand, "applicant": Applicant}
IDENTIFIERS = {"farm": {"farm_id"}, "stand": {"farm_id"}, "applicant": {"farm_id", "person_id"}}


@pytest.mark.parametrize("record", sorted(RECORDS))
def test_a_record_holds_features_and_identifiers_and_nothing_else(record: str) -> None:
    fields = {field.name for field in dataclasses.fields(RECORDS[record])}
    features = set(getattr(read_purposes().features, record))
    assert fields == features | IDENTIFIERS[record], "a new fact: say in purposes.yaml that a limit may see it, and why"
    assert not features & IDENTIFIERS[record]
    assert [name for name in sorted(features) if refused_column(name) and name != "health"] == []  # of the crop


def test_no_rule_reads_who_somebody_is() -> None:
    """`person_id` is counted before the rules; no rule and no figure of a rule sees it."""
    for path in sorted((RULES / "rules").glob("*.py")):
        read = {node.attr for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Attribute)}
        assert not read & {"person_id", "farm_id"}, path.name


def test_other_names_move_no_limit() -> None:
    policy = compile_policy(read_policy("demo"))
    farms = [evidence_farm(number) for number in range(FARMS)]
    renamed = [
        replace(
            farm,
            farm_id=f"王五-{number}",
            applicant=replace(
                farm.applicant, farm_id=f"王五-{number}", person_id=f"女 1950 藏族 {farm.applicant.person_id}"
            ),
        )
        for number, farm in enumerate(farms)
        if farm.applicant is not None
    ]
    before, after = (assess_credit(some, policy, as_of=DAY) for some in (farms, renamed))
    assert len(after) == FARMS
    assert [replace(d, farm_id="") for d in before] == [replace(d, farm_id="") for d in after]


# --- what is refused --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "column", [*sorted({*PLANTED, *PROXIES}), "head_of_household_sex", "headAge", "ID card", "户主姓名"]
)
def test_a_personal_column_or_a_proxy_is_refused_with_its_reason(tmp_path: Path, column: str) -> None:
    path = tmp_path / "applicants.csv"
    path.write_text(f"farm_id,{column},requested\nF-1,x,1000\n", encoding="utf-8")
    with pytest.raises(InputError) as refused:
        read_applicants(path)
    kind = "a proxy: " if column in PROXIES else "personal: "
    assert f"line 1: column {column!r} is not taken in: {kind}" in refused.value.message
    assert "purposes.yaml" in refused.value.hint
    path.write_text("farm_id,requested\nF-1,1000\n", encoding="utf-8")
    assert read_applicants(path)["F-1"].requested == 1000


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("110101199003070015", "an identity card's number"),
        ("13800138000", "a mobile phone's number"),
        ("li.wei@example.com", "an e-mail address"),
        ("王小五", "a name"),
    ],
)
def test_a_pseudonym_is_no_name_and_no_number_of_a_person(tmp_path: Path, value: str, words: str) -> None:
    path = tmp_path / "applicants.csv"
    path.write_text(f"farm_id,person_id\nF-1,{value}\n", encoding="utf-8")
    with pytest.raises(InputError, match=f"line 2, column person_id: looks like {words}") as refused:
        read_applicants(path)
    assert value not in refused.value.message + refused.value.hint
    path.write_text("farm_id,person_id\nF-1,P-00017\n", encoding="utf-8")
    assert read_applicants(path)["F-1"].person_id == "P-00017"


@pytest.mark.parametrize("column", PLANTED)
def test_a_record_has_no_place_for_it(column: str) -> None:
    for record in (Applicant, Farm, Stand):
        with pytest.raises(TypeError):
            record(**{column: "x"})


@pytest.mark.parametrize("column", ["package", "mileage", "acreage", "storage_cost", "requested", "insured_sum"])
def test_a_word_inside_a_word_is_not_meant(column: str) -> None:
    assert refused_column(column) is None


def test_a_persons_name_is_no_farm_id(repo: Path) -> None:
    path = repo / "data" / "flanders-2018" / "parcels.parquet"
    source = ParcelSource(path=path, datum="wgs84", declared_area_unit="ha", columns={"farm_id": "户主姓名"})
    with pytest.raises(ConfigError, match=r"parcels.columns.farm_id: column '户主姓名' is personal: a name says who"):
        read_parcels(source)
