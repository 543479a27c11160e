# SPDX-License-Identifier: Apache-2.0
"""A first region file for a user's own parcels: written from what the farm file shows, commented where it cannot."""

from __future__ import annotations

import difflib
import json
import os
import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import get_args

from acreline.config import Datum, SeasonSettings, list_configs
from acreline.errors import ConfigError
from acreline.parcels import FID, ParcelFile, guess_columns, open_parcel_file
from acreline.units import M2_PER_UNIT

SEASON_START = (10, 1)
SEASON_END = (12, 15)
"""From the sowing of winter cereals in one year to the last maize of the next: one crop year with both season slots."""

TEMPLATE = """\
# One batch for acreline: which parcels, which season, which images, which policy.
# Paths count from this file. A key it does not know is refused. Try it with: acreline check {out_name}
name: {name}

# One crop year, in UTC days: from the sowing of winter crops to the last harvest of the next autumn.
# The model that comes with acreline was taught this very year, October to December of the next: another is refused.
season: {{start: {start}, end: {end}}}

# Nothing acquired after this day is used. Left out: the season's end, or today if that is earlier.
# as_of: {end}

# A file of configs/providers/: where the satellite images come from. See: acreline list providers
provider: {provider}

# Asked in this order where that one does not answer: names as above, or provider files of your own.
# fallback_providers: [planetary-computer]

# Alarm when nothing new has come for so many days of the season: three passes of the satellites. Left out: no alarm.
fresh_within_days: 15

parcels:
  path: {path}
  # On which map the outlines were drawn. A wrong guess moves each field by up to 600 m (gcj02) or 1,400 m (bd09).
  datum: {datum}
{layer}{crs}  # Columns in the file: {columns}
{mapping}{unit}
# Crops this region may grow, files of configs/crops/. See: acreline list crops
crops: [{crops}]

# Events to look for; those left out are told as not looked for. Of the parcels that a kind was told of, so many were
# struck by it on simulated counties: flood 71 of 73, lodging_hail 1 of 8, late_failed 3 of 34, drought 1 of 13,
# pest_disease 0 of 8. See: acreline list events
events: [flood]

# Who asks for how much (CSV: farm_id, person_id, requested, existing_debt, record_years, insured_sum, household_need,
# previous_limit; who leaves existing_debt empty is referred to a person), and daily weather (CSV: date, tmin_c,
# tmean_c, tmax_c, rain_mm, radiation_mj_per_m2).
# applicants: applicants.csv
# applicants_currency: CNY      # of its amounts; where the policy counts in another one, also applicants_rate: 11.7
# weather: weather.csv
# Events that were reported (CSV: event, start, end, parcel_id, valid_from: since when the report is known).
# known_events: reports.csv
# Dated tables of prices and of what crops cost to grow: a file of yours, or the orders of magnitude for China.
# prices: china
# costs: china
# Dated table of harvests (CSV: crop, county, year, yield_kg_per_ha, relative_error, source, valid_from): a file of
# yours, whose rows of the county named here count first, or the nation's figures for China.
# statistics: china
# county: my-county

model: acrenet-s

# A file of configs/policies/. `demo` is for trying out: a bank writes its own.
policy: demo
"""


