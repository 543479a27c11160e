# SPDX-License-Identifier: Apache-2.0
"""Speed of inference: the network as a run uses it against the same network in plain eager mode and against U-TAE.

    python benchmarks/infer_speed.py          # writes benchmarks/results/infer_speed.json

Networks of the shipped sizes with random weights (speed does not hang on them), float32, one thread a process. Forward
is measured on one patch in memory; `segment_cube` end to end, with binning and painting, on a made cube under clouds of
320 m, from memory. All sides run in turn, round by round. Rates and ratios are of processor seconds, so that other work
on the machine counts as little as it can; the wall-clock rates stand beside them.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from rows import Row, make_row, write_rows
from torch.utils.flop_counter import FlopCounterMode

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.test_model_segment import SEASON, make_block, make_cube, make_model  # noqa: E402

from acreline.model import Model, segment_cube  # noqa: E402
from acreline.model.card import Architecture, SeasonAxis  # noqa: E402
from acreline.model.forward import TILE_PX, fold_norms  # noqa: E402
from acreline.model.inputs import CHANNELS  # noqa: E402
from acreline.model.members import USUAL_STEP_PX, AcreNets  # noqa: E402
from acreline.model.outputs import Crops  # noqa: E402
from acreline.trial.rivals.utae import UTae  # noqa: E402

COMMAND = "python benchmarks/infer_speed.py"
SHIPPED = ROOT / "pipeline/acreline/model/weights/acrenet-s.json"
ROUNDS = 5
PATCH_PX = 128
RIVAL_PX = 64
PLAIN_PX = (32, 64, 128)
BLOCK_PX = 128
LOOKS = 40
GEMM = 1024


class Spent(NamedTuple):
    """Pixels a second of one run."""

    cpu: float
    wall: float


def timed(work: Callable[[], object], pixels: int) -> Spent:
    """One call."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Spent(pixels / (time.process_time() - cpu), pixels / (time.perf_counter() - wall))


def shipped_model(members: int | None = None) -> Model:
    """A model of the shipped card's sizes, untaught."""
    card = json.loads(SHIPPED.read_text(encoding="utf-8"))
    sizes = card["architecture"] | ({} if members is None else {"members": members})
    return make_model(axis=SeasonAxis(bins=card["axis"]["bins"]), architecture=Architecture.model_validate(sizes))


def in_squares(net: AcreNets, x: torch.Tensor) -> None:
    """What a run does with a patch (1, bin, channel, y, x): embeddings and health by squares, the rest at once."""
    side = x.shape[-1]
    squares = [(..., slice(top, top + TILE_PX), slice(left, left + TILE_PX))
               for top in range(0, side, TILE_PX) for left in range(0, side, TILE_PX)]  # fmt: skip
    y = x.new_empty(1, len(net.members) * net.members[0].width, side, side)  # type: ignore[operator]
    for here in squares:
        y[here] = net.embed(x[here])
    crops = net.decode(y)
    near = (..., slice(None, None, USUAL_STEP_PX), slice(None, None, USUAL_STEP_PX))
    usual = net.usual(x[near][0].flatten(2), y[near].flatten(2)[:, :, None])
    for here in squares:
        net.fare_beside(x[here][0], y[here], Crops(*(part[here] for part in crops)), usual)


def cloudy_cube(block_px: int) -> tuple[object, object]:
    """A made cube under clouds of 320 m, and its block."""
    block = make_block(64, 64, block_px, block_px)
    cube = make_cube(*block.read_window, looks=LOOKS)
    days = np.linspace(2, 430, LOOKS).astype("timedelta64[D]")
    cube = cube.assign_coords(time=np.datetime64("2017-10-01", "ns") + days)
    side = cube.sizes["y"] // TILE_PX
    sky = np.random.default_rng(1).random((LOOKS, side, side)) < 0.6
    cube["clear"].values[:] = sky.repeat(TILE_PX, axis=1).repeat(TILE_PX, axis=2)
    return cube, block


def patch(side: int) -> torch.Tensor:
    """Random input (1, bin, channel, side, side)."""
    bins = json.loads(SHIPPED.read_text(encoding="utf-8"))["axis"]["bins"]
    return torch.rand(1, bins, len(CHANNELS), side, side, generator=torch.Generator().manual_seed(0))


def one_process() -> dict[str, list[Spent]]:
    """All sides in turn, in this process on one thread."""
    torch.set_num_threads(1)
    model, single = shipped_model(), shipped_model(1)
    ready, ready_one, rival = fold_norms(model.net), fold_norms(single.net), UTae(bins=patch(4).shape[1]).eval()
    inputs = {side: patch(side) for side in {*PLAIN_PX, PATCH_PX, RIVAL_PX}}
    cube, block = cloudy_cube(BLOCK_PX)
    a = torch.rand(GEMM, GEMM)
    sides: dict[str, tuple[Callable[[], object], int]] = {
        "ours": (lambda: in_squares(ready, inputs[PATCH_PX]), PATCH_PX**2),
        "ours, one member": (lambda: in_squares(ready_one, inputs[PATCH_PX]), PATCH_PX**2),
        **{f"plain {side}": (lambda side=side: model.net(inputs[side]), side**2) for side in PLAIN_PX},  # type: ignore[misc]
        "utae": (lambda: rival(inputs[RIVAL_PX]), RIVAL_PX**2),
        "gemm": (lambda: a @ a, 2 * GEMM**3),
        "segment": (lambda: segment_cube(cube, model, block, season=SEASON), BLOCK_PX**2),  # type: ignore[arg-type]
    }
    found: dict[str, list[Spent]] = {name: [] for name in sides}
    with torch.inference_mode():
        for name in set(sides) - {"segment"}:
            sides[name][0]()
        for _ in range(ROUNDS):
            for name, (work, pixels) in sides.items():
                found[name].append(timed(work, pixels))
    return found


