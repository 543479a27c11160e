# SPDX-License-Identifier: Apache-2.0
"""The map page: what it tells, that it asks the net for nothing, and that a farm's name can do no harm in it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import struct
import zlib
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from acreline.errors import ContractError, StoreError
from acreline.report import page as page_room
from acreline.report import write_map_page
from acreline.report.page import content_policy, script_json
from acreline.report.png import palette_png
from acreline.report.portfolio import unpack
from acreline.report.portfolio_words import PORTFOLIO
from acreline.report.read import read_manifest, read_rows, read_trails
from acreline.report.standing import STATES
from acreline.report.tell import tell_page, vigour_grade
from acreline.report.words import WORDS, word
from tests.made_publication import ODD_FARM, farm_name, make_publication, ndvi_of
from tests.test_portfolio import thick_ring

STATIC = Path(page_room.__file__).parent / "static"


class Elements(HTMLParser):
    """Every start tag with its attributes, and the text inside script and style elements."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inside: list[tuple[str, dict[str, str | None], str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] in ("script", "style") and data.strip():
            self.inside.append((*self.tags[-1], data))


@pytest.fixture(scope="module")
def publication(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_publication(tmp_path_factory.mktemp("made") / "publication")


@pytest.fixture(scope="module")
def text(publication: Path) -> str:
    return write_map_page(publication).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def elements(text: str) -> Elements:
    return Elements(text)


@pytest.fixture(scope="module")
def told(elements: Elements) -> dict[str, Any]:
    [data] = [inner for _, attributes, inner in elements.inside if attributes.get("id") == "data"]
    packs = [unpack(inner) for _, attributes, inner in elements.inside if attributes.get("class") == "detail"]
    told = json.loads(data)
    for pack in packs:
        for kind in ("farms", "parcels"):
            for place, more in pack[kind].items():
                told[kind][int(place)] |= more
    return told


@pytest.fixture
def copy(publication: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(publication, tmp_path / "copy"))


def _farm(told: dict[str, Any], name: str) -> dict[str, Any]:
    [farm] = [farm for farm in told["farms"] if farm["id"] == name]
    return farm


# --- the page as a file ------------------------------------------------------------------------------------------
def test_same_publication_gives_the_same_bytes_wherever_it_lies(publication: Path, copy: Path, text: str) -> None:
    again = write_map_page(copy)
    assert again == copy / "report" / "index.html"
    assert again.read_bytes() == text.encode()


def test_nothing_on_the_page_points_to_the_net(text: str, elements: Elements) -> None:
    for tag, attributes in elements.tags:
        for name in ("src", "href", "action", "srcset", "data", "poster"):
            inside = attributes.get(name, "") == "#farm-rows"  # the way past the head, for the keyboard
            assert name not in attributes or inside, f"<{tag} {name}={attributes.get(name)!r}>"
    assert not re.search(r"(src|href)\s*=\s*[\"']?\s*(https?:|//)", text)
    [style] = [inner for tag, _, inner in elements.inside if tag == "style"]
    assert "url(" not in style
    assert "@import" not in style
    own = "".join(path.read_text(encoding="utf-8") for path in STATIC.glob("*.js"))
    for word_ in (
        "fetch(",
        "XMLHttpRequest",
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
    ):
        assert word_ not in own


def test_content_policy_names_exactly_the_scripts_and_the_style_that_are_there(elements: Elements) -> None:
    [policy] = [a["content"] for tag, a in elements.tags if tag == "meta" and "http-equiv" in a]
    assert policy is not None
    inline = [(tag, body) for tag, attributes, body in elements.inside if attributes.get("type") != "application/json"]
    hashes = [f"'sha256-{base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()}'" for _, body in inline]
    assert [tag for tag, _ in inline] == ["style", "script", "script"]
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives["default-src"] == "'none'"
    assert directives["style-src"] == hashes[0]
    assert directives["script-src"] == " ".join(hashes[1:])
    assert "unsafe" not in policy
    assert not [attributes for _, attributes in elements.tags if any(n == "style" or n[:2] == "on" for n in attributes)]


def test_content_policy_changes_with_the_script() -> None:
    assert content_policy(["a"], "s") != content_policy(["b"], "s")


def test_a_farm_called_script_stays_text(text: str, elements: Elements, told: dict[str, Any]) -> None:
    assert "<script>alert" not in text
    assert [tag for tag, _ in elements.tags].count("script") == 4  # data, a pack of details, two that run
    assert _farm(told, ODD_FARM)["outcome"] == "refer"


def test_hostile_text_of_scenes_and_manifest_is_escaped(copy: Path) -> None:
    evil = "</td><img src=x onerror=alert(1)>"
    manifest = json.loads((copy / "manifest.json").read_text(encoding="utf-8"))
    manifest["notices"] = [evil]
    manifest["region"] = evil
    manifest["inputs"]["parcels"] = evil
    (copy / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    table = pq.read_table(copy / "scenes.parquet")
    details = [evil if detail else None for detail in table["detail"].to_pylist()]
    pq.write_table(
        table.set_column(table.schema.get_field_index("detail"), "detail", [details]), copy / "scenes.parquet"
    )
    page = Elements(write_map_page(copy).read_text(encoding="utf-8"))
    assert "img" not in [tag for tag, _ in page.tags]


@pytest.mark.parametrize("raw", ["</script>", "<!--<script>", "a&b", "\u2028\u2029", "玉米"])
def test_script_json_cannot_end_its_element_and_reads_back(raw: str) -> None:
    text = script_json({"name": raw})
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == {"name": raw}


def test_head_and_foot_tell_season_scenes_notices_and_hashes(text: str) -> None:
    for part in (
        "2017-10-01 … 2018-12-15",
        "演示政策：数字为虚构",
        "health: not validated",
        "ab" * 32,
        "Leaflet 1.9.4",
    ):
        assert part in text.replace("演示政策:", "演示政策：")
    assert "Copernicus Sentinel data 2017–2018" in text
    assert text.count("cloud 99.2 %, limit 98 %") == 8
    assert "THIS SOFTWARE IS PROVIDED" in text


# --- what it tells -----------------------------------------------------------------------------------------------
def test_every_parcel_and_farm_is_there_with_its_facts(told: dict[str, Any], publication: Path) -> None:
    assert len(told["parcels"]) == 21
    assert [farm["id"] for farm in told["farms"]] == sorted(farm_name(i) for i in range(13))
    assert told["totals"]["statuses"] == {"ok": 17, "degraded": 1, "insufficient": 1, "failed": 0, "rejected": 2}
    farm = _farm(told, "F-004")
    parcels = [told["parcels"][index] for index in farm["parcels"]]
    assert [parcel["id"] for parcel in parcels] == ["P04", "P05"]
    assert farm["mu"] == pytest.approx(sum(parcel["mu"] for parcel in parcels), abs=0.02)
    assert farm["ha"] * 15 == pytest.approx(farm["mu"], abs=0.01)
    assert farm["acres"] == pytest.approx(farm["ha"] * 2.4710538, abs=0.01)
    assert farm["planted"][0] < farm["planted"][1] < farm["planted"][2] < farm["mu"]
    rows = {row["farm_id"]: row for row in read_rows(publication, "decisions")}
    assert farm["limit"] == rows["F-004"]["limit"]
    assert farm["last"] == max(row["last_clear"] for row in read_rows(publication, "parcels") if row["id"] == "P04")


def test_confidence_of_a_farm_is_the_mean_over_its_main_crop_by_area(told: dict[str, Any]) -> None:
    farm = _farm(told, "F-004")
    both = [told["parcels"][index] for index in farm["parcels"]]
    assert {parcel["crop"] for parcel in both} == {"maize"}
    wanted = sum(p["confidence"] * p["mu"] for p in both) / sum(p["mu"] for p in both)
    assert farm["confidence"] == pytest.approx(wanted, abs=0.001)
    assert _farm(told, farm_name(9))["confidence"] is None


def test_curve_holds_every_look_with_its_greenness_and_kind(told: dict[str, Any]) -> None:
    [parcel] = [parcel for parcel in told["parcels"] if parcel["id"] == "P00"]
    looks = list(zip(*[iter(parcel["curve"])] * 4, strict=True))
    assert len(looks) == 88
    assert [look[0] for look in looks] == sorted(look[0] for look in looks)
    clear = [(told["passes"][at], ndvi) for at, ndvi, share, kind in looks if kind == 1]
    assert len(clear) == parcel["looks"]
    for day, ndvi in clear:
        assert ndvi / 10_000 == pytest.approx(ndvi_of("maize", np.datetime64(day).astype(object)), abs=0.05)
    cloudy = {(share, ndvi is None) for _, ndvi, share, kind in looks if kind == 0}
    assert cloudy == {(0, True), (20, False)}


def test_a_look_that_dips_like_haze_is_told_apart(copy: Path) -> None:
    table = pq.read_table(copy / "looks.parquet").to_pandas()
    mine = table[(table["parcel_id"] == "P00") & (table["n_clear"] == table["n_seen"])]
    peak = mine[mine["time"].dt.strftime("%Y-%m-%d").between("2018-07-20", "2018-08-20")].index[1]
    table.loc[peak, "sum_ndvi"] = table.loc[peak, "n_clear"] * 5000
    table.loc[peak, "sum_B02"] = table.loc[peak, "n_clear"] * 1500
    table.to_parquet(copy / "looks.parquet")
    [parcel] = [parcel for parcel in tell_page(copy)["parcels"] if parcel["id"] == "P00"]
    assert parcel["curve"][1::4].count(5000) == 1
    assert [kind for ndvi, kind in zip(parcel["curve"][1::4], parcel["curve"][3::4], strict=True) if ndvi == 5000] == [
        2
    ]


def test_refused_parcels_are_told_but_have_no_curve(told: dict[str, Any]) -> None:
    refused = [parcel for parcel in told["parcels"] if parcel["status"] == "rejected"]
    assert [(p["id"], p["reason"], bool(p["rings"])) for p in refused] == [
        ("P02", "duplicate_id", False),
        ("P13", "no_area", True),
    ]
    assert all(parcel["curve"] == [] and parcel["stands"] == [] for parcel in refused)


def test_trail_keeps_order_words_and_money_as_text(told: dict[str, Any]) -> None:
    farm = _farm(told, "F-004")
    assert [step["rule"] for step in farm["trail"]] == ["evidence_bar", "capacity", "crop_cap_per_mu", "round"]
    assert Decimal(farm["trail"][-1]["after"]) == Decimal(farm["limit"])
    assert farm["reasons"] == [["capacity", *farm["trail"][1]["text"]]]
    assert farm["trail"][2]["evidence"] == [["cap", "CNY 900 per mu", "每亩900元"]]
    assert farm["trail"][0]["evidence"][0][1] == farm["trail"][0]["evidence"][0][2]  # a trail without Chinese values
    assert told["totals"]["limits"] == [["CNY", str(sum(Decimal(f["limit"] or 0) for f in told["farms"]))]]


def test_a_refused_farm_shows_no_part_as_the_whole(told: dict[str, Any]) -> None:
    farm = _farm(told, farm_name(9))
    assert farm["status"] == "rejected"
    assert (farm["planted"], farm["sown"], farm["crop"], farm["value"]) == ([None] * 3, None, None, None)
    assert farm["health"] == "unknown"
    assert (farm["mu"], farm["ha"], farm["acres"]) == (None, None, None)


def test_a_farm_without_a_decision_says_so(copy: Path) -> None:
    table = pq.read_table(copy / "decisions.parquet")
    pq.write_table(table.slice(1), copy / "decisions.parquet")
    told = tell_page(copy)
    assert told["totals"]["outcomes"]["none"] == 1
    assert _farm(told, table["farm_id"][0].as_py())["outcome"] == "none"


def test_maps_are_pictures_in_lon_lat(told: dict[str, Any]) -> None:
    assert [raster["layer"] for raster in told["rasters"]] == ["crop", "health"]
    west, south, east, north = told["rasters"][0]["bounds"]
    outlines = [thick_ring(ring) for parcel in told["parcels"] for polygon in parcel["rings"] for ring in polygon]
    assert all(south < lat < north and west < lon < east for ring in outlines for lat, lon in ring)
    assert base64.b64decode(told["rasters"][0]["png"])[:8] == b"\x89PNG\r\n\x1a\n"


def test_each_picture_names_the_codes_that_are_on_it(told: dict[str, Any]) -> None:
    codes = {raster["layer"]: raster["codes"] for raster in told["rasters"]}
    assert codes == {"crop": [0, 1, 2, 3, 4], "health": [0, 1, 2]}  # no flood, though the table knows it


def test_simulated_land_is_called_so_and_no_satellite_is_thanked(copy: Path, text: str) -> None:
    assert 'class="simulated"' not in text
    assert "Contains modified Copernicus Sentinel data" in text
    manifest = json.loads((copy / "manifest.json").read_text(encoding="utf-8"))
    (copy / "manifest.json").write_text(json.dumps(manifest | {"simulated": True}), encoding="utf-8")
    page = write_map_page(copy).read_text(encoding="utf-8")
    for words in ("on simulated data", "模拟数据", "no satellite took the pictures"):
        assert words in page
    assert "Copernicus" not in page


def test_an_empty_region_still_makes_a_page(copy: Path) -> None:
    for name in ("parcels", "looks", "farms", "stands", "decisions", "seasons", "events", "scenes"):
        path = copy / f"{name}.parquet"
        pq.write_table(pq.read_table(path).slice(0, 0), path)
    (copy / "trail.jsonl").write_text("", encoding="utf-8")
    shutil.rmtree(copy / "maps")
    assert "made-square" in write_map_page(copy).read_text(encoding="utf-8")


# --- words -------------------------------------------------------------------------------------------------------
def test_every_word_has_both_languages_and_every_used_word_is_known() -> None:
    for group, table in WORDS.items():
        for code, pair in table.items():
            assert all(pair), (group, code)
    script = "".join(path.read_text(encoding="utf-8") for path in sorted(STATIC.glob("*.js")))
    used = set(re.findall(r"\bui\(\"(\w+)\"\)", script))
    assert used <= set(WORDS["ui"])
    loose = set(re.findall(r"\"(\w+)\"", script))
    assert set(WORDS["ui"]) <= loose
    assert all(all(pair) for pair in PORTFOLIO.values())
    said = set(re.findall(r"\bsay\(\"(\w+)\"\)", script))
    assert said <= set(PORTFOLIO)
    page = (STATIC.parent / "templates" / "page.html.j2").read_text(encoding="utf-8")
    built = {name for name in PORTFOLIO if name.startswith("f_")} | {"all", "refer", "acts", "watch", "appeal", "ask"}
    [states] = re.findall(r"const STATES = (\[[^\]]*\]);", script)
    assert tuple(json.loads(states)) == STATES  # what the page knows is what `standing` says
    built |= {f"acts_{state}" for state in (*STATES, "none")}
    built |= set(re.findall(r"\bby_\w+: \"(\w+)\"", script))
    assert set(PORTFOLIO) == said | built | set(re.findall(r'data-say="(\w+)"', page))


def test_a_code_without_words_is_shown_as_it_is() -> None:
    assert word("flag", "brand_new_code") == ("brand new code", "brand new code")
    assert word("outcome", "refer") == ("To a person", "转人工审核")
    assert word("flag", None) == ("–", "–")


def test_a_static_file_that_would_end_its_element_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "bad.js").write_text("'</Script>'", encoding="utf-8")
    monkeypatch.setattr(page_room, "_HERE", tmp_path)
    with pytest.raises(ContractError, match=r"bad\.js would end its own element"):
        page_room.static_text("bad.js")


# --- pictures ----------------------------------------------------------------------------------------------------
def test_palette_png_by_hand() -> None:
    codes = np.array([[0, 1, 2], [2, 1, 0], [7, 2, 2]], dtype=np.uint8)  # 7 has no colour: nothing is drawn
    png = palette_png(codes, {1: "#ff0000", 2: "#0000ff"})
    chunks = _chunks(png)
    assert struct.unpack(">IIBBBBB", chunks[b"IHDR"]) == (3, 3, 8, 3, 0, 0, 0)
    assert chunks[b"PLTE"] == bytes.fromhex("000000ff00000000ff")
    assert chunks[b"tRNS"] == bytes([0, 255, 255])
    assert zlib.decompress(chunks[b"IDAT"]) == bytes([0, 0, 1, 2, 0, 2, 1, 0, 0, 0, 2, 2])


def test_palette_png_refuses_what_is_no_class_map() -> None:
    with pytest.raises(ContractError, match=r"must be uint8 \(y, x\); found float64 \(2, 2\)"):
        palette_png(np.zeros((2, 2)), {})  # type: ignore[arg-type]
    with pytest.raises(ContractError, match="code 0 means no data"):
        palette_png(np.zeros((2, 2), dtype=np.uint8), {0: "#000000", 1: "#ffffff"})


def _chunks(png: bytes) -> dict[bytes, bytes]:
    found, at = {}, 8
    while at < len(png):
        size, kind = struct.unpack(">I4s", png[at : at + 8])
        body = png[at + 8 : at + 8 + size]
        assert struct.unpack(">I", png[at + 8 + size : at + 12 + size])[0] == zlib.crc32(kind + body)
        found[kind] = body
        at += 12 + size
    return found


# --- what can be wrong -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["farms.parquet", "looks.parquet", "trail.jsonl", "manifest.json", "scenes.parquet"])
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(StoreError, match=rf"{re.escape(name)}: no such file"):
        write_map_page(copy)


def test_damaged_files_are_named(copy: Path) -> None:
    (copy / "farms.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(StoreError, match=r"farms\.parquet: not readable as Parquet"):
        read_rows(copy, "farms")
    (copy / "trail.jsonl").write_text("{", encoding="utf-8")
    with pytest.raises(StoreError, match=r"trail\.jsonl: not readable as JSON lines"):
        read_trails(copy)
    (copy / "manifest.json").write_text("[1]", encoding="utf-8")
    with pytest.raises(StoreError, match="expected a mapping, found list"):
        read_manifest(copy)
    (copy / "manifest.json").write_text("{", encoding="utf-8")
    with pytest.raises(StoreError, match=r"manifest\.json: not readable as JSON"):
        read_manifest(copy)


@pytest.mark.parametrize(
    ("vigour", "grade"),
    [
        (None, None), (-5.0, "very_weak"), (-2.0, "weak"), (-1.0, "usual"), (0.0, "usual"), (1.0, "usual"),
        (1.01, "strong"), (2.0, "strong"), (2.1, "very_strong"),
    ],
)  # fmt: skip
def test_vigour_has_five_grades(vigour: float | None, grade: str | None) -> None:
    assert vigour_grade(vigour) == grade
    assert grade is None or grade in WORDS["grade"]
