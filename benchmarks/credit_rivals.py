# SPDX-License-Identifier: Apache-2.0
"""The demo policy's rules written plainly in pandas and in polars: outcome and limit of many farms, and nothing said.

Both work in whole hundredths of a hundredth of money (1e-4), so their limits are exact like the engine's. They give no
trail, no reasons and no words: what those cost is the difference.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from credit_farms import FLAGS, M2_PARTS, Chunk

from acreline.credit import CompiledPolicy

PARTS = 10_000
"""Parts of a unit of money that are counted."""
REFER = -1
KNOWN = ("evidence_bar", "crop_cap_per_mu", "capacity", "requested", "person_cap", "minimum_amount")


@dataclass(frozen=True)
class Numbers:
    """A policy's numbers as whole parts."""

    looks: int
    days: int
    confident: bool
    """A doubtful crop passes where it was declared: the made farms have confidence 0.9."""
    asks: tuple[bool, ...]
    """Of each of `FLAGS`: it asks for a person."""
    caps: npt.NDArray[np.int64]
    """Of each crop, hundredths of money per mu."""
    share: int
    person: int
    smallest: int
    may_decline: bool
    round_to: int


def read_numbers(policy: CompiledPolicy, crops: tuple[str, ...]) -> Numbers | None:
    """The policy's numbers; None where it has other rules than these versions know."""
    if tuple(entry.rule.name for entry in policy.rules) != KNOWN:
        return None
    bar, per_mu, capacity, _, person, smallest = (entry.settings for entry in policy.rules)
    agreed = bar.agreed_confidence
    return Numbers(
        bar.min_clear_looks,
        bar.max_days_since_clear,
        agreed is not None and agreed <= 0.9,
        tuple(flag is not None and flag not in bar.note_only for flag in FLAGS),
        np.array([_whole(per_mu.caps_per_mu[crop], 100) for crop in crops]),
        _whole(capacity.share, PARTS),
        _whole(person.amount, PARTS),
        _whole(smallest.amount, PARTS),
        smallest.may_decline,
        _whole(policy.policy.round_to, PARTS),
    )


def _whole(number: Decimal, parts: int) -> int:
    scaled = number * parts
    assert scaled == int(scaled), number
    return int(scaled)


def decide_pandas(chunk: Chunk, numbers: Numbers, several: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Limits in hundredths of money (n,), `REFER` for a referral; `several`: the farm's person brings another."""
    stands = pd.DataFrame(chunk.stands)
    rival = stands["rival"].to_numpy()
    caps = numbers.caps[stands["crop"].to_numpy()]
    caps = np.where(rival < 0, caps, np.minimum(caps, numbers.caps[rival]))
    stands["cap"] = stands["area64"] * 3 // (20 * M2_PARTS) * caps
    stands["doubtful"] = (rival >= 0) & ~(stands["declared"] & numbers.confident)
    whole = {"cap": "sum", "low": "sum", "high": "sum", "doubtful": "any"}
    farms = pd.DataFrame(chunk.farms).join(stands.groupby("farm").agg(whole))
    debt = farms["debt"] * PARTS
    limit = farms["cap"].to_numpy()
    for cap in (
        (farms["low"].astype("int64") * numbers.share - debt).clip(lower=0),
        farms["requested"] * PARTS,
        (numbers.person - debt).clip(lower=0),
    ):
        limit = np.minimum(limit, cap)
    limit = limit // numbers.round_to * numbers.round_to
    too_small = limit < numbers.smallest
    hopeless = (farms["high"].astype("int64") + 1) * PARTS - debt < numbers.smallest
    refer = (farms["looks"] < numbers.looks) | (farms["days"] > numbers.days) | farms["doubtful"] | several
    refer |= np.array(numbers.asks)[farms["flag"]]
    refer |= too_small & ~(hopeless & numbers.may_decline)
    return np.where(refer, REFER, np.where(too_small, 0, limit // 100))


def decide_polars(chunk: Chunk, numbers: Numbers, several: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """As `decide_pandas` does."""
    import polars as pl

    caps: Any = pl.DataFrame({"index": np.arange(len(numbers.caps)), "per_mu": numbers.caps})
    mu = pl.col("area64") * 3 // (20 * M2_PARTS)
    per_mu = pl.min_horizontal("per_mu", "per_mu_rival")  # a stand without a rival has none
    stands = (
        pl.LazyFrame(chunk.stands)
        .join(caps.lazy(), left_on="crop", right_on="index", how="left")
        .join(caps.lazy(), left_on="rival", right_on="index", how="left", suffix="_rival")
        .group_by("farm")
        .agg(
            (mu * per_mu).sum().alias("cap"),
            pl.col("low", "high").sum().cast(pl.Int64),
            ((pl.col("rival") >= 0) & ~(pl.col("declared") & numbers.confident)).any().alias("doubtful"),
        )
    )
    debt = pl.col("debt") * PARTS
    limit = pl.min_horizontal(
        "cap",
        pl.max_horizontal(pl.col("low") * numbers.share - debt, 0),
        pl.col("requested") * PARTS,
        pl.max_horizontal(numbers.person - debt, 0),
    )
    asks = [index for index, asked in enumerate(numbers.asks) if asked]
    too_small = pl.col("limit") < numbers.smallest
    hopeless = ((pl.col("high") + 1) * PARTS - debt < numbers.smallest) & numbers.may_decline
    refer = (
        (pl.col("looks") < numbers.looks)
        | (pl.col("days") > numbers.days)
        | pl.col("flag").is_in(asks)
        | pl.col("doubtful")
        | pl.col("several")
        | (too_small & ~hopeless)
    )
    farms = (
        pl.LazyFrame({**chunk.farms, "several": several, "farm": np.arange(len(several))})
        .join(stands, on="farm", how="left")
        .with_columns((limit // numbers.round_to * numbers.round_to).alias("limit"))
        .sort("farm")
        .select(pl.when(refer).then(REFER).when(too_small).then(0).otherwise(pl.col("limit") // 100).alias("limit"))
    )
    decided: npt.NDArray[np.int64] = farms.collect()["limit"].to_numpy()
    return decided