def worker(_: int) -> tuple[list[Spent], list[Spent], float]:
    """Forward and `segment_cube` in one of two processes side by side, and its peak memory in MiB."""
    torch.set_num_threads(1)
    model = shipped_model()
    ready, x = fold_norms(model.net), patch(PATCH_PX)
    cube, block = cloudy_cube(BLOCK_PX)
    with torch.inference_mode():
        in_squares(ready, x)
        forward = [timed(lambda: in_squares(ready, x), PATCH_PX**2) for _ in range(ROUNDS)]
    whole = [timed(lambda: segment_cube(cube, model, block, season=SEASON), BLOCK_PX**2) for _ in range(ROUNDS)]  # type: ignore[arg-type]
    return forward, whole, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def two_processes() -> tuple[Spent, Spent, float]:
    """Rates of two processes side by side, added up: forward, `segment_cube`; and the larger peak memory in MiB."""
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        told = pool.map(worker, range(2), chunksize=1)
    forward, whole = (
        Spent(*(sum(statistics.median(run[k] for run in one[part]) for one in told) for k in (0, 1))) for part in (0, 1)
    )
    return forward, whole, max(one[2] for one in told)


def kflop_per_px(work: Callable[[], object], pixels: int) -> float:
    """Thousand floating-point operations a pixel, multiply and add counted apart."""
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        work()
    return float(counter.get_total_flops()) / pixels / 1e3


def tell_rows(found: dict[str, list[Spent]], two: tuple[Spent, Spent, float]) -> list[Row]:
    """What was measured, as rows."""
    median = {name: Spent(*(statistics.median(run[k] for run in runs) for k in (0, 1))) for name, runs in found.items()}
    model, rival = shipped_model(), UTae(bins=patch(4).shape[1])
    size = (
        f"{len(model.net.members)} members of {sum(p.numel() for p in model.net.members[0].parameters()):,} weights, "
        f"{kflop_per_px(lambda: model.net(patch(64)), 64**2):,.0f} kFLOP a pixel"
    )
    here = f"{os.cpu_count()} cores ({platform.machine()}), torch {torch.__version__}, float32, one thread a process"
    forward, whole, peak_mib = two

    rival_kflop = kflop_per_px(lambda: rival(patch(RIVAL_PX)), RIVAL_PX**2)

    def ratio(other: str, own: str = "ours") -> float:
        """Median of the rounds' ratios of processor time."""
        return round(statistics.median(a.cpu / b.cpu for a, b in zip(found[own], found[other], strict=True)), 2)

    best = max((f"plain {side}" for side in PLAIN_PX), key=lambda name: median[name].cpu)
    gflops = median["gemm"].cpu / 1e9
    limit = 2 * gflops * 1e6 / kflop_per_px(lambda: model.net(patch(64)), 64**2)
    told = [
        ("forward, two processes", f"{size}; {here}", round(forward.cpu), "px a CPU-second, x 2 cores", ">= 60000",
         f"by the wall clock {forward.wall:,.0f} px/s; matrix products of {GEMM} reach {gflops:.0f} GFLOP/s a core, "
         f"which bounds it at {limit:,.0f}"),
        ("forward, one process", f"{size}; {here}", round(median["ours"].cpu), "px a CPU-second", "",
         f"by the wall clock {median['ours'].wall:,.0f} px/s"),
        ("forward, one process, one member", here, round(median["ours, one member"].cpu), "px a CPU-second", "",
         f"by the wall clock {median['ours, one member'].wall:,.0f} px/s"),
        (f"forward over plain eager mode, patch of {PATCH_PX} px", size, ratio(f"plain {PATCH_PX}"), "ratio", "",
         f"same network, norms not folded, {median[f'plain {PATCH_PX}'].cpu:,.0f} px a CPU-second"),
        (f"forward over plain eager mode at its best patch size ({best.split()[1]} px)", size, ratio(best), "ratio",
         "", f"same network, norms not folded, {median[best].cpu:,.0f} px a CPU-second"),
        *((f"forward {whose} over U-TAE", size, ratio("utae", name), "ratio", "",
           f"one U-TAE of {rival.parameter_count:,} weights, eager mode, patch of {RIVAL_PX} px, "
           f"{median['utae'].cpu:,.0f} px a CPU-second, {rival_kflop:,.0f} kFLOP a pixel")
          for whose, name in (("of all members", "ours"), ("of one member", "ours, one member"))),
        ("segment_cube, one process", f"block of {BLOCK_PX} px, {LOOKS} looks, on simulated data; {here}",
         round(median["segment"].cpu), "px a CPU-second", "", f"by the wall clock {median['segment'].wall:,.0f} px/s"),
        ("segment_cube, two processes", f"a block of {BLOCK_PX} px each, {LOOKS} looks, on simulated data; {here}",
         round(whole.cpu), "px a CPU-second, x 2 cores", "", f"by the wall clock {whole.wall:,.0f} px/s"),
        ("peak memory of a process", f"segment_cube, block of {BLOCK_PX} px, {LOOKS} looks, on simulated data",
         round(peak_mib), "MiB", "", "libraries and the cube in memory included"),
    ]  # fmt: skip
    return [
        make_row(quantity, setting, value, unit, n=ROUNDS, target=target, baseline=baseline, command=COMMAND)
        for quantity, setting, value, unit, target, baseline in told
    ]


def main() -> None:
    """Run all and write the result."""
    print(write_rows("infer_speed", tell_rows(one_process(), two_processes())).read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
