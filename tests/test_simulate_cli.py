# SPDX-License-Identifier: Apache-2.0
"""`acreline simulate`: a county made whole or not at all, the same bytes every time, and a run over it."""

from __future__ import annotations

import logging
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
import structlog
import yaml

from acreline import cli
from acreline.config import Crop, read_region
from acreline.errors import StoreError
from acreline.farms import read_applicants
from acreline.geo import geodesic_area_m2
from acreline.hashing import file_sha256
from acreline.layers import Looks
from acreline.model import load_model
from acreline.promises import Calibration
from acreline.run import run_region
from acreline.seasons import describe_seasons
from acreline.simulate import make
from acreline.simulate.make import read_county, simulate_county
from acreline.simulate.values import County
from acreline.store import Store
from acreline.weather import read_weather
from tests.made_county import made_county, made_sense

SKY = {"revisit_days": 60, "second_orbit_share": 0.0, "clear_share": [0.8] * 12}
pytestmark = pytest.mark.xdist_group("simulate")


def small(folder: Path, repo: Path, **sky: Any) -> Path:
    """Settings of a county of 30 parcels and eight passes."""
    raw = yaml.safe_load((repo / "configs" / "simulate" / "sim-county.yaml").read_text(encoding="utf-8"))
    raw |= {"parcels": 30, "sky": SKY | sky}
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(raw), encoding="utf-8")
    return path


def hashes(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): file_sha256(p) for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small county; read it, do not hurt it."""
    folder = tmp_path_factory.mktemp("simulate")
    repo = Path(__file__).parents[1]
    told: list[tuple[int, int, str]] = []
    settings = read_county(str(small(folder, repo)))
    done = simulate_county(settings, folder / "county", workers=1, progress=lambda *step: told.append(step))
    assert done.made
    passes = [step for step in told if step[2] == "passes"]
    assert passes[-1] == (done.counts["passes"], done.counts["passes"], "passes")
    assert done.counts["passes"] in (7, 8)
    return done.out


@pytest.fixture
def _drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The drawn county in the place of a grown one: for what does not hang on the land."""
    monkeypatch.setattr(make, "make_county", made_county)
    monkeypatch.setattr(make, "sense", made_sense)


# --- what is made -------------------------------------------------------------------------------------------------
def test_the_folder_says_that_it_is_simulated(county: Path) -> None:
    text = (county / "README.md").read_text("utf-8")
    assert text.startswith("# sim-county: SIMULATED")
    assert "with seed\n1," in text
    assert "not evidence of accuracy on real fields" in text
    assert "SIMULATED" in (county / "region.yaml").read_text("utf-8")
    assert sorted(path.name for path in (county / "truth").iterdir()) == [
        "clouds.npz",
        "events.parquet",
        "parcels.parquet",
        "scenes.parquet",
        "yields.parquet",
    ]
    assert not [path for path in county.parent.iterdir() if path.name.startswith(".")]


def test_the_files_are_those_that_a_run_reads(county: Path) -> None:
    region = read_region(county / "region.yaml")
    weather = read_weather(region.weather, as_of=region.season.end)
    assert weather is not None
    assert weather.daily["date"].max().date() == region.season.end
    farm_file = gpd.read_parquet(region.parcels.path)
    assert len(farm_file) == 30
    assert farm_file.columns[:4].tolist() == ["id", "collection", "geometry", "metrics:area"]
    applicants = read_applicants(region.applicants)
    assert set(applicants) == set(farm_file["farm_id"])
    area = farm_file.assign(m2=geodesic_area_m2(farm_file.geometry)).groupby("farm_id")["m2"].sum()
    asked = pd.Series({farm: float(one.requested or 0) for farm, one in applicants.items()})
    assert asked.corr(area, method="spearman") > 0.5
    assert (asked % 100 == 0).all()


def test_outlines_of_the_truth_are_geoparquet(county: Path) -> None:
    truth = gpd.read_parquet(county / "truth" / "parcels.parquet")
    west, south, east, north = truth.total_bounds
    assert 115 < west < east < 117
    assert 37 < south < north < 38


# --- the same bytes -----------------------------------------------------------------------------------------------
@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_whatever_the_workers(county: Path, tmp_path: Path, repo: Path) -> None:
    settings = read_county(str(small(tmp_path, repo)))
    again = simulate_county(settings, tmp_path / "again", workers=2)
    assert hashes(again.out) == hashes(county)
    other = simulate_county(settings, tmp_path / "other", seed=2, workers=1)
    assert hashes(other.out)["parcels.parquet"] != hashes(county)["parcels.parquet"]


