# SPDX-License-Identifier: Apache-2.0
"""A region is compiled before the first pixel is read: what does not fit is refused at once, with its place."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from acreline.config import read_region
from acreline.errors import AcrelineError, ConfigError, CreditError, InputError
from acreline.plan import class_table, input_hashes, plan_run
from tests.test_river import own_region


def plan(repo: Path, folder: Path, **changes: Any) -> Any:
    return plan_run(read_region(own_region(repo, folder, **changes)))


def test_the_demo_compiles(repo: Path, tmp_path: Path) -> None:
    compiled = plan(repo, tmp_path)
    assert compiled.as_of == date(2018, 12, 15)
    table = class_table(compiled)
    assert table["crop"]["1"] == ["none", "#cbbfa8", "空闲", "no crop"]
    assert [table["crop"][str(code)][0] for code in range(2, len(table["crop"]) + 1)] == list(
        compiled.model.card.crop_classes
    )
    assert table["crop"][str(compiled.model.card.crop_codes["non_agri"])][3] == "not farmland"
    colours = [row[1] for row in table["crop"].values() if row[0] in compiled.crops or row[0] == "none"]
    assert len(set(colours)) == len(colours)
    assert table["health"]["1"][0] == "normal"
    hashes = input_hashes(compiled.region)
    assert set(hashes) == {"region", "parcels", "applicants", "weather"}


def test_a_model_of_another_level_is_refused(repo: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"model 'acrenet-toa' reads .* top of the atmosphere \(L1C\)") as caught:
        plan(repo, tmp_path, model="acrenet-toa")
    assert "acrenet-s" in caught.value.hint


def test_an_earlier_run_that_is_none_is_refused(repo: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"previous_run: .*some: no finished run here") as caught:
        plan(repo, tmp_path, previous_run="some")
    assert "OUT folder" in caught.value.hint


@pytest.mark.parametrize("key", ["applicants", "weather", "statistics", "normals", "known_events"])
def test_a_missing_input_is_named_before_the_search(repo: Path, tmp_path: Path, key: str) -> None:
    with pytest.raises(InputError, match=f"{key}: .*nowhere.csv: no such file"):
        plan(repo, tmp_path, **{key: "nowhere.csv"})


@pytest.mark.parametrize(
    ("start", "end"), [("2017-10-01", "2019-01-31"), ("2018-04-01", "2019-06-15"), ("2018-02-01", "2018-12-15")]
)
def test_a_season_the_model_never_saw_is_refused(repo: Path, tmp_path: Path, start: str, end: str) -> None:
    season = {"start": date.fromisoformat(start), "end": date.fromisoformat(end)}
    with pytest.raises(ConfigError, match="does not fit the model's year"):
        plan(repo, tmp_path, season=season, as_of=season["end"])


def test_a_policy_that_is_not_valid_that_day_is_refused(repo: Path, tmp_path: Path) -> None:
    policy = yaml.safe_load((repo / "configs" / "policies" / "demo.yaml").read_text(encoding="utf-8"))
    policy["valid_to"] = date(2018, 6, 30)
    (tmp_path / "old.yaml").write_text(yaml.safe_dump(policy), encoding="utf-8")
    with pytest.raises(CreditError, match="not valid on 2018-12-15"):
        plan(repo, tmp_path, policy="old.yaml")


def test_a_provider_without_a_band_is_refused(repo: Path, tmp_path: Path) -> None:
    provider = yaml.safe_load((repo / "configs" / "providers" / "folder.yaml").read_text(encoding="utf-8"))
    del provider["bands"]["B11"]
    (tmp_path / "thin.yaml").write_text(yaml.safe_dump(provider), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"bands \['B11'\] have no asset"):
        plan(repo, tmp_path, provider="thin.yaml")


def test_a_crop_in_another_slot_than_the_card_says_is_refused(repo: Path, tmp_path: Path) -> None:
    crop = yaml.safe_load((repo / "configs" / "crops" / "maize.yaml").read_text(encoding="utf-8")) | {"slot": "A"}
    (tmp_path / "maize.yaml").write_text(yaml.safe_dump(crop), encoding="utf-8")
    with pytest.raises(ConfigError, match="its file says season slot A, the model's card says B"):
        plan(repo, tmp_path, crops=["maize.yaml", "grassland"])


def test_every_refusal_has_a_hint(repo: Path, tmp_path: Path) -> None:
    with pytest.raises(AcrelineError) as caught:
        plan(repo, tmp_path, previous_run="x")
    assert caught.value.hint == "give the OUT folder of `acreline run`; the path counts from the region file"
    assert caught.value.exit_code == 3
