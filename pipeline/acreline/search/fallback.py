# SPDX-License-Identifier: Apache-2.0
"""Catalogues asked in order: where the first does not give its whole list, the next is asked for all of it.

One catalogue gives all scenes of a run. What an earlier one gave before it broke off is dropped whole: a list that is
not proven whole is no list, and one acquisition in two catalogues may be two processings with two names.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from acreline.config import Provider, SeasonSettings
from acreline.errors import SourceError
from acreline.layers import Parcels, Scenes
from acreline.search.stage import search_scenes

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Found:
    """What one of several catalogues gave."""

    scenes: Scenes
    provider: Provider
    """That gave all of them."""
    fell_over: tuple[str, ...] = ()
    """Names of those asked before it, which did not answer; empty: the first did."""


def search_catalogues(parcels: Parcels, season: SeasonSettings, providers: Sequence[Provider], *, as_of: date) -> Found:
    """Find the scenes of a season in the first of some catalogues that gives its whole list.

    Args:
        parcels: those with status `rejected` do not count.
        season: first and last day looked at.
        providers: in the order in which they are asked; at least one.
        as_of: what was not known on this day is set aside.

    Raises:
        ConfigError: as `search_scenes`; another catalogue would not mend it.
        SourceError: none of them answered, each with what was wrong; it may be run again if that holds for one of them.
    """
    errors: list[SourceError] = []
    for provider in providers:
        try:
            scenes = search_scenes(parcels, season, provider, as_of=as_of)
        except SourceError as error:
            errors.append(error)
            log.warning("%s gave no list of scenes: %s", provider.name, error.message)
            continue
        return Found(scenes, provider, tuple(one.name for one in providers[: len(errors)]))
    if len(errors) == 1:
        alone = errors[0]
        hint = f"{alone.hint}; a second catalogue may be named under `fallback_providers:`"
        raise SourceError(alone.message, hint=hint, retryable=alone.retryable) from alone
    raise SourceError(
        f"none of {len(errors)} catalogues gave its scenes: {'; '.join(error.message for error in errors)}",
        hint="run again later; what was done is kept, the old publication stays",
        retryable=any(error.retryable for error in errors),
    )