# --- the folder ---------------------------------------------------------------------------------------------------
@pytest.mark.usefixtures("_drawn")
def test_the_same_county_is_left_and_another_one_refused(tmp_path: Path, repo: Path) -> None:
    settings, out = read_county(str(small(tmp_path, repo))), tmp_path / "out"
    first = simulate_county(settings, out, workers=1)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    second = simulate_county(settings, out, workers=1)
    assert (first.made, second.made) == (True, False)
    assert second.counts == first.counts
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before
    with pytest.raises(StoreError, match=r"holds another simulated county \(30 parcels, seed 1\)") as caught:
        simulate_county(settings, out, seed=2, workers=1)
    assert "--force" in caught.value.hint


@pytest.mark.usefixtures("_drawn")
def test_force_replaces_a_county_and_keeps_what_a_run_left(tmp_path: Path, repo: Path) -> None:
    settings, out = read_county(str(small(tmp_path, repo))), tmp_path / "out"
    (out / "parts" / "p").mkdir(parents=True)  # a run was tried first, and had nothing to read
    simulate_county(settings, out, workers=1)
    (out / "publications").mkdir()
    (out / "publications" / "kept").write_text("a publication")
    (out / "latest").symlink_to("publications")
    done = simulate_county(settings, out, seed=2, workers=1, force=True)
    assert done.made
    assert (out / "latest" / "kept").read_text() == "a publication"
    assert (out / "parts" / "p").is_dir()
    assert '"seed": 2' in (out / "simulated.json").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "small.yaml"]


@pytest.mark.usefixtures("_drawn")
def test_a_folder_of_something_else_is_never_replaced(tmp_path: Path, repo: Path) -> None:
    settings, out = read_county(str(small(tmp_path, repo))), tmp_path / "out"
    out.mkdir()
    (out / "thesis.tex").write_text("years of work")
    for force in (False, True):
        with pytest.raises(StoreError, match=r"holds thesis\.tex and is no simulated county") as caught:
            simulate_county(settings, out, workers=1, force=force)
        assert "empty this one yourself" in caught.value.hint
    with pytest.raises(StoreError, match="is a file"):
        simulate_county(settings, out / "thesis.tex", workers=1)
    assert (out / "thesis.tex").read_text() == "years of work"


@pytest.mark.usefixtures("_drawn")
def test_what_cannot_be_finished_leaves_nothing(tmp_path: Path, repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, out = read_county(str(small(tmp_path, repo))), tmp_path / "out"
    met: list[int] = []

    def fails(county: County, overpass: Any) -> Any:
        met.append(1)
        if len(met) == 3:
            raise OSError(28, "No space left on device")
        return made_sense(county, overpass)

    monkeypatch.setattr(make, "sense", fails)
    with pytest.raises(StoreError, match="out: cannot be written: No space left on device"):
        simulate_county(settings, out, workers=1)
    assert [path.name for path in tmp_path.iterdir()] == ["small.yaml"]


@pytest.mark.usefixtures("_drawn")
def test_a_season_without_a_pass_is_told(tmp_path: Path, repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make, "plan_passes", lambda *_: [])
    with pytest.raises(StoreError, match="no satellite passes in the season") as caught:
        simulate_county(read_county(str(small(tmp_path, repo))), tmp_path / "out", workers=1)
    assert "revisit_days" in caught.value.hint


# --- the command --------------------------------------------------------------------------------------------------
@pytest.fixture(autouse=True)
def _own_logs() -> Iterator[None]:
    """Put the process's logging back as it was."""
    root, ours = logging.getLogger(), logging.getLogger("acreline")
    handlers, levels, config = root.handlers[:], (root.level, ours.level), structlog.get_config()
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])
    structlog.configure(**config)


Acreline = Callable[..., SimpleNamespace]


