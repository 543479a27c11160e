# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import logging
import socket
import sys
import time
import traceback
import types
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import shapely
import shapely.affinity
from hypothesis import given, settings
from hypothesis import strategies as st

from acreline.config import Provider, SeasonSettings
from acreline.errors import EXIT_SOURCE, ConfigError, SourceError
from acreline.search import REASONS, search_scenes, stage, talk
from acreline.search.addresses import reach_of
from tests.fake_stac import BANDS_TO_ASSETS, SQUARE, START, FakeStac, make_item

SEASON = SeasonSettings(start=date(2018, 1, 1), end=date(2018, 12, 31))
AS_OF = date(2019, 1, 31)
FIELD = (3.0193, 50.8131, 3.0284, 50.8188)


def make_parcels(*boxes: Any, status: str = "ok") -> Any:
    shapes = [shapely.box(*box) if isinstance(box, tuple) else box for box in boxes or (FIELD,)]
    return gpd.GeoDataFrame({"status": [status] * len(shapes)}, geometry=shapes, crs=4326)


def make_provider(href: str, kind: str = "api", **words: Any) -> Provider:
    words = {"collection": "sentinel-2-l2a", "timeout_s": 5, "deadline_s": 20, "page_size": 20, **words}
    return Provider(name="fake", kind=kind, href=href, bands=BANDS_TO_ASSETS, **words)


def search(href: str, *boxes: Any, season: SeasonSettings = SEASON, as_of: date = AS_OF, **words: Any) -> Any:
    return search_scenes(make_parcels(*boxes), season, make_provider(href, **words), as_of=as_of)


def search_items(tmp_path: Path, *items: Any, **words: Any) -> Any:
    """Through a saved item collection, so without a server."""
    file = tmp_path / "items.json"
    file.write_text(json.dumps({"type": "FeatureCollection", "features": list(items)}))
    return search(str(file), kind="folder", **words)


def reasons(scenes: Any) -> dict[str, str]:
    return {aside.scene_id: aside.reason for aside in scenes.set_aside}


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(talk, "BACKOFF_S", 0.001)


def make_fifty(**words: Any) -> list[Any]:
    return [make_item(k, **words) for k in range(50)]


# --- paging: F01 to F12 of promises.md ----------------------------------------------------------------------------
def test_all_pages_arrive_and_completeness_is_told() -> None:
    with FakeStac(make_fifty(), stated=50) as api:
        scenes = search(api.url)
    assert len(scenes.items) == 50
    assert scenes.completeness == {
        "received": 50,
        "stated": 50,
        "proof": "stated",
        "boxes": 1,
        "pages": 3,
        "duplicates": 0,
        "shared": 0,
        "used": 50,
        "set_aside": 0,
        "passes": 50,
        "longest_gap_days": (date(2018, 12, 31) - date(2018, 11, 1)).days,
    }
    assert [scene.time for scene in scenes.items] == sorted(scene.time for scene in scenes.items)


def test_f01_rate_limit_waits_as_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with FakeStac(make_fifty(), stated=50) as api:
        api.fault(2, "status", status=429, headers={"Retry-After": "0.2"})
        begun = time.monotonic()
        scenes = search(api.url)
        assert time.monotonic() - begun >= 0.2
    assert len(scenes.items) == 50
    assert "page 2: rate limited, waited 0.2 s" in caplog.text


def test_retry_after_as_a_date() -> None:
    assert talk._retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert talk._retry_after((datetime.now(UTC) + timedelta(hours=1)).strftime("%a, %d %b %Y %H:%M:%S GMT")) > 3000
    assert talk._retry_after("soon") is None


def test_a_wait_beyond_the_deadline_is_not_waited() -> None:
    with FakeStac(make_fifty()) as api:
        api.fault(2, "status", status=503, headers={"Retry-After": "3600"})
        with pytest.raises(
            SourceError,
            match=r"fake: page 2 of 127\.0\.0\.1:\d+: HTTP 503; the next try would be in 3600 s, beyond",
        ):
            search(api.url)


def test_f02_server_errors_are_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with FakeStac(make_fifty(), page_size=10, stated=50) as api:
        for page, status in ((2, 503), (3, 502), (4, 504)):
            api.fault(page, "status", status=status)
        scenes = search(api.url)
        assert [asked["page"] for asked in api.asked] == [0, 1, 2, 2, 3, 3, 4, 4, 5]
    assert len(scenes.items) == 50
    assert "50 items in 9 requests, 3 of them tries again" in caplog.text


def test_tries_have_an_end() -> None:
    with FakeStac(make_fifty()) as api:
        api.fault(2, "status", status=503, times=99)
        with pytest.raises(SourceError, match=r"^fake: page 2 of 127\.0\.0\.1:\d+: HTTP 503 \(3 tries\)$") as caught:
            search(api.url, max_retry=2)
        assert [asked["page"] for asked in api.asked] == [0, 1, 2, 2, 2]
    assert caught.value.exit_code == EXIT_SOURCE
    assert caught.value.retryable


def test_a_refusal_is_not_tried_again() -> None:
    with FakeStac(make_fifty()) as api:
        api.fault(1, "status", status=403)
        with pytest.raises(SourceError, match=r"page 1 was refused: HTTP 403 \(sign-in\?\)") as caught:
            search(api.url)
        assert len(api.asked) == 2
    assert not caught.value.retryable


