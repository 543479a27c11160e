# SPDX-License-Identifier: Apache-2.0
"""Facts of farms and the decisions made from them, as plain frozen records.

Standard library only: money code and its tests never load an array library.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

STATUSES = ("ok", "degraded", "insufficient", "failed", "rejected")
"""Every parcel ends in exactly one of these, from best to worst; a farm's status is its worst parcel's."""

OUTCOMES = ("approve", "refer", "decline")
TRUE_SPREAD = 0.18
"""True relative spread of yield between fields of one crop in a region (0.15 to 0.20); order of magnitude."""
UNSEEN_SPREAD = 0.13
"""The part of it that no picture shows: use of light 0.10, harvest index 0.08, moisture and loss 0.03 (science 4.1)."""
NO_CROP = "none"
"""In the place of a crop: nothing was grown for harvest. In a set of crops it is doubt that anything grows."""
NOT_FARMLAND = "non_agri"
"""In the place of a crop: road, roof, wood or water. In a set of crops it is doubt that the land is farmed."""


def worst_status(statuses: list[str]) -> str:
    """The worst of some parcels' statuses; `failed` for a farm without parcels (nothing was measured)."""
    return max(statuses, key=STATUSES.index) if statuses else "failed"


@dataclass(frozen=True, slots=True)
class Interval:
    """A number with its honest doubt: 5 %, 50 % and 95 % quantiles."""

    low: float
    mid: float
    high: float

    def __post_init__(self) -> None:
        if not self.low <= self.mid <= self.high:
            raise ValueError(f"an interval must rise: {self.low}, {self.mid}, {self.high}")

    def __add__(self, other: Interval) -> Interval:
        """Sum as if both errors went the same way: the cautious sum, never too narrow."""
        return Interval(self.low + other.low, self.mid + other.mid, self.high + other.high)


ZERO = Interval(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Stand:
    """One crop on one parcel in one season slot."""

    farm_id: str
    parcel_id: str
    slot: str
    """A (harvested by about 20 July), B (after), AB (the whole year)."""
    crop: str
    """Crop slug, or `unknown`."""
    crop_confidence: float
    """Calibrated probability of `crop`, 0 to 1."""
    crop_set: tuple[str, ...]
    """Crops that cannot be told apart at the confidence the model's card promises; one name means decided.

    `none` among them is doubt that anything grows at all.
    """
    area_m2: Interval
    """Planted land of this stand."""
    declared_crop: str | None = None
    """Crop slug the farmer declared for the parcel; None where nothing, or no known word, was declared."""
    index_ratio: float | None = None
    """Growth index against the area-weighted mean of the same crop in the region; None where it cannot be known."""
    index_error: float | None = None
    """Relative error of `index_ratio`, one standard deviation."""
    yield_kg_per_ha: Interval | None = None
    value: Interval | None = None
    """Value of the harvest in `currency`; None where crop or price is not known."""
    currency: str | None = None
    code: str | None = None
    """Why yield or value is missing or wide."""
    cash_cost: Interval | None = None
    """What growing it costs in money paid out, in `currency`; None where that is not known in this currency."""
    vigour: float | None = None
    """Robust z against fields of the same crop nearby; None where too few neighbours."""

    @property
    def crop_doubtful(self) -> bool:
        """The code of that name in its season: several crops, or none, cannot be told apart."""
        return self.crop != "unknown" and len(self.crop_set) != 1


@dataclass(frozen=True, slots=True)
class Struck:
    """What one kind of event did to a farm."""

    event: str
    """Slug of the detector: flood."""
    share: float
    """Of the farm's land, 0 to 1."""
    severity: float
    """Of the parcel that was struck worst, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Applicant:
    """What the bank knows of the person who asks, under a pseudonym; money in the policy's currency."""

    farm_id: str
    person_id: str | None = None
    requested: Decimal | None = None
    existing_debt: Decimal | None = None
    """None: not given, which is not the same as none."""
    record_years: int = 0
    insured_sum: Decimal = Decimal(0)
    household_need: Decimal = Decimal(0)
    previous_limit: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Farm:
    """All that is known of one farm on the day of the decision."""

    farm_id: str
    status: str
    reason: str | None
    """Code of the worst parcel's reason; None when `status` is ok."""
    parcel_ids: tuple[str, ...]
    area_m2: float | None
    """Land of all parcels, from the polygons; None where one of them has no area."""
    planted_m2: Interval
    """Planted land, each piece once however many crops a year it bears.

    Of a farm that is failed or rejected it is the part that could be measured, as are `sown_m2` and `stands`: no
    statement about the farm.
    """
    sown_m2: float
    """Sum over season slots: a double crop counts twice."""
    stands: tuple[Stand, ...]
    main_crop: str | None
    """The crop of the most sown land; `none` where nothing was grown on any parcel."""
    health: str
    """Class name, or `unknown`."""
    vigour: float | None
    """Robust z against fields of the same crop nearby; None where too few neighbours."""
    clear_looks: int
    """Fewest clear looks over its parcels."""
    last_clear: date | None
    """Oldest of its parcels' newest clear looks."""
    flags: tuple[str, ...] = ()
    """Codes that ask for a person: overlapping_claim, declared_crop_differs, declared_area_differs, ground_unseen."""
    events: tuple[str, ...] = ()
    value: Interval | None = None
    currency: str | None = None
    applicant: Applicant | None = None
    cash_cost: Interval | None = None
    """Of all its stands; None where it is not known of each in the farm's currency."""
    struck: tuple[Struck, ...] = ()
    """How much of its land each of `events` struck, sorted by name."""


@dataclass(frozen=True, slots=True)
class Step:
    """One rule's effect on the limit, in the order the policy names."""

    rule: str
    before: Decimal | None
    """Limit before the rule; None before any limit stands."""
    after: Decimal | None
    code: str
    """Reason code; its words in Chinese and English are in the rule."""
    changed: bool
    """The rule moved the limit or the outcome."""
    outcome: str | None = None
    """Set when the rule itself decides: refer or decline."""
    evidence: dict[str, str] = field(default_factory=dict)
    """What the rule looked at, name to printed value with unit."""
    text_en: str = ""
    text_zh: str = ""
    evidence_zh: dict[str, str] = field(default_factory=dict)
    """`evidence` in Chinese."""
    cap: Decimal | None = field(default=None, compare=False, repr=False)
    """What the rule allows whatever limit stood before it; None where it is no such rule. Not in the decision's line:
    it spares the rule being asked again when the reasons are measured."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Outcome for one farm: the policy's word, with every step that led there."""

    farm_id: str
    outcome: str
    """approve, refer or decline."""
    limit: Decimal | None
    """None for refer, 0 for decline."""
    currency: str
    binding_rule: str | None
    reasons: tuple[str, ...]
    """One to four codes, strongest first."""
    policy_id: str
    as_of: date
    trail: tuple[Step, ...]

    def __post_init__(self) -> None:
        if self.outcome not in OUTCOMES:
            raise ValueError(f"outcome {self.outcome!r} is none of {OUTCOMES}")
        if (self.limit is None) != (self.outcome == "refer"):
            raise ValueError(f"a limit belongs to approve and decline only; {self.outcome} came with {self.limit}")
        if self.outcome == "decline" and self.limit != 0:
            raise ValueError(f"a declined farm has limit 0, not {self.limit}")
