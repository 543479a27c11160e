# SPDX-License-Identifier: Apache-2.0
"""Worker processes do what they are given, and end with the process that began them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import acreline
from acreline.workers import worker_pool

_told: list[int] = []

KILLED = """
import os, signal
from acreline.workers import worker_pool

if __name__ == "__main__":
    pool = worker_pool(2)
    print(pool.submit(os.getpid).result() != os.getpid(), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def begin(number: int) -> None:
    _told.append(number)


def told(number: int) -> list[int]:
    return [*_told, number]


@pytest.mark.slow
def test_a_worker_begins_as_it_was_told() -> None:
    with worker_pool(1, begin, (7,)) as pool:
        assert list(pool.map(told, [1, 2])) == [[7, 1], [7, 2]]
        assert pool.submit(os.getpid).result() != os.getpid()


@pytest.mark.slow
def test_workers_end_with_a_process_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "killed.py"
    script.write_text(KILLED, encoding="utf-8")
    path = os.pathsep.join([str(Path(acreline.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    # The workers hold the same pipe: it is read to its end only when the last of them is gone.
    done = subprocess.run(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        env=os.environ | {"PYTHONPATH": path},
    )
    assert (done.returncode, done.stdout) == (-9, "True\n")
