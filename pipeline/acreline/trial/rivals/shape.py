# SPDX-License-Identifier: Apache-2.0
"""What every baseline shares: how it is asked to paint, and how it is given a bank's pixels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from acreline.errors import ConfigError, InputError
from acreline.model.banks import Bank, inputs_of
from acreline.model.classes import HEADS
from acreline.model.painting import Painted

STRIP_PX = 20_000
"""Pixels binned in one go: some tens of MB."""
SHARE_FLOOR = 1e-4
"""Least probability of a class: trees say 0 of what they never saw, and a logarithm needs more."""


class Painter(Protocol):
    """A baseline that has been taught."""

    @property
    def name(self) -> str:
        """As in `RIVALS`."""
        ...

    @property
    def parameters(self) -> int:
        """Numbers that were learnt: weights of a network, nodes of trees, shares of classes."""
        ...

    def paint(self, bank: Bank) -> Painted:
        """Log-probabilities (class, y, x) of both slots, classes of `HEADS`, for a bank that is a picture."""
        ...


def picture_of(bank: Bank) -> tuple[int, int]:
    """Rows and columns of a bank that is a picture.

    Raises:
        InputError: its pixels form none.
    """
    if bank.shape is None:
        raise InputError(
            f"{bank.name}: its pixels form no picture, so there is nothing to paint", hint="give a county or a square"
        )
    return bank.shape


def binned(bank: Bank, pixels: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """What the network would be given of these pixels: (bin, channel, pixel), channels as `inputs.CHANNELS`."""
    return inputs_of(bank, pixels)


def strips(count: int) -> Iterator[npt.NDArray[np.int64]]:
    """Numbers 0 ... count - 1 in pieces of `STRIP_PX`."""
    for start in range(0, count, STRIP_PX):
        yield np.arange(start, min(start + STRIP_PX, count))


def rows_of(series: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """(bin, channel, n) -> (n, bin x channel): one row of features each."""
    return np.ascontiguousarray(series.reshape(-1, series.shape[-1]).T)


def parcel_numbers(bank: Bank) -> npt.NDArray[np.int64]:
    """(pixel,): parcel of a farm file, 0 = ground in none.

    Ground in no farm file is pooled by its true crop: a baseline that took such a pool for a field would be told the
    answer.
    """
    if bank.registered is None:
        return bank.field
    return np.where(bank.field <= bank.registered, bank.field, 0)


def log_share(share: npt.NDArray[np.floating[Any]], classes: npt.NDArray[Any], slot: str) -> npt.NDArray[np.float32]:
    """Probabilities of the classes that were seen -> log-probabilities of all classes of a slot's head.

    Args:
        share: (n, classes seen).
        classes: places in `HEADS[slot]`, (classes seen,).
        slot: A or B.

    Returns:
        float32 (class, n); no class below `SHARE_FLOOR` before each column is brought to add up to 1.
    """
    out = np.full((len(HEADS[slot]), len(share)), SHARE_FLOOR)
    out[classes.astype(np.int64)] = np.maximum(share.T, SHARE_FLOOR)
    logp: npt.NDArray[np.float32] = np.log(out / out.sum(axis=0)).astype(np.float32)
    return logp


def crop_of(bank: Bank, slot: str) -> npt.NDArray[np.int16]:
    """(pixel,): true class of a slot where it is taught and the pixel is of a field, else -1."""
    crop = bank.crop_a if slot == "A" else bank.crop_b
    return np.where(bank.field > 0, crop, np.int16(-1))


def trust_of(bank: Bank) -> npt.NDArray[np.float32]:
    """(pixel,): how far its label is trusted, 0 to 1."""
    return np.ones(len(bank.field), np.float32) if bank.weight is None else bank.weight


def no_sklearn(what: str) -> ConfigError:
    """The error for a baseline whose library is not installed."""
    return ConfigError(
        f"the {what} baseline needs scikit-learn, which is not installed", hint="pip install 'acreline[evaluate]'"
    )


def no_labels(slot: str) -> InputError:
    """The error for banks that teach a slot nothing."""
    return InputError(f"no pixel has a label for slot {slot}: nothing to learn from", hint="give labelled banks")
