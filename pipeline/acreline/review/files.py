# SPDX-License-Identifier: Apache-2.0
"""What a review leaves in a folder: tables as CSV, all figures as JSON, one page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acreline.errors import StoreError
from acreline.review.page import Page, render_page

if TYPE_CHECKING:
    import pandas as pd

SIMULATED = ("On simulated data.", "模拟数据。")


def write_review(
    out: Path, name: str, tables: Mapping[str, pd.DataFrame], figures: Mapping[str, Any], page: Page
) -> list[Path]:
    """Write `<name>.json`, `<name>.html` and a CSV per table; same values, same bytes.

    Args:
        out: folder, made where it is not there.
        name: of the review.
        tables: file stem -> table.
        figures: all that the tables hold, and what they were made of.
        page: what people read.

    Returns:
        the files, the page first.

    Raises:
        StoreError: the folder cannot be written.
    """
    page_file, figures_file = out / f"{name}.html", out / f"{name}.json"
    try:
        out.mkdir(parents=True, exist_ok=True)
        page_file.write_text(render_page(page), encoding="utf-8", newline="\n")
        figures_file.write_text(json_text(figures), encoding="utf-8", newline="\n")
        sheets = []
        for stem, table in tables.items():
            sheets.append(out / f"{stem}.csv")
            table.to_csv(sheets[-1], index=False, lineterminator="\n", encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{out}: cannot be written: {error}", hint="check the folder of --out") from error
    return [page_file, figures_file, *sheets]


def json_text(value: Any) -> str:
    """Plain values as JSON that people can read; money as text, so that no cent is lost."""
    return json.dumps(plain(value), ensure_ascii=False, indent=2, sort_keys=True, allow_nan=False) + "\n"


def plain(value: Any) -> Any:
    """A value as JSON knows it: missing as null, decimals as text."""
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, Decimal):
        return format(value, "f")
    if hasattr(value, "item"):
        value = value.item()
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    return str(value)
