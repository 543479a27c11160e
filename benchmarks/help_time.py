# SPDX-License-Identifier: Apache-2.0
"""How long `acreline --help` takes, beside an empty Python: medians of whole processes in one run, in turn.

python benchmarks/help_time.py
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

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
    result = {
        "what": "acreline --help against an empty Python, whole processes",
        "runs": RUNS,
        "cpus": os.cpu_count(),
        "help_s": round(help_s, 3),
        "empty_python_s": round(bare_s, 3),
        "ratio": round(statistics.median(a / b for a, b in pairs), 2),
        "goal_s": GOAL_S,
        "met": help_s < GOAL_S,
    }
    target = Path(__file__).parent / "results" / "help_time.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
