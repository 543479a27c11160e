# SPDX-License-Identifier: Apache-2.0
"""What a command stands on while it works: other processes to work with, and an end when it is told to stop."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from collections.abc import Iterator
from typing import Any

from acreline.errors import ConfigError
from acreline.workers import worker_pool


@contextlib.contextmanager
def executor(workers: int, scheduler: str | None) -> Iterator[Any]:
    """Where blocks are measured: processes of our own, a Dask scheduler, or (None) here."""
    if scheduler is not None:
        try:
            from distributed import Client  # type: ignore[import-not-found]
        except ImportError as error:
            raise ConfigError("--scheduler needs Dask", hint="pip install 'distributed'") from error
        with Client(scheduler) as client:
            yield client.get_executor()
    elif workers > 1:
        with worker_pool(workers) as pool:
            try:
                yield pool
            except BaseException:  # do not wait for blocks that nobody will look at
                pool.shutdown(wait=False, cancel_futures=True)
                for child in multiprocessing.active_children():
                    child.terminate()
                raise
    else:
        yield None


@contextlib.contextmanager
def stop_on_term(progress: Any) -> Iterator[Any]:
    """SIGTERM ends a run as Ctrl-C does; asked again at each step, since destructors swallow what a signal raises."""
    asked: list[int] = []

    def stop(number: int, _frame: Any) -> None:
        asked.append(number)
        raise KeyboardInterrupt

    def step(done: int, total: int, what: str) -> None:
        if asked:
            raise KeyboardInterrupt
        progress(done, total, what)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield step
    finally:
        signal.signal(signal.SIGTERM, before)
