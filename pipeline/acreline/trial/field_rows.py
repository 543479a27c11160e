# SPDX-License-Identifier: Apache-2.0
"""Fields by date, for health and yield: a table of reflectance rows, or a folder of pictures cut to fields."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from acreline.errors import InputError
from acreline.layers import MIN_FULL_PX
from acreline.trial.read import digest_of

if TYPE_CHECKING:
    import pandas as pd

KINDS = (
    "rows: a CSV or parquet table with a date, surface reflectance in B03 B04 B05 B06 B07 B8A B11 B12 (0 to 1 or x "
    "10000), an id of the field and whatever was measured there",
    "pictures: a folder with index.csv (field, datetime, path), fields.geojson (Name, Type) and GeoTIFFs of 19 bands",
)
IDS = ("id", "field", "field_id", "parcel_id", "parcel", "plot", "plot_id", "sample_id", "site", "point", "name")
DATES = ("date", "datetime", "time", "timestamp", "day", "acquired")
NO_DATA = 65535
PICTURE_BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")
CLOUD, INSIDE, FIRST_BAND = 0, 1, 2
"""Bands of a picture by place: cloud mask, the field, then `PICTURE_BANDS`; the rest is not read."""
PICTURE_COUNT = 14
HAZE_BLUE = 0.18
"""Reflectance of B02 from which a field is no field but a cloud: dry bright soil stays below."""
CROPS = {"WW": "winter_cereal", "WG": "winter_barley", "SG": "spring_cereal", "WR": "rapeseed", "KM": "maize"}
"""Codes of crops in pictures of Bavarian farms."""
HARVESTED = {
    "weizen": "winter_cereal",
    "gerste": "winter_barley",
    "raps": "rapeseed",
    "mais": "maize",
    "wheat - winter": "winter_cereal",
    "barley - winter": "winter_barley",
    "barley - spring": "spring_cereal",
}
"""What combines log, in small letters."""
DT_PER_T = 10.0


@dataclass(frozen=True)
class FieldRows:
    """Fields by date."""

    name: str
    digest: str
    looks: pd.DataFrame
    """One row per field and date, as they came: id (str), date (datetime64[ns]), clear_share, and one column a band:
    reflectance 0 to 1, NaN = not seen."""
    bands: tuple[str, ...]
    measured: pd.DataFrame
    """What else stands in the rows, in their order: numbers and words by column."""
    fields: pd.DataFrame
    """By id: crop (slug or the source's own word, empty = not said), yield_t_per_ha (NaN = not known) and harvested
    (what was logged when it was cut, as crop; empty = not known)."""
    notes: tuple[str, ...]

    @property
    def values(self) -> npt.NDArray[np.float32]:
        """(row, band)."""
        return self.looks[list(self.bands)].to_numpy(np.float32)


def read_field_rows(path: Path) -> FieldRows:
    """Read fields by date.

    Raises:
        InputError: it is of no known kind, a column is missing, or a picture is damaged.
    """
    if path.is_dir() and (path / "index.csv").is_file():
        return _read_pictures(path)
    if path.is_file() and path.suffix in (".csv", ".parquet"):
        return _read_table(path)
    raise InputError(
        f"{path}: no table of reflectance and no folder of pictures", hint="known kinds: " + "; ".join(KINDS)
    )


def band_of(column: str) -> str | None:
    """The band that a column's name speaks of: B5, B05_mean, S2-L2A-B05 and band_5 are B05; None: of none."""
    found = re.search(r"(?:^|[^A-Za-z0-9])(?:B|band[_ ]?)(0?\d{1,2}A?)(?:$|[^A-Za-z0-9])", column, re.IGNORECASE)
    if found is None:
        return None
    digits = found.group(1).upper().removeprefix("0")
    return f"B{digits}" if digits.endswith("A") else f"B{int(digits):02d}"


def _read_table(path: Path) -> FieldRows:
    import pandas as pd

    try:
        table = pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path.name}: cannot be read: {error}", hint="give CSV in UTF-8, or parquet") from error
    if table.empty:
        raise InputError(f"{path.name}: has no rows", hint="give one row per field and date")
    lower = {str(name).strip().lower(): name for name in reversed(list(table.columns))}
    id_column, date_column = (next((lower[name] for name in names if name in lower), None) for names in (IDS, DATES))
    if date_column is None:
        raise InputError(
            f"{path.name}: no column says the date; found {', '.join(map(str, table.columns))}",
            hint=f"name it one of {', '.join(DATES)}",
        )
    dates = _dates(path, table[date_column])
    named = {band: column for column in reversed(list(table.columns)) if (band := band_of(str(column))) is not None}
    notes = []
    values = table[list(named.values())].apply(pd.to_numeric, errors="coerce").to_numpy(np.float64, copy=True)
    values[(values == NO_DATA) | (values <= 0)] = np.nan
    if values.size and np.isfinite(values).any() and np.nanmedian(values) > 2:
        values /= 10_000
        notes.append("reflectance was given x 10000")
    ids = np.arange(len(table)).astype(str) if id_column is None else table[id_column].astype(str).to_numpy()
    if id_column is None:
        notes.append("no column names the field: each row stands for itself")
    looks = pd.DataFrame(values, columns=list(named)).assign(id=ids, date=dates.to_numpy(), clear_share=1.0)
    used = {id_column, date_column, *named.values()}
    rest = table[[column for column in table.columns if column not in used]].reset_index(drop=True)
    twice = looks.duplicated(["id", "date"], keep=False)
    if twice.any():
        key = [looks["id"], looks["date"]]
        notes.append(f"{int(twice.sum())} rows share field and date with others: each such group is one look, its mean")
        rest, looks = _one_each(rest, key), _one_each(looks, key)
        ids = looks["id"].to_numpy()
    fields = _fields_of(rest.assign(id=ids))
    return FieldRows(path.name, digest_of([path]), looks, tuple(named), rest, fields, tuple(notes))


