# SPDX-License-Identifier: Apache-2.0
"""Readers of our exports that are not ours, in an environment of their own: one of them wants an older pyarrow."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

PYTHON = Path(__file__).parents[2] / ".venv-readers" / "bin" / "python"


def missing() -> str | None:
    """Why they cannot be asked here, or None."""
    return None if PYTHON.exists() else "the readers' own environment is not there (make services)"


def ask(script: str, file: Path) -> dict[str, Any]:
    """What a script beside this one says of a file, as it prints it."""
    place = Path(__file__).with_name(script)
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([PYTHON, place, file], capture_output=True, text=True, env=clean, timeout=120)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told
