# SPDX-License-Identifier: Apache-2.0
"""How well the health head tells damage that was drawn into fields it never saw. Not evidence from fields."""

from __future__ import annotations

from typing import Any

import numpy as np

from acreline.model.banks import Bank
from acreline.model.damage import HEALTH
from acreline.model.drawing import Drawer, Shares
from acreline.model.learning import predict_alone
from acreline.model.members import AcreNets
from acreline.model.scores import Labels, score_labels
from acreline.model.skies import Changes

DRAWS = 12
FIELDS = 64
DAMAGED = 0.5
"""Share of held-back fields into which damage is drawn."""


def tell_drawings(nets: AcreNets, held: Bank, seed: int) -> tuple[Labels, Labels]:
    """True and found health of held-back fields that stand alone, damage freshly drawn into half of them."""
    drawer = Drawer([held], Changes(damage=DAMAGED, in_season=0.0), Shares(singles=FIELDS, mosaics=0, crops=0))
    rng = np.random.default_rng(seed)
    true, found = [], []
    for _ in range(DRAWS):
        batch = drawer.draw(rng)
        known = batch.singles.health >= 0
        true.append(batch.singles.health[known])
        found.append(predict_alone(nets, batch.single_x[known])[2].argmax(axis=1))
    return np.concatenate(true), np.concatenate(found)


def drawing_scores(told: list[tuple[Labels, Labels]]) -> dict[str, Any]:
    """Scores over all folds; the interval is drawn over folds."""
    true, found = (np.concatenate([pair[k] for pair in told]) for k in (0, 1))
    unit = np.repeat(np.arange(len(told)), [len(pair[0]) for pair in told])
    normal = true == HEALTH.index("normal")
    calm = np.isin(found[normal], [HEALTH.index("normal"), HEALTH.index("harvested")])
    scores = score_labels(true, found, unit, HEALTH)
    return scores | {"false_alarms": round(float(1 - calm.mean()), 4) if normal.any() else None}
