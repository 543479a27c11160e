# SPDX-License-Identifier: Apache-2.0
"""What the bank knows of each applicant, read from a CSV file with money kept exact."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from acreline.errors import InputError
from acreline.privacy import personal_value, refused_column
from acreline.records import Applicant

APPLICANT_MONEY = ("requested", "existing_debt", "insured_sum", "household_need", "previous_limit")
APPLICANT_COLUMNS = ("farm_id", "person_id", "record_years", *APPLICANT_MONEY)
_NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]{1,6})?")
_WHOLE = re.compile(r"[0-9]{1,3}")


def read_applicants(path: Path | None) -> dict[str, Applicant]:
    """Read what the bank knows of each applicant from a CSV file; money stays exact.

    Args:
        path: CSV in UTF-8 with a header: farm_id and any of person_id, requested, existing_debt, record_years,
            insured_sum, household_need, previous_limit; an empty cell or a column that is
            left out means not given: an unknown debt is not a debt of 0. None: no applicants.

    Returns:
        applicants by farm id.

    Raises:
        InputError: the file cannot be read, a column is not known, is personal or stands in for what is, a number is
            none, or a farm stands twice; the message names file, line and column.
    """
    if path is None:
        return {}
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}", hint="check the path") from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: not UTF-8 text (byte {error.start})", hint="save the table as CSV in UTF-8"
        ) from error
    rows = csv.reader(text.splitlines())
    header = [name.strip() for name in next(rows, [])]
    _check_header(header, path)
    applicants: dict[str, Applicant] = {}
    lines: dict[str, int] = {}
    for cells in rows:
        line = rows.line_num
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            raise InputError(
                f"{path}, line {line}: {len(cells)} cells, the header has {len(header)}",
                hint="a number with a comma in it must stand in quotes, and is refused: write 120000.50",
            )
        values = {name: cell.strip() for name, cell in zip(header, cells, strict=True) if cell.strip()}
        applicant = _applicant(values, f"{path}, line {line}")
        if applicant.farm_id in applicants:
            raise InputError(
                f"{path}, line {line}, column farm_id: {applicant.farm_id!r} stands in line "
                f"{lines[applicant.farm_id]} already",
                hint="one line per farm",
            )
        applicants[applicant.farm_id], lines[applicant.farm_id] = applicant, line
    return dict(sorted(applicants.items()))


def _check_header(header: Sequence[str], path: Path) -> None:
    unknown = [name for name in header if name not in APPLICANT_COLUMNS]
    for name in unknown:
        refused = refused_column(name)
        if refused is not None:
            raise InputError(
                f"{path}, line 1: column {name!r} is not taken in: {refused.told()}",
                hint="take the column out of the table; what each column is for: configs/privacy/purposes.yaml",
            )
    if unknown:
        raise InputError(
            f"{path}, line 1: column {unknown[0]!r} is not known", hint=f"known: {', '.join(APPLICANT_COLUMNS)}"
        )
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise InputError(f"{path}, line 1: column {twice[0]!r} stands twice", hint="name each column once")
    if "farm_id" not in header:
        raise InputError(f"{path}, line 1: no column farm_id", hint=f"known: {', '.join(APPLICANT_COLUMNS)}")


def _applicant(values: Mapping[str, str], where: str) -> Applicant:
    if "farm_id" not in values:
        raise InputError(f"{where}, column farm_id: empty", hint="every line names its farm")
    looks_like = personal_value(values.get("person_id", ""))
    if looks_like is not None:
        raise InputError(
            f"{where}, column person_id: looks like {looks_like}",  # not shown: it would stand in every log
            hint="give each person a number of the bank's own, and keep whose it is where no run can read it",
        )
    money: dict[str, Any] = {}
    for name in APPLICANT_MONEY:
        if name in values:
            if not _NUMBER.fullmatch(values[name]):
                raise InputError(
                    f"{where}, column {name}: {values[name]!r} is no amount of money",
                    hint="write digits and at most one point, not below zero: 120000.50",
                )
            money[name] = Decimal(values[name])
    years = values.get("record_years", "0")
    if not _WHOLE.fullmatch(years):
        raise InputError(
            f"{where}, column record_years: {years!r} is no number of years", hint="write a whole number, 0 to 999"
        )
    return Applicant(values["farm_id"], values.get("person_id"), record_years=int(years), **money)
