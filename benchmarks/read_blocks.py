# SPDX-License-Identifier: Apache-2.0
"""Reading one block: ours against plain rasterio, one file after the other with GDAL's defaults.

    python benchmarks/read_blocks.py          # writes benchmarks/results/read_blocks.json

Made scenes (seeded, Sentinel-2's layout: COG, 512 px tiles, DEFLATE with predictor), four passes, ten bands and the
scene classification, a block of 1024 px with its halo. From disk, over HTTP on loopback, and over HTTP with 30 ms
before each answer. Both sides run in turn, pair by pair; the figure is the median of the pairs' ratios. Both give the
same numbers, or the benchmark fails. Ours also settles the offset, joins the parts, masks clouds and checks every
tile's check sum; the plain reader only fills arrays.
"""

from __future__ import annotations

import multiprocessing
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.windows import Window
from rows import Row, make_row, write_rows

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.range_server import RangeServer  # noqa: E402
from tests.scenes import GREEN, at_server, make_block, make_scene, make_scenes  # noqa: E402

from acreline.config import ReadSettings  # noqa: E402
from acreline.imagery import ASSETS, load_cube  # noqa: E402
from acreline.layers import BANDS_10M, BANDS_20M, Block, Scene, Scenes  # noqa: E402

COMMAND = "python benchmarks/read_blocks.py"
PASSES, SIDE, PAIRS = 4, 2560, 5