def test_f03_an_empty_page_with_a_next_link_is_not_the_end() -> None:
    items = make_fifty()
    with FakeStac([], pages=[items[:20], items[20:40], [], items[40:]], stated=50) as api:
        assert len(search(api.url).items) == 50


def test_f03_fewer_items_than_stated_is_an_error() -> None:
    with FakeStac(make_fifty()[:20], stated=50) as api, pytest.raises(SourceError) as caught:
        search(api.url)
    assert caught.value.message == "fake: catalogue said 50 items, received 20"


def test_empty_pages_without_end_are_an_error() -> None:
    with (
        FakeStac([], pages=[make_fifty()[:20]], next_of=lambda page, _: page + 1) as api,
        pytest.raises(SourceError, match="21 pages in a row were empty"),
    ):
        search(api.url)


LOST: dict[str, Any] = {"page_size": 20, "next_of": lambda page, pages: page + 1 if page < min(2, pages) else None}
"""At most two pages of twenty, whatever was asked for, and no next link on the second."""


def test_a_full_last_page_that_lost_its_next_link_is_an_error() -> None:
    told = r"last page had no next link, received 40 items, there are more: 'S2A_31UDS_\d+_4\d_L2A' for one"
    with FakeStac(make_fifty(), knows_time=True, **LOST) as api, pytest.raises(SourceError, match=told):
        search(api.url, page_size=100)


def test_a_full_last_page_that_is_the_last_is_proven_by_time() -> None:
    with FakeStac(make_fifty()[:40], knows_time=True, **LOST) as api:
        scenes = search(api.url, page_size=100)
    assert len(scenes.items) == 40
    assert scenes.completeness["proof"] == "windows"


def test_a_catalogue_that_cannot_be_asked_by_time_is_flagged(caplog: pytest.LogCaptureFixture) -> None:
    with FakeStac(make_fifty()[:20], **LOST) as api:
        scenes = search(api.url)
        assert len(api.asked) == 3
    assert scenes.completeness["proof"] == "undecided"
    assert "nothing shows that the list of scenes is whole" in caplog.text


def test_f05_a_next_link_that_repeats_is_named() -> None:
    with FakeStac(make_fifty(), next_of=lambda page, _: min(page + 1, 2)) as api:
        with pytest.raises(SourceError, match=r"round in a circle: the next link of page 2 .*token 'page:2'") as caught:
            search(api.url)
        assert [asked["page"] for asked in api.asked] == [0, 1, 2]
    assert caught.value.exit_code == EXIT_SOURCE


def test_pages_without_new_items_are_an_error() -> None:
    first = make_fifty()[:20]
    with FakeStac([], pages=[first] * 9) as api:
        with pytest.raises(SourceError, match="pages 2 and 3 brought no new items"):
            search(api.url)
        assert len(api.asked) == 4


def test_f06_the_same_item_on_two_pages_is_kept_once_and_counted() -> None:
    items = make_fifty()
    with FakeStac([], pages=[items[:20], items[19:40], items[40:]], stated=50) as api:
        scenes = search(api.url)
    assert len(scenes.items) == 50
    assert scenes.completeness["duplicates"] == 1


@pytest.mark.parametrize(
    ("kind", "words", "told"),
    [
        ("cut", {}, r"cut off after \d+ bytes, \d+ more were announced"),
        ("bytes", {"body": b'{"type": "\xff\xfe"}'}, "14 bytes that are not UTF-8 text"),
        ("cut_gzip", {}, r"\d+ bytes of application/geo\+json that are not whole JSON|cut off after \d+ bytes"),
        ("bytes", {"body": b"[1, 2]"}, "JSON that is not an object but list"),
    ],
)
def test_f09_an_answer_that_cannot_be_read_is_tried_again_then_named(kind: str, words: Any, told: str) -> None:
    with FakeStac(make_fifty(), stated=50) as api:
        api.fault(2, kind, **words)
        assert len(search(api.url).items) == 50
        api.fault(2, kind, times=99, **words)
        with pytest.raises(SourceError, match=rf"^fake: page 2 of 127\.0\.0\.1:\d+: ({told}).* \(5 tries\)$"):
            search(api.url)


def test_a_sign_in_page_is_named() -> None:
    with FakeStac(make_fifty()) as api:
        api.fault(1, "bytes", body=b"<html>", headers={"Content-Type": "text/html; charset=utf-8"}, times=99)
        with pytest.raises(SourceError, match=r"page 1 of .*: 6 bytes of text/html that are not whole JSON"):
            search(api.url)


def test_f10_completeness_not_stated() -> None:
    with FakeStac(make_fifty(), stated=None) as api:
        done = search(api.url).completeness
    assert done["stated"] is None
    assert done["proof"] == "last_page"  # 20, 20, 10


def test_f11_a_server_that_never_answers() -> None:
    with FakeStac(make_fifty()) as api:
        api.fault(1, "hang", times=99)
        begun = time.monotonic()
        with pytest.raises(SourceError, match=r"page 1 of 127\.0\.0\.1:\d+: timed out \(2 tries\)"):
            search(api.url, timeout_s=0.2, max_retry=1)
        assert time.monotonic() - begun < 3


def test_a_server_that_trickles_meets_the_time_limit() -> None:
    with FakeStac(make_fifty()) as api:
        api.fault(1, "trickle", times=99)
        begun = time.monotonic()
        with pytest.raises(SourceError, match=r"page 1 of 127\.0\.0\.1:\d+: timed out after \d+ bytes"):
            search(api.url, timeout_s=0.3, max_retry=0)
        assert time.monotonic() - begun < 3


