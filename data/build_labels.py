# SPDX-License-Identifier: Apache-2.0
"""Pack the labelled series: `python data/build_labels.py SHARED_FOLDER` -> data/labels/ (same bytes each time).

Sources, licences and counts stand in data/labels/README.md. The tables are read by the very reader that
`acreline evaluate --data` uses; of weather only mean temperatures are kept, as means over squares of one degree; what
else is left out is columns that no model of ours reads (radar, rain, relief).
"""

from __future__ import annotations

import csv
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from acreline.model.series import LabelledSeries
from acreline.trial.forest import cross_validated
from acreline.trial.packaged import pack_series
from acreline.trial.tables import PARCEL_CODES, POINT_CODES, read_parcel_table, read_point_table
from acreline.trial.tasks import TASKS

OUT = Path(__file__).parent / "labels"
FOLDS = 5


def fold_of_cell(cell: np.ndarray) -> dict[str, int]:
    """Cells -> fold: the largest cell first, each into the fold with the fewest samples so far."""
    names, counts = np.unique(cell, return_counts=True)
    total = [0] * FOLDS
    out = {}
    for name, count in sorted(zip(names.tolist(), counts.tolist(), strict=True), key=lambda pair: (-pair[1], pair[0])):
        out[name] = int(np.argmin(total))
        total[out[name]] += count
    return dict(sorted(out.items()))


def write_folds(series: list[LabelledSeries]) -> None:
    """One line for each place: source, cell, fold."""
    with (OUT / "folds.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("source", "cell", "fold"))
        for one in series:
            writer.writerows((one.name, cell, fold) for cell, fold in fold_of_cell(one.cell).items())


def main(shared: Path) -> None:
    """Write every file of data/labels/ but its README."""
    OUT.mkdir(exist_ok=True)
    data = shared / "data"
    parcels = read_parcel_table(
        data / "series" / "bavaria2018_parcels_s2.csv", data / "parcels" / "bavaria2018_parcels.geojson"
    )
    points = read_point_table(data / "series" / "worldcereal_fra2023_dekad.geoparquet")
    parcels, points = replace(parcels, name="bavaria-2018"), replace(points, name="france-2023")
    pack_series(parcels, OUT / "bavaria-2018.npz", PARCEL_CODES)
    pack_series(points, OUT / "france-2023.npz", POINT_CODES)
    write_folds([parcels, points])
    for one in (parcels, points):
        file = OUT / f"{one.name}.npz"
        groups = dict(zip(*(part.tolist() for part in np.unique(one.group, return_counts=True)), strict=True))
        print(file.name, file.stat().st_size, one.values.shape, len(np.unique(one.cell)), "cells", groups)
    for one in (parcels, points):
        told = cross_validated(TASKS[one.task], one.name)
        low, high = told["ci95"]
        print(
            f"{one.name}: forest on folds, accuracy {told['oa']:.3f} (95 % {low} to {high}), macro-F1 "
            f"{told['macro_f1']:.3f}, n {told['n']}, majority {told['majority_oa']:.3f}"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
