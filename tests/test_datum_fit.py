# SPDX-License-Identifier: Apache-2.0
"""Parcels drawn under fields of a made scene, and the same parcels on another datum: the edges must tell which."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pytest
import shapely
from pyproj import Transformer

from acreline import cli
from acreline.config import Datum, ReadSettings
from acreline.datum import gcj02_to_bd09, wgs84_to_gcj02
from acreline.datum_fit import DatumFit, Score, datum_lines, fit_datum
from acreline.datum_fit.edges import edge_strength, move_outlines, outline_points
from acreline.datum_fit.fit import FEWEST_PARCELS, LEAD_Z, SURE_Z
from acreline.datum_fit.windows import MOST_TRIES, rank_scenes, window_around
from acreline.errors import SourceError
from acreline.layers import Parcels, Scene, Scenes
from acreline.tiles import tile_grid
from tests import scenes as made
from tests.made_looks import made_cube, made_parcels
from tests.test_river import own_region

TILE = "50SMD"  # in Hebei
GRID = tile_grid(TILE)
ROW, COL, SIDE = 5000, 5000, 420
"""The made scene: 4.2 km on a side, so that BD-09 moves no parcel in its middle out of it."""
MIDDLE = (130, 290)
"""Rows and columns of it, from and to, that parcels lie in."""
READ = ReadSettings()
Move = Callable[[npt.NDArray[Any], npt.NDArray[Any]], tuple[npt.NDArray[Any], npt.NDArray[Any]]]


def stay(lon: npt.NDArray[Any], lat: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    return lon, lat


def to_bd09(lon: npt.NDArray[Any], lat: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    return gcj02_to_bd09(*wgs84_to_gcj02(lon, lat))


def edges(rng: np.random.Generator) -> list[int]:
    """Where fields end along one side of the scene: 60 to 200 m wide, no two rows of fields alike."""
    widths = rng.integers(6, 21, SIDE // 6)
    return [0, *np.cumsum(widths)[np.cumsum(widths) < SIDE].tolist(), SIDE]


def fields() -> list[tuple[int, int, int, int]]:
    """Top, left, bottom, right of every field of the scene, in its pixels."""
    rng = np.random.default_rng(3)
    rows = edges(rng)
    found = []
    for top, bottom in pairwise(rows):
        columns = edges(rng)
        found += [(top, left, bottom, right) for left, right in pairwise(columns)]
    return found


FIELDS = fields()


@pytest.fixture(scope="module")
def china(tmp_path_factory: pytest.TempPathFactory) -> Scenes:
    """Two looks at the fields, each field with its own greenness on each; noise on every pixel."""
    folder, rng = tmp_path_factory.mktemp("china"), np.random.default_rng(5)
    items = []
    for day in (0, 40):
        red, nir = np.zeros((SIDE, SIDE)), np.zeros((SIDE, SIDE))
        for top, left, bottom, right in FIELDS:
            green = rng.uniform(0, 1)
            red[top:bottom, left:right] = 2600 - 1800 * green
            nir[top:bottom, left:right] = 2000 + 2500 * green
        noise = rng.normal(0, 60, (2, SIDE, SIDE))
        items.append(write_scene(folder, f"day{day}", day, red + 1000 + noise[0], nir + 1000 + noise[1]))
    return made.make_scenes(items)


def write_scene(folder: Path, name: str, day: int, red: npt.NDArray[Any], nir: npt.NDArray[Any], scl: int = 4) -> Scene:
    """A scene of the maker, on a tile in China."""
    with pytest.MonkeyPatch.context() as there:
        for key, value in (("ORIGIN_X", GRID.origin_x), ("ORIGIN_Y", GRID.origin_y)):
            there.setattr(made, key, value)
        scene = made.make_scene(
            folder, name, day=day, row=ROW, col=COL, height=SIDE, width=SIDE, dn={"B04": red, "B08": nir}, scl=scl,
            options={"crs": GRID.crs},
        )  # fmt: skip
    return replace(scene, tile=TILE, crs=GRID.crs)


def drawn(move: Move = stay, shapes: Sequence[tuple[int, int, int, int]] = (), tile: str = TILE) -> Parcels:
    """Parcels under the fields in the middle of the scene, their coordinates moved as a web map would have them."""
    low, high = MIDDLE
    inside = [f for f in FIELDS if low <= f[0] and low <= f[1] and f[2] <= high and f[3] <= high]
    to_lonlat = Transformer.from_crs(GRID.crs, "EPSG:4326", always_xy=True).transform
    west, north = GRID.origin_x + COL * 10, GRID.origin_y - ROW * 10
    outlines = []
    for top, left, bottom, right in shapes or inside:
        box = shapely.box(west + 10 * left, north - 10 * bottom, west + 10 * right, north - 10 * top)
        outlines.append(shapely.transform(box, lambda xy: np.column_stack(move(*to_lonlat(xy[:, 0], xy[:, 1])))))
    table = made_parcels({f"p{k:03d}": "f" for k in range(len(outlines))})
    placed = gpd.GeoDataFrame(table.drop(columns="geometry"), geometry=outlines, crs="EPSG:4326")
    placed["tile"] = tile
    return Parcels(placed)


def as_stated(fit: DatumFit) -> float:
    return fit.scores[0].z


# --- what the edges tell ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("stated", ["wgs84", "cgcs2000", "gcj02", "bd09"])
def test_parcels_on_their_fields_fit_as_stated(china: Scenes, stated: Datum) -> None:
    """Whatever datum a file states, its parcels come here placed by it."""
    fit = fit_datum(drawn(), china, stated, READ)
    assert (fit.verdict, fit.best.datum) == ("fits", stated)
    assert as_stated(fit) > 2 * SURE_Z
    assert fit.n_parcels > 50
    assert len(fit.scores) == 3
    assert all(abs(score.z) < 4 for score in fit.scores[1:])
    assert "verdict: fits: " in datum_lines(fit)[-1]


@pytest.mark.parametrize(("move", "really", "least_m"), [(wgs84_to_gcj02, "gcj02", 400), (to_bd09, "bd09", 800)])
def test_parcels_of_a_web_map_stated_as_wgs84_are_found_out(
    china: Scenes, move: Move, really: Datum, least_m: float
) -> None:
    fit = fit_datum(drawn(move), china, "wgs84", READ)
    assert (fit.verdict, fit.best.datum) == ("fits_better_after", really)
    assert fit.best.z > 2 * SURE_Z
    assert abs(as_stated(fit)) < 4
    assert fit.best.move_m > least_m
    last = datum_lines(fit)[-1]
    assert last.startswith("verdict: fits better after: ")
    assert last.endswith(f"set parcels.datum: {really}")


@pytest.mark.parametrize("stated", ["gcj02", "bd09"])
def test_parcels_that_needed_no_shift_are_found_out_too(china: Scenes, stated: Datum) -> None:
    """The file says a web map's datum and its numbers are WGS84: the stated inverse has moved them off their land."""
    outlines = drawn().geometry.to_numpy()
    wrong = [move_outlines(np.array([one]), "wgs84", stated, "EPSG:4326")[0] for one in outlines]
    parcels = drawn()
    fit = fit_datum(Parcels(parcels.set_geometry(wrong, crs="EPSG:4326")), china, stated, READ)
    assert (fit.verdict, fit.best.datum) == ("fits_better_after", "wgs84")


