# SPDX-License-Identifier: Apache-2.0
"""What a farm's page tells beside this season: earlier ones, the harvest to come, the crop seen; and as PDF."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acreline.errors import ConfigError, InputError, StoreError
from acreline.report import FieldPicture, write_farm_pages
from acreline.report.farm_page import render_farm
from acreline.report.history import MOST_SEASONS, harvest_line, refuse_later, stage_now, tell_history
from acreline.report.pdf import one_language, write_farm_page, write_farm_pdf
from acreline.report.seen import ClassMap, crop_seen, crops_seen, read_crop_maps, shares_inside, titled_crops
from acreline.report.words import word
from tests.made_publication import make_pictures, make_publication


@pytest.fixture(scope="module")
def publication(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_publication(tmp_path_factory.mktemp("made") / "publication")
    write_farm_pages(folder, make_pictures())
    return folder


def in_season(publication: Path, folder: Path, year: int) -> Path:
    """The same land under another season's name."""
    shutil.copytree(publication, folder)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    manifest |= {"season": {"start": f"{year - 1}-10-01", "end": f"{year}-12-15"}}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


# --- earlier seasons ----------------------------------------------------------------------------------------------
def test_earlier_seasons_stand_latest_first_and_at_most_six(publication: Path, tmp_path: Path) -> None:
    runs = [in_season(publication, tmp_path / str(year), year) for year in range(2009, 2019)]
    told = tell_history(runs, "2018-12-15")["F-004"]
    assert [row["end"][:4] for row in told] == ["2017", "2016", "2015", "2014", "2013", "2012"]
    assert len(told) == MOST_SEASONS
    assert told[0]["crop"] == ("Maize", "玉米")
    assert told[0]["planted_ha"] == pytest.approx(told[0]["planted_mu"] / 15)
    assert told[0]["outcome"] == "approve"
    assert tell_history([publication], "2018-12-15") == {}  # a season is not its own past


def test_a_run_that_is_none_of_an_earlier_season_is_refused_and_not_left_out(
    publication: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from acreline.cli import app

    past, twin = (in_season(publication, tmp_path / name, 2017) for name in ("past", "twin"))
    with pytest.raises(ConfigError, match=r"--earlier: .*: its season ends 2018-12-15, and the run's own 2018-12-15"):
        refuse_later(publication, [past, publication])
    with pytest.raises(ConfigError, match=r"--earlier: .*twin: its season ends 2017-12-15, and so does that of .*past"):
        refuse_later(publication, [past, twin])
    refuse_later(publication, [past])
    words = ["report", str(publication), "--farm", "F-004", "--out", str(tmp_path / "f.html"), "--earlier"]
    with pytest.raises(ConfigError, match="--earlier"):
        app([*words, str(publication)], standalone_mode=False)
    assert not (tmp_path / "f.html").exists()
    app([*words, str(past)], standalone_mode=False)
    assert "2016-10-01 … 2017-12-15" in (tmp_path / "f.html").read_text(encoding="utf-8")
    assert "f.html" in capsys.readouterr().out


def test_health_and_vigour_are_two_words_in_chinese_too() -> None:
    assert word("ui", "vigour_short")[1] != word("ui", "health")[1]


def test_a_page_tells_its_earlier_seasons_or_that_there_are_none(publication: Path, tmp_path: Path) -> None:
    assert "No run of an earlier season was given" in render_farm(publication, "F-004")
    text = render_farm(publication, "F-004", [in_season(publication, tmp_path / "2017", 2017)])
    assert "2016-10-01 … 2017-12-15" in text
    assert "No run of an earlier season" not in text
    assert "acreline report RUN --farm FARM --pictures" in text
    with pytest.raises(ConfigError, match="no farm 'F-999' in this run"):
        render_farm(publication, "F-999")


# --- the harvest to come ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("stage", "as_of", "words"),
    [
        ("growing", "2018-07-01", "harvest expected 2018-09-05 to 2018-10-15"),
        ("senescing", "2018-10-15", "harvest expected 2018-09-05 to 2018-10-15"),
        ("senescing", "2018-12-15", "usually cut by 2018-10-15"),
        ("harvested", "2018-12-15", None),
        ("permanent", "2018-12-15", None),
    ],
)
def test_a_harvest_is_expected_by_the_calendar_of_its_crop(stage: str, as_of: str, words: str | None) -> None:
    line = harvest_line({"crop": "maize", "stage": stage}, as_of, "2018-12-15")
    assert (line and line[0]) == words
    assert harvest_line({"crop": "maize", "stage": stage, "harvest": ["2018-09-20", 3]}, as_of, "2018-12-15") is None


