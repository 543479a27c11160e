# SPDX-License-Identifier: Apache-2.0
"""Two policies on one book: who gains and loses by hand, sums that add up, and pairs that are refused."""

from __future__ import annotations

import html
import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from acreline import cli
from acreline.errors import ConfigError, ContractError, StoreError
from acreline.review.book import choose_policy, own_policy, read_book, size_of
from acreline.review.compare import KINDS, MONEY, check_sums, compare, records
from acreline.review.files import plain, write_review
from acreline.review.narrow import narrow_bars
from acreline.review.page import Page, Section, bars, render_page
from acreline.review.policy_diff import PolicyDiff, diff_policies
from acreline.review.policy_page import diff_figures, diff_lines, diff_page
from tests.made_book import make_book, set_head
from tests.made_book import own_policy as write_policy
from tests.made_publication import ODD_FARM


@pytest.fixture(scope="module")
def publication(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_book(tmp_path_factory.mktemp("book") / "one")


@pytest.fixture(scope="module")
def diff(publication: Path, tmp_path_factory: pytest.TempPathFactory) -> PolicyDiff:
    """Grassland up, maize down, potatoes only by a person."""

    def change(rules: dict[str, dict[str, dict[str, int]]]) -> None:
        caps = rules["crop_cap_per_mu"]["caps_per_mu"]
        caps |= {"grassland": 300, "maize": 250}
        del caps["potato"]

    new = write_policy(tmp_path_factory.mktemp("policy") / "stricter.yaml", change)
    return diff_policies(read_book([publication]), "demo", new)


def test_the_same_policy_moves_nobody(publication: Path) -> None:
    found = diff_policies(read_book([publication]), "demo", "demo").comparison
    whole = records(found.groups)[0]
    assert whole["same"] == whole["farms"] == 13
    assert whole["limit_old"] == whole["limit_new"] > 0


def test_each_farm_is_told_as_the_two_decisions_say(publication: Path, diff: PolicyDiff) -> None:
    region = read_book([publication]).regions[0]
    limits = {one.farm_id: one.limit for one in region.published}
    rows = records(diff.comparison.farms)
    assert {row["farm_id"]: row["limit_old"] for row in rows} == limits
    kinds = {row["kind"] for row in rows}
    assert kinds >= {"gains", "loses", "to_person", "same"}
    for row in rows:
        old, new = row["limit_old"], row["limit_new"]
        if row["kind"] == "gains":
            assert new - old == row["change"] > 0
            assert row["main_crop"] == "grassland"
        if row["kind"] == "loses":
            assert new - old == row["change"] < 0
        if row["kind"] == "to_person":
            assert (old is not None, new, row["change"]) == (True, None, None)
    moves = [(row["limit_new"] or 0) - (row["limit_old"] or 0) for row in rows]
    assert moves == sorted(moves), "the largest fall first"


def test_counts_and_sums_add_up_by_every_dimension(diff: PolicyDiff) -> None:
    rows = records(diff.comparison.groups)
    whole = rows[0]
    assert whole["farms"] == sum(whole[kind] for kind in KINDS) == 13
    for name in ("outcome", "crop", "county", "size"):
        parts = [row for row in rows if row["by"] == name]
        assert parts
        for column in ("farms", *KINDS, *MONEY):
            assert sum(part[column] for part in parts) == whole[column]
    moved = whole["gained"] - whole["lost"] - whole["to_person_money"] + whole["from_person_money"]
    assert whole["limit_new"] - whole["limit_old"] == moved


@pytest.mark.parametrize(
    ("row", "column", "found"),
    [
        (0, "farms", "12 counted"),
        (0, "gains", "the kinds are not all farms"),
        (0, "gained", "the limits differ by another sum"),
        (-1, "limit_old", "limits differ by another sum"),
    ],
)
def test_sums_that_do_not_add_up_are_our_fault(diff: PolicyDiff, row: int, column: str, found: str) -> None:
    groups = diff.comparison.groups.copy()
    groups.loc[groups.index[row], column] = groups.iloc[row][column] + (-1 if column == "farms" else 1)
    with pytest.raises(ContractError, match=found):
        check_sums(replace(diff.comparison, groups=groups))


def test_a_dimension_that_lost_a_group_is_our_fault(diff: PolicyDiff) -> None:
    groups = diff.comparison.groups
    lost = groups[~((groups["by"] == "crop") & (groups["group"] == "maize"))]
    with pytest.raises(ContractError, match="farms by crop does not add up to 13"):
        check_sums(replace(diff.comparison, groups=lost))


def test_a_lost_farm_is_our_fault(publication: Path) -> None:
    region = read_book([publication]).regions[0]
    with pytest.raises(ContractError, match="13 farms, decided 13 and 12 times"):
        compare([(region, region.farms, region.published, region.published[1:])])


def test_two_currencies_have_no_difference(publication: Path) -> None:
    book = read_book([publication])
    with pytest.raises(ConfigError, match="money is in CNY, policy kcc-2017 in INR"):
        diff_policies(book, "demo", "kcc")
    nobody = tuple(replace(farm, applicant=None) for farm in book.regions[0].farms)  # no money that could be misread
    book = replace(book, regions=(replace(book.regions[0], farms=nobody),))
    with pytest.raises(ConfigError, match="CNY and INR: no difference"):
        diff_policies(book, "demo", "kcc")


def test_two_regions_in_two_currencies_have_no_sum(publication: Path) -> None:
    region = read_book([publication]).regions[0]
    rupees = [replace(one, currency="INR") for one in region.published]
    sides = [
        (region, region.farms, region.published, region.published),
        (replace(region, name="other"), region.farms, rupees, rupees),
    ]
    with pytest.raises(ConfigError, match="limits are in CNY and INR"):
        compare(sides)


def test_a_policy_of_a_later_day_is_asked_under_its_own_name(publication: Path, tmp_path: Path) -> None:
    later = write_policy(tmp_path / "next.yaml", valid_from="2026-01-01")
    found = diff_policies(read_book([publication]), "demo", later)
    chosen = choose_policy(later, read_book([publication]).regions[0])
    assert found.new == chosen.name
    assert found.notes == ("next holds from 2026-01-01: asked as if it held on 2018-12-15",)
    assert records(found.comparison.groups)[0]["same"] == 13
    ended = write_policy(tmp_path / "past.yaml", valid_to="2018-01-01")
    note = choose_policy(ended, read_book([publication]).regions[0]).note
    assert note == "past holds from 2017-01-01 to 2018-01-01: asked as if it held on 2018-12-15"


def test_a_stopped_policy_may_be_looked_at_and_says_so(
    publication: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stops = tmp_path / "stops.yaml"
    stops.write_text(
        "retired:\n- {kind: policy, name: demo-1, from: '2020-01-01T00:00:00Z', reason: test of it, by: a person}\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("ACRELINE_RETIRED_LIST", str(stops))
    found = diff_policies(read_book([publication]), "demo", "demo")
    assert "demo-1" in found.notes[0]
    assert "retired" in found.notes[0]


def test_farms_of_a_retired_model_go_to_a_person_by_either_policy(tmp_path: Path) -> None:
    publication = make_book(tmp_path / "run")
    told = {"kind": "model", "name": "acrenet-s", "from": "2020-01-01 00:00 UTC", "reason": "test", "by": "a person"}
    set_head(publication, model_retired=told)
    found = diff_policies(read_book([publication]), "demo", "demo")
    assert found.notes == ("made-square: its model was retired, every farm is referred by either policy",)
    assert set(found.comparison.farms["outcome_new"]) == {"refer"}


def test_several_regions_are_one_book_by_county(publication: Path, tmp_path: Path) -> None:
    other = make_book(tmp_path / "two", region="other-square", county="hisar")
    found = diff_policies(read_book([publication, other]), "demo", "demo").comparison
    counties = {row["group"]: row["farms"] for row in records(found.groups) if row["by"] == "county"}
    assert counties == {"hisar": 13, "karnal": 13}


def test_one_region_twice_is_refused(publication: Path) -> None:
    with pytest.raises(ConfigError, match="two runs of region 'made-square'"):
        read_book([publication, publication])


def test_no_run_is_refused() -> None:
    with pytest.raises(ConfigError, match="no run is given"):
        read_book([])


def test_the_policy_of_a_run_comes_from_its_lineage(publication: Path, tmp_path: Path) -> None:
    region = read_book([publication]).regions[0]
    assert own_policy(region).name == region.published[0].policy_id
    with pytest.raises(ConfigError, match="this run kept no policy"):
        own_policy(replace(region, publication=tmp_path))


def test_sizes_are_by_drawn_land() -> None:
    sizes = [size_of(area) for area in (0.0, 9.99, 10.0, 50.0, 199.0, 200.0, None)]
    assert sizes == ["0 to 10 mu", "0 to 10 mu", "10 to 50 mu", "50 to 200 mu", "50 to 200 mu", "200 mu and more",
                     "unknown"]  # fmt: skip


# --- what is written ----------------------------------------------------------------------------------------------
def test_the_command_tells_the_diff_and_writes_it(publication: Path, tmp_path: Path) -> None:
    new = write_policy(tmp_path / "half.yaml", lambda rules: rules["capacity"].update(share=0.1))
    out = tmp_path / "diff"
    done = CliRunner().invoke(cli.app, ["policy", "diff", "demo", new, str(publication), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "on simulated data" in done.output
    figures = json.loads((out / "policy-diff.json").read_text(encoding="utf-8"))
    assert figures["new"].startswith("half@")
    groups = pd.read_csv(out / "policy-diff-groups.csv")
    assert groups["farms"].iloc[0] == len(pd.read_csv(out / "policy-diff-farms.csv")) == 13
    assert Decimal(figures["groups"][0]["lost"]) == Decimal(str(groups["lost"][0])) > 0
    page = html.unescape((out / "policy-diff.html").read_text(encoding="utf-8"))
    assert "default-src 'none'" in page
    assert "http://" not in page
    assert "https://" not in page
    assert "两种政策" in page


def test_the_same_diff_is_the_same_bytes(diff: PolicyDiff, tmp_path: Path) -> None:
    for name in ("a", "b"):
        tables = {"groups": diff.comparison.groups}
        write_review(tmp_path / name, "policy-diff", tables, diff_figures(diff), diff_page(diff))
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_lines_say_all_that_moved(diff: PolicyDiff) -> None:
    lines = diff_lines(diff)
    assert lines[0] == "on simulated data"
    assert any(line.startswith("all farms") for line in lines)
    assert any(line.startswith("crop maize") for line in lines)


def test_a_folder_that_cannot_be_written_is_a_storage_error(diff: PolicyDiff, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(StoreError, match="cannot be written"):
        write_review(tmp_path / "file", "policy-diff", {}, {}, diff_page(diff))


def test_a_name_is_no_script() -> None:
    text = render_page(Page(("t", "题"), ("u", "下"), sections=[Section((ODD_FARM, ""), rows=[[ODD_FARM]])]))
    assert "<script" not in text
    assert text.count("&lt;script&gt;") == 2


def test_bars_lie_on_their_side_of_the_axis() -> None:
    chart = bars([("a", (5.0,)), ("b", (-5.0,)), ("c", (0.0,))], [("change", "变化")])
    plus, minus, none = (row["marks"][0] for row in chart["rows"])
    assert plus["x"] == chart["axis"]
    assert minus["x"] + minus["width"] == pytest.approx(chart["axis"])
    assert plus["width"] == pytest.approx(minus["width"])
    assert none["width"] == 0.5
    assert render_page(Page(("t", "题"), ("u", "下"), sections=[Section(("s", "段"), chart=chart)])).count("<rect") == 7
    narrow = narrow_bars(chart)
    plus, minus, none = (row["marks"][0] for row in narrow["rows"])
    assert plus["x"] == narrow["axis"]
    assert minus["x"] + minus["width"] == pytest.approx(narrow["axis"], abs=0.1)
    assert plus["width"] == pytest.approx(minus["width"], abs=0.1)
    assert none["width"] == 0.5
    assert plus["x"] + plus["width"] < narrow["width"] < chart["width"]


def test_plain_values_hold_no_number_that_json_lacks() -> None:
    value = {"a": [float("nan"), float("inf"), Decimal("1.50")], "b": None, "c": Path("x")}
    assert plain(value) == {"a": [None, None, "1.50"], "b": None, "c": "x"}
