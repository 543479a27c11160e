# SPDX-License-Identifier: Apache-2.0
"""Write configs/labels/worldcereal-*.csv: `python data/build_label_maps.py SHARED_FOLDER` (same bytes each time).

Every code of the source's own class mappings gets a line: its name there, the group it is scored in and the class it
teaches (`slug`). Where the source does not say what grows, nothing is taught and nothing is scored.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

from acreline.model.labels import IGNORED

OUT = Path(__file__).parents[1] / "configs" / "labels"
NOT_SCORED = "not scored"
COLUMNS = ("code", "name", "group", "slug")

BY_NAME = {
    "wheat": "winter_cereal",
    "rye": "winter_cereal",
    "oats": "winter_cereal",
    "triticale": "winter_cereal",
    "barley": "winter_barley",
    **dict.fromkeys(
        ("spring_wheat", "spring_rye", "spring_oats", "spring_barley", "spring_cereals", "spring_triticale"),
        "spring_cereal",
    ),
    "maize": "maize",
    "rapeseed_rape": "rapeseed",
    "sunflower": "sunflower",
    "soy_soybeans": "soybean",
    "beet": "beet",
    "sugarbeet": "beet",
    "potatoes": "potato",
}
"""Name in the source's mappings -> class; names that cover several crops are told by their code below."""
BY_CODE = {
    "1101000000": IGNORED,  # cereals, season not said
    "1101050001": "winter_cereal",  # triticale, winter
    "1106000032": IGNORED,  # spring rapeseed: another calendar, no class
    "1106000050": "peanut",
    "1107000020": "sweet_potato",
    "1108000010": "cotton",
    "1109000500": "tobacco",
    "1111010100": "sugarcane",
    "1202000020": "tea",
    "1103120010": "vegetables",  # strawberries: a field crop of rows
}
BY_START = {
    "1103": "vegetables",
    "1105": "pulses",
    "1111": "grassland",
    "12": "perennial",
    "2001": "grassland",
    **dict.fromkeys(("15", "2002", "2502", "2503", "3", "4", "5", "7"), "non_agri"),
}
GROUP_BY_NAME = {
    **dict.fromkeys(("barley", "cereals", "oats", "rye", "wheat", "triticale"), "winter_cereal"),
    **dict.fromkeys(("grapes", "nuts", "permanent_crops"), "perennial"),
    "grasslands": "grassland",
    "maize": "maize",
    "rapeseed_rape": "rapeseed",
    "soy_soybeans": "soy",
    "sunflower": "sunflower",
}
"""Groups of the benchmark on French points, by the in-season name of France; like codes join them."""
LEGACY_GROUPS = {
    "maize": "maize",
    "grassland": "grass",
    "potato": "potato",
    "winter_cereal": "winter cereals",
    "winter_barley": "winter cereals",
    "vegetables": "vegetables",
    "pulses": "legumes",
}
"""Groups of the benchmark on whole squares, by class."""
LEGACY_SLUGS = {
    **dict.fromkeys((1110, 1610, 1910), "winter_cereal"),
    1510: "winter_barley",
    **dict.fromkeys((1120, 1520, 1620, 1920), "spring_cereal"),
    1200: "maize",
    4100: "soybean",
    4200: "peanut",
    **dict.fromkeys((4350, 4351), "rapeseed"),
    4380: "sunflower",
    5100: "potato",
    5200: "sweet_potato",
    6120: "tea",
    8100: "beet",
    8200: "sugarcane",
    **dict.fromkeys((9100, 9110, 9120, 13), "grassland"),
    9211: "cotton",
    9600: "tobacco",
    3450: "vegetables",  # strawberries, as in the newer codes
    **dict.fromkeys((30, 40, 41, 42, 50, 60, 70, 80), "non_agri"),
    **dict.fromkeys((2400, 7920), IGNORED),  # mushrooms; legumes that are trees or shrubs
}
LEGACY_RANGES = ((2000, 2999, "vegetables"), (3000, 3999, "perennial"), (4400, 4499, "perennial"))
LEGACY_RANGES += ((6100, 6199, "perennial"), (7000, 7919, "pulses"), (9400, 9400, "perennial"))


def write_ewoc(mappings: dict[str, dict[str, str]]) -> int:
    """The ten-digit codes; returns how many."""
    france, kinds = mappings["CROPTYPE_INSEASON_FRANCE"], mappings["CROPTYPE28"]
    types, cover = mappings["CROPTYPE24"], mappings["LANDCOVER10"]
    rows = []
    for code in sorted({*france, *kinds, *types, *cover}, key=int):
        crop = kinds.get(code, "no_temporary_crop")
        kind = types.get(code, "ignore")
        names = (france.get(code), crop if crop != "no_temporary_crop" else None)
        name = (
            names[0] or names[1] or (kind if kind not in ("ignore", "no_crop") else None) or cover.get(code, "ignore")
        )
        slug = BY_CODE.get(code) or _slug_of_name(name, crop, kind) or _by_start(code)
        group = GROUP_BY_NAME.get(france.get(code) or (crop if crop != "grass_fodder_crops" else ""), NOT_SCORED)
        rows.append((code, name, group, slug))
    return _write(OUT / "worldcereal-ewoc.csv", rows)


def write_legacy(table: Path) -> int:
    """The four-digit codes; returns how many."""
    with table.open(encoding="utf-8", newline="") as stream:
        names = {int(row["croptype"]): row["name"].strip().rstrip(" *").lower() for row in csv.DictReader(stream)}
    names |= {2130: "cabbages", 1910: "other winter cereal"}  # spelt otherwise there, and in the squares' own notes
    rows = []
    for code in sorted(names):
        ranges = (slug for low, high, slug in LEGACY_RANGES if low <= code <= high)
        slug = LEGACY_SLUGS.get(code) or next(ranges, IGNORED)
        group = "sorghum" if code == 1400 else LEGACY_GROUPS.get(slug, NOT_SCORED)
        rows.append((str(code), names[code], group, slug))
    return _write(OUT / "worldcereal-legacy.csv", rows)


def _slug_of_name(*names: str) -> str | None:
    return next((BY_NAME[name] for name in names if name in BY_NAME), None)


def _by_start(code: str) -> str:
    return next((slug for start, slug in BY_START.items() if code.startswith(start)), IGNORED)


def _write(path: Path, rows: list[tuple[str, ...]]) -> int:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    return len(rows)


def main(shared: Path) -> None:
    """Write both files."""
    tables = shared / "data" / "tables"
    mappings = json.loads((tables / "worldcereal_class_mappings.json").read_text(encoding="utf-8"))
    print("worldcereal-ewoc.csv", write_ewoc(mappings))
    print("worldcereal-legacy.csv", write_legacy(tables / "worldcereal_wc2eurocrops_map.csv"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
