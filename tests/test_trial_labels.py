# SPDX-License-Identifier: Apache-2.0
"""The packaged labels and the label maps: every code has a line, every line a meaning, no place is in two folds."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from acreline.config import packaged_configs
from acreline.errors import ConfigError, InputError
from acreline.model.classes import NONE
from acreline.model.labels import read_label_map
from acreline.trial import packaged
from acreline.trial.packaged import pack_series, read_folds, read_packaged, seen_before, square_name
from acreline.trial.tasks import NOT_SCORED, SLUGS, TASKS, WORDS, look_up, read_codes, region_task

SOURCES = ("bavaria-nc", "worldcereal-ewoc", "worldcereal-legacy")


@pytest.mark.parametrize("source", SOURCES)
def test_every_line_of_a_label_map_has_a_meaning(source: str) -> None:
    codes = read_codes(source)
    assert all(code.name for code in codes.values())
    known = {group for task in TASKS.values() for group in task.groups}
    assert {code.group for code in codes.values()} <= {*known, NOT_SCORED}
    assert read_label_map(source).classes.keys() == codes.keys()  # today's crop head reads the same file


@pytest.mark.parametrize("source", SOURCES)
def test_no_code_stands_twice(source: str) -> None:
    with (packaged_configs() / "labels" / f"{source}.csv").open(encoding="utf-8", newline="") as stream:
        codes = [row["code"] for row in csv.DictReader(stream)]
    assert len(codes) == len(set(codes))
    assert codes == sorted(codes, key=int)


@pytest.mark.parametrize(("name", "source"), [("bavaria-2018", "bavaria-nc"), ("france-2023", "worldcereal-ewoc")])
def test_every_code_of_the_packaged_labels_is_mapped(name: str, source: str) -> None:
    series = read_packaged(name)
    assert set(series.code.tolist()) <= set(read_codes(source))
    assert series.values.shape == (len(series.ids), len(series.times), len(series.bands))
    groups = TASKS[series.task].groups
    assert set(series.group.tolist()) == {*groups, NOT_SCORED}
    taught = {slug for slugs in groups.values() for slug in slugs}
    scored = series.group != NOT_SCORED
    odd = {
        (name, slug)
        for name, slug in zip(series.label[scored].tolist(), series.slug[scored].tolist(), strict=True)
        if slug not in taught | {NONE}
    }
    assert not odd, "a scored crop whose class belongs to no group of its task"


def test_groups_and_slugs_have_a_name_in_both_languages() -> None:
    for name in {*SLUGS, NONE, *(group for task in TASKS.values() for group in task.groups)}:
        english, chinese = WORDS[name]
        assert english
        assert chinese != english


def test_the_groups_of_the_benchmark_are_those_of_the_label_maps() -> None:
    names, slugs, groups = look_up("bavaria-nc", np.array([131, 132, 115, 400, 424, 77777]))
    assert groups.tolist() == ["winter_barley", "spring_barley", "winter_cereal", "maize", NOT_SCORED, NOT_SCORED]
    assert slugs.tolist() == ["winter_barley", "spring_cereal", "winter_cereal", "maize", "grassland", NONE]
    assert names[5] == "not listed"


def test_folds_never_part_a_place_and_know_every_place() -> None:
    folds = read_folds()
    for name in ("bavaria-2018", "france-2023"):
        assert {cell for source, cell in folds if source == name} == set(read_packaged(name).cell.tolist())
    assert set(folds.values()) == {0, 1, 2, 3, 4}


def test_a_packed_series_is_read_back_to_the_last_digit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    series = read_packaged("bavaria-2018")
    pack_series(series, tmp_path / "bavaria-2018.npz", "bavaria-nc")
    monkeypatch.setattr(packaged, "labels_folder", lambda: tmp_path)
    again = read_packaged.__wrapped__("bavaria-2018")
    np.testing.assert_array_equal(again.values, series.values)
    assert again.size_m2 is not None
    assert again.cell.tolist() == series.cell.tolist()


def test_samples_that_are_packaged_are_found_again_whatever_their_name_and_order() -> None:
    series = read_packaged("france-2023")
    some = np.array([5, 2, 300])
    other = replace(series.keep(some), ids=np.array(["a", "b", "c"]))
    assert seen_before(other, series).tolist() == some.tolist()
    other.values[0] += np.float32(0.01)
    other.values[1, ::3] = np.nan
    assert seen_before(other, series).tolist() == [-1, 2, 300]
    other.values[2] = np.nan
    assert seen_before(other, series).tolist() == [-1, 2, -1]
    assert seen_before(replace(other, times=other.times + np.timedelta64(1, "D")), series).tolist() == [-1, -1, -1]


def test_the_pixels_of_the_training_square_are_packaged_too() -> None:
    series = read_packaged("flanders-2019")
    assert square_name("flanders-2019") == "000028085BF08E7E"
    assert set(series.group.tolist()) == {"maize", "grass", "potato", "winter cereals"}


def test_damaged_labels_and_maps_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bavaria-2018.npz").write_bytes(b"no archive")
    (tmp_path / "folds.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    monkeypatch.setattr(packaged, "labels_folder", lambda: tmp_path)
    with pytest.raises(InputError, match=r"bavaria-2018\.npz: not packaged labels of acreline"):
        read_packaged.__wrapped__("bavaria-2018")
    with pytest.raises(InputError, match=r"folds\.csv: not a list of folds"):
        read_folds.__wrapped__()
    with pytest.raises(ConfigError, match=r"labels: no file nowhere\.csv"):
        read_codes("nowhere")


def test_a_map_with_an_unknown_slug_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "made.csv").write_text("code,name,group,slug\n1,rye,x,ryegrass\n", "utf-8")
    monkeypatch.setattr("acreline.trial.tasks.packaged_configs", lambda: tmp_path)
    with pytest.raises(ConfigError, match=r"made\.csv: code 1 has the unknown slug 'ryegrass'"):
        read_codes("made")


def test_a_region_scores_what_stands_there() -> None:
    task = region_task(np.array(["maize", "none", "cotton", "maize"]))
    assert dict(task.groups) == {"maize": ("maize",), "cotton": ("cotton",), "none": ("none",)}
