# SPDX-License-Identifier: Apache-2.0
"""Baselines that the network must beat: taught from the same land, painting the same counties, scored the same way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from acreline.errors import ConfigError

if TYPE_CHECKING:
    from acreline.model.banks import Bank
    from acreline.trial.rivals.nets import RivalNet
    from acreline.trial.rivals.shape import Painter

Teach = Callable[["Sequence[Bank]", int, int], "Painter"]
Build = Callable[[int], "RivalNet"]


@dataclass(frozen=True)
class Rival:
    """One baseline: what it is called, and how it comes to be."""

    name: str
    words: tuple[str, str]
    """What it is, for a report: English, Chinese."""
    needs_extra: bool
    """Whether it needs the extra `evaluate` (scikit-learn)."""
    teach: Teach | None = None
    """(banks, seed, threads) -> what paints a county; None: a network, see `build`."""
    build: Build | None = None
    """Bins -> an untrained network for `learn.learn_rival`; None: no network, see `teach`."""

    @property
    def parameters(self) -> int | None:
        """Weights of the network with 30 bins; None where the count follows from what was taught (`Painter`)."""
        return None if self.build is None else self.build(30).parameter_count


def _teach_majority(banks: Sequence[Bank], seed: int, threads: int) -> Painter:
    from acreline.trial.rivals.majority import teach_majority

    return teach_majority(banks)


def _teach_forest(banks: Sequence[Bank], seed: int, threads: int) -> Painter:
    from acreline.trial.rivals.forest import teach_forest

    return teach_forest(banks, seed=seed, threads=threads)


def _teach_boosting(banks: Sequence[Bank], seed: int, threads: int) -> Painter:
    from acreline.trial.rivals.boosting import teach_boosting

    return teach_boosting(banks, seed=seed)


def _build_lraspp(bins: int) -> RivalNet:
    from acreline.trial.rivals.lraspp import LrAspp

    return LrAspp()


def _build_utae(bins: int) -> RivalNet:
    from acreline.trial.rivals.utae import UTae

    return UTae(bins=bins)


RIVALS: Mapping[str, Rival] = {
    rival.name: rival
    for rival in (
        Rival("majority", ("the commonest crop of each slot", "各季最常见作物"), False, _teach_majority),
        Rival("forest", ("random forest on single pixels' series", "单像元随机森林"), True, _teach_forest),
        Rival("boosting", ("gradient boosting on parcels' mean series", "地块均值梯度提升"), True, _teach_boosting),
        Rival(
            "lraspp", ("LR-ASPP MobileNetV3 on three composites", "三期合成影像 LR-ASPP"), False, build=_build_lraspp
        ),
        Rival("utae", ("U-TAE, small", "小型 U-TAE"), False, build=_build_utae),
    )
}
"""Name -> baseline, the simplest first."""


def find_rival(name: str) -> Rival:
    """A baseline by its name.

    Raises:
        ConfigError: there is none of this name.
    """
    if name not in RIVALS:
        raise ConfigError(f"no baseline is called {name!r}", hint=f"choose one of {', '.join(RIVALS)}")
    return RIVALS[name]
