# SPDX-License-Identifier: Apache-2.0
"""The portfolio as a file: details packed away and opened again, its queues read from lists, what is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acreline.errors import ConfigError, InputError, StoreError
from acreline.report import write_map_page
from acreline.report.page import write_portfolio
from acreline.report.portfolio import (
    CHUNK,
    pack,
    read_cases,
    read_packed,
    read_watch,
    rewrite_packed,
    split_details,
    tell_queues,
    thin_ring,
    unpack,
)
from acreline.report.tell import tell_page
from tests.made_publication import make_publication


@pytest.fixture(scope="module")
def publication(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_publication(tmp_path_factory.mktemp("made") / "publication")


def thick_ring(ways: list[int]) -> list[list[float]]:
    """What the page makes of `thin_ring`'s text."""
    points = np.cumsum(np.array(ways, int).reshape(-1, 2), axis=0)
    return [[round(float(lat) / 1e6, 6), round(float(lon) / 1e6, 6)] for lat, lon in points]


@given(st.lists(st.tuples(st.floats(-90, 90), st.floats(-180, 180)), max_size=20))
def test_an_outline_is_told_to_a_millionth_of_a_degree(ring: list[tuple[float, float]]) -> None:
    told = thick_ring(thin_ring(ring))
    assert len(told) == len(ring)
    far = np.abs(np.array(told).reshape(-1, 2) - np.array(ring).reshape(-1, 2)).max(initial=0)
    assert far < 1e-6


# --- packed details -----------------------------------------------------------------------------------------------
def test_lean_page_and_details_together_are_the_whole(publication: Path) -> None:
    told = tell_page(publication)
    lean, chunks = split_details(told)
    assert len(chunks) == 1
    for kind in ("farms", "parcels"):
        for place, whole in enumerate(told[kind]):
            joined = {**lean[kind][place], **chunks[0][kind][str(place)]}
            joined.pop("grown", None)
            if kind == "parcels":
                joined["rings"] = [[thick_ring(ring) for ring in polygon] for polygon in joined["rings"]]
            assert joined == whole
    first = lean["farms"][0]
    assert "trail" not in first
    assert first["reasons"][0] == told["farms"][0]["reasons"][0]
    assert all(texts == ["", ""] for farm in lean["farms"] for _, *texts in farm["reasons"][1:])


def test_farms_are_packed_by_chunks_with_their_parcels(publication: Path) -> None:
    told = tell_page(publication)
    farms = [{**told["farms"][0], "parcels": [place]} for place in range(CHUNK + 1)]
    parcels = [{**told["parcels"][0], "id": str(place)} for place in range(CHUNK + 2)]
    lean, chunks = split_details({**told, "farms": farms, "parcels": parcels})
    assert lean["chunk"] == CHUNK
    assert [list(chunk["farms"]) for chunk in chunks] == [[str(k) for k in range(CHUNK)], [str(CHUNK)]]
    assert list(chunks[1]["parcels"]) == [str(CHUNK), str(CHUNK + 1)]  # the last one is of no farm


def test_a_pack_is_opened_as_it_was_and_holds_nothing_that_ends_an_element() -> None:
    value = {"name": "</script>玉米", "n": [1, None]}
    assert unpack(pack(value)) == value
    assert pack(value) == pack(value)
    assert re.fullmatch(r'"[A-Za-z0-9+/=]+"', pack(value))


def test_a_word_is_found_and_changed_inside_packed_details(publication: Path) -> None:
    text = write_map_page(publication).read_text(encoding="utf-8")
    said = '"rule":"evidence_bar"'
    assert said not in text
    assert said in read_packed(text)
    changed = rewrite_packed(text, lambda part: part.replace(said, '"rule":"other"'))
    assert '"rule":"other"' in read_packed(changed)
    assert said not in read_packed(changed)
    assert rewrite_packed(text, lambda part: part) == text


# --- queues -------------------------------------------------------------------------------------------------------
def test_queues_know_the_places_of_their_farms() -> None:
    farms = [{"id": "F-1"}, {"id": "F-2"}]
    case = {"case": "A", "farm": "F-9"}
    told = tell_queues(farms, [{"farm_id": "F-2"}], [case])
    assert told == {"watch": [{"farm_id": "F-2", "place": 1}], "cases": [{**case, "place": -1}], "asks": []}
    assert tell_queues(farms, None, []) == {"watch": None, "cases": [], "asks": []}


def test_open_cases_stand_by_their_day(tmp_path: Path) -> None:
    path = tmp_path / "cases.json"
    cases = [
        {"case": "late", "farm": "F", "opened": "2025-01-02", "due": "2025-03-01"},
        {"case": "no day", "farm": "F", "opened": "2025-01-01"},
        {"case": "soon", "farm": "F", "opened": "2025-01-03", "due": "2025-02-01", "state": "open", "note": "left out"},
        {"case": "done", "farm": "F", "opened": "2025-01-03", "state": "upheld"},
    ]
    path.write_text(json.dumps(cases), encoding="utf-8")
    assert [case["case"] for case in read_cases(path)] == ["soon", "late", "no day"]
    assert "note" not in read_cases(path)[0]
    path.write_text("[]", encoding="utf-8")
    assert read_cases(path) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not readable as JSON"),
        ('{"case": 1}', "not a list of cases"),
        ("[1]", "not a list of cases"),
        ('[{"case": "A", "farm": "F"}]', "without its name, its farm or the day"),
        ('[{"case": "A", "farm": "F", "opened": "soon"}]', "opened: 'soon' is no day"),
    ],
)
def test_a_list_of_cases_that_is_none_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "cases.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=words) as caught:
        read_cases(path)
    assert "a JSON list" in caught.value.hint


def test_a_list_to_watch_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_watch(tmp_path / "none.csv")
    (tmp_path / "other.csv").write_text("farm,mu\nF-1,3\n", encoding="utf-8")
    with pytest.raises(InputError, match="not a list of farms to watch"):
        read_watch(tmp_path / "other.csv")
    (tmp_path / "empty.csv").write_text("farm_id,signals,exposed,currency,words_en,words_zh\n", encoding="utf-8")
    assert read_watch(tmp_path / "empty.csv") == []


# --- written again ------------------------------------------------------------------------------------------------
def test_the_portfolio_is_written_anywhere_but_into_the_publication(publication: Path, tmp_path: Path) -> None:
    page = write_portfolio(publication, tmp_path / "a b" / "page.html")
    told = json.loads(page.read_text(encoding="utf-8").split('id="data">')[1].split("</script>")[0])
    assert (page.parent / told["base"]).resolve() == (publication / "report").resolve()
    with pytest.raises(ConfigError, match="lies in a publication"):
        write_portfolio(publication, publication / "report" / "again.html")
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StoreError, match="cannot be written"):
        write_portfolio(publication, tmp_path / "file" / "page.html")
