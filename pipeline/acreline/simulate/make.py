# SPDX-License-Identifier: Apache-2.0
"""A county with known truth, from its settings to a folder that `acreline run` takes: whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from acreline import __version__
from acreline.errors import StoreError
from acreline.hashing import digest
from acreline.simulate import files
from acreline.simulate.catalog import COLLECTION, write_catalog
from acreline.simulate.clouds import draw_clouds, put_clouds
from acreline.simulate.copies import AS_FIRST_PROCESSED, Copy, plan_copies
from acreline.simulate.county import make_county
from acreline.simulate.folder import MARK, staging, what_lies_there
from acreline.simulate.overlaps import other_tiles
from acreline.simulate.passes import plan_passes, seen_part
from acreline.simulate.scenes import write_scene
from acreline.simulate.scl import classify, true_clouds, true_shadow
from acreline.simulate.sensor import sense
from acreline.simulate.settings import CountySettings, read_county
from acreline.simulate.sky import PassSky, SkySettings, plan_sky, read_sky
from acreline.simulate.values import County, Overpass, Window
from acreline.workers import worker_pool

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Summary", "draw_pass", "read_county", "simulate_county"]

Progress = Callable[[int, int, str], None]
DEPTH_STEPS = 50
COVER = 109


@dataclass(frozen=True)
class Summary:
    """What was made."""

    out: Path
    made: bool
    """False where the same county lay there already."""
    counts: Mapping[str, int]

    def lines(self) -> list[str]:
        """What to tell, and what to type next."""
        words = ", ".join(f"{self.counts[name]:,} {name}" for name in ("parcels", "farms", "passes", "scenes"))
        there = "" if self.made else "; it lay there already"
        return [f"{self.out}: SIMULATED, {words}{there}", f"next: acreline run {self.out / 'region.yaml'}"]


@dataclass(frozen=True)
class _Land:
    """What every pass needs; handed to each worker once."""

    county: County
    sky: SkySettings
    passes: list[Overpass]
    windows: Mapping[str, Window]
    folder: Path


@dataclass(frozen=True)
class _Pass:
    """What one pass left, its files aside."""

    items: list[dict[str, Any]]
    truth: list[dict[str, Any]]
    depth: npt.NDArray[np.uint8]
    shadow: npt.NDArray[np.bool_]
    partial: bool


def simulate_county(
    settings: CountySettings,
    out: Path,
    *,
    parcels: int | None = None,
    seed: int | None = None,
    workers: int = 2,
    force: bool = False,
    progress: Progress | None = None,
) -> Summary:
    """Draw a county and write all that a run reads, with the truth beside it.

    Args:
        settings: of the county.
        out: folder to make. One that holds the same county already is left as it is.
        parcels: how many, instead of the settings' own number.
        seed: instead of the settings' own.
        workers: processes that draw passes; the bytes do not depend on it. A script that asks for more than one keeps
            its own calls under `if __name__ == "__main__"`, since they import it anew.
        force: replace another simulated county in `out`; what a run left there stays.
        progress: called with (passes done, passes in all, what).

    Raises:
        ConfigError: the section `sky` is wrong.
        StoreError: `out` holds something else, or cannot be written; nothing of the county stays.
    """
    sky = read_sky(settings.sky, settings.file)
    parcels = settings.parcels if parcels is None else parcels
    seed = settings.seed if seed is None else seed
    what = {"settings": settings.model_dump(mode="json"), "sky": sky.model_dump(mode="json"), "version": __version__}
    mark = {"key": digest({**what, "parcels": parcels, "seed": seed}), "parcels": parcels, "seed": seed, **what}
    before = what_lies_there(out, str(mark["key"]), force=force)
    if before is not None:
        return Summary(out, False, before)
    with staging(out) as folder:
        told = None if progress is None else lambda word: progress(0, 1, word)
        county = make_county(settings, parcels=parcels, seed=seed, progress=told)
        counts = _write_county(county, sky, folder, workers, progress)
        (folder / MARK).write_text(json.dumps({**mark, "counts": counts}, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return Summary(out, True, counts)


def _write_county(
    county: County, sky: SkySettings, folder: Path, workers: int, progress: Progress | None
) -> dict[str, int]:
    (folder / "scenes" / COLLECTION).mkdir(parents=True)
    (folder / "truth").mkdir()
    passes = plan_passes(county.window, county.season_start, county.season_end, sky, county.year_seed)
    others = other_tiles(county.window) if sky.quirks.overlap_tiles else []
    windows = {county.window.tile: county.window} | {window.tile: window for window in others}
    copies = plan_copies(passes, sky, list(windows), county.season_end, county.seed)
    states = plan_sky(passes, sky, county.year_seed)
    land = _Land(county, sky, passes, windows, folder / "scenes" / COLLECTION)
    made = []
    for done, one in enumerate(_each_pass(land, list(zip(passes, states, copies, strict=True)), workers), start=1):
        made.append(one)
        if progress is not None:
            progress(done, len(passes), "passes")
    items = [item for one in made for item in one.items]
    if not items:
        raise StoreError(f"{county.name}: no satellite passes in the season", hint="lower sky.revisit_days")
    write_catalog(items, county.name, folder / "scenes")
    files.write_parcels(county.parcels, folder / "parcels.parquet", county.name)
    applicants = files.applicant_rows(county.parcels, county.seed)
    files.write_csv(folder / "applicants.csv", files.APPLICANT_COLUMNS, applicants)
    header = ("date", *files.WEATHER_COLUMNS.values())
    files.write_csv(folder / "weather.csv", header, files.weather_rows(county.weather))
    _write_truth(county, passes, made, folder / "truth")
    counts = _counts(county, made, [copy for group in copies for copy in group], len(applicants))
    (folder / "region.yaml").write_text(files.region_text(county), "utf-8")
    (folder / "README.md").write_text(files.readme_text(county, counts), "utf-8")
    return counts


# --- one pass -----------------------------------------------------------------------------------------------------
_land: _Land | None = None


def _start(land: _Land) -> None:
    global _land  # a worker process keeps the land, so that it is sent once
    _land = land


def _draw(job: tuple[Overpass, PassSky, Sequence[Copy]]) -> _Pass:
    assert _land is not None
    return draw_pass(_land, *job)


def _each_pass(land: _Land, jobs: list[tuple[Overpass, PassSky, Sequence[Copy]]], workers: int) -> Iterator[_Pass]:
    """The passes in the order of time, whoever was first."""
    if min(workers, len(jobs)) <= 1:
        yield from (draw_pass(land, *job) for job in jobs)
        return
    with worker_pool(workers, _start, (land,)) as pool:
        try:
            yield from pool.map(_draw, jobs)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def draw_pass(land: _Land, overpass: Overpass, state: PassSky, copies: Sequence[Copy]) -> _Pass:
    """Everything of one pass: the clear land, clouds over it, its classes, and each item that shows it."""
    county, seed = land.county, land.county.seed
    clear = sense(county, overpass)
    clouds = draw_clouds(state, overpass, (county.window.height // 2, county.window.width // 2), seed)
    seen = put_clouds(clear, clouds, state)
    valid = seen_part(overpass, land.passes, county.window, land.sky.second_orbit_share)
    scl = classify(clear, seen, clouds, state, valid, seed)
    cloudy, shadow = true_clouds(clouds) & valid, true_shadow(clouds) & valid
    share = float(cloudy.sum() / max(valid.sum(), 1))
    draw = np.random.default_rng([seed, COVER, overpass.time.toordinal(), overpass.orbit])
    percent = round(float(np.clip(100 * share + draw.normal(0, land.sky.cloud_cover_noise), 0, 100)), 2)
    items, truth = [], []
    for copy in copies:
        item = write_scene(copy, seen, scl, land.windows[copy.tile], county.window, percent, land.folder)
        if item is not None:
            items.append(item)
            truth.append(_scene_truth(copy, state, share, float(shadow.sum() / max(valid.sum(), 1))))
    depth = np.clip(np.rint((clouds.depth + clouds.cirrus) * DEPTH_STEPS), 0, 255).astype(np.uint8)
    return _Pass(items, truth, depth, shadow, not bool(valid.all()))


def _scene_truth(copy: Copy, state: PassSky, cloudy: float, shadow: float) -> dict[str, Any]:
    return {
        "scene_id": copy.scene_id,
        "time": copy.overpass.time,
        "platform": copy.overpass.platform,
        "orbit": copy.overpass.orbit,
        "tile": copy.tile,
        "baseline": copy.baseline,
        "brightness": copy.factor,
        "part": copy.part,
        "lacks": copy.lacks or "",
        "cloud_share": cloudy,
        "shadow_share": shadow,
        "haze_depth": state.haze_depth,
        "cloud_height_m": state.height_m,
        "thin_omission": state.thin_omission,
        "shadow_omission": state.shadow_omission,
        "edge_loss_px": state.edge_loss_px,
        "bright_commission": state.bright_commission,
        "dark_commission": state.dark_commission,
    }


def _write_truth(county: County, passes: Sequence[Overpass], made: Sequence[_Pass], folder: Path) -> None:
    import pandas as pd

    tables: dict[str, pd.DataFrame] = {
        "parcels": county.truth_parcels,
        "events": county.truth_events,
        "yields": county.truth_yields,
        "scenes": pd.DataFrame([row for one in made for row in one.truth]),
    }
    for name, table in tables.items():
        files.write_table(table, folder / f"{name}.parquet")
    np.savez_compressed(
        folder / "clouds.npz",
        time=np.array([one.time.replace(tzinfo=None) for one in passes], dtype="datetime64[s]"),
        depth_x50=np.stack([one.depth for one in made]),
        shadow=np.stack([one.shadow for one in made]),
    )


def _counts(county: County, made: Sequence[_Pass], copies: Sequence[Copy], farms: int) -> dict[str, int]:
    home = county.window.tile
    own = [copy for copy in copies if copy.tile == home]
    return {
        "parcels": len(county.parcels),
        "farms": farms,
        "passes": len(made),
        "scenes": sum(len(one.items) for one in made),
        "reprocessed_duplicates": sum(copy.factor == AS_FIRST_PROCESSED for copy in own),
        "split_passes": sum(copy.part == "north" for copy in own),
        "missing_bands": sum(copy.lacks is not None for copy in own),
        "scenes_without_offset": sum(copy.dn_offset == 0 for copy in own),
        "passes_at_the_swath_edge": sum(one.partial for one in made),
        "scenes_of_other_tiles": sum(copy.tile != home and copy.tile[:2] == home[:2] for copy in copies),
        "scenes_of_other_zones": sum(copy.tile[:2] != home[:2] for copy in copies),
        "events": len(county.truth_events),
    }