def test_the_whole_search_has_a_deadline() -> None:
    with FakeStac(make_fifty()) as api:
        api.fault(2, "hang", times=99)
        begun = time.monotonic()
        with pytest.raises(SourceError, match=r"beyond the deadline of 0\.5 s"):
            search(api.url, deadline_s=0.5, max_retry=10)
        assert time.monotonic() - begun < 3


def test_f12_closed_port() -> None:
    with FakeStac([]) as api:
        url = api.url
    with pytest.raises(
        SourceError, match=r"^fake: the entry page of 127\.0\.0\.1:\d+: connection refused \(2 tries\)$"
    ) as caught:
        search(url, max_retry=1)
    assert caught.value.exit_code == EXIT_SOURCE


def test_f12_a_name_that_does_not_resolve(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(SourceError, match=r"the entry page of catalogue\.invalid: host name does not resolve"):
        search("http://catalogue.invalid/stac", max_retry=0)


def test_f13_time_and_cloud_that_lack(tmp_path: Path) -> None:
    late = make_item(1, item_id="by-start", start_datetime="2018-03-06T10:50:24Z")
    late["properties"]["datetime"] = None
    void = make_item(2, item_id="cloud-null", cloud=None)
    bare = make_item(3, item_id="cloud-absent")
    del bare["properties"]["eo:cloud_cover"]
    none = make_item(4, item_id="timeless")
    del none["properties"]["datetime"]
    scenes = search_items(tmp_path, late, void, bare, none, max_cloud_percent=20)
    flags = {scene.scene_id: scene.flags for scene in scenes.items}
    assert flags == {
        "by-start": ("time_from_start",),
        "cloud-null": ("cloud_unknown",),
        "cloud-absent": ("cloud_unknown",),
    }
    assert reasons(scenes) == {"timeless": "no_time"}


def test_f17_items_are_judged_as_they_come_and_capped() -> None:
    with FakeStac(make_fifty()) as api:
        with pytest.raises(SourceError, match="fake: 31 items, more than max_items 30"):
            search(api.url, max_items=30)
        assert len(api.asked) == 3
    with FakeStac(make_fifty(), stated=50) as api:
        with pytest.raises(SourceError, match="fake: 50 items, more than max_items 30"):
            search(api.url, max_items=30)
        assert len(api.asked) == 2


def test_a_server_that_knows_get_only() -> None:
    with FakeStac(make_fifty(), get_links=True, stated=50) as api:
        assert len(search(api.url).items) == 50
        assert {asked["method"] for asked in api.asked} == {"GET"}


# --- what a server is told and may do -----------------------------------------------------------------------------
def test_s22_the_server_sees_a_padded_box_and_nothing_else() -> None:
    with FakeStac([]) as api:
        search(api.url)
        body = api.asked[1]["body"]
    assert body == {
        "collections": ["sentinel-2-l2a"],
        "bbox": [3.0, 50.8, 3.1, 50.9],
        "datetime": "2018-01-01T00:00:00Z/2018-12-31T23:59:59.999Z",
        "limit": 20,
    }


def test_the_query_ends_at_the_as_of_day() -> None:
    with FakeStac([]) as api:
        search(api.url, as_of=date(2018, 5, 1))
        assert api.asked[1]["body"]["datetime"].endswith("/2018-05-01T23:59:59.999Z")


@given(west=st.floats(-179.9, 179), south=st.floats(-89.9, 89), width=st.floats(1e-5, 0.9), height=st.floats(1e-5, 0.9))
def test_boxes_hold_the_parcels_with_room_and_sit_on_tenths(
    west: float, south: float, width: float, height: float
) -> None:
    exact = (west, south, min(west + width, 180.0), min(south + height, 90.0))
    ((asked, kept),) = stage._boxes(make_parcels(exact))
    assert kept == pytest.approx(exact)
    assert asked[0] <= max(exact[0] - 0.0099, -180)
    assert asked[1] <= max(exact[1] - 0.0099, -90)
    assert asked[2] >= min(exact[2] + 0.0099, 180)
    assert asked[3] >= min(exact[3] + 0.0099, 90)
    assert all(abs(value * 10 - round(value * 10)) < 1e-9 for value in asked)


def test_parcels_far_apart_are_asked_for_cell_by_cell() -> None:
    far = (12.55, 50.11, 12.56, 50.12)
    near, other = make_item(0), make_item(1, tile="33UUR", box=(12.0, 49.9, 13.0, 50.9))
    with FakeStac([near, other], stated=2) as api:
        scenes = search(api.url, FIELD, far)
        asked = [one["body"]["bbox"] for one in api.asked[1:]]
    assert asked == [[3.0, 50.8, 3.1, 50.9], [12.5, 50.1, 12.6, 50.2]]
    assert len(scenes.items) == 2
    done = scenes.completeness
    assert (done["received"], done["stated"], done["shared"], done["boxes"]) == (4, 4, 2, 2)
    assert done["received"] == done["used"] + done["set_aside"] + done["shared"]


def test_a_parcel_cut_at_the_antimeridian_makes_two_small_boxes() -> None:
    halves = shapely.MultiPolygon(
        [shapely.box(179.99, -17.0, 180.0, -16.99), shapely.box(-180.0, -17.0, -179.99, -16.99)]
    )
    boxes = [asked for asked, _ in stage._boxes(make_parcels(halves))]
    assert boxes == [(-180.0, -17.1, -179.9, -16.9), (179.9, -17.1, 180.0, -16.9)]


def test_rejected_parcels_ask_for_nothing() -> None:
    with FakeStac(make_fifty()) as api:
        scenes = search_scenes(make_parcels(status="rejected"), SEASON, make_provider(api.url), as_of=AS_OF)
        assert api.asked == []
    assert scenes.items == ()
    assert scenes.completeness["longest_gap_days"] == 364


def test_the_search_may_not_lead_to_another_host() -> None:
    with FakeStac([]) as third, FakeStac(make_fifty(), search_host=third.url) as api:
        with pytest.raises(SourceError, match=r"page 1 leads to another host: 127\.0\.0\.1:\d+"):
            search(api.url)
        assert third.asked == []


def test_redirects_stay_at_home_and_have_an_end() -> None:
    with FakeStac([]) as third, FakeStac(make_fifty()) as api:
        api.fault(1, "status", status=307, headers={"Location": f"{third.url}search"})
        with pytest.raises(SourceError, match="page 1 leads to another host"):
            search(api.url)
        assert third.asked == []
        api.fault(1, "status", status=307, headers={"Location": f"{api.url}search"}, times=99)
        with pytest.raises(SourceError, match="page 1 is redirected in a circle: 5 redirects"):
            search(api.url)


def test_http_and_https_on_usual_ports_are_one_host() -> None:
    assert talk._host("http://a.org/x") == talk._host("https://a.org:443/y")
    assert talk._host("https://a.org:8443/") != talk._host("https://a.org/")
    assert talk._host("http://a.org:99999999/")[1] == -1


def test_s19_secrets_stay_out_of_messages_and_logs(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    told: list[str] = []
    secret = "hush".upper()  # not in one piece here, since tracebacks show these lines
    with FakeStac(make_fifty(), get_links=True, extra_query=f"sig={secret}") as api:
        assert len(search(f"{api.url}?sig={secret}").items) == 50
        api.next_of = lambda page, _: min(page + 1, 2)
        api.fault(1, "status", status=503, times=1)
        for words in ({}, {"max_retry": 0}):
            with pytest.raises(SourceError) as caught:
                search(f"{api.url}?sig={secret}", **words)
            told += [*traceback.format_exception(caught.value), caught.value.hint, repr(caught.value.context)]
        url = api.url
    with pytest.raises(SourceError) as caught:
        search(f"{url}?token={secret}", max_retry=0)
    told += traceback.format_exception(caught.value)
    assert "page:2" in "".join(told)
    assert secret not in "".join(told) + caplog.text


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"type": "Catalog", "id": "x", "stac_version": "1.0.0", "description": "", "links": []}, "has no item search"),
        ({"hello": "world"}, "is not that of a STAC API"),
    ],
)
def test_an_address_that_is_no_stac_api(document: Any, told: str) -> None:
    with FakeStac([]) as api:
        api.fault(0, "bytes", body=json.dumps(document).encode())
        with pytest.raises(SourceError, match=told):
            search(api.url)


