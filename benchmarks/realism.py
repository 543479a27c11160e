# SPDX-License-Identifier: Apache-2.0
"""How near simulated fields come to real ones: envelope, two-sample classifier, clear looks, a forest.

    python benchmarks/realism.py       # about ten minutes on one core; writes benchmarks/results/realism.json

Real: `data/labels/france-2023.npz`, points in declared parcels of western France, Sentinel-2 in steps of ten days. Some
numbers of the simulator (leaf water, soils, spreads, catch crops) were set against these same points, so the figures
say how well it was fitted, not how well it does elsewhere. Simulated: counties of `western-europe` with only the
compared crops in them, the whole way through sensor, clouds and a scene classification with its errors (`fields.py`).
Simulated years are laid on the real one by calendar day: another year, region and weather, so that a perfect simulator
would not score perfectly either; the two-sample classifier is therefore also asked to part the real fields of the
north from those of the south.

Beside the rows, `results/realism_bins.csv` has the share and the bias of each class, month and band.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from fields import GROUPS, MONTHS, Fields, Floats, county_file, dekads, join, real_fields, simulated_fields
from rows import RESULTS, Row, make_row, write_rows
from scipy.stats import ks_2samp
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.metrics import f1_score, roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold

from acreline.config import packaged_configs
from acreline.cubes import clear_from_scl
from acreline.model.series import LabelledSeries
from acreline.trial.counties import Wanted, county_arrays
from acreline.trial.forest import POINT_BANDS, POINT_INDICES, Inputs, binned_inputs
from acreline.trial.packaged import read_folds

COMMAND = "python benchmarks/realism.py"
SEEDS, PARCELS = tuple(range(11, 23)), 75
"""Many small counties: every field of one has the same weather, haze and passes."""
FEWEST_LOOKS, FEWEST_FIELDS = 5, 8
"""A month and class with fewer real looks, or a side with fewer fields, is left out."""
SQUARE = "flanders-2019"
FITTED = "France 2023 (fitted to)"


def looks_of(fields: Fields, group: str, month: int) -> Floats:
    """(look, band) of one class and month."""
    part = fields.values[fields.group == group, 3 * month : 3 * month + 3].reshape(-1, len(POINT_BANDS))
    return np.asarray(part[np.isfinite(part).all(axis=1)])


def envelope(real: Fields, simulated: Fields) -> list[Row]:
    """Share of real looks inside the simulated 1 to 99 %, and median bias, by class, month and band."""
    rows, table = [], []
    for group in GROUPS:
        inside, bias, count = [], [], 0
        for month, name in enumerate(MONTHS):
            seen, drawn = looks_of(real, group, month), looks_of(simulated, group, month)
            if len(seen) < FEWEST_LOOKS or len(drawn) < 3 * FEWEST_LOOKS:
                continue
            low, high = np.percentile(drawn, [1, 99], axis=0)
            inside.append(((seen >= low) & (seen <= high)).mean(axis=0))
            bias.append(np.median(drawn, axis=0) - np.median(seen, axis=0))
            count += len(seen)
            for k, band in enumerate(POINT_BANDS):
                table.append(
                    (group, str(name), band, len(seen), len(drawn), f"{inside[-1][k]:.3f}", f"{bias[-1][k]:+.4f}")
                )
        share, off = np.array(inside), np.abs(np.array(bias))
        worst = int(share.mean(axis=0).argmin())
        setting = f"{group}, 9 bands x {len(share)} months, on simulated data against {FITTED}"
        rows += [
            make_row("real looks inside the simulated 1-99 %", setting, round(float(share.mean()), 3), "share", n=count,
                     target=">= 0.95", command=COMMAND, baseline=f"0.98 if alike; worst band {POINT_BANDS[worst]} "
                     f"{share.mean(axis=0)[worst]:.2f}"),
            make_row("median bias of a band and month, mean of the absolutes", setting, round(float(off.mean()), 4),
                     "reflectance", n=off.size, target="<= 0.02", command=COMMAND,
                     baseline=f"{(off <= 0.02).mean():.2f} of cells within 0.02"),
        ]  # fmt: skip
    with (RESULTS / "realism_bins.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["class", "month", "band", "n_real", "n_simulated", "inside_1_99", "median_bias"])
        writer.writerows(table)
    return rows


def monthly(fields: Fields) -> Floats:
    """(n, month x band): means of each month, gaps bridged in a straight line and held at the ends."""
    size, months, bands = len(fields.group), len(MONTHS), len(POINT_BANDS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        means = np.nanmean(fields.values.reshape(size, months, 3, bands), axis=2)
    place = np.arange(months)
    for sample in means:
        for k in range(bands):
            seen = np.isfinite(sample[:, k])
            sample[:, k] = np.interp(place, place[seen], sample[seen, k]) if seen.any() else 0
    return np.asarray(means.reshape(size, -1))


def told_apart(one: Floats, two: Floats, places: npt.NDArray[np.str_]) -> tuple[float, list[str]]:
    """(area under the curve of gradient boosting that never saw the place, the inputs that help it most).

    Args:
        one: (n, input) of one side.
        two: (m, input) of the other.
        places: (n + m,): cell or county; none is learned from and asked about.
    """
    x = np.concatenate([one, two])
    y = np.repeat([0, 1], [len(one), len(two)])
    found, help_of = np.zeros(len(y)), np.zeros(x.shape[1])
    rng = np.random.default_rng(0)
    parts = StratifiedGroupKFold(min(5, len(one), len(two)), shuffle=True, random_state=0)
    for train, test in parts.split(x, y, places):
        model = HistGradientBoostingClassifier(
            max_iter=80, max_leaf_nodes=8, min_samples_leaf=3, class_weight="balanced", random_state=0
        ).fit(x[train], y[train])
        found[test] = model.predict_proba(x[test])[:, 1]
        if len(np.unique(y[test])) < 2:
            continue
        before = roc_auc_score(y[test], found[test])
        used = sorted({node["feature_idx"] for trees in model._predictors for tree in trees for node in tree.nodes})
        for k in used:
            mixed = x[test].copy()
            mixed[:, k] = rng.permutation(mixed[:, k])
            help_of[k] += before - roc_auc_score(y[test], model.predict_proba(mixed)[:, 1])
    names = [
        f"{POINT_BANDS[k % len(POINT_BANDS)]} of {MONTHS[k // len(POINT_BANDS)]}" for k in np.argsort(-help_of)[:3]
    ]
    return float(roc_auc_score(y, found)), names


def two_samples(real: Fields, simulated: Fields) -> list[Row]:
    """How well gradient boosting tells simulated fields from real ones, per class."""
    rows = []
    seen, drawn = monthly(real), monthly(simulated)
    for group in GROUPS:
        one, two = seen[real.group == group], drawn[simulated.group == group]
        cells, counties = real.cell[real.group == group], simulated.cell[simulated.group == group]
        auc, names = told_apart(one, two, np.concatenate([cells, counties]))
        north = real.north[real.group == group]
        usual = "0.5: not told apart"
        if min(north.sum(), (~north).sum()) >= FEWEST_FIELDS:
            sides = np.concatenate([cells[north], cells[~north]])
            usual += f"; real north from real south: {told_apart(one[north], one[~north], sides)[0]:.2f}"
        rows.append(make_row(
            "simulated told from real fields, area under the curve",
            f"{group}, monthly means; on simulated data; given away by {', '.join(names)}", round(auc, 3), "share",
            n=len(one) + len(two), target="<= 0.80", command=COMMAND, baseline=usual,
        ))  # fmt: skip
    return rows


def clear_steps(real: Fields, simulated: Fields) -> list[Row]:
    """Steps with a clear look, and gaps between them."""
    rows = []
    counts, gaps = [], []
    for fields in (real, simulated):
        seen = np.asarray(np.isfinite(fields.values).all(axis=2))
        counts.append(seen.sum(axis=1))
        gaps.append(np.concatenate([np.diff(np.flatnonzero(one)) for one in seen]))
    for what, pair, unit in (
        ("steps of ten days with a clear look", counts, "of 42"),
        ("gap between them", gaps, "steps"),
    ):
        rows.append(make_row(
            f"{what}: largest distance of the distributions", f"all fields; on simulated data against {FITTED}",
            round(float(ks_2samp(*pair).statistic), 3), "share", n=len(pair[0]) + len(pair[1]), target="<= 0.10",
            command=COMMAND, baseline=f"means {pair[0].mean():.1f} real, {pair[1].mean():.1f} simulated, {unit}",
        ))  # fmt: skip
    return rows


def clear_looks(drawn: list[dict[str, Any]]) -> list[Row]:
    """Clear looks of single passes against those of a real square, masks grown alike."""
    path = packaged_configs().parent / "data" / "training" / f"{SQUARE}.npz"
    if not path.is_file():
        return []
    with np.load(path) as stored:
        sets = [(stored["times"], stored["scl"])]
    sets += [(raw["times"], raw["scl"]) for raw in drawn]
    told = []
    for times, scl in sets:
        day = times.astype("datetime64[D]")
        clear = clear_from_scl(scl, None)[:, ::2, ::2].reshape(len(day), -1)[:, ::37]
        years = float((day[-1] - day[0]).astype(int)) / 365.25
        gaps = np.concatenate([np.diff(day[one]).astype(int) for one in clear.T])
        told.append((clear.sum(axis=0) / years, gaps[gaps > 0]))
    square, own = told[0], [np.concatenate([one[k] for one in told[1:]]) for k in (0, 1)]
    usual = f"{square[0].mean():.1f} a year on the real square"
    late = [np.percentile(one[1], 90) for one in (square, own)]
    return [
        make_row("clear looks a year, relative distance from the real", f"cells of 20 m; {SQUARE}; on simulated data",
                 round(float(abs(own[0].mean() / square[0].mean() - 1)), 3), "share", n=len(own[0]) + len(square[0]),
                 target="<= 0.20", command=COMMAND, baseline=f"{usual}, {own[0].mean():.1f} simulated"),
        make_row("days between clear looks: largest distance of the distributions",
                 f"cells of 20 m; {SQUARE}; on simulated data", round(float(ks_2samp(square[1], own[1]).statistic), 3),
                 "share", n=len(square[1]) + len(own[1]), target="<= 0.10", command=COMMAND,
                 baseline=f"90 % point {late[0]:.0f} days real, {late[1]:.0f} simulated"),
    ]  # fmt: skip


def as_series(fields: Fields) -> LabelledSeries:
    """What the forest's inputs are made from."""
    none = np.zeros(len(fields.group), np.int64)
    return LabelledSeries(
        "B", "realism", "L2A", 2023, POINT_BANDS, dekads() + 5, fields.values.astype(np.float32), fields.cell, none,
        fields.group, fields.group, fields.group, fields.cell,
    )  # fmt: skip


