"""Training flows in all their images: mirrored, turned, and at other speeds.

Each image of a steady flow is a steady flow of known forcing, so a pool of flows has many more of
them for nothing. Shifts would teach nothing, since all models commute with them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from equilibria.problems.flow_data import Flows
from equilibria.problems.flow_grid import resample

__all__ = ["TrainingFlows", "turned"]


def turned(x: Tensor, y: Tensor, code: Tensor) -> tuple[Tensor, Tensor]:
    """Each flow in one of its eight images, which is again a steady flow.

    x (B, 2, n, n) forcing, y (B, n, n) vorticity, code (B,) in 0..7. Bit 0 exchanges x1 and x2,
    bits 1 and 2 mirror them; a mirror changes the sign of the vorticity.
    """
    exchanged = _bit(code, 0, y)
    x = torch.where(exchanged[:, None, None, None], x.mT.flip(1), x)
    y = torch.where(exchanged[:, None, None], -y.mT, y)
    for bit, side, signs in ((1, -2, [-1.0, 1.0]), (2, -1, [1.0, -1.0])):
        mirrored = _bit(code, bit, y)
        sign = x.new_tensor(signs)[:, None, None]
        x = torch.where(mirrored[:, None, None, None], sign * x.flip(side), x)
        y = torch.where(mirrored[:, None, None], -y.flip(side), y)
    return x, y


def _bit(code: Tensor, place: int, like: Tensor) -> Tensor:
    return ((code >> place) & 1).bool().to(like.device)


@dataclass(frozen=True)
class TrainingFlows:
    """Flows whose speed can be changed: s w is steady under s^2 a + s b.

    even    a, (N, 2, n, n): the part of the forcing that w and -w share (advection)
    odd     b, (N, 2, n, n): the part that changes sign with w (friction)
    label   w, (N, n, n)
    speeds  the least and the largest factor s of an image
    """

    even: Tensor
    odd: Tensor
    label: Tensor
    speeds: tuple[float, float]

    @classmethod
    def of(
        cls,
        flows: Flows,
        opposite: Tensor,
        n: int,
        device: str,
        speeds: tuple[float, float] = (1.0, 1.0),
    ) -> TrainingFlows:
        """Flows on n x n points, single precision; ``opposite`` is the forcing of -w."""
        parts = (flows.forcing + opposite) / 2, (flows.forcing - opposite) / 2, flows.vorticity
        even, odd, label = (resample(part, n).float().to(device) for part in parts)
        return cls(even, odd, label, speeds)

    def __len__(self) -> int:
        return len(self.label)

    @property
    def n(self) -> int:
        """Points per side."""
        return self.label.shape[-1]

    def draw_speeds(self, count: int, generator: torch.Generator) -> Tensor:
        """Factors s, (count,): 1 for about one half, else uniform between the ``speeds``."""
        least, largest = self.speeds
        factor = least + (largest - least) * torch.rand(count, generator=generator)
        return torch.where(torch.rand(count, generator=generator) < 0.5, 1.0, factor)

    def images(self, flow: Tensor, speed: Tensor, code: Tensor) -> tuple[Tensor, Tensor]:
        """(forcing, vorticity) of flows (B,) at factors ``speed`` (B,), `turned` by ``code``."""
        s = speed.to(self.label.device)[:, None, None]
        forcing = s[:, None] ** 2 * self.even[flow] + s[:, None] * self.odd[flow]
        return turned(forcing, s * self.label[flow], code)