def test_an_answer_without_features_is_named() -> None:
    with FakeStac([]) as api:
        api.fault(1, "bytes", body=b'{"code": 1, "description": "x"}')
        with pytest.raises(
            SourceError, match="page 1 of the search holds no list of features: an object with code, desc"
        ):
            search(api.url)


def test_a_next_link_that_cannot_be_followed() -> None:
    page = {"type": "FeatureCollection", "features": [make_item()], "links": [{"rel": "next", "method": "DELETE"}]}
    with FakeStac([]) as api:
        api.fault(1, "bytes", body=json.dumps(page).encode())
        with pytest.raises(SourceError, match="next link cannot be followed: method DELETE"):
            search(api.url)


# --- what is judged here, whatever the server filtered --------------------------------------------------------------
def test_each_reason_is_told(tmp_path: Path) -> None:
    items = {
        "other_collection": make_item(0) | {"collection": "sentinel-2-l1c"},
        "no_time": make_item(1, time="long ago"),
        "outside_season": make_item(2, time="2017-12-31T23:59:59Z"),
        "after_as_of": make_item(3, time="2018-10-31T10:00:00Z"),
        "not_a_tile": make_item(4, **{"grid:code": "WRS-1"}),
        "no_geometry": make_item(5) | {"geometry": None},
        "outside_area": make_item(6, box=(3.1, 50.8, 4.6, 51.8)),
        "missing_asset": make_item(7, drop=("B08", "SCL")),
        "foreign_scheme": make_item(8, base="ftp://example.org"),
        "foreign_address": make_item(9, base="http://169.254.169.254/latest"),
        "unknown_offset": make_item(10, offset=-0.2),
        "duplicate_of": make_item(11, item_id="a"),
        "too_cloudy": make_item(12, cloud=80.5),
    }
    for name, item in items.items():
        item["id"] = f"31UXX?{name}" if name == "not_a_tile" else name
    nothing = {"type": "Thing", "id": "not_an_item"}
    scenes = search_items(
        tmp_path,
        *items.values(),
        nothing,
        make_item(11, item_id="winner"),
        max_cloud_percent=80,
        as_of=date(2018, 10, 30),
    )
    assert [scene.scene_id for scene in scenes.items] == ["winner"]
    assert {item["id"]: name for name, item in items.items()} | {"not_an_item": "not_an_item"} == reasons(scenes)
    assert set(reasons(scenes).values()) == set(REASONS)
    details = {aside.reason: aside.detail for aside in scenes.set_aside}
    assert details["missing_asset"] == "no asset for B08 (B08), SCL (SCL)"
    assert details["too_cloudy"] == "80.5 % cloud"
    assert details["duplicate_of"] == "copy of winner, kept for its id"
    assert details["unknown_offset"] == "the band states scale 0.0001 and offset -0.2; known are 0.0001 with 0 or -0.1"
    assert details["outside_season"] == "of 2017-12-31, season 2018-01-01 .. 2018-12-31"
    done = scenes.completeness
    assert done["received"] == done["used"] + done["set_aside"] == 15


