# SPDX-License-Identifier: Apache-2.0
"""What the facts that a limit may see tell of a group of people: a group is predicted from each of them and from all.

The groups (a village, a language) stand in a table of their own that no rule, run or publication ever reads. A feature
from which a group can be predicted much better than by chance can stand in for it: whoever writes a policy should know.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from acreline.errors import ConfigError, InputError, StoreError
from acreline.privacy import Features, read_purposes
from acreline.records import Farm, Interval

if TYPE_CHECKING:
    import pandas as pd

ALL = "all together"
FEWEST_OF_GROUP = 20
"""Farms; smaller groups are left out and counted."""
FOLDS = 5
TREES = 60
LEAST_LEAF = 5
ONCE_IN = 20
"""By chance one test in so many, all features taken together, has a feature above the bar of chance."""
IDENTIFIERS = ("farm.parcel_ids", "stand.parcel_id")
"""Names of pieces of land: no rule reads more of them than how many there are."""


@dataclass(frozen=True)
class ProxyReport:
    """How well groups are told from what a limit may see."""

    table: pd.DataFrame
    """feature, auc (0.5: chance, 1: told without fail), chance_high (above it by chance once in `ONCE_IN` tests), tells
    (auc above it), n; the row `all together` last."""
    groups: Mapping[str, int]
    """Groups that took part, with their farms."""
    left_out: int
    """Farms without a group, or of groups that are too small."""
    simulated: bool = False


def measure_proxies(
    farms: Sequence[Farm], groups: Mapping[str, str], as_of: date, *, seed: int = 2018, simulated: bool = False
) -> ProxyReport:
    """Predict the group of each farm from each fact that a limit may see, and from all of them.

    A random forest, by cross-validation: a farm is told by trees that never saw it. Of several groups the AUC is the
    mean over each against the rest. Chance: the null variance of the Mann-Whitney statistic, shared among the features.

    Args:
        farms: as the engine is given them.
        groups: farm_id -> group.
        as_of: day of the decision.
        seed: of the folds and of the trees.
        simulated: the farms are.

    Raises:
        InputError: fewer than two groups have `FEWEST_OF_GROUP` farms.
        ConfigError: scikit-learn is not installed.
    """
    import pandas as pd

    known = pd.Series([groups.get(farm.farm_id) for farm in farms], dtype=object)
    counts = known.value_counts()
    large = sorted(str(name) for name in counts.index[counts >= FEWEST_OF_GROUP])
    if len(large) < 2:
        raise InputError(
            f"{len(large)} groups have {FEWEST_OF_GROUP} farms or more of the {len(farms)} of the run; two are needed",
            hint="a group that cannot be told from another in this many farms says nothing; join groups, or more runs",
        )
    kept = known.isin(large).to_numpy()
    label = known[kept].to_numpy(dtype=object).astype(str)
    columns = {name: table[kept] for name, table in engine_columns(farms, as_of).items()}
    columns = {name: table for name, table in columns.items() if (table.nunique(dropna=False) > 1).any()}
    chance = chance_high([int(counts[name]) for name in large], tests=len(columns) + 1)
    columns[ALL] = pd.concat(columns, axis=1) if columns else pd.DataFrame(index=range(len(label)))
    rows = []
    for name, table in columns.items():
        auc = _auc(table.to_numpy(float), label, seed)
        rows.append({"feature": name, "auc": auc, "chance_high": chance, "tells": auc > chance, "n": len(label)})
    order = pd.DataFrame(rows)
    last = order["feature"] == ALL
    table = pd.concat([order[~last].sort_values(["auc", "feature"], ascending=[False, True]), order[last]])
    told = {name: int(counts[name]) for name in large}
    return ProxyReport(table.reset_index(drop=True), told, int((~kept).sum()), simulated)


def engine_columns(farms: Sequence[Farm], as_of: date) -> dict[str, pd.DataFrame]:
    """Every feature of `configs/privacy/purposes.yaml` as columns of numbers, (farm, column); NaN: not known.

    Texts and lists of texts become one column each, dates days before the decision, intervals their three ends. Of
    stands: mean, least and most over those of a farm. Identifiers are counted, never read.
    """
    features: Features = read_purposes().features
    values: dict[str, list[dict[str, float]]] = {}
    for name in features.farm:
        if name not in ("stands", "applicant"):
            found = [getattr(farm, name) for farm in farms]
            values[f"farm.{name}"] = [_numbers(_counted(f"farm.{name}", value), as_of) for value in found]
    for name in features.stand:
        values[f"stand.{name}"] = [
            _over_stands([_numbers(_counted(f"stand.{name}", getattr(one, name)), as_of) for one in farm.stands])
            for farm in farms
        ]
    for name in features.applicant:
        values[f"applicant.{name}"] = [_numbers(getattr(farm.applicant, name, None), as_of) for farm in farms]
    return {name: _table(rows) for name, rows in values.items()}


def _counted(name: str, value: Any) -> Any:
    return (len(value) if isinstance(value, tuple) else 1) if name in IDENTIFIERS else value


def _numbers(value: Any, as_of: date) -> dict[str, float]:
    """One fact as named numbers; a name that is not there is not known, or 0 for `is ...`."""
    if value is None:
        return {}
    if isinstance(value, int | float | Decimal):
        return {"": float(value)}
    if isinstance(value, str):
        return {f"is {value}": 1.0}
    if isinstance(value, date):
        return {"days": float((as_of - value).days)}
    if isinstance(value, Interval):
        return {"low": value.low, "mid": value.mid, "high": value.high}
    if isinstance(value, tuple):
        words = {f"is {one}": 1.0 for one in value if isinstance(one, str)}
        return words | {f"is {one.event}": float(one.share) for one in value if hasattr(one, "event")}
    raise ConfigError(
        f"a feature of type {type(value).__name__} cannot be tried as a proxy",
        hint="say in acreline/trial/proxies.py how it becomes numbers",
    )


def _over_stands(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    out: dict[str, float] = {}
    for name in {name for row in rows for name in row}:
        some = [row[name] for row in rows if name in row]
        if name.startswith("is "):
            out[name] = sum(some) / len(rows)
        else:
            out |= {f"mean {name}": float(np.mean(some)), f"least {name}": min(some), f"most {name}": max(some)}
    return out


def _table(rows: Sequence[Mapping[str, float]]) -> pd.DataFrame:
    import pandas as pd

    names = sorted({name for row in rows for name in row})
    columns = {name: [row.get(name, 0.0 if name.startswith("is ") else math.nan) for row in rows] for name in names}
    return pd.DataFrame(columns, index=range(len(rows)), dtype=float)


def chance_high(sizes: Sequence[int], *, tests: int) -> float:
    """AUC that chance alone passes once in `ONCE_IN` runs of so many tests; of several groups that of the smallest.

    >>> round(chance_high([100, 100], tests=1), 3)
    0.567
    """
    few = min(sizes)
    rest = sum(sizes) - few
    spread = math.sqrt((few + rest + 1) / (12 * few * rest))
    return 0.5 + NormalDist().inv_cdf(1 - 1 / (ONCE_IN * tests)) * spread


def _auc(columns: Any, label: Any, seed: int) -> float:
    try:
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.metrics import roc_auc_score
        from sklearn.model_selection import StratifiedKFold, cross_val_predict
    except ImportError as error:
        raise ConfigError("the proxy test needs scikit-learn", hint="pip install 'acreline[evaluate]'") from error
    if columns.shape[1] == 0:
        return 0.5
    forest = RandomForestClassifier(TREES, min_samples_leaf=LEAST_LEAF, random_state=seed, class_weight="balanced")
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    told = cross_val_predict(forest, columns, label, cv=folds, method="predict_proba")
    names = np.unique(label)
    if len(names) == 2:
        return float(roc_auc_score(label == names[1], told[:, 1]))
    return float(np.mean([roc_auc_score(label == name, told[:, at]) for at, name in enumerate(names)]))


def read_groups(path: Path, farm_ids: Sequence[str]) -> dict[str, str]:
    """The group of each farm, from a table that is used for nothing else.

    Args:
        path: CSV in UTF-8 with farm_id and group; a farm may be missing.
        farm_ids: of the run.

    Raises:
        InputError: it cannot be read, lacks a column, has an empty cell, a farm twice, or none of the run's farms.
    """
    import pandas as pd

    try:
        table = pd.read_csv(path, dtype="string", encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {error}", hint="CSV in UTF-8 with farm_id, group") from error
    if not {"farm_id", "group"} <= set(table.columns):
        raise InputError(
            f"{path}: needs the columns farm_id and group; found {list(table.columns)}",
            hint="one line per farm: its id and the group of who farms it",
        )
    empty, twice = table[["farm_id", "group"]].isna().any(axis=1), table["farm_id"].duplicated()
    if empty.any():
        raise InputError(f"{path}, line {int(empty.argmax()) + 2}: an empty cell", hint="leave the line out")
    if twice.any():
        raise InputError(f"{path}, line {int(twice.argmax()) + 2}: a farm stands twice", hint="one line per farm")
    if not set(table["farm_id"]) & set(farm_ids):
        raise InputError(f"{path}: none of the run's {len(farm_ids)} farms is in it", hint="ids as in the parcel file")
    return dict(zip(table["farm_id"].astype(str), table["group"].astype(str), strict=True))


def proxy_lines(report: ProxyReport) -> list[str]:
    """The report for a terminal."""
    names = ", ".join(f"{name} {n}" for name, n in report.groups.items())
    lines = [f"groups: {names}; {report.left_out} farms left out"]
    lines += ["SIMULATED DATA: these are no people"] if report.simulated else []
    lines.append(f"{'feature':<28} {'AUC':>5}  chance up to")
    for row in report.table.to_dict("records"):
        tells = "  tells of the group" if row["tells"] else ""
        lines.append(f"{row['feature']:<28} {row['auc']:5.2f}  {row['chance_high']:.2f}{tells}")
    return [*lines, "0.5: no better than chance; 1: the group is told without fail"]


def write_proxies(report: ProxyReport, path: Path) -> None:
    """Write the report as JSON: sums alone, nothing of one farm.

    Raises:
        StoreError: it cannot be written.
    """
    rows = [
        {str(name): round(value, 4) if isinstance(value, float) else value for name, value in row.items()}
        for row in report.table.to_dict("records")
    ]
    facts = {"groups": dict(report.groups), "left_out": report.left_out, "simulated": report.simulated,
             "folds": FOLDS, "features": rows}  # fmt: skip
    try:
        path.write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error}", hint="check the folder of --out") from error