def test_the_same_question_has_the_same_answer(china: Scenes) -> None:
    assert fit_datum(drawn(), china, "wgs84", READ) == fit_datum(drawn(), china, "wgs84", READ)


@pytest.mark.parametrize("noise", [0, 60])
def test_a_bare_picture_cannot_tell(tmp_path: Path, noise: int) -> None:
    rng = np.random.default_rng(1)
    red, nir = (1000 + level + rng.normal(0, noise, (SIDE, SIDE)) for level in (2200, 2600))
    bare = made.make_scenes([write_scene(tmp_path, "bare", 0, red, nir)])
    fit = fit_datum(drawn(wgs84_to_gcj02), bare, "wgs84", READ)
    assert fit.verdict == "cannot_be_told"
    assert max(abs(score.z) for score in fit.scores) < 4
    assert datum_lines(fit)[-1].startswith("verdict: cannot be told: ")


def test_few_parcels_cannot_tell(china: Scenes) -> None:
    fit = fit_datum(drawn(shapes=[FIELDS[len(FIELDS) // 2]] * 2), china, "wgs84", READ)
    assert fit.verdict == "cannot_be_told"


def test_parcels_that_lie_elsewhere_for_another_reason_cannot_be_told(china: Scenes) -> None:
    fit = fit_datum(drawn(lambda lon, lat: (lon + 0.003, lat + 0.002)), china, "wgs84", READ)
    assert fit.verdict == "cannot_be_told"


def test_outside_the_picture_is_said_so(china: Scenes) -> None:
    """Fields at the rim: the other datums move them out of what the scene shows."""
    rim = [f for f in FIELDS if f[0] >= SIDE - 45]
    lines = datum_lines(fit_datum(drawn(shapes=rim), china, "wgs84", READ))
    assert any("too little of the outlines in the picture" in line for line in lines)


def test_outside_china_only_the_stated_datum_is_tried(tmp_path: Path) -> None:
    scene = made.make_scene(tmp_path, "flanders", row=128, col=192, height=64, width=64)
    parcels = made_parcels({f"p{k}": "f" for k in range(6)})
    grid = tile_grid(made.TILE)
    to_lonlat = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True).transform
    west, north = grid.origin_x + 1920, grid.origin_y - 1280
    boxes = [shapely.box(west + 90 * k, north - 400, west + 90 * k + 80, north - 200) for k in range(6)]
    outlines = [shapely.transform(box, lambda xy: np.column_stack(to_lonlat(xy[:, 0], xy[:, 1]))) for box in boxes]
    placed = parcels.set_geometry(outlines, crs="EPSG:4326").assign(tile=made.TILE)
    fit = fit_datum(Parcels(placed), made.make_scenes([scene]), "wgs84", READ)
    assert [score.datum for score in fit.scores] == ["wgs84"]
    assert "outside China the GCJ-02 and BD-09 shifts are not defined: only the stated datum was tried" in datum_lines(
        fit
    )


# --- verdicts -----------------------------------------------------------------------------------------------------
def fit_of(*z: float, n_parcels: int = 20) -> DatumFit:
    datums: tuple[Datum, ...] = ("wgs84", "gcj02", "bd09")
    scores = tuple(Score(datum, one, 0.6, 0.5, 0.0) for datum, one in zip(datums, z, strict=False))
    return DatumFit("wgs84", scores, True, n_parcels, ())


@pytest.mark.parametrize(
    ("fit", "verdict"),
    [
        (fit_of(SURE_Z, 0, 0), "fits"),
        (fit_of(SURE_Z - 0.1, 0, 0), "cannot_be_told"),
        (fit_of(0, SURE_Z, 0), "fits_better_after"),
        (fit_of(SURE_Z, SURE_Z + LEAD_Z - 0.1, 0), "cannot_be_told"),
        (fit_of(SURE_Z, SURE_Z + LEAD_Z, 0), "fits_better_after"),
        (fit_of(9, 0, 0, n_parcels=FEWEST_PARCELS - 1), "cannot_be_told"),
        (fit_of(SURE_Z), "fits"),
    ],
)
def test_a_verdict_is_asked_for_a_clear_lead(fit: DatumFit, verdict: str) -> None:
    assert fit.verdict == verdict


# --- parts --------------------------------------------------------------------------------------------------------
def test_edges_are_strong_where_two_fields_meet_and_clouds_are_left_out() -> None:
    red, nir = np.full((1, 20, 20), 3000), np.full((1, 20, 20), 4000)
    red[:, :, 10:], nir[:, :, 10:] = 1500, 6000
    clear = np.ones((1, 20, 20), bool)
    clear[:, :5] = False
    strength = edge_strength([made_cube({"B04": red, "B08": nir}, clear)])
    assert np.isnan(strength[:6]).all()  # cloud, and the row beside it
    assert (strength[6:-1, 9:11] > 0.9).all()
    assert strength[6:-1, 1:8] == pytest.approx(strength[10, 4])
    assert strength[10, 4] < 0.5
    assert edge_strength([made_cube({"B04": red[:, :2, :2], "B08": nir[:, :2, :2]})]).shape == (2, 2)


def test_outlines_have_a_point_every_ten_metres_holes_too() -> None:
    ring = shapely.Polygon(shapely.box(0, 0, 100, 100).exterior, [shapely.box(40, 40, 60, 60).exterior])
    points = outline_points(np.array([ring], dtype=object))
    assert len(points) == 41 + 9
    assert (np.hypot(*np.diff(points[:41], axis=0).T) <= 10 + 1e-9).all()


def test_scenes_are_tried_by_thirds_of_the_season_the_least_cloudy_first(china: Scenes) -> None:
    first, second = china.items
    days = [(0, 40.0), (10, 2.0), (20, 2.4), (40, 1.9), (100, None), (110, 90.0), (200, 5.0), (290, 0.0), (300, 60.0)]
    a_day = (second.time - first.time) / 40
    items = tuple(
        replace(first, scene_id=f"s{day}", time=first.time + a_day * day, cloud_percent=cloud) for day, cloud in days
    )
    block = window_around(drawn(), GRID)
    named = [[scene.scene_id for scene in members] for members in rank_scenes(replace(china, items=items), block)]
    assert named == [["s40", "s20", "s10", "s0"], ["s110", "s100"], ["s290", "s200", "s300"]]
    assert rank_scenes(replace(china, items=()), block) == []
    assert [len(members) for members in rank_scenes(replace(china, items=items[:1]), block)] == [1]


def test_a_scene_that_is_clouded_here_is_laid_aside(china: Scenes, tmp_path: Path) -> None:
    """The catalogue says of both that their tile is clear; over the parcels one is all cloud."""
    clouded = write_scene(tmp_path, "clouded", 1, np.full((SIDE, SIDE), 3000.0), np.full((SIDE, SIDE), 4000.0), scl=9)
    wet_week = tuple(replace(clouded, scene_id=f"c{k}", cloud_percent=0.0) for k in range(MOST_TRIES))
    clear = replace(china.items[0], cloud_percent=5.0)
    fit = fit_datum(drawn(), replace(china, items=(*wet_week[1:], clear)), "wgs84", READ)
    assert fit.verdict == "fits"
    assert len(fit.days) == 1
    dark = fit_datum(drawn(), replace(china, items=wet_week), "wgs84", READ)
    assert (dark.verdict, dark.n_parcels) == ("cannot_be_told", 0)
    assert "no day that was clear there" in datum_lines(dark)[0]


# --- what is refused ----------------------------------------------------------------------------------------------
def test_a_region_without_a_scene_is_refused(china: Scenes) -> None:
    with pytest.raises(SourceError, match="datum: none of the 0 scenes of made lies over a parcel") as caught:
        fit_datum(drawn(), replace(china, items=()), "wgs84", READ)
    assert "acreline search" in caught.value.hint


def test_scenes_that_cannot_be_read_are_refused(china: Scenes) -> None:
    gone = tuple(replace(s, assets={band: f"{href}.gone" for band, href in s.assets.items()}) for s in china.items)
    with pytest.raises(SourceError, match=r"datum: no window could be read; the first: .* none readable"):
        fit_datum(drawn(), replace(china, items=gone), "wgs84", READ)


# --- as a user types it -------------------------------------------------------------------------------------------
def typed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: object) -> SimpleNamespace:
    monkeypatch.setattr("sys.argv", ["acreline", *map(str, words)])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    told = capsys.readouterr()
    return SimpleNamespace(code=caught.value.code or 0, out=told.out, err=told.err)


def test_the_demo_is_looked_at(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done = typed(monkeypatch, capsys, "check", own_region(repo, tmp_path), "--datum")
    assert done.code == 0, done.err
    assert "all of it fits" in done.out
    assert "datum: stated wgs84; edges along 19 parcels; scenes of " in done.out
    assert "outside China" in done.out
    assert "verdict: " in done.out.splitlines()[-1]