@pytest.fixture
def acreline(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Acreline:
    """The entry point, in this process."""

    def call(*arguments: object) -> SimpleNamespace:
        monkeypatch.setattr(sys, "argv", ["acreline", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            cli.main()
        told = capsys.readouterr()
        return SimpleNamespace(code=caught.value.code or 0, out=told.out, err=told.err)

    return call


@pytest.mark.usefixtures("_drawn")
def test_the_command_tells_counts_and_what_to_type_next(acreline: Acreline, tmp_path: Path, repo: Path) -> None:
    path, out = small(tmp_path, repo), tmp_path / "out"
    done = acreline("simulate", path, "--out", out, "--workers", 1)
    assert done.code == 0
    first, second = done.out.splitlines()
    assert first.startswith(f"{out}: SIMULATED, 4 parcels, 2 farms, ")
    assert second == f"next: acreline run {out / 'region.yaml'}"
    assert "what=passes" in done.err  # no terminal: plain lines
    again = acreline("simulate", path, "--out", out)
    assert again.code == 0
    assert "it lay there already" in again.out
    refused = acreline("simulate", path, "--out", out, "--seed", 7)
    assert refused.code == 6
    assert "--force" in refused.err
    assert acreline("simulate", path, "--out", out, "--seed", 7, "--force", "--workers", 1).code == 0


def test_what_is_wrong_is_told_before_anything_is_drawn(acreline: Acreline, tmp_path: Path, repo: Path) -> None:
    done = acreline("simulate", "sim-conty", "--out", tmp_path / "out")
    assert done.code == 2
    assert "did you mean 'sim-county'" in done.err
    path = small(tmp_path, repo, cloudz=1)
    done = acreline("simulate", path, "--out", tmp_path / "out")
    assert done.code == 2
    assert "small.yaml: unknown key 'sky.cloudz'" in done.err
    assert not (tmp_path / "out").exists()
    path.write_text("- a list", encoding="utf-8")
    done = acreline("simulate", path, "--out", tmp_path / "out")
    assert "expected keys and values, found list" in done.err
    assert "regions" not in done.err
    done = acreline("simulate", "sim-county", "--out", tmp_path / "out", "--parcels", 20_001)
    assert done.code == 2
    assert "'--parcels': Input should be less than or equal to 20000" in done.err


def test_a_county_that_is_stopped_keeps_nothing_and_says_so(
    acreline: Acreline, tmp_path: Path, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_arguments: object, **_more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(make, "make_county", stopped)
    done = acreline("simulate", small(tmp_path, repo), "--out", tmp_path / "out", "--workers", 1)
    assert done.code == 5
    assert done.err.splitlines()[-1] == "stopped; nothing was written: run the same command again"
    assert [path.name for path in tmp_path.iterdir()] == ["small.yaml"]


@pytest.mark.usefixtures("_drawn")
def test_without_a_terminal_a_county_does_not_tell_of_every_pass(
    acreline: Acreline, tmp_path: Path, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("acreline.cli.trials.PLAIN_EVERY_S", 1e9)
    done = acreline("simulate", small(tmp_path, repo), "--out", tmp_path / "out", "--workers", 1)
    lines = [line for line in done.err.splitlines() if "what=passes" in line]
    assert len(lines) <= 2  # the first and the last


# --- a run over it ------------------------------------------------------------------------------------------------
@pytest.mark.slow
def test_a_run_over_the_county_decides_on_every_farm(
    county: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    region = read_region(county / "region.yaml")
    heard: list[Calibration] = []

    def described(looks: Looks, crops: dict[str, Crop], calibration: Calibration, *rest: Any, **named: Any) -> Any:
        heard.append(calibration)
        return describe_seasons(looks, crops, calibration, *rest, **named)

    monkeypatch.setattr("acreline.run.describe_seasons", described)
    result = run_region(region, Store(tmp_path / "run"))
    model = load_model(region.model)
    assert heard == [model.calibration(simulated=True)] != [model.calibration()]  # the scenes say they are simulated
    farms = set(gpd.read_parquet(county / "parcels.parquet")["farm_id"])
    assert {decision.farm_id for decision in result.decisions} == farms
    assert all(decision.reasons for decision in result.decisions)
    assert not result.failed_blocks
    told = result.scenes.completeness
    assert told["received"] == told["used"] + told["set_aside"]
    reasons = Counter(one.reason for one in result.scenes.set_aside)
    assert reasons == {"duplicate_of": 1, "missing_asset": 1}
    verdicts = pd.read_parquet(result.publication / "scenes.parquet")
    assert len(verdicts) == told["received"]


def test_the_packaged_region_reads_what_the_command_of_the_readme_makes(repo: Path) -> None:
    region = read_region(repo / "configs" / "regions" / "sim-county.yaml")
    settings = read_county("sim-county")
    out = repo / "runs" / "sim-county"
    assert (region.season.start, region.season.end) == settings.season
    assert region.name == settings.name
    assert region.parcels.path == out / "parcels.parquet"
    assert region.catalog == str(out / "scenes" / "catalog.json")
