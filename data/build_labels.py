# SPDX-License-Identifier: Apache-2.0
"""Pack the labelled series: `python data/build_labels.py SHARED_FOLDER` -> data/labels/ (same bytes each time).

Sources, licences and counts stand in data/labels/README.md. The tables are read by the very reader that
`acreline evaluate --data` uses; of weather only mean temperatures are kept, as means over squares of one degree; what
else is left out is columns that no model of ours reads (radar, rain, relief).
"""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from acreline.model.series import LabelledSeries
from acreline.trial.field_rows import clear_series, read_field_rows
from acreline.trial.field_yields import SURVEY
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


def write_survey(folder: Path, out: Path) -> int:
    """Rows of the fields whose yield was measured: clear looks, crop by the combine's log, yield; how many fields."""
    rows = read_field_rows(folder)
    shapes = json.loads((folder / "fields.geojson").read_text(encoding="utf-8"))["features"]
    logged = {shape["properties"]["Name"]: shape["properties"]["harvester_product"] for shape in shapes}
    crop = {name: "winter_cereal" if word == "WEIZEN" else "winter_barley" for name, word in logged.items()}
    table = clear_series(rows).drop(columns=["clear_share", "B01", "B09"]).round(dict.fromkeys(rows.bands, 4))
    table["date"] = table["date"].dt.strftime("%Y-%m-%d")
    table["crop"] = table["id"].map(crop)
    table["yield_t_per_ha"] = table["id"].map(rows.fields["yield_t_per_ha"]).round(3)
    first = ["id", "date", "crop", "yield_t_per_ha"]
    columns = [*first, *(name for name in table.columns if name not in first)]
    table[columns].to_csv(out, index=False, lineterminator="\n")
    return int(table["id"].nunique())


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
    print(SURVEY, write_survey(data / "imagery" / "bavaria-yield-2018", OUT / SURVEY), "fields")
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