def train_on_one(real: Fields, simulated: Fields) -> list[Row]:
    """A forest that learned from simulated fields alone, on real ones; against forests of real ones, by places."""
    x, drawn = (binned_inputs(as_series(fields), POINT_BANDS, POINT_INDICES) for fields in (real, simulated))
    fold = np.array([read_folds().get(("france-2023", cell), 0) for cell in real.cell.tolist()])

    def told(x_train: Inputs, y_train: npt.NDArray[np.str_], x_test: Inputs) -> npt.NDArray[np.str_]:
        forest = RandomForestClassifier(
            400, min_samples_leaf=2, class_weight="balanced_subsample", random_state=0, n_jobs=1
        )
        return np.asarray(forest.fit(x_train, y_train).predict(x_test))

    own, both = real.group.copy(), real.group.copy()
    for part in np.unique(fold):
        out = fold == part
        own[out] = told(x[~out], real.group[~out], x[out])
        both[out] = told(np.concatenate([x[~out], drawn]), np.concatenate([real.group[~out], simulated.group]), x[out])
    far = told(drawn, simulated.group, x)
    f1 = {name: float(f1_score(real.group, said, average="macro"))
          for name, said in (("own", own), ("far", far), ("both", both))}  # fmt: skip
    right = {name: float((said == real.group).mean()) for name, said in (("own", own), ("far", far), ("both", both))}
    n, setting = len(real.group), f"{len(GROUPS)} classes of {FITTED}"
    usual = f"real on real by folds: macro-F1 {f1['own']:.2f}, accuracy {right['own']:.2f}"
    return [
        make_row("random forest taught on simulated data alone, macro-F1 over that taught on real data",
                 f"{setting}; macro-F1 {f1['far']:.2f}, accuracy {right['far']:.2f}", round(f1["far"] / f1["own"], 3),
                 "ratio", n=n, target=">= 0.60", command=COMMAND, baseline=usual),
        make_row("random forest taught on simulated and real data, macro-F1 over that taught on real data",
                 f"{setting}, by folds; macro-F1 {f1['both']:.2f}, accuracy {right['both']:.2f}",
                 round(f1["both"] / f1["own"], 3), "ratio", n=n, target=">= 1.00", command=COMMAND, baseline=usual),
    ]  # fmt: skip


def main() -> None:
    """Draw, compare and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parcels", type=int, default=PARCELS, help="in each county: fewer is a trial")
    parcels = parser.parse_args().parcels
    drawn, parts = [], []
    with tempfile.TemporaryDirectory() as name:
        config = county_file(Path(name))
        for seed in SEEDS:
            raw = county_arrays(Wanted(str(config), parcels, seed))
            parts.append(simulated_fields(raw, seed))
            drawn.append({key: raw[key] for key in ("times", "scl")})
            print(f"county {seed}: {len(parts[-1].group)} fields")
    real, simulated = real_fields(), join(parts)
    rows = envelope(real, simulated) + two_samples(real, simulated) + clear_steps(real, simulated) + clear_looks(drawn)
    path = write_rows("realism", [*rows, *train_on_one(real, simulated)])
    print(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