def _dates(path: Path, column: pd.Series[Any]) -> pd.Series[Any]:
    """Days or moments of a column, in UTC; the first that is none is named with its line."""
    import pandas as pd

    try:
        found = pd.to_datetime(column, format="ISO8601", utc=True, errors="coerce")
    except (ValueError, TypeError) as error:
        raise InputError(
            f"{path.name}: column {column.name} holds no dates", hint="write dates as 2018-06-15"
        ) from error
    odd = found.isna()
    if odd.any():
        at = int(odd.to_numpy().argmax())
        told = "is empty" if pd.isna(column.iloc[at]) else f"is {str(column.iloc[at])!r}, which is no date"
        raise InputError(
            f"{path.name}, line {at + 2}: {column.name} {told} ({int(odd.sum())} such lines)",
            hint="write dates as 2018-06-15",
        )
    return found.dt.tz_localize(None)


def _one_each(table: pd.DataFrame, key: list[pd.Series[Any]]) -> pd.DataFrame:
    """One row for each field and date, in the order they came: the mean of numbers, the first of words."""
    import pandas as pd

    numbers = [name for name in table.columns if pd.api.types.is_numeric_dtype(table[name])]
    how = {name: "mean" if name in numbers else "first" for name in table.columns}
    if not how:
        return pd.DataFrame(index=range(table.groupby(key, sort=False).ngroups))
    one: pd.DataFrame = table.groupby([part.rename(None) for part in key], sort=False).agg(how).reset_index(drop=True)
    return one


def _fields_of(rest: pd.DataFrame) -> pd.DataFrame:
    """Crop and yield by field, from columns that say so."""
    import pandas as pd

    lower = {str(name).lower(): name for name in rest.columns}
    first = rest.groupby("id", sort=True).first()
    crop = next((lower[name] for name in ("crop", "type", "label", "declared_crop") if name in lower), None)
    words = first[crop].fillna("").astype(str) if crop is not None else pd.Series("", index=first.index)
    harvest = next((lower[name] for name in ("yield_t_per_ha", "yield_t_ha", "yield") if name in lower), None)
    told = pd.to_numeric(first[harvest], errors="coerce") if harvest is not None else np.nan
    cut = next((lower[name] for name in ("harvested", "harvested_crop", "harvester_product") if name in lower), None)
    logged = first[cut].fillna("").astype(str) if cut is not None else pd.Series("", index=first.index)
    return pd.DataFrame(
        {
            "crop": words.map(lambda word: CROPS.get(word, word)),
            "yield_t_per_ha": told,
            "harvested": logged.map(_harvested),
        }
    )