def test_the_stage_of_the_farm_is_that_of_its_main_crop_on_most_land() -> None:
    def parcel(mu: float, crop: str, stage: str, **dates: Any) -> dict[str, Any]:
        return {"mu": mu, "stages": [{"crop": crop, "stage": stage, **dates}]}

    parcels = [parcel(5, "maize", "peak"), parcel(9, "maize", "harvested", harvest=["2018-09-20", 2.6])]
    parcels.append(parcel(90, "potato", "growing"))
    assert stage_now(parcels, "maize", "2018-10-01", "2018-12-15") == (
        ("harvested", "已收获"),
        ("cut 2018-09-20 ± 3 days", "收割2018-09-20 ± 3天"),
    )
    assert stage_now(parcels, "rapeseed", "2018-10-01", "2018-12-15") is None


# --- the crop seen ------------------------------------------------------------------------------------------------
def test_the_crop_seen_is_cut_from_all_maps_that_touch_the_picture() -> None:
    inside = np.zeros((4, 4), dtype=np.bool_)
    inside[1:3, 1:3] = True
    blank = np.zeros((3, 4, 4), dtype=np.uint16)
    place = ("EPSG:32631", 80.0, 100.0)
    picture = FieldPicture("2018-07-01", (), 1.0, blank, blank[0].astype(np.int16), inside, (), place)
    left = ClassMap(0, np.full((10, 10), 1, np.uint8), "EPSG:32631", 0.0, 120.0, 10.0)
    right = ClassMap(0, np.full((10, 10), 2, np.uint8), "EPSG:32631", 100.0, 120.0, 10.0)
    codes = crop_seen(picture, [left, right, replace(right, crs="EPSG:32632", west=0.0)])
    assert codes is not None
    np.testing.assert_array_equal(codes, [[0] * 4, [0, 1, 2, 0], [0, 1, 2, 0], [0] * 4])
    classes = [{"code": 1, "en": "Maize"}, {"code": 2, "en": "Potato"}, {"code": 3, "en": "None"}]
    shares = {row["en"]: row["share"] for row in shares_inside(codes, inside, classes)}
    assert shares == {"Maize": 0.5, "Potato": 0.5}
    assert crop_seen(picture, [replace(left, west=5000.0)]) is None
    classes = [{**row, "slug": "none" if row["code"] == 3 else "a crop"} for row in classes]
    bare, second = (replace(left, band=band, codes=left.codes * code, west=80.0) for band, code in ((1, 3), (2, 2)))
    told = crops_seen(picture, [left, right, bare, second], classes)
    assert [[row["en"] for row in shares] for _, shares in told.values()] == [["Maize", "Potato"], ["Potato"]]
    assert crop_seen(replace(picture, place=None), [left]) is None


SLOTS = [{"slot": "A"}, {"slot": "B"}]
TWO, NAMED, ONE = ["first crop seen", "second crop seen"], ["first crop", "second crop"], ["crop seen"]


@pytest.mark.parametrize(
    ("status", "stands", "counted", "titles", "crops"),
    [
        ("ok", SLOTS, 2, TWO, ["Maize", "Potato"]),
        ("degraded", SLOTS, 3, TWO, ["Maize", "Potato"]),
        ("ok", SLOTS, 1, NAMED, ["Maize", "Potato"]),  # told as two crops, counted as one: no "seen" is claimed of both
        ("ok", SLOTS[1:], 1, ONE, ["Potato"]),
        ("ok", SLOTS[:1], 1, ONE, ["Maize"]),
        ("ok", [{"slot": "AB"}], 1, ONE, ["Maize"]),  # stands all year
        ("ok", [], 0, ONE, ["Maize"]),
        ("insufficient", [], 1, [], []),
    ],
)
def test_as_many_crop_pictures_are_shown_as_crops_were_told(
    status: str, stands: list[dict[str, str]], counted: int, titles: list[str], crops: list[str]
) -> None:
    inside = np.ones((4, 4), dtype=np.bool_)
    blank = np.zeros((3, 4, 4), dtype=np.uint16)
    place = ("EPSG:32631", 0.0, 40.0)
    picture = FieldPicture("2018-07-01", (), 1.0, blank, blank[0].astype(np.int16), inside, (), place)
    maps = [ClassMap(k, np.full((4, 4), k + 1, np.uint8), "EPSG:32631", 0.0, 40.0, 10.0) for k in (0, 1)]
    classes = [{"code": 1, "slug": "maize", "en": "Maize"}, {"code": 2, "slug": "potato", "en": "Potato"}]
    told = titled_crops({"status": status, "stands": stands, "seasons": counted}, picture, maps, classes)
    assert [title[0] for title, _, _ in told] == titles
    assert [shares[0]["en"] for _, _, shares in told] == crops


