# SPDX-License-Identifier: Apache-2.0
"""What two runs saw and decided, as samples whose drift can be measured, and the drift in words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from acreline.errors import ConfigError, StoreError
from acreline.layers import BANDS, INDICES
from acreline.review.compare import records
from acreline.review.drift import ALERT, LEVEL, NOTE, VERDICTS, Floats, measure_drift
from acreline.review.files import SIMULATED
from acreline.review.page import Page, Section, Words, bars
from acreline.review.policy_page import aligned
from acreline.store import read_manifest

if TYPE_CHECKING:
    import pandas as pd

PARCEL_FEATURES = ("metrics:area", "clear_looks", "crop_confidence", "vigour", "planted_fraction")
FARM_FEATURES = ("planted_mu", "value_mid")
PARCEL_CLASSES = ("status", "crop", "health")
BIN_COLUMNS = ("bin_names", "counts_since", "counts_now")
UNIT = 1e4
"""Sums of looks are in ten-thousandths of reflectance or index."""
WORDS: dict[str, Words] = {
    "alert": ("alert", "警报"),
    "note": ("note", "提示"),
    "small_sample": ("within chance", "样本少，属随机"),
    "stable": ("stable", "稳定"),
    "too_few": ("too few", "数量不足"),
}


@dataclass(frozen=True)
class Drift:
    """What has moved between two runs."""

    table: pd.DataFrame
    """`drift.COLUMNS`."""
    run: str
    since: str
    """Region and day of each."""
    months: tuple[int, ...]
    """Calendar months with clear looks in both, whose reflectance is compared."""
    simulated: bool


def drift_runs(run: Path, since: Path) -> Drift:
    """Measure how far what a run saw and decided has drifted from an earlier one.

    Reflectance and indices are the means of a parcel over its clear looks in the calendar months that both runs saw, so
    that a run of July is not held against the winter of another. Parcels are taken as independent, which neighbours are
    not: the test errs towards telling drift.

    Args:
        run: folder of the publication under review.
        since: of the one it is held against, e.g. the season the model or the policy was last validated on.

    Raises:
        ConfigError: both are the same publication.
        StoreError: a publication cannot be read.
    """
    if run.resolve() == since.resolve():
        raise ConfigError(f"{run}: held against itself", hint="name an earlier run with --since")
    heads = [read_manifest(folder) for folder in (since, run)]
    tables = [_read(folder) for folder in (since, run)]
    months = sorted(set.intersection(*(_months(one["looks"]) for one in tables)))
    sides = [_samples(one, months) for one in tables]
    features = [(name, sides[0][0][name], sides[1][0][name]) for name in sides[0][0]]
    classes = [(name, sides[0][1][name], sides[1][1][name]) for name in sides[0][1]]
    names = [f"{head.get('region')} as of {head.get('as_of')}" for head in heads]
    simulated = any(head.get("simulated") for head in heads)
    return Drift(measure_drift(features, classes), names[1], names[0], tuple(months), simulated)


def _read(folder: Path) -> dict[str, Any]:
    import pandas as pd

    sums = [f"sum_{name}" for name in (*BANDS, *INDICES)]
    columns = {
        "looks": ["parcel_id", "time", "n_clear", *sums],
        "parcels": ["id", *PARCEL_FEATURES, *PARCEL_CLASSES],
        "farms": ["farm_id", *FARM_FEATURES],
        "decisions": ["farm_id", "outcome", "limit"],
    }
    try:
        return {name: pd.read_parquet(folder / f"{name}.parquet", columns=wanted) for name, wanted in columns.items()}
    except (OSError, ValueError) as error:
        raise StoreError(f"{folder}: cannot be read: {error}", hint="see `acreline verify`") from error


def _months(looks: pd.DataFrame) -> set[int]:
    return set(looks.loc[looks["n_clear"] > 0, "time"].dt.month.astype(int))


def _samples(tables: dict[str, Any], months: list[int]) -> tuple[dict[str, Floats], dict[str, list[str | None]]]:
    parcels = tables["parcels"][tables["parcels"]["status"] != "rejected"]
    looks = tables["looks"]
    looks = looks[(looks["n_clear"] > 0) & looks["time"].dt.month.isin(months)]
    sums = looks.groupby("parcel_id")[["n_clear", *(f"sum_{name}" for name in (*BANDS, *INDICES))]].sum()
    seen = sums.drop(columns="n_clear").div(sums["n_clear"] * UNIT, axis=0)
    features = {name: _floats(seen[f"sum_{name}"]) for name in (*BANDS, *INDICES)}
    features |= {name.removeprefix("metrics:"): _floats(parcels[name]) for name in PARCEL_FEATURES}
    features |= {name: _floats(tables["farms"][name]) for name in FARM_FEATURES}
    features["limit"] = _floats(tables["decisions"]["limit"])
    classes = {name: _names(parcels[name]) for name in PARCEL_CLASSES}
    classes["outcome"] = _names(tables["decisions"]["outcome"])
    return features, classes


def _floats(column: pd.Series[Any]) -> Floats:
    import pandas as pd

    return np.asarray(pd.to_numeric(column).astype("Float64").to_numpy(dtype="float64", na_value=np.nan))


def _names(column: pd.Series[Any]) -> list[str | None]:
    return [str(one) if isinstance(one, str) else None for one in column]


def drift_lines(drift: Drift) -> list[str]:
    """The table for a terminal, the gravest first, and what was found in one line."""
    lines = ["on simulated data"] if drift.simulated else []
    lines.append(f"{drift.run}, held against {drift.since}")
    rows = [["", "verdict", "PSI", "by chance", "bins", "n since", "n now", "mean since", "mean now"]]
    rows += [[f"{row['kind']} {row['name']}", WORDS[row["verdict"]][0], *_cells(row)] for row in records(drift.table)]
    counts = drift.table["verdict"].value_counts()
    told = ", ".join(f"{int(counts[name])} {WORDS[name][0]}" for name in VERDICTS if name in counts)
    return [*lines, *aligned(rows), told, *(words[0] for words in _notes(drift))]


def _cells(row: dict[str, Any]) -> list[str]:
    def cell(name: str, digits: str) -> str:
        value = row[name]
        return "–" if value is None or value != value else format(value, digits)

    return [cell("psi", ".3f"), cell("critical", ".3f"), str(row["bins"]), str(row["n_since"]), str(row["n_now"]),
            cell("mean_since", ".4g"), cell("mean_now", ".4g")]  # fmt: skip


def _notes(drift: Drift) -> list[Words]:
    months = ", ".join(map(str, drift.months)) or "none"
    return [
        (
            f"note over {NOTE:.2f}, alert over {ALERT:.2f}, and only where the index is above what chance gives so few "
            f"({LEVEL:.0%} over all rows together; chi-square, Yurdakul and Naranjo 2020)",
            f"指数超过{NOTE:.2f}提示、超过{ALERT:.2f}警报，且须高于样本量下的随机水平（全部合计{LEVEL:.0%}）",
        ),
        (f"reflectance of calendar months seen by both: {months}", f"反射率只比较两次都有影像的月份：{months}"),
        (
            "parcels are taken as independent, which neighbours are not: the test errs towards telling drift",
            "假定地块相互独立；相邻地块并非如此，检验偏于报警",
        ),
    ]


def drift_figures(drift: Drift) -> dict[str, Any]:
    """All of it as plain values."""
    return {
        "run": drift.run,
        "since": drift.since,
        "months": list(drift.months),
        "simulated": drift.simulated,
        "thresholds": {"note": NOTE, "alert": ALERT, "level": LEVEL},
        "rows": records(drift.table),
    }


def drift_page(drift: Drift) -> Page:
    """Drift as a page: the index beside what chance gives, then every row with its bins."""
    rows = records(drift.table)
    drawn = [(row["name"], (row["psi"], row["critical"])) for row in rows if row["verdict"] != "too_few"]
    counts = drift.table["verdict"].value_counts()
    cards = [(str(int(counts.get(name, 0))), WORDS[name]) for name in VERDICTS]
    sections = []
    if drawn:
        names = [("index", "指数"), ("what chance gives so few", "随机水平")]
        sections.append(Section(("Population stability index", "群体稳定性指数"), chart=bars(drawn, names)))
    heads = [("name", "名称"), ("verdict", "结论"), ("PSI", "指数"), ("by chance", "随机水平"), ("bins", "分箱"),
             ("n since", "原数量"), ("n now", "现数量"), ("mean since", "原均值"), ("mean now", "现均值")]  # fmt: skip
    cells = [[f"{row['kind']} {row['name']}", " ".join(WORDS[row["verdict"]]), *_cells(row)] for row in rows]
    sections.append(Section(("Feature by feature, class by class", "逐项"), heads, cells, _notes(drift)))
    shares = [
        [row["name"], name, since, now]
        for row in rows
        for name, since, now in zip(*(row[column].split("|") for column in BIN_COLUMNS), strict=True)
    ]  # fmt: skip
    heads = [("name", "名称"), ("bin", "分箱"), ("n since", "原数量"), ("n now", "现数量")]
    sections.append(Section(("Bins", "分箱"), heads, shares))
    title = (f"{drift.run}: what has drifted", f"{drift.run}：分布漂移")
    return Page(title, (f"Held against {drift.since}.", f"对照 {drift.since}。"), cards, sections,
                [SIMULATED] if drift.simulated else [])  # fmt: skip