def write_region_file(
    parcels_path: Path,
    *,
    out: Path,
    datum: str,
    provider: str = "earth-search",
    layer: str | None = None,
    season_start: date | None = None,
    season_end: date | None = None,
    today: date | None = None,
    declared_area_unit: str | None = None,
) -> Path:
    """Write a region file for a farm file, with a comment at each choice that only a person can make.

    Args:
        parcels_path: the farm file; opened to list its columns.
        out: the YAML file to write; an existing one is never overwritten.
        datum: wgs84, cgcs2000, gcj02 or bd09; nobody can tell it from the file.
        provider: name of a provider.
        layer: layer of a GeoPackage with several.
        season_start: first day; the last full crop year where not given (1 October to 15 December of the next year).
        season_end: last day.
        today: day the default season is counted from; the day in UTC where not given.
        declared_area_unit: m2, mu, ha or acre; a line to fill in where not given and the columns do not say it.

    Returns:
        `out`.

    Raises:
        ConfigError: `out` exists or cannot be written, the datum or unit is none of the four, or the season does
            not rise.
        InputError: the farm file cannot be read.
    """
    out = Path(out)
    for name, word, known in (("datum", datum, list(get_args(Datum))), ("unit", declared_area_unit, list(M2_PER_UNIT))):
        if word is not None and word not in known:
            close = difflib.get_close_matches(word, known, n=1)
            near = f"did you mean {close[0]!r}? " if close else ""
            raise ConfigError(f"{name} {word!r} is not known", hint=f"{near}known: {', '.join(known)}")
    if out.exists():
        raise ConfigError(f"{out}: is already there", hint="give another file with --out, or move the old one away")
    season = _season(season_start, season_end, today)
    with open_parcel_file(Path(parcels_path), layer) as file:
        text = TEMPLATE.format(
            out_name=out.name,
            name=_quoted(_slug(out.stem if out.stem != "region" else Path(parcels_path).stem)),
            start=season.start,
            end=season.end,
            provider=_quoted(provider),
            path=_quoted(_relative(Path(parcels_path), out)),
            datum=datum,
            layer="" if layer is None else f"  layer: {_quoted(layer)}\n",
            crs="  # NEEDED: the file does not say its CRS, e.g. EPSG:4326\n  crs:\n" if file.crs is None else "",
            columns=_one_line(", ".join(file.columns) or "none"),
            mapping=_mapping(file),
            unit=_unit(file) if declared_area_unit is None else f"  declared_area_unit: {declared_area_unit}\n",
            crops=", ".join(list_configs("crops")) or "winter_cereal, maize",
        )
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with out.open("x", encoding="utf-8", newline="\n") as target:
            target.write(text)
    except OSError as error:
        raise ConfigError(f"{out}: cannot be written: {error.strerror}", hint="give another file with --out") from error
    return out


def _season(start: date | None, end: date | None, today: date | None) -> SeasonSettings:
    """The season given, or the last crop year that is over."""
    today = today or datetime.now(UTC).date()
    if end is None:
        year = start.year + 1 if start is not None else today.year - (today <= date(today.year, *SEASON_END))
        end = date(year, *SEASON_END)
    start = start or date(end.year - 1, *SEASON_START)
    try:
        return SeasonSettings(start=start, end=end)
    except ValueError as error:
        words = str(error).splitlines()[-2].strip().removeprefix("Value error, ").partition(" [type=")[0]
        raise ConfigError(f"season: {words}", hint="mend --season-start and --season-end") from error


def _mapping(file: ParcelFile) -> str:
    """The `columns:` group, with a choice to make where no name says which column is meant."""
    guessed = guess_columns(file)
    lines = ["  # Which column is what (the left names are acreline's).", "  columns:"]
    parcel = guessed.get("parcel_id")
    if parcel is None:
        lines += [
            "    # No column looks like a parcel id, so parcels go by the file's own row number; a column whose values",
            "    # stay the same from year to year is better.",
        ]
    lines.append(f"    parcel_id: {_quoted(parcel or FID)}")
    if "farm_id" in guessed:
        lines.append(f"    farm_id: {_quoted(guessed['farm_id'])}")
    else:
        lines += [
            "    # NEEDED: no column looks like a farm id. A farm is who asks for the loan; it may own many parcels.",
            "    # Take the mark away from one of these lines, and name the right column:",
            "    # farm_id: <the column that names the farm>",
            f"    # farm_id: {_quoted(parcel or FID)}  # each parcel is a farm of its own",
        ]
    lines += [f"    {ours}: {_quoted(guessed[ours])}" for ours in sorted(set(guessed) - {"parcel_id", "farm_id"})]
    return "\n".join(lines) + "\n"


def _unit(file: ParcelFile) -> str:
    """A line for the unit of declared areas, where the file has some and their name does not say it."""
    guessed = guess_columns(file)
    bare = [guessed[key] for key in ("declared_area", "registry_area") if guessed.get(key) == key]
    if not bare:
        return ""
    return f"  # NEEDED: the unit of {' and '.join(bare)}: {', '.join(M2_PER_UNIT)}\n  declared_area_unit:\n"


def _relative(path: Path, out: Path) -> str:
    target, base = path.resolve(), out.resolve().parent
    try:
        return Path(os.path.relpath(target, base)).as_posix()
    except ValueError:  # another drive
        return target.as_posix()


def _slug(stem: str) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:63].strip("-")
    return slug or "my-region"


def _quoted(text: str) -> str:
    """Text that YAML reads back as the same text: plain where that is safe, else in quotes."""
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_./-]*", text) and text.lower() not in ("y", "n", "yes", "no", "on", "off"):
        return text if text.lower() not in ("true", "false", "null") else json.dumps(text)
    return json.dumps(text, ensure_ascii=False)


def _one_line(text: str) -> str:
    """Text that cannot leave a comment line."""
    return " ".join(text.split())