def test_cloud_is_compared_as_a_number(tmp_path: Path) -> None:
    clouds = [3.75, "9", "100", 20.0, "20.01", True, float("nan")]
    scenes = search_items(
        tmp_path, *(make_item(k, item_id=f"i{k}", cloud=c) for k, c in enumerate(clouds)), max_cloud_percent=20
    )
    assert reasons(scenes) == {"i2": "too_cloudy", "i4": "too_cloudy"}
    assert [(s.scene_id, s.cloud_percent) for s in scenes.items][:3] == [("i0", 3.75), ("i1", 9.0), ("i3", 20.0)]


def test_lag_days_decide_what_was_known(tmp_path: Path) -> None:
    items = [make_item(k, item_id=f"i{k}") for k in range(3)]  # 1, 6, 11 March
    assert reasons(search_items(tmp_path, *items, as_of=date(2018, 3, 11))) == {}
    told = search_items(tmp_path, *items, as_of=date(2018, 3, 11), lag_days=1)
    assert reasons(told) == {"i2": "after_as_of"}
    assert "not yet listed on 2018-03-11 (1 days later at the earliest)" in told.set_aside[0].detail


def test_sensing_time_counts_in_utc(tmp_path: Path) -> None:
    scenes = search_items(
        tmp_path, make_item(0, time="2018-01-01T01:00:00+02:00", item_id="a"), make_item(1, item_id="b")
    )
    assert reasons(scenes) == {"a": "outside_season"}


@pytest.mark.parametrize(
    ("properties", "item_id", "tile"),
    [
        ({"grid:code": "MGRS-31UDS"}, "x", "31UDS"),
        ({"grid:code": "MGRS-1WCQ"}, "x", "01WCQ"),
        ({"s2:mgrs_tile": "35MNM"}, "x", "35MNM"),
        ({"mgrs:utm_zone": 7, "mgrs:latitude_band": "H", "mgrs:grid_square": "FE"}, "x", "07HFE"),
        ({}, "S2A_MSIL2A_20200731T080611_R078_T35MNM_20200818T062751", "35MNM"),
        ({}, "S2A_28QCH_20200714_0_L2A", "28QCH"),
        ({"grid:code": "MGRS-61UDS"}, "x", None),
        ({}, "S2A_20200714", None),
    ],
)
def test_tile_names(tmp_path: Path, properties: Any, item_id: str, tile: str | None) -> None:
    item = make_item(0, item_id=item_id)
    del item["properties"]["grid:code"]
    item["properties"] |= properties
    scenes = search_items(tmp_path, item)
    assert [scene.tile for scene in scenes.items] == ([tile] if tile else [])
    assert reasons(scenes) == ({} if tile else {item_id: "not_a_tile"})
    if tile:
        south = tile[2] < "N"
        assert scenes.items[0].crs == f"EPSG:32{7 if south else 6}{tile[:2]}"


@pytest.mark.parametrize("stated", [{"proj:code": "EPSG:32632"}, {"proj:epsg": 32731}])
def test_a_crs_that_is_not_the_tiles_is_refused(tmp_path: Path, stated: Any) -> None:
    on_item, on_asset = make_item(0, item_id="a", **stated), make_item(1, item_id="b")
    on_asset["assets"]["B02"] |= stated
    scenes = search_items(tmp_path, on_item, on_asset, make_item(2, **{"proj:epsg": 32631, "proj:code": "EPSG:32631"}))
    assert reasons(scenes) == {"a": "not_a_tile", "b": "not_a_tile"}
    assert "but tile 31UDS is EPSG:32631" in scenes.set_aside[0].detail


def test_a_footprint_over_the_antimeridian_is_no_band_around_the_globe(tmp_path: Path) -> None:
    box = (-179.9, -17.1, 179.8, -16.2)  # as drawn by those who forget: 0.3 degrees wide, not 359.7
    item = make_item(0, tile="01KAB", box=box)
    file = tmp_path / "i.json"
    file.write_text(json.dumps(item))
    fiji, greenwich = (-179.95, -17.0, -179.94, -16.9), (0.0, -17.0, 0.1, -16.9)
    assert len(search(str(file), fiji, kind="folder").items) == 1
    assert reasons(search(str(file), greenwich, kind="folder")) == {item["id"]: "outside_area"}


def test_bands_that_do_not_agree_about_the_offset_are_refused(tmp_path: Path) -> None:
    item = make_item(0)
    item["assets"]["B12"]["raster:offset"] = -0.1
    scenes = search_items(tmp_path, item)
    assert reasons(scenes) == {item["id"]: "unknown_offset"}
    assert "B12 1000" in scenes.set_aside[0].detail


# --- copies and parts ---------------------------------------------------------------------------------------------
def copy_of(item: Any, item_id: str, *, later_s: float = 0, shift: float = 0, **properties: Any) -> Any:
    twin = json.loads(json.dumps(item)) | {"id": item_id}
    moment = datetime.fromisoformat(item["properties"]["datetime"]) + timedelta(seconds=later_s)
    twin["properties"] |= {"datetime": moment.isoformat(), **properties}
    shape = shapely.affinity.translate(shapely.geometry.shape(item["geometry"]), xoff=shift)
    twin["geometry"] = shapely.geometry.mapping(shape)
    return twin


