# SPDX-License-Identifier: Apache-2.0
"""How long `acreline --help` takes, beside an empty Python: medians of whole processes in one run, in turn.

python benchmarks/help_time.py
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time

from rows import make_row, write_rows

COMMAND = "python benchmarks/help_time.py"
RUNS = 15
GOAL_S = 0.4


def seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    help_command = [sys.executable, "-m", "acreline", "--help"]
    bare_command = [sys.executable, "-c", "pass"]
    seconds(help_command)
    pairs = [(seconds(help_command), seconds(bare_command)) for _ in range(RUNS)]
    help_s = statistics.median(pair[0] for pair in pairs)
    bare_s = statistics.median(pair[1] for pair in pairs)
    ratio = statistics.median(a / b for a, b in pairs)
    setting = f"whole processes in turn, medians, {os.cpu_count()} cores"
    rows = [
        make_row("acreline --help", setting, round(help_s, 3), "s", n=RUNS, target=f"<= {GOAL_S}", command=COMMAND,
                 baseline=f"an empty Python takes {bare_s:.3f} s"),
        make_row("acreline --help over an empty Python", setting, round(ratio, 2), "ratio", n=RUNS, command=COMMAND,
                 baseline="1: an empty Python"),
    ]  # fmt: skip
    print(write_rows("help_time", rows).read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
