# SPDX-License-Identifier: Apache-2.0
"""The segments of a finished run, for a terminal and as files: read, judged, laid beside what was excepted."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acreline.desk import decide_again
from acreline.errors import InputError, StoreError
from acreline.records import Decision
from acreline.report.read import read_table
from acreline.retired import utc_now
from acreline.store import read_manifest
from acreline.trial.exceptions import EXCEPTED, read_exceptions, with_exceptions
from acreline.trial.farm_truth import decided_farms
from acreline.trial.season_curve import read_truth
from acreline.trial.segments import FEW, FEWEST, LOWEST_RATIO, MOST_BIAS, NEEDS, segment_farms

if TYPE_CHECKING:
    import pandas as pd

STOP = "\N{EN DASH}"


@dataclass(frozen=True)
class SegmentReport:
    """Segments of one run under one policy."""

    table: pd.DataFrame
    """Of `segment_farms`, with `exception`."""
    policy_id: str
    currency: str
    simulated: bool
    truth_known: bool

    @property
    def needs(self) -> list[str]:
        """Segments that need an exception and have none, in words."""
        return [
            f"{row['kind']} {row['segment']} ({row['failing'].replace('|', ', ')})"
            for row in self.table.to_dict("records")
            if row["verdict"] == NEEDS
        ]


def report_segments(
    publication: Path,
    *,
    truth: Path | None = None,
    policy: str | None = None,
    rate: Decimal | None = None,
    slope: Path | None = None,
    exceptions: Path | None = None,
    now: datetime | None = None,
) -> SegmentReport:
    """Cut the farms of a publication into segments and judge them.

    Args:
        publication: its folder.
        truth: folder with `parcels.parquet` (parcel_id, farm_id, slot, crop, class, planted_m2) and `yields.parquet`
            (parcel_id, slot, crop, yield_kg_per_ha, value), as `acreline simulate` leaves it; None: not known.
        policy: name or path of a policy to decide by instead of the run's own.
        rate: units of its currency for one of the run's, where the two differ.
        slope: CSV with farm_id and slope_deg; None: not known.
        exceptions: the bank's own list, beside the packaged one.
        now: the instant by which exceptions hold; None: the machine's clock.

    Raises:
        ConfigError: the policy or a list of exceptions is wrong.
        InputError: truth or slopes cannot be read, lack columns, or tell of none of the farms.
        StoreError: a table of the publication is missing or damaged.
    """
    manifest = read_manifest(publication)
    told = {name: read_table(publication, name).to_pandas() for name in ("farms", "stands", "decisions")}
    decisions: list[Decision] | pd.DataFrame = told["decisions"]
    policy_id, currency = str(manifest["policy"]["id"]), _currency(told["decisions"]["currency"])
    if policy is not None:
        decisions = decide_again(publication, policy, rate=rate)[1]
        policy_id = decisions[0].policy_id.partition("@")[0] if decisions else policy
        currency = decisions[0].currency if decisions else ""
    farms = decided_farms(
        told,
        decisions,
        None if truth is None else _truth(truth, told["farms"]),
        None if slope is None else _slopes(slope),
    )
    table = with_exceptions(segment_farms(farms), read_exceptions(exceptions), policy_id, now or utc_now())
    return SegmentReport(table, policy_id, currency, bool(manifest.get("simulated")), truth is not None)


def _currency(column: pd.Series[str]) -> str:
    return str(column.iloc[0]) if len(column) else ""


def _truth(folder: Path, farms: pd.DataFrame) -> dict[str, pd.DataFrame]:
    truth = read_truth(folder)
    if "value" not in truth["yields"]:
        raise InputError(
            f"{folder / 'yields.parquet'}: column ['value'] is missing; found {list(truth['yields'].columns)}",
            hint="the true value of each harvest, in money",
        )
    if not set(truth["parcels"]["farm_id"]) & set(farms["farm_id"]):
        raise InputError(
            f"{folder / 'parcels.parquet'}: tells of none of the run's {len(farms)} farms",
            hint="name the truth of the county that was run",
        )
    return truth


def _slopes(path: Path) -> pd.Series[float]:
    import pandas as pd

    try:
        table = pd.read_csv(path, dtype={"farm_id": "string"}, encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {error}", hint="CSV in UTF-8 with farm_id, slope_deg") from error
    if not {"farm_id", "slope_deg"} <= set(table.columns):
        raise InputError(
            f"{path}: needs the columns farm_id and slope_deg; found {list(table.columns)}",
            hint="mean slope of each farm's land in degrees, from any terrain model",
        )
    slope = pd.to_numeric(table["slope_deg"], errors="coerce")
    wrong = table["slope_deg"].notna() & ~slope.between(0, 90)
    if wrong.any():
        line = int(wrong.to_numpy().argmax())
        raise InputError(
            f"{path}, line {line + 2}: slope_deg {table['slope_deg'].iloc[line]!r} is no slope",
            hint="degrees from 0 to 90; leave the cell empty where it is not known",
        )
    return pd.Series(slope.to_numpy(float), index=table["farm_id"].astype(str)).groupby(level=0).mean()


def segment_lines(report: SegmentReport) -> list[str]:
    """The segments as a table for a terminal, and what the words mean."""
    words = [f"policy {report.policy_id}; ratios are to the reference group (*) at equal true value"]
    if report.simulated:
        words.append("SIMULATED DATA: no farmer was judged")
    if not report.truth_known:
        words.append("true value not known: nothing is compared; name a truth with --truth")
    head = ("segment", "n", "approved", "referred", f"{report.currency}/ha", "approval", "limit", "acreage", "verdict")
    rows = [head]
    for row in report.table.to_dict("records"):
        mark = "*" if row["reference"] else ""
        verdict = str(row["verdict"])
        verdict += f": {row['failing'].replace('|', ', ')}" if verdict == NEEDS else ""
        verdict += f" {row['exception']}" if verdict == EXCEPTED else ""
        rows.append((
            f"{row['kind']} {row['segment']}{mark}", str(row["n"]), f"{row['approved']:.0%}", f"{row['referred']:.0%}",
            _number(row["limit_per_ha"], ",.0f"), _number(row["approval_ratio"], ".2f"),
            _number(row["limit_ratio"], ".2f"), _number(row["acreage_bias"], "+.1%"), verdict,
        ))  # fmt: skip
    widths = [max(len(row[at]) for row in rows) for at in range(len(head) - 1)]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *(row[at].rjust(widths[at]) for at in range(1, len(widths))), row[-1]])
        for row in rows
    ]
    bar = (
        f"approval and limit: {LOWEST_RATIO:g} or more; acreage: within {MOST_BIAS:.0%}; "
        f"{FEW}: fewer than {FEWEST} farms on either side, or hardly any approvals"
    )
    return [*words, *lines, bar]


def _number(value: float, form: str) -> str:
    return STOP if math.isnan(value) else format(value, form)


def write_segments(report: SegmentReport, out: Path) -> list[Path]:
    """Write `segments.csv` and `segments.json` into a folder; the same report gives the same bytes.

    Raises:
        StoreError: the folder cannot be written.
    """
    rows: list[dict[str, Any]] = [
        {str(name): _plain(value) for name, value in row.items()} for row in report.table.to_dict("records")
    ]
    facts = {
        "policy": report.policy_id, "currency": report.currency, "simulated": report.simulated,
        "truth_known": report.truth_known, "lowest_ratio": LOWEST_RATIO, "most_bias": MOST_BIAS, "fewest": FEWEST,
        "segments": rows,
    }  # fmt: skip
    paths = [out / "segments.csv", out / "segments.json"]
    try:
        out.mkdir(parents=True, exist_ok=True)
        report.table.to_csv(paths[0], index=False, lineterminator="\n", float_format="%.4f")
        paths[1].write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")
    except OSError as error:
        raise StoreError(f"{out}: cannot be written: {error}", hint="check the folder of --out") from error
    return paths


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, 4)
    return value