def _harvested(word: str) -> str:
    """Crop that a combine's word means; a word that is not known stays as it is."""
    return HARVESTED.get(word.strip().lower(), CROPS.get(word.strip(), word.strip()))


def _read_pictures(folder: Path) -> FieldRows:
    import pandas as pd

    from acreline.rasters import read_raster

    try:
        index = pd.read_csv(folder / "index.csv")
        shapes = json.loads((folder / "fields.geojson").read_text(encoding="utf-8"))["features"]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{folder.name}: cannot be read: {error}", hint="known kinds: " + "; ".join(KINDS)) from error
    missing = [name for name in ("field", "datetime", "path") if name not in index.columns]
    if missing:
        raise InputError(f"{folder.name}/index.csv: columns {missing} are missing", hint=KINDS[1])
    rows = []
    for look in index.itertuples():
        file = folder / str(look.path)
        picture = read_raster(file)[0]
        if len(picture) < PICTURE_COUNT:
            raise InputError(f"{file.name}: {len(picture)} bands where 19 were expected", hint=KINDS[1])
        rows.append({"id": str(look.field), "date": str(look.datetime), **_mean_look(picture)})
    looks = pd.DataFrame(rows)
    looks["date"] = pd.to_datetime(looks["date"], format="ISO8601", utc=True).dt.tz_localize(None)
    fields = pd.DataFrame([_field_facts(shape["properties"]) for shape in shapes]).set_index("id")
    files = [folder / "index.csv", folder / "fields.geojson", *(folder / str(path) for path in index["path"])]
    nothing = pd.DataFrame(index=looks.index)
    notes = ("means over pixels off the field's edge that the cloud mask leaves",)
    return FieldRows(folder.name, digest_of(files), looks, PICTURE_BANDS, nothing, fields, notes)


def _mean_look(picture: npt.NDArray[Any]) -> dict[str, float]:
    """Mean reflectance of the clear pixels of a field in one picture, and how much of it was clear."""
    inside = picture[INSIDE] > 0
    inner = inside.copy()
    for axis in (0, 1):
        for shift in (1, -1):
            inner &= np.roll(np.pad(inside, 1), shift, axis=axis)[1:-1, 1:-1]
    wanted = inner if inner.sum() >= MIN_FULL_PX else inside
    clear = wanted & (picture[CLOUD] == 0) & (picture[FIRST_BAND + PICTURE_BANDS.index("B02")] < HAZE_BLUE)
    share = float(clear.sum() / max(wanted.sum(), 1))
    if not clear.any():
        return {"clear_share": 0.0, **dict.fromkeys(PICTURE_BANDS, np.nan)}
    means = picture[FIRST_BAND : FIRST_BAND + len(PICTURE_BANDS)][:, clear].astype(np.float64).mean(axis=1)
    return {"clear_share": round(share, 4), **dict(zip(PICTURE_BANDS, means.tolist(), strict=True))}


def _field_facts(properties: dict[str, Any]) -> dict[str, Any]:
    code = str(properties.get("Type") or properties.get("crop") or "")
    given = properties.get("Ertrag")
    harvest = properties.get("yield_t_per_ha") if given is None else float(given) / DT_PER_T
    return {
        "id": str(properties.get("Name") or properties.get("field") or properties.get("id")),
        "crop": CROPS.get(code, code),
        "yield_t_per_ha": np.nan if harvest is None else float(harvest),
        "harvested": _harvested(str(properties.get("harvester_product") or properties.get("harvested") or "")),
    }


def clear_series(rows: FieldRows, least_clear: float = 0.5) -> pd.DataFrame:
    """Looks that show a field: enough of it clear and every band that is read measured; sorted by id and date."""
    from acreline.inversion import band_places

    read: Sequence[str] = [rows.bands[place] for place in band_places(rows.bands)]
    seen = rows.looks[rows.looks["clear_share"] >= least_clear].dropna(subset=read)
    return seen.sort_values(["id", "date"], kind="stable")
