# SPDX-License-Identifier: Apache-2.0
"""What can go wrong, in one shallow family, and the exit code each kind of trouble ends a command with.

A message says what is wrong, where, and what was found; the hint says what to do next. What is true of one farm is
data (a status and a reason), never an exception.
"""

from __future__ import annotations

import functools
from typing import Any, ClassVar

EXIT_DONE = 0
EXIT_BUG = 1
EXIT_CONFIG = 2
EXIT_INPUT = 3
EXIT_SOURCE = 4
EXIT_INCOMPLETE = 5
EXIT_STORE = 6
EXIT_BUSY = 7
EXIT_NOT_PUBLISHED = 8


class AcrelineError(Exception):
    """Anything acreline refuses or cannot do; catch this one to catch them all.

    Args:
        message: what is wrong, where, and what was found.
        hint: what to do next, in one sentence.
        context: names and values for the log (never secrets, names of people or exact coordinates).
    """

    exit_code: ClassVar[int] = EXIT_BUG

    def __init__(self, message: str, *, hint: str, **context: object) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.context = context

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:  # another process may have raised it: the hint must come along
        return functools.partial(type(self), hint=self.hint), (self.message,), self.__dict__


class ConfigError(AcrelineError):
    """A setting, a policy or the way a command was called is wrong."""

    exit_code = EXIT_CONFIG


class CreditError(AcrelineError):
    """A policy cannot be applied as written."""

    exit_code = EXIT_CONFIG


class InputError(AcrelineError):
    """A file the user gave cannot be understood and is refused as a whole."""

    exit_code = EXIT_INPUT


class SourceError(AcrelineError):
    """A catalogue or an image server did not give what was asked; running again may help if `retryable`."""

    exit_code = EXIT_SOURCE

    def __init__(self, message: str, *, hint: str, retryable: bool = True, **context: object) -> None:
        super().__init__(message, hint=hint, **context)
        self.retryable = retryable


class StoreError(AcrelineError):
    """The run folder cannot be read or written."""

    exit_code = EXIT_STORE


class BusyError(StoreError):
    """Another run holds the region."""

    exit_code = EXIT_BUSY


class NotPublishedError(AcrelineError):
    """Too much of the region is degraded: the run is kept, the old publication stays current."""

    exit_code = EXIT_NOT_PUBLISHED


class ContractError(AcrelineError):
    """A value at a door is not what its type promises: our bug, not the user's."""

    exit_code = EXIT_BUG
