# SPDX-License-Identifier: Apache-2.0
"""How many farms a second get a yield, a value and a decision, on one core: `python benchmarks/assess_credit.py [N]`.

Farms are made from a seed: one to eight stands of the packaged crops, one in ten short of evidence.
"""

from __future__ import annotations

import argparse
import random
import time
from collections import Counter
from datetime import date, timedelta
from decimal import Decimal

from rows import make_row, write_rows

from acreline.config import Crop, find_config, list_configs, read_policy, read_settings
from acreline.credit import assess_credit, compile_policy
from acreline.records import ZERO, Applicant, Farm, Interval, Stand
from acreline.yields import estimate_yields

COMMAND = "python benchmarks/assess_credit.py"
AS_OF = date(2018, 12, 15)


def make_farms(count: int, crops: list[str], seed: int = 1) -> list[Farm]:
    """Farms with plausible facts, the same for the same seed."""
    rng = random.Random(seed)
    farms = []
    for number in range(count):
        farm_id = f"F-{number:06d}"
        stands = []
        for parcel in range(rng.randint(1, 8)):
            crop, area = rng.choice(crops), rng.uniform(700, 40_000)
            stands.append(
                Stand(farm_id, f"{farm_id}-{parcel}", "B", crop, 0.9, (crop,), Interval(0.95 * area, area, area),
                      rng.gauss(1, 0.1), 0.16)
            )  # fmt: skip
        planted = sum((stand.area_m2 for stand in stands), ZERO)
        looks = rng.randint(0, 5) if rng.random() < 0.1 else rng.randint(6, 30)
        applicant = Applicant(farm_id, f"P-{number:06d}", Decimal(rng.randrange(1_000, 400_000)), Decimal(0), 3)
        farms.append(
            Farm(farm_id, "ok", None, tuple(s.parcel_id for s in stands), planted.high, planted, planted.mid,
                 tuple(stands), stands[0].crop, "normal", None, looks, AS_OF - timedelta(days=10), applicant=applicant)
        )  # fmt: skip
    return farms


def main() -> None:
    """Time both steps and write farms per second."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=10_000)
    count = parser.parse_args().count
    crops = {name: read_settings(Crop, find_config("crops", name)) for name in list_configs("crops")}
    policy = compile_policy(read_policy("demo"))
    farms = make_farms(count, sorted(crops))
    start = time.perf_counter()
    valued = estimate_yields(farms, crops)
    middle = time.perf_counter()
    decisions = assess_credit(valued, policy, as_of=AS_OF)
    end = time.perf_counter()
    told = dict(sorted(Counter(d.outcome for d in decisions).items()))
    rows = [
        make_row(f"farms a second, {name}", f"one core, made farms of 1 to 8 stands; outcomes {told}",
                 round(count / seconds), "farms/s", n=count, command=COMMAND, baseline="none")
        for name, seconds in (("estimate_yields", middle - start), ("assess_credit", end - middle))
    ]  # fmt: skip
    print(write_rows("assess_credit", rows).read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
