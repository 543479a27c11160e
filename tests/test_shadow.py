# SPDX-License-Identifier: Apache-2.0
"""A challenger beside the champion: what is published is the same bytes with and without one, and results lie apart."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

from acreline import cli
from acreline.config import read_region
from acreline.errors import ConfigError, StoreError
from acreline.plan import input_hashes, plan_run
from acreline.review.compare import records
from acreline.review.shadow import challenge_policy, challenge_run, root_of, summary_line, write_challenge
from acreline.store import verify_publication
from tests.made_book import make_book, own_policy, set_head
from tests.test_river import own_region


def halved(rules: dict[str, dict[str, Any]]) -> None:
    rules["capacity"]["share"] = 0.2


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture
def publication(tmp_path: Path) -> Path:
    return make_book(tmp_path / "run" / "publications" / "abc")


# --- the publication is untouched -----------------------------------------------------------------------------------
@pytest.mark.xdist_group("river")
def test_a_publication_is_the_same_bytes_with_and_without_a_challenger(
    repo: Path, tmp_path: Path, demo_run: Path
) -> None:
    policy = own_policy(tmp_path / "half.yaml", halved)
    own = own_region(repo, tmp_path / "region")
    told = own.read_text(encoding="utf-8")
    run = CliRunner()
    folders = {}
    for name, text, more in (("none", told, []), ("option", told, ["--shadow", policy]),
                             ("file", f"{told}shadow: {policy}\n", [])):  # fmt: skip
        own.write_text(text, encoding="utf-8")
        out = tmp_path / name
        shutil.copytree(demo_run / "parts", out / "parts")  # what was measured is not measured again
        shutil.copytree(demo_run / "coverage", out / "coverage", dirs_exist_ok=True)
        done = run.invoke(cli.app, ["run", str(own), "--out", str(out), *more])
        assert done.exit_code == 0, done.output
        assert ("shadow: half@" in done.output) == (name != "none")
        folders[name] = (out / "latest").resolve()
        assert (out / "shadow").is_dir() == (name != "none")
    assert len({folder.name for folder in folders.values()}) == 1
    assert contents(folders["none"]) == contents(folders["option"]) == contents(folders["file"])
    assert verify_publication(folders["file"]) == []
    one = list((tmp_path / "file" / "shadow").rglob("difference.json"))
    assert len(one) == 1
    assert json.loads(one[0].read_text(encoding="utf-8"))["challenger"].startswith("half@")


@pytest.mark.parametrize("line", ["shadow: kcc.yaml\n", "shadow : 'x'  # a remark\r\n", "shadow: last"])
def test_a_region_file_has_one_hash_with_and_without_a_challenger(repo: Path, tmp_path: Path, line: str) -> None:
    region = read_region(own_region(repo, tmp_path))
    assert region.file is not None
    bare = input_hashes(region)["region"]
    text = region.file.read_text(encoding="utf-8")
    region.file.write_bytes((text + line).encode())
    assert input_hashes(region)["region"] == bare
    region.file.write_bytes((text + "block_px: 512\n").encode())
    assert input_hashes(region)["region"] != bare


def test_a_challenger_reads_a_publication_and_never_writes_it(publication: Path, tmp_path: Path) -> None:
    before = contents(publication)
    found = challenge_policy(publication, own_policy(tmp_path / "half.yaml", halved))
    paths = write_challenge(found, tmp_path / "run")
    assert contents(publication) == before
    assert all((tmp_path / "run" / "shadow" / "abc") in path.parents for path in paths)
    assert {p.name for p in (tmp_path / "run").iterdir()} == {"publications", "shadow"}


@pytest.mark.xdist_group("river")
def test_trouble_of_a_challenger_is_told_and_stops_nothing(repo: Path, tmp_path: Path, demo_run: Path) -> None:
    own = own_region(repo, tmp_path / "region", shadow=own_policy(tmp_path / "half.yaml", halved))
    out = tmp_path / "out"
    shutil.copytree(demo_run, out, symlinks=True)
    (out / "shadow").write_text("in the way", encoding="utf-8")
    done = CliRunner().invoke(cli.app, ["run", str(own), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "shadow: not decided, what was published stands:" in done.output


# --- the plan -------------------------------------------------------------------------------------------------------
def test_a_challenger_is_checked_before_the_first_pixel(repo: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="policies: 'nothing' is not known"):
        plan_run(read_region(own_region(repo, tmp_path, shadow="nothing")))
    bad = own_policy(tmp_path / "bad.yaml", lambda rules: rules["capacity"].update(share=7))
    with pytest.raises(ConfigError, match="policy bad: rule capacity: share"):
        plan_run(read_region(own_region(repo, tmp_path, shadow=bad)))


def test_a_challenger_in_another_currency_is_refused(repo: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"shadow: policy kcc-2017 is in INR, demo-1 in CNY"):
        plan_run(read_region(own_region(repo, tmp_path, shadow="kcc")))


def test_a_challenger_need_not_hold_on_the_day(repo: Path, tmp_path: Path) -> None:
    later = own_policy(tmp_path / "later.yaml", valid_from="2030-01-01")
    assert plan_run(read_region(own_region(repo, tmp_path, shadow=later))).region.shadow == later


# --- what differs ---------------------------------------------------------------------------------------------------
def test_the_difference_is_told_by_segment(publication: Path, tmp_path: Path) -> None:
    found = challenge_policy(publication, own_policy(tmp_path / "half.yaml", halved))
    whole = records(found.comparison.groups)[0]
    assert whole["loses"] > 0
    assert whole["limit_new"] < whole["limit_old"]
    assert {row["by"] for row in records(found.comparison.groups)} == {"all", "outcome", "crop", "county", "size"}
    assert f"{whole['loses'] + whole['gains'] + whole['to_person'] + whole['from_person']} of 13" in summary_line(found)
    decided = pq.read_table(write_challenge(found, tmp_path)[0].parent / "decisions.parquet").to_pandas()
    assert set(decided["policy_id"]) == {found.challenger}


def test_written_twice_it_is_there_once(publication: Path, tmp_path: Path) -> None:
    found = challenge_policy(publication, own_policy(tmp_path / "half.yaml", halved))
    first = {path.name: path.read_bytes() for path in write_challenge(found, tmp_path)}
    second = {path.name: path.read_bytes() for path in write_challenge(found, tmp_path)}
    assert first == second
    assert len(list((tmp_path / "shadow" / "abc").iterdir())) == 1


def test_another_models_run_is_a_challenger_too(publication: Path, tmp_path: Path) -> None:
    other = make_book(tmp_path / "other", change=lambda farm: replace(farm, clear_looks=2))
    model = {"name": "acrenet-next", "version": "2", "digest": "feed" * 4, "health": "not validated"}
    set_head(other, model=model)
    found = challenge_run(publication, other)
    assert found.champion.startswith("acrenet-s@1 5ab1c0ff under demo@")
    assert found.challenger.startswith("acrenet-next@2 feedfeed under demo@")
    whole = records(found.comparison.groups)[0]
    assert whole["limit_new"] == 0 < whole["to_person_money"]
    page = write_challenge(found, tmp_path)[0]
    assert page.parent.name == "acrenet-next@2_feedfeed_under_demo@0f3c"


@pytest.mark.parametrize(
    ("name", "value"), [("region", "elsewhere"), ("season", {"start": "2016-10-01"}), ("as_of", "2018-11-01")]
)
def test_runs_that_are_no_pair_are_refused(publication: Path, tmp_path: Path, name: str, value: Any) -> None:
    other = make_book(tmp_path / "other")
    set_head(other, **{name: value})
    with pytest.raises(ConfigError, match=f"the runs differ in {name}"):
        challenge_run(publication, other)


def test_runs_of_other_farms_are_refused(publication: Path, tmp_path: Path) -> None:
    other = make_book(tmp_path / "other")
    lines = (other / "trail.jsonl").read_text(encoding="utf-8").splitlines()
    (other / "trail.jsonl").write_text("\n".join(lines[1:]) + "\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="tell of other farms: 'F-001' is in one alone"):
        challenge_run(publication, other)


# --- the command ----------------------------------------------------------------------------------------------------
def test_the_command_writes_beside_the_publication(publication: Path, tmp_path: Path) -> None:
    policy = own_policy(tmp_path / "half.yaml", halved)
    done = CliRunner().invoke(cli.app, ["shadow", str(publication), "--policy", policy])
    assert done.exit_code == 0, done.output
    assert "challenger half@" in done.output
    assert (tmp_path / "run" / "shadow" / "abc").is_dir()


@pytest.mark.parametrize("more", [[], ["--policy", "demo", "--beside", "x"]])
def test_a_challenger_is_one_thing(publication: Path, more: list[str]) -> None:
    done = CliRunner().invoke(cli.app, ["shadow", str(publication), *more])
    assert isinstance(done.exception, ConfigError)
    assert "one policy or one other run" in done.exception.message


def test_a_copied_publication_needs_a_place_for_results(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no run folder around it"):
        root_of(make_book(tmp_path / "copy"))


def test_a_place_that_cannot_be_written_is_a_storage_error(publication: Path, tmp_path: Path) -> None:
    found = challenge_policy(publication, "demo")
    (tmp_path / "shadow").write_text("in the way", encoding="utf-8")
    with pytest.raises(StoreError, match="cannot be written"):
        write_challenge(found, tmp_path)


def test_the_region_schema_knows_the_key(repo: Path) -> None:
    schema = json.loads((repo / "configs" / "regions" / "region.schema.json").read_text(encoding="utf-8"))
    assert "shadow" in schema["properties"]
    assert "shadow" not in yaml.safe_load((repo / "configs/regions/flanders-2018.yaml").read_text(encoding="utf-8"))
