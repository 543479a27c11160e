# SPDX-License-Identifier: Apache-2.0
"""Log lines: coloured for people, plain `key=value` under cron, JSON in the run folder; never a secret in them."""

from __future__ import annotations

import contextlib
import logging
import math
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any

import structlog

_QUERY = re.compile(r"((?:https?|s3|postgres(?:ql)?)://[^\s?\"']+)\?[^\s\"']+", re.IGNORECASE)
_USER = re.compile(r"((?:https?|s3)://)[^\s/?@\"']+@", re.IGNORECASE)
_DATABASE = re.compile(r"(postgres(?:ql)?://)[^\s?\"']*@", re.IGNORECASE)
_PASSWORD = re.compile(r"(\w*password\s*=\s*)(?:'(?:\\.|[^'\\])*'|[^\s&]+)", re.IGNORECASE)


def redact(text: str) -> str:
    """An address without its query and its user: signatures, tokens and passwords live there; no `password=` either."""
    plain = _PASSWORD.sub(r"\1...", _DATABASE.sub(r"\1...@", text))
    return _QUERY.sub(r"\1?...", _USER.sub(r"\1...@", plain))


def configure_logs(*, plain: bool, verbose: bool = False, file: Path | None = None) -> None:
    """Send all log lines, other libraries' too, to standard error and, as JSON lines, to `file`.

    Args:
        plain: no colour, one `key=value` line each, times in UTC.
        verbose: also debug lines of acreline (other libraries stay at warnings: they would print headers).
        file: a JSON-lines file to add to.
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _redact_event,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    renderer: Any = (
        structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"], drop_missing=True)
        if plain
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    handlers[0].setFormatter(_formatter(shared, renderer))
    if file is not None:
        handlers.append(logging.FileHandler(file, encoding="utf-8", delay=True))
        handlers[1].setFormatter(_formatter(shared, structlog.processors.JSONRenderer(ensure_ascii=False)))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("acreline").setLevel(logging.DEBUG if verbose else logging.INFO)


def _formatter(shared: list[Any], renderer: Any) -> logging.Formatter:
    remove_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    return structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[remove_meta, renderer])


def _redact_event(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {name: value if name.startswith("_") else _redacted(value) for name, value in event.items()}


def _redacted(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {redact(str(name)): _redacted(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redacted(inner) for inner in value]
    return redact(str(value))


@contextlib.contextmanager
def progress_bar(*, shown: bool, every_s: float = 0.0) -> Iterator[Callable[[int, int, str], None]]:
    """A bar for people; without a terminal, a log line for each step. Called with (done, in all, what).

    Args:
        shown: there is a terminal.
        every_s: seconds from one log line to the next at least; the first and what completes a task always have one.
    """
    if not shown:
        log, last = structlog.get_logger("acreline.progress"), -math.inf

        def tell(done: int, total: int, what: str) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last >= every_s or done >= total:
                last = now
                log.info("progress", done=done, of=total, what=what)

        yield tell
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("starting", total=None)
        yield lambda done, total, what: bar.update(task, completed=done, total=total, description=what or "blocks")
