# SPDX-License-Identifier: Apache-2.0
"""Policies and models that were stopped: from that instant on they decide nothing, whatever day a run is told as of.

Names stand in `configs/retired.yaml`, in a list of the region (`retired:` of its file) and in one of the whole bank
(the variable `ACRELINE_RETIRED_LIST`): what stands in any of them is stopped. The machine's clock counts, in UTC: a
stop is meant for what is done from now on. What was decided before stays, and can be replayed.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, Field

from acreline.config import Settings, packaged_configs, read_settings
from acreline.errors import ConfigError

log = logging.getLogger(__name__)
Kind = Literal["policy", "model"]
OWN_LIST = "ACRELINE_RETIRED_LIST"
"""Variable that names a list of the whole bank; it counts beside a region's own, and takes nothing out of it."""


class Retirement(Settings):
    """One policy or model that was stopped."""

    kind: Kind
    name: str = Field(
        min_length=1,
        description="policy: its id, or id@version; model: its name, name@version, or the SHA-256 of its weights",
    )
    since: AwareDatetime = Field(alias="from", description="instant with its offset, as 2026-03-01T00:00:00Z")
    by: str = Field(min_length=2, description="the person who stopped it")
    reason: str = Field(min_length=3)

    @property
    def since_utc(self) -> str:
        """The instant in UTC, to the minute."""
        return f"{self.since.astimezone(UTC):%Y-%m-%d %H:%M} UTC"

    def words(self) -> str:
        """Who stopped what, when and why, as one clause for messages and logs."""
        return f"{self.kind} {self.name} was retired on {self.since_utc} by {self.by}: {self.reason}"

    def facts(self) -> dict[str, str]:
        """The entry as plain text values, for a manifest or a log."""
        return {"kind": self.kind, "name": self.name, "from": self.since_utc, "by": self.by, "reason": self.reason}


class RetiredList(Settings):
    """`retired.yaml`: what was stopped, in any order."""

    retired: tuple[Retirement, ...] = ()


def read_retired(own: Path | None = None) -> tuple[Retirement, ...]:
    """Every entry of the packaged list, of the whole bank's, and of a list named here.

    Args:
        own: a list more, such as a region's.

    Raises:
        ConfigError: a list is missing or wrong. A list that cannot be read stops the work: nobody could say whether a
            policy still holds.
    """
    files = [packaged_configs() / "retired.yaml"]
    files += [Path(os.environ[OWN_LIST])] if os.environ.get(OWN_LIST) else []
    files += [own] if own is not None else []
    return tuple(entry for file in files for entry in read_settings(RetiredList, file).retired)


def find_retired(
    retired: Iterable[Retirement], kind: Kind, names: Sequence[str], *, now: datetime | None = None
) -> Retirement | None:
    """The entry that has stopped a policy or model by now, the earliest of several; None: it may work.

    Args:
        retired: from `read_retired`.
        kind: policy or model.
        names: every name it goes by: from `policy_names` or `model_names`.
        now: an instant with its offset; None: the machine's clock.
    """
    now = now or utc_now()
    struck = [entry for entry in retired if entry.kind == kind and entry.name in names and entry.since <= now]
    return min(struck, key=lambda entry: entry.since, default=None)


def policy_names(policy_id: str, version: str) -> tuple[str, ...]:
    """What a policy may be called in a list."""
    return policy_id, f"{policy_id}@{version}"


def model_names(name: str, version: str, weights_sha256: str | None) -> tuple[str, ...]:
    """What a model may be called in a list; of runs of an earlier version the weights are not known."""
    return (name, f"{name}@{version}", *([weights_sha256] if weights_sha256 else []))


def refuse_retired_policy(
    retired: Iterable[Retirement], policy_id: str, version: str, *, now: datetime | None = None
) -> None:
    """Stop before work where the policy was retired.

    Raises:
        ConfigError: it was; the message names who, when and why.
    """
    entry = find_retired(retired, "policy", policy_names(policy_id, version), now=now)
    if entry is not None:
        log.info("policy refused: %s", entry.words())  # the run's log shows who
        raise ConfigError(
            f"{entry.words()}; it decides nothing any more",
            hint="name a policy that holds; what it decided before can be seen with `acreline replay`",
            policy=policy_id,
            by=entry.by,
        )


def utc_now() -> datetime:
    """The machine's clock, in UTC."""
    return datetime.now(UTC)
