# SPDX-License-Identifier: Apache-2.0
"""Several networks as one: their log-probabilities are averaged, and how fields fare is told beside the land around."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from acreline.model.acrenet import AcreNet, health_input
from acreline.model.departures import Usual, depart, signs_of, usual_of
from acreline.model.outputs import Crops, Fares, Heads

USUAL_STEP_PX = 5
"""What is usual around is taken from every fifth pixel of every fifth row."""
FEWEST_PX = 8
"""Of those, so many of a kind must there be to tell what is usual for it."""


class AcreNets(nn.Module):
    """Several networks of one shape that learned from different draws: their log-probabilities are averaged.

    Args:
        members: networks of the same shape.
    """

    def __init__(self, members: Sequence[AcreNet]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    @property
    def healths(self) -> int:
        """Classes of the health head."""
        return self._member(0).tell_health.out_channels - 1

    def embed(self, x: Tensor) -> Tensor:
        """As `AcreNet.embed`; the members' embeddings one after the other, (b, members x d, h, w)."""
        return torch.cat([self._member(i).embed(x) for i in range(len(self.members))], dim=1)

    def auxiliary(self, y: Tensor) -> Crops:
        """Log-probabilities from the pixel alone."""
        return self._crops([self._member(i).auxiliary(part) for i, part in enumerate(self._parts(y))])

    def decode(self, y: Tensor, rim: tuple[int, int] = (0, 0)) -> Crops:
        """Log-probabilities with the surroundings; `rim` as in `AcreNet.decode`."""
        return self._crops([self._member(i).decode(part, rim) for i, part in enumerate(self._parts(y))])

    def fare(self, x: Tensor, y: Tensor, z: Tensor) -> Fares:
        """Log-probabilities of health, and vigour; see `AcreNet.fare`."""
        return self._fares(health_input(x, signs_of(x), z), y)

    def _fares(self, seen: Tensor, y: Tensor) -> Fares:
        told = [self._member(i).fare_seen(seen, part) for i, part in enumerate(self._parts(y))]
        return Fares(_mean_logp([one.health for one in told]), torch.stack([one.vigour for one in told]).mean(dim=0))

    def usual(self, x: Tensor, y: Tensor | None = None) -> Usual:
        """What is usual on a piece of land for each kind of field, by the crops that each pixel alone tells.

        Args:
            x: (k, c, n): pixels spread over the land; kinds of fewer than `FEWEST_PX` of them stay unknown.
            y: (1, members x d, 1, n), their embeddings; None: they are made.
        """
        crops = self.auxiliary(self.embed(x[None, :, :, None]) if y is None else y)
        seen = (x[:, -2] > 0).any(dim=0)  # the support of some bin: what was never seen sets nothing
        kind = torch.where(seen, kinds_of(crops.crop_a[0, :, 0], crops.crop_b[0, :, 0]), -1)
        return usual_of(signs_of(x[None])[0], kind, crops.crop_a.shape[1] * crops.crop_b.shape[1], fewest=FEWEST_PX)

    def fare_beside(self, x: Tensor, y: Tensor, crops: Crops, usual: Usual) -> Fares:
        """How the pixels of one window fare beside what is usual around.

        Args:
            x: (k, c, h, w).
            y: (1, members x d, h, w), its embeddings.
            crops: what was told of it, (1, class, h, w); it says beside which kind each pixel is held.
            usual: of the land around.
        """
        signs = signs_of(x[None])
        kind = kinds_of(crops.crop_a[0], crops.crop_b[0]).flatten()
        apart = depart(signs[0].flatten(2), kind, usual).reshape(x.shape[0], -1, *x.shape[2:])
        return self._fares(health_input(x[None], signs, apart[None]), y)

    def forward(self, x: Tensor) -> Heads:
        """(b, k, c, h, w) -> heads; h and w multiples of 4. Each window is the land that its fields are compared on."""
        y = self.embed(x)
        crops = self.decode(y)
        fares = []
        for k in range(len(x)):
            spread = x[k, :, :, ::USUAL_STEP_PX, ::USUAL_STEP_PX].flatten(2)
            one = Crops(*(part[k : k + 1] for part in crops))
            fares.append(self.fare_beside(x[k], y[k : k + 1], one, self.usual(spread)))
        health, vigour = (torch.cat([part[k] for part in fares]) for k in (0, 1))
        return Heads(crops.crop_a, crops.crop_b, health, vigour, crops.edge)

    def _member(self, i: int) -> AcreNet:
        member = self.members[i]
        assert isinstance(member, AcreNet)
        return member

    def _parts(self, y: Tensor) -> tuple[Tensor, ...]:
        return torch.chunk(y, len(self.members), dim=1)

    @staticmethod
    def _crops(told: list[Crops]) -> Crops:
        a, b = (_mean_logp([one[k] for one in told]) for k in (0, 1))
        return Crops(a, b, torch.stack([one.edge for one in told]).mean(dim=0))


def kinds_of(crop_a: Tensor, crop_b: Tensor) -> Tensor:
    """Kind of each pixel, the pair of its likeliest crops: logits (class, ...) of both slots -> (...)."""
    return crop_a.argmax(dim=0) * crop_b.shape[0] + crop_b.argmax(dim=0)


def _mean_logp(logits: list[Tensor]) -> Tensor:
    return torch.stack([torch.log_softmax(one, dim=1) for one in logits]).mean(dim=0)
