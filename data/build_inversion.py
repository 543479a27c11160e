# SPDX-License-Identifier: Apache-2.0
"""Fit the inversion of canopies: `python data/build_inversion.py` -> pipeline/acreline/inversion.npz (about 2 minutes).

Canopies of field crops are drawn, seen through the packaged emulator of PROSPECT-D and 4SAIL (`simulate/canopy.npz`),
made as noisy as Sentinel-2 over land, and a small network is fitted to read leaf area, light caught and chlorophyll.

    python data/build_inversion.py            # draws, fits, writes, prints the error on canopies it was not fitted to
    python data/build_inversion.py --check    # reads the file back and prints its error

The same library versions on the same kind of processor give the same bytes.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from acreline.inversion import FAPAR_MOST, INPUT_BANDS, Network, answers, features, read_network
from acreline.layers import BANDS
from acreline.simulate.canopy import emulate, packaged_emulator
from acreline.simulate.covers import add_structure

OUT = Path(__file__).parents[1] / "pipeline" / "acreline" / "inversion.npz"
SEED = 20261
TRAIN, HELD_OUT = 120_000, 20_000
HIDDEN = 40
EPOCHS, BATCH = 60, 512
BOUND_STEPS = 40
NOISE_ALL, NOISE_BAND, NOISE_FLOOR = 0.03, 0.02, 0.004
"""Relative error common to all bands, of each band, and an absolute one: order of magnitude of level 2A over land."""
LICENCE = "Coefficients fitted by data/build_inversion.py to answers of simulate/canopy.npz; offered under MIT."

Array = npt.NDArray[np.float64]


def draw_canopies(count: int, seed: int) -> dict[str, Array]:
    """Canopies of field crops: name of `simulate.canopy.RANGES` -> (canopy,).

    Leaf area is even in cover for half and even in itself for the other half. Chlorophyll, water and dry matter of a
    leaf lie around those of green crops (Weiss and Baret 2016, table 4), and fade together as the canopy browns.
    """
    rng = np.random.default_rng(seed)

    def around(middle: float, sd: float, low: float, high: float) -> Array:
        return np.clip(rng.normal(middle, sd, count), low, high)

    thin = -2 * np.log(rng.uniform(np.exp(-3.5), 1.0, count))
    brown = np.where(rng.uniform(size=count) < 0.6, rng.uniform(0, 0.1, count), rng.uniform(0, 1, count) ** 1.3)
    return {
        "lai": np.where(rng.uniform(size=count) < 0.5, rng.uniform(0, 7.5, count), thin),
        "ala": around(57, 9, 30, 75),
        "n_leaf": around(1.6, 0.2, 1.2, 2.2),
        "cab": np.clip(around(46, 14, 12, 84) * (1 - 0.7 * brown), 3, 85),
        "car_ratio": 1 + 0.5 * brown,
        "cw": np.clip(around(0.015, 0.005, 0.005, 0.035) * (1 - 0.6 * brown), 0.003, 0.04),
        "cm": around(0.006, 0.0015, 0.003, 0.012),
        "cbrown": brown,
        "hot_spot": rng.uniform(0.05, 0.3, count),
        "sun_zenith_deg": rng.uniform(18, 70, count),
        "view_zenith_deg": rng.uniform(0, 10.3, count),
        "relative_azimuth_deg": rng.uniform(0, 180, count),
        "soil_bright": np.clip(rng.lognormal(-0.1, 0.3, count), 0.4, 1.6),
        "soil_wet": rng.uniform(0, 1, count),
    }


def targets(canopies: dict[str, Array]) -> Array:
    """Green leaf area, light caught by it, chlorophyll in g a square metre: (canopy, 3).

    Light: 0.94 (1 - exp(-K lai)), K of an ellipsoidal leaf angle distribution (Campbell 1986, Agricultural and Forest
    Meteorology 36, 317-321) at the sun's zenith.
    """
    green = canopies["lai"] * (1 - canopies["cbrown"])
    lean = np.deg2rad(canopies["ala"])
    x = np.maximum(-3 + (lean / 9.65) ** -0.6061, 0.1)
    tangent = np.tan(np.deg2rad(canopies["sun_zenith_deg"]))
    k = np.sqrt(x**2 + tangent**2) / (x + 1.774 * (x + 1.182) ** -0.733)
    return np.stack([green, FAPAR_MOST * (1 - np.exp(-k * green)), green * canopies["cab"] / 100], axis=1)


def look(canopies: dict[str, Array], seed: int) -> npt.NDArray[np.float32]:
    """Their reflectance as a satellite tells it: (canopy, band), in the order of `INPUT_BANDS`."""
    rng = np.random.default_rng(seed)
    emulator = packaged_emulator()
    given = {name: values.astype(np.float32) for name, values in canopies.items()}
    leaves = emulate(emulator, given, 0)  # (band, canopy)
    field = leaves.copy()
    add_structure(field, given["lai"], given["cbrown"])
    share = rng.uniform(0, 1, leaves.shape[1])  # from leaves alone to stems, dead leaves and shadow
    seen = leaves + share * (field - leaves)
    count = seen.shape[1]
    seen = seen * (1 + rng.normal(0, NOISE_ALL, count)) * (1 + rng.normal(0, NOISE_BAND, seen.shape))
    seen = seen + rng.normal(0, NOISE_FLOOR, seen.shape)
    return seen[[BANDS.index(band) for band in INPUT_BANDS]].T.clip(0, 1).astype(np.float32)


def fit(values: npt.NDArray[np.float32], wanted: Array) -> Network:
    """Fit the network."""
    import torch

    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    columns = features(values)
    middle, spread = columns.mean(axis=0), columns.std(axis=0)
    x = torch.tensor((columns - middle) / spread)
    bent = np.stack([np.sqrt(wanted[:, 0]), wanted[:, 1], np.sqrt(wanted[:, 2])], axis=1)
    y = torch.tensor(bent, dtype=torch.float32)
    scale = y.std(dim=0)
    sizes = [(columns.shape[1], HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, 3)]
    layers = [torch.nn.Linear(*size) for size in sizes]
    weights = [weight for layer in layers for weight in layer.parameters()]
    optimiser = torch.optim.AdamW(weights, lr=3e-3, weight_decay=1e-4)
    steps = EPOCHS * (len(x) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps, pct_start=0.1)
    for _ in range(EPOCHS):
        order = torch.randperm(len(x))
        for start in range(0, len(x) // BATCH * BATCH, BATCH):
            rows = order[start : start + BATCH]
            hidden = x[rows]
            for layer in layers[:2]:
                hidden = layer(hidden)
                hidden = hidden / torch.sqrt(1 + hidden**2)
            loss = torch.nn.functional.smooth_l1_loss(layers[2](hidden) / scale, y[rows] / scale)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    parts = [[part.detach().numpy() for part in (layer.weight, layer.bias)] for layer in layers]
    bare = Network(tuple(w for w, _ in parts), tuple(b for _, b in parts), middle, spread, np.zeros((3, 1), np.float32))
    return replace(bare, lai_bounds=lai_bounds(bare))


def lai_bounds(network: Network) -> npt.NDArray[np.float32]:
    """(3, step): leaf area as it is read, with the 5th and 95th percentile of the truth, on canopies of their own."""
    canopies = draw_canopies(HELD_OUT, SEED + 4)
    read, true = answers(network, look(canopies, SEED + 5))[:, 0], targets(canopies)[:, 0]
    parts = np.array_split(np.argsort(read, kind="stable"), BOUND_STEPS)
    rows = [(read[part].mean(), *np.quantile(true[part], [0.05, 0.95])) for part in parts]
    return np.maximum.accumulate(np.array(rows, np.float32).T, axis=1)


def tell_error(network: Network) -> None:
    """Print the error on canopies that the network was not fitted to."""
    canopies = draw_canopies(HELD_OUT, SEED + 1)
    wanted, found = targets(canopies), answers(network, look(canopies, SEED + 3))
    for k, name in enumerate(("lai", "fapar", "chlorophyll g/m2")):
        miss = found[:, k] - wanted[:, k]
        r = np.corrcoef(found[:, k], wanted[:, k])[0, 1]
        print(f"{name}: RMSE {np.sqrt((miss**2).mean()):.3f}, bias {miss.mean():+.3f}, r {r:.3f}, n {len(miss)}")


def main() -> None:
    """Fit or check."""
    if "--check" in sys.argv:
        tell_error(read_network(OUT))
        return
    canopies = draw_canopies(TRAIN, SEED)
    network = fit(look(canopies, SEED + 2), targets(canopies))
    stored = {f"weight{k}": weight for k, weight in enumerate(network.weights)}
    stored |= {f"bias{k}": bias for k, bias in enumerate(network.biases)}
    stored |= {name: getattr(network, name) for name in ("middle", "spread", "lai_bounds")}
    np.savez(OUT, licence=np.array(LICENCE), **stored)
    tell_error(network)


if __name__ == "__main__":
    main()
