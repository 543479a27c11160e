# SPDX-License-Identifier: Apache-2.0
"""Fit the canopy emulator: `python data/build_canopy.py` -> pipeline/acreline/simulate/canopy.npz (about 4 minutes).

Needs the `canopy` extra: `xleaf` (MIT) runs PROSPECT-D (Feret et al. 2017) and 4SAIL (Verhoef et al. 2007), `pyrsr`
(Apache-2.0) brings ESA's responses of Sentinel-2A and 2B (COPE-GSEG-EOPG-TN-15-0007, version 3.0). Only coefficients
fitted to what the model answers are kept; no code, spectrum or table of either package is in the file.

    python data/build_canopy.py            # draws samples, trains, writes, prints the error per band
    python data/build_canopy.py --check    # reads the file back and prints its error on samples it was not fitted to

The same library versions on the same kind of processor give the same bytes.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

from acreline.layers import BANDS
from acreline.simulate.canopy import BARE_SOIL, WET_SHARE, Emulator, emulate, features, read_emulator

OUT = Path(__file__).parents[1] / "pipeline" / "acreline" / "simulate" / "canopy.npz"
FIRST_NM, LAST_NM = 400, 2500  # the model's wavelengths, 1 nm apart
SATELLITES = ("Sentinel-2A", "Sentinel-2B")
SEED = 20250
TRAIN, HELD_OUT, CHECKS = 160_000, 8_000, 20
HIDDEN = 128
EPOCHS, BATCH = 130, 1024
LICENCE = (
    "Coefficients fitted by data/build_canopy.py to PROSPECT-D + 4SAIL as run by xleaf (MIT, (c) 2023 Christopher "
    "Anderson; models by Feret, Jacquemoud, Verhoef), convolved with ESA's Sentinel-2A/2B responses v3.0 as packed in "
    "pyrsr (Apache-2.0). The coefficients are offered under MIT."
)

Array = npt.NDArray[np.float64]


def read_responses() -> Array:
    """The bands' true responses: (satellite, band, wavelength), each row sums to one."""
    from pyrsr.rsr import RSR_reader

    numbers = [band.removeprefix("B").removeprefix("0") for band in BANDS]
    out = np.zeros((len(SATELLITES), len(BANDS), LAST_NM - FIRST_NM + 1))
    for s, satellite in enumerate(SATELLITES):
        tables = RSR_reader(satellite, "MSI", LayerBandsAssignment=numbers)
        for b, number in enumerate(numbers):
            nm, response = tables[number].T
            out[s, b, nm.round().astype(int) - FIRST_NM] = response
    return out / out.sum(axis=2, keepdims=True)


def draw_soils(responses: Array) -> Array:
    """The package's dry and wet soil at 1 nm, drawn through the band tables: (dry or wet, wavelength)."""
    nm = np.arange(FIRST_NM, LAST_NM + 1)
    centres = responses[0] @ nm
    order = np.argsort(centres)
    x, dry, kept = centres[order], BARE_SOIL[order], WET_SHARE[order]
    blue = dry[0] - (x[0] - FIRST_NM) * (dry[1] - dry[0]) / (x[1] - x[0])  # below the first centre as just above it
    drawn = np.interp(nm, [FIRST_NM, *x], [blue, *dry])
    return np.stack([drawn, drawn * np.interp(nm, x, kept)])


def draw_samples(count: int, seed: int) -> dict[str, Array]:
    """Canopies over the whole range of the land's state and of the sun: name -> (sample,).

    Leaf area is even in cover for half of the samples, for thin canopies change fastest; what absorbs is even in its
    root or logarithm, for the spectrum saturates.
    """
    rng = np.random.default_rng(seed)

    def even(low: float, high: float) -> Array:
        return rng.uniform(low, high, count)

    by_cover = -2 * np.log(even(np.exp(-4.0), 1.0))
    cbrown = np.where(even(0, 1) < 0.4, 0.0, even(0, 1) ** 1.5)
    return {
        "lai": np.where(even(0, 1) < 0.5, even(0, 8), by_cover),
        "ala": even(25, 75),
        "n_leaf": even(1.2, 2.2),
        "cab": even(3**0.5, 85**0.5) ** 2,
        "car_ratio": even(0.75, 1.6),
        "cw": np.exp(even(np.log(0.003), np.log(0.04))),
        "cm": np.exp(even(np.log(0.002), np.log(0.014))),
        "cbrown": cbrown,
        "hot_spot": even(0.05, 0.3),
        "sun_zenith_deg": even(15, 75),
        "view_zenith_deg": even(0, 10.3),
        "relative_azimuth_deg": even(0, 180),
        "soil_bright": even(0.4, 1.6),
        "soil_wet": even(0, 1),
    }


