# SPDX-License-Identifier: Apache-2.0
"""What can go wrong, in one shallow family, and the exit code each kind of trouble ends a command with.

A message says what is wrong, where, and what was found; the hint says what to do next. What is true of one farm is
data (a status and a reason), never an exception.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeVar

T = TypeVar("T")

EXIT_DONE = 0
EXIT_BUG = 1
EXIT_CONFIG = 2
EXIT_INPUT = 3
EXIT_SOURCE = 4
EXIT_INCOMPLETE = 5
EXIT_STORE = 6
EXIT_BUSY = 7
EXIT_NOT_PUBLISHED = 8
EXIT_STALE = 9
"""Of `--scheduled`: the run ended well, and nothing new came from the catalogue for longer than the region allows."""


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


class SeveralErrors(AcrelineError):  # noqa: N818 - it is several
    """Several things that are wrong at once; the exit code is that of the first."""

    def __init__(self, errors: Sequence[AcrelineError]) -> None:
        self.errors = tuple(errors)
        super().__init__(
            f"{len(errors)} things do not fit: " + "; ".join(error.message for error in errors), hint=errors[0].hint
        )
        self.exit_code = errors[0].exit_code  # type: ignore[misc]

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.errors,)


class Troubles:
    """What is wrong, one thing after another, so that all of it can be told at once.

    >>> troubles = Troubles()
    >>> troubles.of(int, "7")
    7
    """

    def __init__(self) -> None:
        self.errors: list[AcrelineError] = []

    def of(self, step: Callable[..., T], *args: Any, **named: Any) -> T | None:
        """What a step gives; None where it refuses, and why is kept (the same words once)."""
        try:
            return step(*args, **named)
        except SeveralErrors as several:
            found = several.errors
        except AcrelineError as error:
            found = (error,)
        told = {error.message for error in self.errors}
        self.errors += [error for error in found if error.message not in told]
        return None

    def as_one(self) -> AcrelineError:
        """The one thing that is wrong, or several together."""
        return self.errors[0] if len(self.errors) == 1 else SeveralErrors(self.errors)