@pytest.mark.parametrize(
    ("one", "two", "rule"),
    [
        ({"s2:processing_baseline": "05.00"}, {"s2:processing_baseline": "02.14"}, "baseline (05.00 over 02.14)"),
        ({"s2:processing_baseline": "10.00"}, {"s2:processing_baseline": "05.11"}, "baseline (10.00 over 05.11)"),
        (
            {"s2:generation_time": "2018-03-01T15:00:00Z"},
            {"s2:generation_time": "2018-03-01T14:00:00Z"},
            "processing time (2018-03-01T15:00:00Z over 2018-03-01T14:00:00Z)",
        ),
        ({}, {}, "id"),
        (
            {"s2:processing_baseline": "02.06", "s2:generation_time": "2018-03-01T14:00:00Z"},
            {"s2:processing_baseline": "05.00", "s2:generation_time": "2023-03-01T14:00:00Z"},
            "date (it was there on the as-of day, the other was processed later)",
        ),
    ],
)
@pytest.mark.parametrize("turn", [1, -1])
def test_f45_of_copies_one_is_used_by_rule(tmp_path: Path, one: Any, two: Any, rule: str, turn: int) -> None:
    first = make_item(0)
    winner, loser = copy_of(first, "z", **one), copy_of(first, "a", later_s=0.4, **two)
    scenes = search_items(tmp_path, *(winner, loser)[::turn])
    assert [scene.scene_id for scene in scenes.items] == ["z"]
    (aside,) = scenes.set_aside
    assert (aside.scene_id, aside.reason, aside.detail) == ("a", "duplicate_of", f"copy of z, kept for its {rule}")


def test_a_later_reprocessing_that_stands_alone_is_used_and_flagged(tmp_path: Path) -> None:
    item = make_item(0, offset=-0.1, **{"processing:version": "05.00", "processing:datetime": "2023-06-12T21:42:23Z"})
    (scene,) = search_items(tmp_path, item).items
    assert scene.flags == ("reprocessed_since",)
    assert scene.dn_offset == 1000


def test_parts_of_a_split_scene_both_stay_and_share_a_pass(tmp_path: Path) -> None:
    left = make_item(0, box=(2.9, 50.4, 3.8, 51.5), **{"sat:relative_orbit": 8})
    right = copy_of(left, "S2A_31UDS_20180301_1_L2A", later_s=11, shift=0.05)
    right["geometry"] = shapely.geometry.mapping(shapely.box(3.02, 50.4, 4.6, 51.5))
    scenes = search_items(tmp_path, left, right)
    assert len(scenes.items) == 2
    assert {scene.pass_id for scene in scenes.items} == {"S2A_R008_20180301"}
    assert scenes.completeness["passes"] == 1


def test_other_satellites_and_later_orbits_are_no_copies(tmp_path: Path) -> None:
    first = make_item(0)
    other = copy_of(first, "b", later_s=30, platform="Sentinel-2C")
    later = copy_of(first, "c", later_s=6060)
    unnamed = copy_of(first, "d", later_s=0.5, platform=None)
    unnamed_later = copy_of(first, "e", later_s=45, platform=None)
    scenes = search_items(tmp_path, first, other, later, unnamed, unnamed_later)
    assert reasons(scenes) == {first["id"]: "duplicate_of"}  # of `d`: with one second between, and the higher id
    assert {scene.pass_id for scene in scenes.items} == {"S2C_20180301", "S2A_20180301", "S2_20180301"}


def test_the_same_id_in_two_collections_is_two_items(tmp_path: Path) -> None:
    first = make_item(0)
    scenes = search_items(tmp_path, first, first, first | {"collection": "sentinel-2-l1c"})
    assert scenes.completeness["duplicates"] == 1
    assert Counter(aside.reason for aside in scenes.set_aside) == {"other_collection": 1}


@settings(deadline=None)
@given(order=st.permutations(range(6)))
def test_the_order_of_a_catalogue_changes_nothing(order: list[int]) -> None:
    first = make_item(0)
    items = [
        first,
        *(copy_of(first, f"c{k}", later_s=k * 250, **{"s2:processing_baseline": f"0{k}.00"}) for k in range(5)),
    ]

    def found(order: Any) -> Any:
        from acreline.search.addresses import home_of
        from acreline.search.copies import drop_copies
        from acreline.search.items import Wanted, judge_item

        provider = make_provider("http://example.org/")
        wanted = Wanted(provider, SEASON.start, SEASON.end, AS_OF, [shapely.box(*FIELD)], home_of(provider))
        kept, lost = drop_copies(judge_item(items[k], "http://example.org/i", wanted) for k in order)
        return [one.scene_id for one in kept], sorted((one.scene_id, one.detail) for one in lost)

    assert found(order) == found(range(6))


# --- addresses: S08, S09 ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("host", "reach"),
    [
        ("169.254.169.254", "never"),
        ("fd00:ec2::254", "never"),
        ("2852039166", "never"),
        ("0251.0376.0251.0376", "never"),
        ("0xa9fea9fe", "never"),
        ("169%2E254.169.254", "never"),
        ("１６９.254.169.254", "never"),
        ("::ffff:169.254.169.254", "never"),
        ("metadata.google.internal.", "never"),
        ("0.0.0.0", "never"),
        ("127.1", "loopback"),
        ("LOCALHOST", "loopback"),
        ("::1", "loopback"),
        ("10.0.0.7", "private"),
        ("192.168.1.1", "private"),
        ("fd12::1", "private"),
        ("8.8.8.8", "public"),
        ("sentinel-cogs.s3.us-west-2.amazonaws.com", "public"),
    ],
)
def test_s08_internal_addresses_are_seen_through(host: str, reach: str) -> None:
    assert reach_of(host) == reach