def _field(rng: np.random.Generator, side: int, level: int) -> np.ndarray:
    """Numbers about as smooth as a band of farmland: patches of 16 px and noise of 2 %."""
    patches = rng.normal(1, 0.25, (side // 16 + 1, side // 16 + 1)).clip(0.3, 2)
    whole = np.kron(patches, np.ones((16, 16)))[:side, :side]
    return np.rint(1000 + level * whole * rng.normal(1, 0.02, (side, side))).clip(1, 20_000).astype(np.uint16)


def make_data(folder: Path) -> list[Scene]:
    """The made scenes."""
    scenes = []
    for k in range(PASSES):
        rng = np.random.default_rng(k)
        dn = {band: _field(rng, SIDE, GREEN[band]) for band in BANDS_10M}
        dn |= {band: _field(rng, SIDE // 2, GREEN[band]) for band in BANDS_20M}
        scl = np.kron(rng.integers(4, 6, (SIDE // 64, SIDE // 64)), np.ones((32, 32), int))
        place: dict[str, Any] = {"row": 0, "col": 0, "height": SIDE, "width": SIDE}
        scenes.append(make_scene(folder, f"s{k}", day=5 * k, dn=dn, scl=scl, **place, options={"overviews": "AUTO"}))
    return scenes


def plain(scenes: Scenes, block: Block) -> list[np.ndarray]:
    """What a script does: open, read the window, next."""
    row, col, height, width = block.read_window
    out = []
    for scene in scenes.items:
        for band in ASSETS:
            step = 1 if band in BANDS_10M else 2
            with rasterio.open(scene.assets[band]) as source:
                out.append(source.read(1, window=Window(col // step, row // step, width // step, height // step)))
    return out


def check_equal(scenes: Scenes, block: Block, read: ReadSettings) -> None:
    """Both readers give the same numbers."""
    arrays, cube = plain(scenes, block), load_cube(scenes, block, read)
    for k in range(PASSES):
        truth = arrays[k * len(ASSETS) : k * len(ASSETS) + 10]
        np.testing.assert_array_equal(cube["dn10"].values[k], np.stack(truth[:4]))
        np.testing.assert_array_equal(cube["dn20"].values[k], np.stack(truth[4:]))


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """(wall, processor) seconds of one call."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def compare(at: Callable[[int], Scenes], block: Block, read: ReadSettings) -> dict[str, Any]:
    """Pairs of runs; `at(n)` gives the n-th run's addresses, never seen before by GDAL's cache."""
    check_equal(at(0), block, read)
    ours, theirs = [], []
    for k in range(PAIRS):
        theirs.append(timed(lambda k=k: plain(at(2 * k + 1), block)))
        ours.append(timed(lambda k=k: load_cube(at(2 * k + 2), block, read)))
    wall = [statistics.median(run[0] for run in runs) for runs in (ours, theirs)]
    cpu = [statistics.median(run[1] for run in runs) for runs in (ours, theirs)]
    return {
        "ratio": round(statistics.median(b[0] / a[0] for a, b in zip(ours, theirs, strict=True)), 2),
        "ours_s": round(wall[0], 3),
        "plain_s": round(wall[1], 3),
        "ours_cpu_s": round(cpu[0], 3),
        "plain_cpu_s": round(cpu[1], 3),
        "threads": read.threads,
    }


def _serve(folder: str, latency_s: float, pipe: Any) -> None:
    """A server in a process of its own: plain rasterio asks some things with Python's lock held."""
    with RangeServer(Path(folder), latency_s) as server:
        pipe.send(server.port)
        while pipe.recv() == "asked":
            pipe.send([entry.sent for entry in server.asked()])
            server.heal()


@contextmanager
def serving(folder: Path, latency_s: float = 0.0) -> Iterator[tuple[str, Any]]:
    """(address, pipe) of a running server."""
    near, far = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(str(folder), latency_s, far))
    process.start()
    try:
        yield f"http://127.0.0.1:{near.recv()}", near
    finally:
        near.send("stop")
        process.join()


def over_http(folder: Path, scenes: list[Scene], block: Block, latency_s: float) -> dict[str, Any]:
    """The comparison over HTTP."""
    with serving(folder, latency_s) as (url, _):
        return compare(lambda n: served(folder, scenes, url, n), block, ReadSettings(threads=8))


def served(folder: Path, scenes: list[Scene], url: str, n: int) -> Scenes:
    """The scenes at a server, with a query that makes their addresses new."""
    moved = [at_server(scene, folder, url) for scene in scenes]
    fresh = [replace(s, assets={band: f"{href}?run={n}" for band, href in s.assets.items()}) for s in moved]
    return make_scenes(fresh)


def count(folder: Path, scenes: list[Scene], block: Block) -> dict[str, Any]:
    """Requests and bytes of both, which do not depend on the machine."""
    told: dict[str, Any] = {}
    with serving(folder) as (url, pipe):
        for name, work in (
            ("plain", lambda s: plain(s, block)),
            ("ours", lambda s: load_cube(s, block, ReadSettings(threads=8))),
        ):
            work(served(folder, scenes, url, len(told)))
            pipe.send("asked")
            sent = pipe.recv()
            told[f"{name}_requests_per_file"] = round(len(sent) / (PASSES * len(ASSETS)), 2)
            told[f"{name}_mib"] = round(sum(sent) / 2**20, 1)
    return told


def tell_rows(told: dict[str, dict[str, Any]], asked: dict[str, Any], window_px: int) -> list[Row]:
    """What `compare` and `count` found, as rows."""
    versions = f"Python {platform.python_version()}, rasterio {rasterio.__version__}, GDAL {rasterio.__gdal_version__}"
    what = f"{PASSES} passes x {len(ASSETS)} files, window {window_px} px"
    rows = [
        make_row(
            "time of plain rasterio over ours",
            f"{where}, {what}, {one['threads']} threads",
            one["ratio"],
            "ratio",
            n=PAIRS,
            target=">= 1.00",
            command=COMMAND,
            baseline=f"plain rasterio {one['plain_s']} s, ours {one['ours_s']} s ({versions})",
        )
        for where, one in told.items()
    ]
    for quantity, key, unit in (("requests a file", "requests_per_file", "requests"), ("bytes read", "mib", "MiB")):
        ours, plain = asked[f"ours_{key}"], asked[f"plain_{key}"]
        usual = f"plain rasterio {plain} {unit}"
        row = make_row(
            quantity, f"over HTTP, {what}", ours, unit, n=PASSES * len(ASSETS), target=f"<= {plain}", command=COMMAND,
            baseline=usual,
        )  # fmt: skip
        rows.append(row)
    return rows


def main() -> None:
    """Run all and write the result."""
    block = make_block(512, 512, 1024, 1024)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scenes = make_data(folder)
        read = ReadSettings(threads=2)
        told = {
            "from disk": compare(lambda _: make_scenes(scenes), block, read),
            "over HTTP on loopback": over_http(folder, scenes, block, 0.0),
            "over HTTP, 30 ms before each answer": over_http(folder, scenes, block, 0.030),
        }
        rows = tell_rows(told, count(folder, scenes, block), block.read_window[2])
    print(write_rows("read_blocks", rows).read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