def run_model(samples: dict[str, Array], responses: Array, soils: Array) -> Array:
    """What the true model answers: (sample, satellite, band) reflectance.

    xleaf's public call holds brown pigment at 0 and knows two soils only. The compiled routine below it takes the
    pigment, and its dry soil is a module variable that can be overwritten: with `psoil` 1 it is all the ground.
    """
    from xleaf import prosail

    ground = prosail.mod_dataspec_pdb.rsoil1
    kept = ground.copy()
    flat = responses.reshape(-1, responses.shape[2]).T  # (wavelength, satellite x band)
    rows = []
    try:
        for values in zip(*samples.values(), strict=True):
            at = dict(zip(samples, values, strict=True))
            ground[:] = at["soil_bright"] * (soils[0] + at["soil_wet"] * (soils[1] - soils[0]))
            car = at["car_ratio"] * at["cab"] / 4.5
            leaf = (at["n_leaf"], at["cab"], car, 0.0, at["cbrown"], at["cw"], at["cm"])
            angles = (at["sun_zenith_deg"], at["view_zenith_deg"], at["relative_azimuth_deg"])
            spectrum = prosail.simulate(*leaf, 1.0, at["lai"], at["hot_spot"], *angles, 2, at["ala"], 0.0)
            rows.append(spectrum @ flat)
    finally:
        ground[:] = kept
    return np.stack(rows).reshape(-1, len(responses), len(BANDS))


def ground_seen(samples: dict[str, Array], soils_in_bands: Array) -> Array:
    """Reflectance of the bare ground of each sample: (sample, satellite, band). `soils_in_bands`: (2, sat, band)."""
    wet = samples["soil_wet"][:, None, None]
    return samples["soil_bright"][:, None, None] * (soils_in_bands[0] + wet * (soils_in_bands[1] - soils_in_bands[0]))


def train(samples: dict[str, Array], truth: Array, ground: Array) -> dict[str, npt.NDArray[np.float32]]:
    """Fit the network on (sample, satellite, band); the weights by the names `Emulator` reads them with."""
    import torch

    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    columns = features({name: values.astype(np.float32) for name, values in samples.items()}).T
    mean, spread = columns.mean(axis=0), columns.std(axis=0)
    x = torch.tensor((columns - mean) / spread)
    y, soil = torch.tensor(truth, dtype=torch.float32), torch.tensor(ground, dtype=torch.float32)
    lai = torch.tensor(samples["lai"], dtype=torch.float32)[:, None, None]
    closed = 1 - torch.exp(-lai)
    layers = [torch.nn.Linear(x.shape[1], HIDDEN), torch.nn.Linear(HIDDEN, HIDDEN), torch.nn.Linear(HIDDEN, 60)]
    weights = [value for layer in layers for value in layer.parameters()]
    optimizer = torch.optim.Adam(weights, lr=3e-3)
    steps = EPOCHS * (len(x) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps, pct_start=0.1)

    def squash(v: torch.Tensor) -> torch.Tensor:
        return v * torch.rsqrt(1 + v * v)

    for epoch in range(EPOCHS):
        order = torch.randperm(len(x))
        total = 0.0
        for start in range(0, len(x) - BATCH + 1, BATCH):
            rows = order[start : start + BATCH]
            out = layers[2](squash(layers[1](squash(layers[0](x[rows])))))
            own, through, bounce = out.reshape(-1, 2, 3, len(BANDS)).unbind(2)
            shut, under = closed[rows], soil[rows]
            own, through, bounce = shut * own, 1 + shut * (through - 1), shut * 0.5 * (1 + squash(bounce))
            loss = (own + through * under / (1 - bounce * under) - y[rows]).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += float(loss.detach())
        if epoch % 10 == 9:
            print(f"epoch {epoch + 1}: RMSE {(total / (len(x) // BATCH)) ** 0.5:.5f}", flush=True)
    named = {
        f"{kind}{k}": getattr(layer, kind).detach().numpy()
        for k, layer in enumerate(layers)
        for kind in ("weight", "bias")
    }
    # The scaling of the inputs is folded into the first layer, so that running needs no second table.
    first = named["weight0"] / spread
    return {**named, "weight0": first.astype(np.float32), "bias0": (named["bias0"] - first @ mean).astype(np.float32)}


def report(emulator: Emulator, samples: dict[str, Array], truth: Array) -> None:
    """Print error per band and satellite, and the largest."""
    given = {name: values.astype(np.float32) for name, values in samples.items()}
    for s, satellite in enumerate(SATELLITES):
        error = emulate(emulator, given, s) - truth[:, s].T
        rmse = np.sqrt((error**2).mean(axis=1))
        print(satellite, " ".join(f"{band} {v:.5f}" for band, v in zip(BANDS, rmse, strict=True)))
        print(f"  largest error {np.abs(error).max():.4f}, 99.9 % below {np.quantile(np.abs(error), 0.999):.4f}")


def main() -> None:
    """Draw, run, fit, write, read back."""
    responses = read_responses()
    soils = draw_soils(responses)
    held = draw_samples(HELD_OUT, SEED + 1)
    held_truth = run_model(held, responses, soils)
    if "--check" not in sys.argv:
        drawn = draw_samples(TRAIN, SEED)
        truth = run_model(drawn, responses, soils)
        in_bands = np.einsum("kw,sbw->ksb", soils, responses)  # (dry or wet, satellite, band)
        weights = train(drawn, truth, ground_seen(drawn, in_bands))
        checks = {f"check_{name}": values[:CHECKS].astype(np.float32) for name, values in held.items()}
        np.savez_compressed(
            OUT, **weights, **checks, check_reflectance=held_truth[:CHECKS].astype(np.float32),
            soil=in_bands.astype(np.float32), about=np.array(LICENCE),
        )  # fmt: skip
        print(f"{OUT.name}: {OUT.stat().st_size / 1000:.0f} kB")
    report(read_emulator(OUT), held, held_truth)


if __name__ == "__main__":
    main()