def test_a_parcel_that_was_not_judged_says_so_in_the_place_of_its_crop(publication: Path) -> None:
    one = read_crop_maps(publication)[0]
    pictures = make_pictures()
    for name in ("P05", "P06"):  # P06, of F-005, had too few clear looks
        shown = pictures[name]
        assert isinstance(shown, FieldPicture)
        pictures[name] = replace(shown, place=(one.crs, one.west, one.north))
    judged, unjudged = (render_farm(publication, farm, pictures=pictures) for farm in ("F-004", "F-005"))
    assert unjudged.count("crop not judged") == unjudged.count("作物未判定") == 1
    assert ">crop seen<" not in unjudged
    assert "crops seen this year" not in unjudged
    assert "not judged" not in judged
    assert "crops seen this year</span>" in judged
    assert judged.count(">crop seen<") == 1


def test_maps_of_a_publication_are_read_and_a_broken_one_is_named(publication: Path, tmp_path: Path) -> None:
    one = read_crop_maps(publication)[0]
    assert (one.band, one.pixel_m) == (0, 10)
    assert read_crop_maps(tmp_path) == []
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "b_crop.tif").write_bytes(b"no map")
    with pytest.raises(InputError, match="b_crop"):
        read_crop_maps(tmp_path)


def test_a_page_shows_the_season_and_the_crop_seen(publication: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(publication, tmp_path / "copy"))
    one = read_crop_maps(folder)[0]
    pictures = make_pictures()
    shown = pictures["P04"]
    assert isinstance(shown, FieldPicture)
    chips = tuple(replace(shown, day=day) for day in ("2018-04-01", "2018-06-01"))
    pictures["P04"] = replace(shown, season=chips, place=(one.crs, one.west, one.north))
    write_farm_pages(folder, pictures)
    text = (folder / "report" / "farms" / "F-004.html").read_text(encoding="utf-8")
    assert "crop seen" in text
    assert text.index("<figcaption>2018-04-01") < text.index("<figcaption>2018-06-01")


# --- elsewhere ----------------------------------------------------------------------------------------------------
def test_a_page_in_one_language_keeps_nothing_of_the_other(publication: Path) -> None:
    text = render_farm(publication, "F-004")
    chinese, english = one_language(text, "zh"), one_language(text, "en")
    assert "批准" in chinese
    assert ">Approve<" not in chinese
    assert "批准" not in english
    assert ">Approve<" in english


def test_a_farm_as_pdf(publication: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("weasyprint")
    paper = write_farm_pdf(publication, "F-004", "zh", tmp_path / "new" / "f.pdf")
    assert paper.read_bytes().startswith(b"%PDF-")
    with pytest.raises(ConfigError, match="'fr' is not spoken"):
        write_farm_pdf(publication, "F-004", "fr", tmp_path / "f.pdf")
    with pytest.raises(ConfigError, match="lies in a publication"):
        write_farm_pdf(publication, "F-004", "en", publication / "f.pdf")
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StoreError, match="cannot be written"):
        write_farm_pdf(publication, "F-004", "en", tmp_path / "file" / "f.pdf")
    with pytest.raises(StoreError, match="cannot be written"):
        write_farm_page(publication, "F-004", tmp_path / "file" / "f.html")
    assert "F-004" in write_farm_page(publication, "F-004", tmp_path / "f.html").read_text(encoding="utf-8")
    monkeypatch.setitem(__import__("sys").modules, "weasyprint", None)
    with pytest.raises(ConfigError, match="a PDF needs WeasyPrint"):
        write_farm_pdf(publication, "F-004", "en", tmp_path / "f.pdf")