@pytest.mark.parametrize(
    ("base", "reason"),
    [
        ("http://169.254.169.254/a", "foreign_address"),
        ("http://[fd00:ec2::254]/a", "foreign_address"),
        ("http://user@2852039166/a", "foreign_address"),
        ("//169.254.169.254/a", "foreign_address"),
        ("http://10.0.0.7/a", "foreign_address"),
        ("http:///a", "foreign_address"),
        ("file:///etc", "foreign_scheme"),
        ("s3://other-bucket/a", "foreign_scheme"),
        ("ftp://example.org/a", "foreign_scheme"),
        ("data:text/plain,x", "foreign_scheme"),
        ("/vsicurl/http://127.0.0.1", None),  # becomes a path on the catalogue's own server
        ("http://127.0.0.1:1/a", None),  # the catalogue is on loopback itself
        ("https://data.example.org/a", None),
        ("./rasters", None),
    ],
)
def test_s09_addresses_a_catalogue_may_not_name(base: str, reason: str | None) -> None:
    with FakeStac([make_item(0, base=base)]) as api:
        scenes = search(api.url)
        assert [aside.reason for aside in scenes.set_aside] == ([reason] if reason else [])
        if reason is None:
            href = scenes.items[0].assets["B02"]
            assert href.startswith(("https://data.example.org/", "http://127.0.0.1:"))


def test_a_public_catalogue_may_not_name_this_machine(tmp_path: Path) -> None:
    from acreline.search.addresses import Home, RefusedAddress, open_address

    provider = make_provider("https://example.org")
    for reach, href, fits in (
        ("public", "http://127.0.0.1/x", False),
        ("private", "http://10.1.1.1/x", True),
        ("private", "http://localhost/x", False),
    ):
        home = Home(None, reach)  # type: ignore[arg-type]
        if fits:
            assert open_address(href, "https://example.org/i", provider, home) == href
        else:
            with pytest.raises(RefusedAddress, match="internal network address"):
                open_address(href, "https://example.org/i", provider, home)


def test_a_refusal_shows_no_signature(tmp_path: Path) -> None:
    item = make_item(0)
    for asset in item["assets"].values():
        asset["href"] = "ftp://example.org/x.tif?sig=SECRET"
    assert "SECRET" not in str(search_items(tmp_path, item).set_aside)


# --- folders ------------------------------------------------------------------------------------------------------
def make_catalog(folder: Path, items: list[Any]) -> Path:
    links = []
    for item in items:
        place = folder / "s2" / item["id"]
        place.mkdir(parents=True)
        (place / "item.json").write_text(json.dumps(item))
        links.append({"rel": "item", "href": f"./{item['id']}/item.json"})
    head = {"stac_version": "1.0.0", "description": "", "license": "other"}
    root = {"rel": "root", "href": "../catalog.json"}
    (folder / "s2" / "collection.json").write_text(
        json.dumps(head | {"type": "Collection", "id": "s2", "links": [root, *links]})
    )
    child = {"rel": "child", "href": "./s2/collection.json"}
    loop = {"rel": "child", "href": "catalog.json"}
    (folder / "catalog.json").write_text(json.dumps(head | {"type": "Catalog", "id": "c", "links": [child, loop]}))
    return folder / "catalog.json"


def test_a_static_catalogue_a_folder_and_a_collection_file_tell_the_same(tmp_path: Path) -> None:
    catalog = make_catalog(tmp_path, [make_item(k, base="./rasters") for k in range(3)])
    (tmp_path / "s2" / "metadata.json").write_text('{"type": "Sidecar"}')
    by_file, by_folder = search(str(catalog), kind="folder"), search(str(tmp_path), kind="folder")
    loose = search(str(tmp_path / "s2"), kind="folder")
    assert len(by_file.items) == 3
    assert by_file == by_folder
    assert by_file.items == loose.items
    (tmp_path / "s2" / "collection.json").unlink()
    bare = search(str(tmp_path / "s2"), kind="folder")
    assert bare.items == by_file.items
    assert reasons(bare) == {"metadata.json": "not_an_item"}
    name = by_file.items[0].scene_id
    assert by_file.items[0].assets["B02"] == str(tmp_path / "s2" / name / "rasters" / name / "B02.tif")


@pytest.mark.parametrize(
    ("file", "title"), [("catalog.json", "SIMULATED county x"), ("s2/collection.json", "SIMULATED")]
)
def test_a_catalogue_that_calls_itself_simulated_is_believed(tmp_path: Path, file: str, title: str) -> None:
    catalog = make_catalog(tmp_path, [make_item(0)])
    assert not search(str(catalog), kind="folder").simulated
    (tmp_path / file).write_text(json.dumps(json.loads((tmp_path / file).read_text()) | {"title": title}))
    assert search(str(catalog), kind="folder").simulated


