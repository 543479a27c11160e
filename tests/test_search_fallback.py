# SPDX-License-Identifier: Apache-2.0
"""A second catalogue: asked where the first is silent, for all of it; who gave each scene is kept."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from acreline.config import Provider, provider_of, read_providers, read_region
from acreline.errors import ConfigError, SourceError
from acreline.inputs import check_region
from acreline.lineage import read_lineage
from acreline.ops.ledger import read_nights
from acreline.search import search_catalogues, talk
from acreline.store import read_manifest
from tests.fake_stac import START, FakeStac, make_item
from tests.test_cli import Acreline, acreline, refused  # noqa: F401 - a fixture
from tests.test_river import own_region
from tests.test_search import AS_OF, SEASON, make_parcels, make_provider

pytestmark = pytest.mark.xdist_group("river")


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(talk, "BACKOFF_S", 0.001)


def named(name: str, href: str, **words: Any) -> Provider:
    return make_provider(href, max_retry=1, **words).model_copy(update={"name": name})


def ask(*providers: Provider) -> Any:
    return search_catalogues(make_parcels(), SEASON, providers, as_of=AS_OF)


def other_names(count: int) -> list[Any]:
    """The same acquisitions as `make_item` gives, as another catalogue calls them; processed again."""
    times = [START + timedelta(days=5 * k) for k in range(count)]
    return [make_item(item_id=f"S2A_MSIL2A_{k}", time=time + timedelta(seconds=20)) for k, time in enumerate(times)]


def test_the_first_that_answers_gives_all_and_the_second_is_not_asked() -> None:
    with FakeStac([make_item(k) for k in range(5)]) as one, FakeStac(other_names(5)) as two:
        found = ask(named("one", one.url), named("two", two.url))
    assert (found.provider.name, found.fell_over, found.scenes.provider) == ("one", (), "one")
    assert len(found.scenes.items) == 5
    assert two.asked == []


@pytest.mark.parametrize(
    ("page", "kind", "words"),
    [
        (0, "status", {"status": 503}),
        (1, "status", {"status": 504}),
        (1, "status", {"status": 429}),
        (0, "status", {"status": 403}),
        (1, "bytes", {"body": b"<html>"}),
        (0, "hang", {}),
        (2, "status", {"status": 503}),
    ],
)
def test_where_the_first_gives_no_whole_list_the_second_gives_each_acquisition_once(
    page: int, kind: str, words: dict[str, Any]
) -> None:
    with FakeStac([make_item(k) for k in range(30)]) as one, FakeStac(other_names(30)) as two:
        one.fault(page, kind, times=9, **words)
        found = ask(named("one", one.url, timeout_s=0.2), named("two", two.url))
    assert (found.provider.name, found.fell_over, found.scenes.provider) == ("two", ("one",), "two")
    assert len(found.scenes.items) == len({scene.time.date() for scene in found.scenes.items}) == 30
    assert {scene.scene_id.split("_")[1] for scene in found.scenes.items} == {"MSIL2A"}, (
        "a broken list is dropped whole"
    )


def test_the_same_acquisition_listed_by_two_catalogues_in_one_is_used_once() -> None:
    """A catalogue that mirrors two sources lists an acquisition under both names."""
    with FakeStac([*[make_item(k) for k in range(5)], *other_names(5)]) as one:
        found = ask(named("one", one.url))
    assert len(found.scenes.items) == 5
    assert {aside.reason for aside in found.scenes.set_aside} == {"duplicate_of"}


def test_a_short_trouble_is_waited_out_and_nobody_else_is_asked() -> None:
    with FakeStac([make_item(k) for k in range(5)]) as one, FakeStac([]) as two:
        one.fault(1, "status", status=503)
        found = ask(named("one", one.url), named("two", two.url))
    assert found.provider.name == "one"
    assert two.asked == []


def test_when_all_fail_the_error_names_all() -> None:
    with FakeStac([]) as one, FakeStac([]) as two:
        one.fault(0, "status", status=503, times=9)
        two.fault(1, "status", status=403, times=9)
        with pytest.raises(
            SourceError, match=r"none of 2 catalogues gave its scenes: one: .*HTTP 503.*; two: .*403"
        ) as both:
            ask(named("one", one.url), named("two", two.url))
        assert both.value.retryable
        assert "sig=" not in both.value.message
        one.fault(0, "status", status=403, times=9)
        one.faults[0].pop(0)
        with pytest.raises(SourceError) as never:
            ask(named("one", one.url), named("two", two.url))
        assert not never.value.retryable
        with pytest.raises(SourceError, match=r"^one: ") as alone:
            ask(named("one", one.url))
        assert "none of" not in alone.value.message
        assert alone.value.hint.endswith("; a second catalogue may be named under `fallback_providers:`")
        assert "fallback_providers" not in both.value.hint, "who names two knows it"


# --- a region --------------------------------------------------------------------------------------------------------
def provider_file(repo: Path, path: Path, **values: Any) -> str:
    raw = yaml.safe_load((repo / "configs" / "providers" / "folder.yaml").read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump(raw | values))
    return str(path)


@pytest.fixture
def second(repo: Path, tmp_path: Path) -> str:
    catalog = repo / "data" / "flanders-2018" / "catalog.json"
    return provider_file(repo, tmp_path / "second.yaml", name="second", href=str(catalog))


def test_a_region_whose_first_catalogue_is_dead_runs_from_the_second(
    acreline: Acreline,  # noqa: F811
    repo: Path,
    tmp_path: Path,
    demo_run: Path,
    second: str,
) -> None:
    out = Path(shutil.copytree(demo_run, tmp_path / "out", symlinks=True))
    with FakeStac([]) as dead:
        dead.fault(0, "status", status=503, times=9)
        first = provider_file(repo, tmp_path / "first.yaml", name="first", kind="api", href=dead.url, max_retry=1)
        region = own_region(repo, tmp_path, provider=first, catalog=None, fallback_providers=[second], farm_pages=0)
        checked = acreline("check", region)
        assert "where first does not answer: second" in checked.out
        assert dead.asked == []
        done = acreline("run", region, "--out", out, "--scheduled")
        told = acreline("search", region)
    assert done.code == 0, done.err
    assert "alarm fell_over: first did not answer; the scenes are those of second" in done.out
    assert told.out.startswith("first did not answer; the scenes are those of second")
    publication = (out / "latest").resolve()
    manifest = read_manifest(publication)
    assert (manifest["provider"], manifest["fell_over"]) == ("second", ["first"])
    assert set(pd.read_parquet(publication / "scenes.parquet")["provider"]) == {"second"}
    assert {scene["provider"] for scene in read_lineage(publication)["scenes"]} == {"second"}
    names = ["farm_id", "outcome", "limit"]
    old, new = (pd.read_parquet(run / "decisions.parquet")[names] for run in ((demo_run / "latest"), publication))
    pd.testing.assert_frame_equal(old, new)
    assert read_nights(out)[-1].values["fell_over"] == ["first"]
    assert "alarm fell_over: first did not answer, second gave the scenes" in acreline("morning", out).out
    settings = read_region(region)
    assert provider_of(settings, "second").name == "second"
    assert provider_of(settings, "gone").name == "first"


def test_a_region_whose_catalogues_are_both_dead_exits_4_naming_both(
    acreline: Acreline,  # noqa: F811
    repo: Path,
    tmp_path: Path,
    demo_run: Path,
) -> None:
    out = Path(shutil.copytree(demo_run, tmp_path / "out", symlinks=True))
    before = (out / "latest").resolve()
    with FakeStac([]) as one, FakeStac([]) as two:
        for api in (one, two):
            api.fault(0, "status", status=503, times=99)
        files = [
            provider_file(repo, tmp_path / f"{name}.yaml", name=name, kind="api", href=api.url, max_retry=1)
            for name, api in (("one", one), ("two", two))
        ]
        region = own_region(repo, tmp_path, provider=files[0], catalog=None, fallback_providers=files[1:])
        done = acreline("run", region, "--out", out, "--scheduled")
    refused(done, 4, "none of 2 catalogues", "one: ", "two: ", "run again later")
    assert (out / "latest").resolve() == before


@pytest.mark.parametrize(
    ("fallback", "words"),
    [
        ("earth-serch", "did you mean 'earth-search'"),
        ("folder", "'folder' has no address, and `catalog:` is that of the first"),
        ("same", "two are called 'folder'"),
        ("blind", "bands ['B11'] have no asset"),
        ("unsigned", "not installed"),
    ],
)
def test_a_fallback_that_would_not_do_is_refused_in_the_evening(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fallback: str, words: str
) -> None:
    values: dict[str, dict[str, Any]] = {
        "same": {"href": "x"},
        "blind": {"name": "blind", "href": "x"},
        "unsigned": {"name": "unsigned", "href": "x", "signing": "planetary_computer"},
    }
    name = fallback
    if fallback in values:
        name = provider_file(repo, tmp_path / "p.yaml", **values[fallback])
    if fallback == "blind":
        raw = yaml.safe_load(Path(name).read_text())
        del raw["bands"]["B11"]
        Path(name).write_text(yaml.safe_dump(raw))
    monkeypatch.setitem(__import__("sys").modules, "planetary_computer", None)
    with pytest.raises(ConfigError) as error:
        check_region(read_region(own_region(repo, tmp_path, fallback_providers=[name])))
    assert words in error.value.message + error.value.hint


def test_providers_come_in_the_order_of_the_region(repo: Path, tmp_path: Path) -> None:
    region = read_region(own_region(repo, tmp_path, fallback_providers=["planetary-computer", "earth-search"]))
    assert [one.name for one in read_providers(region)] == ["folder", "planetary-computer", "earth-search"]
    assert json.loads(region.model_dump_json())["fallback_providers"] == ["planetary-computer", "earth-search"]
