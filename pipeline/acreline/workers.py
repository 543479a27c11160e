# SPDX-License-Identifier: Apache-2.0
"""Processes that work for this one and end with it, however it ends."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

EXIT_ALONE = 1
"""What a worker ends with that outlived the process it worked for."""


def worker_pool(
    workers: int, begin: Callable[..., None] | None = None, given: tuple[Any, ...] = ()
) -> ProcessPoolExecutor:
    """A pool of fresh processes that do not outlive this one.

    A pool of the standard library leaves its workers waiting for ever, with all they hold, where the process that began
    them is killed: nobody is left to tell them that there is no more work.

    Args:
        workers: processes.
        begin: called once in each of them before its first task; a function of a module.
        given: what it is called with.
    """
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(begin, given))


def _begin(begin: Callable[..., None] | None, given: tuple[Any, ...]) -> None:
    threading.Thread(target=_leave_with_parent, name="leave with parent", daemon=True).start()
    if begin is not None:
        begin(*given)


def _leave_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()  # returns when the other end of its pipe is gone, so however it ended
        os._exit(EXIT_ALONE)
