# SPDX-License-Identifier: Apache-2.0
"""Tables that a region is given: read as text, their wrong rows refused by the number of their line."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acreline.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)


def read_sheet(path: Path, key: str, columns: Sequence[str], *, text: Sequence[str] | None = None) -> pd.DataFrame:
    """Read a table that a region file names.

    Args:
        path: CSV in UTF-8 (lines that begin with # above the header are remarks) or Parquet.
        key: of the region file, or an option of a command (`--outcomes`), for messages.
        columns: that must be there; others are kept.
        text: columns that stay text; None: all of them, so that a message can quote what was written.

    Returns:
        the table, empty cells missing; `attrs["first"]` is the line number of its first row.

    Raises:
        InputError: the file is missing, cannot be read, or lacks columns.
    """
    import pandas as pd
    import pyarrow as pa

    first = 2
    try:
        if path.suffix == ".parquet":
            table = pd.read_parquet(path)
            table = _as_text(table) if text is None else table
        else:
            kinds: Any = "string" if text is None else dict.fromkeys(text, "string")
            table = pd.read_csv(path, encoding="utf-8-sig", skipinitialspace=True, dtype=kinds, comment="#")
            with path.open(encoding="utf-8-sig") as lines:
                first += sum(1 for line in lines if line.startswith("#"))  # they stand above the table
    except FileNotFoundError as error:
        where = key if key.startswith("--") else f"`{key}:` in the region file"
        raise InputError(f"{path}: no such file", hint=f"check {where}") from error
    except (OSError, UnicodeDecodeError, ValueError, pa.ArrowException) as error:
        raise InputError(f"{path}: {key} cannot be read: {error}", hint="CSV in UTF-8, or Parquet") from error
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise InputError(
            f"{path}: columns {missing} are missing; found {list(table.columns)}",
            hint=f"{key} has the columns {', '.join(columns)}",
        )
    table.attrs["first"] = first
    return table


def refuse_row(path: Path, table: pd.DataFrame, wrong: Any, name: str, wanted: str) -> None:
    """Raise `InputError` for the first row that is wrong in a column; the message quotes the cell."""
    if wrong.any():
        row = int(wrong.to_numpy(dtype=bool).argmax())
        found, line = str(table[name].iloc[row]), row + table.attrs["first"]
        raise InputError(f"{path}, row {line}: {name} is {found!r}", hint=f"write {wanted}")


def refuse_unknown(path: Path, table: pd.DataFrame, name: str, known: Iterable[str], see: str) -> None:
    """Raise `InputError` for the first row whose word is none of those known; the hint has the nearest."""
    words = list(known)
    strange = ~table[name].isin(words)
    if strange.any():
        row = int(strange.to_numpy(dtype=bool).argmax())
        found = str(table[name].iloc[row])
        close = difflib.get_close_matches(found, words, n=1, cutoff=0.5)
        near = f"did you mean {close[0]!r}? " if close else ""
        raise InputError(
            f"{path}, row {row + table.attrs['first']}: {name} {found!r} is not known", hint=f"{near}{see}"
        )


def numbers(path: Path, table: pd.DataFrame, name: str, *, low: float, high: float, above: bool = False) -> Any:
    """A column as float64 from `low` (`above`: more than that) to `high`; anything else is refused."""
    import pandas as pd

    found = pd.to_numeric(table[name], errors="coerce").astype("float64")
    possible = (found > low if above else found >= low) & (found <= high)
    refuse_row(path, table, ~possible, name, f"a number {'above' if above else 'from'} {low:g} and up to {high:g}")
    return found


def days(path: Path, table: pd.DataFrame, name: str) -> Any:
    """A column of days; 03/04 means two days and is refused."""
    import pandas as pd

    found = pd.to_datetime(table[name].str.slice(0, 10), format="%Y-%m-%d", errors="coerce")
    refuse_row(path, table, found.isna(), name, "a day as YYYY-MM-DD")
    return found


def refuse_nameless(path: Path, table: pd.DataFrame) -> None:
    """A figure says where it comes from."""
    nameless = table["source"].fillna("").str.strip().str.len() < 3
    refuse_row(path, table, nameless, "source", "who published it, or `order of magnitude`")


def held(path: Path, table: pd.DataFrame, since: Any, *, as_of: date) -> pd.DataFrame:
    """The rows that were known on a day; where none was, that is said in the log and nothing is left."""
    import pandas as pd

    known: pd.DataFrame = table[(since <= pd.Timestamp(as_of)).to_numpy()]
    if known.empty:
        log.warning("%s: not yet published on %s: nothing of it is used", path, as_of)
    return known


def _as_text(table: pd.DataFrame) -> pd.DataFrame:
    """Days as YYYY-MM-DD, all else as it prints."""
    texts = {
        name: column.dt.strftime("%Y-%m-%d") if column.dtype.kind == "M" else column for name, column in table.items()
    }
    return table.assign(**texts).astype("string")  # type: ignore[arg-type]