def test_a_folder_names_files_of_its_own_only(tmp_path: Path) -> None:
    inside = tmp_path / "in"
    inside.mkdir()
    bases = [
        "..",
        "/etc",
        "file:///etc",
        "file://elsewhere/x",
        inside.as_uri(),
        str(inside / "deep"),
        "https://data.example.org",
        "http://localhost:8000",
    ]
    for k, base in enumerate(bases):
        (inside / f"{k}.json").write_text(json.dumps(make_item(k, item_id=f"i{k}", base=base)))
    scenes = search(str(inside), kind="folder")
    assert reasons(scenes) == {f"i{k}": "foreign_address" for k in range(4)}
    assert scenes.items[0].assets["SCL"] == str(inside / "i4" / "SCL.tif")
    assert "a file outside the catalogue's folder in" in scenes.set_aside[0].detail


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "no such file"),
        ("{", "not whole JSON"),
        ("[1]", "expected a STAC object, found list"),
        ('{"type": "Catalog", "links": [{"rel": "item", "href": "https://a.org/i.json"}]}', "leads to the network"),
        ('{"type": "Catalog", "links": [{"rel": "item", "href": "../../i.json"}]}', "leads out of the folder"),
        ('{"type": "Catalog", "links": [{"rel": "item", "href": "i.json"}]}', r"i\.json: no such file"),
    ],
)
def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path, content: str | None, told: str) -> None:
    file = tmp_path / "catalog.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(SourceError, match=told) as caught:
        search(str(file), kind="folder")
    assert not caught.value.retryable


def test_an_empty_folder_and_a_crowded_one(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"the folder holds no \.json file"):
        search(str(tmp_path), kind="folder")
    with pytest.raises(SourceError, match="more than max_items 2 items"):
        search_items(tmp_path, *(make_item(k) for k in range(3)), max_items=2)


def test_a_folder_and_a_server_tell_the_same(tmp_path: Path) -> None:
    items = [make_item(k, cloud=2.0 * k) for k in range(50)]
    with FakeStac(items) as api:
        served = search(api.url, max_cloud_percent=50)
    saved = search_items(tmp_path, *items, max_cloud_percent=50)
    assert served.items == saved.items
    assert served.set_aside == saved.set_aside


def test_118_items_load_in_less_than_a_second(tmp_path: Path) -> None:
    catalog = make_catalog(tmp_path, [make_item(k, time=START + timedelta(days=2 * k)) for k in range(118)])
    begun = time.monotonic()
    assert len(search(str(catalog), kind="folder").items) == 118
    assert time.monotonic() - begun < 1


# --- settings -----------------------------------------------------------------------------------------------------
def test_a_provider_without_a_mask_is_refused() -> None:
    bands = {band: keys for band, keys in BANDS_TO_ASSETS.items() if band not in ("SCL", "B12")}
    provider = make_provider("x").model_copy(update={"bands": bands})
    with pytest.raises(ConfigError, match="provider 'fake': no asset named for B12, SCL"):
        search_scenes(make_parcels(), SEASON, provider, as_of=AS_OF)


def test_an_as_of_day_before_the_season_is_refused() -> None:
    with pytest.raises(ConfigError, match="as-of day 2017-01-01 lies before the season's start 2018-01-01"):
        search("x", as_of=date(2017, 1, 1))


def test_signing_needs_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "planetary_computer", None)
    with pytest.raises(ConfigError, match="planetary-computer, which is not installed") as caught:
        search_items(tmp_path, make_item(0), signing="planetary_computer")
    assert caught.value.hint == "pip install 'acreline[planetary]'"


def test_signing_signs_what_is_used_and_hides_its_troubles(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    signed: list[str] = []
    secret = "hush".upper()
    signer = types.ModuleType("planetary_computer")

    def sign_url(href: str) -> str:
        signed.append(href)
        return f"{href}?sig={secret}"

    signer.sign_url = sign_url  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "planetary_computer", signer)
    scenes = search_items(
        tmp_path, make_item(0), make_item(1, cloud=90), signing="planetary_computer", max_cloud_percent=50
    )
    assert len(signed) == 11
    assert all(href.endswith(f"?sig={secret}") for href in scenes.items[0].assets.values())

    def fail(href: str) -> str:
        raise ValueError(f"no token for {href}?sig={secret}")

    signer.sign_url = fail  # type: ignore[attr-defined]
    with pytest.raises(SourceError, match=r"an address could not be signed \(ValueError\)") as caught:
        search_items(tmp_path, make_item(0), signing="planetary_computer")
    assert secret not in "".join(traceback.format_exception(caught.value))


def test_the_longest_gap_is_that_of_the_tile_that_fares_worst(tmp_path: Path) -> None:
    season = SeasonSettings(start=date(2018, 3, 1), end=date(2018, 3, 31))
    items = [make_item(k) for k in range(6)] + [make_item(k, tile="31UES", box=SQUARE) for k in (0, 4)]
    assert search_items(tmp_path, *items[:6], season=season).completeness["longest_gap_days"] == 5
    assert search_items(tmp_path, *items, season=season).completeness["longest_gap_days"] == 20
    assert (
        search_items(tmp_path, *items[:2], season=season, as_of=date(2018, 3, 20)).completeness["longest_gap_days"]
        == 14
    )


def test_reading_needs_the_providers_gdal_options(tmp_path: Path) -> None:
    read = {"gdal": {"AWS_VIRTUAL_HOSTING": "FALSE", "AWS_S3_ENDPOINT": "e"}}
    scenes = search_items(tmp_path, make_item(0), read=read)
    assert scenes.read_options == {"AWS_S3_ENDPOINT": "e", "AWS_VIRTUAL_HOSTING": "FALSE"}
