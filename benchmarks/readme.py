# SPDX-License-Identifier: Apache-2.0
"""Make `benchmarks/README.md` from the result files: `python benchmarks/readme.py`."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from rows import RESULTS, Row, read_rows

README = Path(__file__).parent / "README.md"
HEAD = """# benchmarks: figures with their targets, baselines and commands

Made by `python benchmarks/readme.py` from `results/*.json`; each benchmark makes it again when it is done. Targets that
are missed stay in. Times and ratios are of the machine that ran them; figures "on simulated data" say nothing about
real fields.
"""


def make_readme() -> str:
    """The page as text."""
    parts = [HEAD]
    for path in sorted(RESULTS.glob("*.json")):
        rows = read_rows(path)
        wanted = [row for row in rows if row["met"] is not None]
        met = sum(row["met"] for row in wanted)
        told = f" ({met} of {len(wanted)} targets met)" if wanted else ""
        parts.append(f"## {path.stem}{told}\n")
        for command, same in groupby(rows, key=lambda row: row["command"]):
            lines = "\n".join(_line(row) for row in same)
            parts.append(
                f"`{command}`\n\n| quantity | setting | value | n | target | met | baseline |\n"
                f"| --- | --- | --- | --- | --- | --- | --- |\n{lines}\n"
            )
    return "\n".join(parts)


def _line(row: Row) -> str:
    value = f"{row['value']:,.4g}" if abs(row["value"]) < 10_000 else f"{row['value']:,.0f}"
    unit = "" if row["unit"] in ("share", "ratio") else f" {row['unit']}"
    met = {True: "yes", False: "**no**", None: ""}[row["met"]]
    cells = [row["quantity"], row["setting"], value + unit, f"{row['n']:,}", row["target"], met, row["baseline"]]
    return "| " + " | ".join(str(cell).replace("|", "/") for cell in cells) + " |"


def write_readme() -> None:
    """Write the page."""
    README.write_text(make_readme(), encoding="utf-8")


if __name__ == "__main__":
    write_readme()
