"""How the implicit model is trained, so that an equilibrium is there to be iterated to.

A pool of flows keeps the latent states between visits (warm starts); a slot that is drawn afresh
begins at zero or at noise (path independence, Anil et al. 2022). A visit iterates some times
without gradient, then a few times with gradient, and pays for the errors of these and for how far
the last one still moved. So depth is random, from about ten iterations on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from equilibria.operators.fourier import ImplicitFNO
from equilibria.studies.navier_stokes.measures import relative_error
from equilibria.training import parallel
from equilibria.training.visits import WarmPool, draw_int, graded_iterates, iterate_freely

__all__ = ["FREE", "GRADED", "VISIT", "FlowPool", "pool_loss", "turned"]

FREE = (4, 12)  # iterations of a visit without gradient, at least and at most
GRADED = 3  # iterations of a visit with gradient
VISIT = (FREE[0] + GRADED, FREE[1] + GRADED)  # iterations of one visit, at least and at most
_AFRESH = 0.5  # chance that a visit begins on another flow: long-lived slots are learned by heart
_PENALTY = 0.1  # weight of |z_T - z_{T-1}| / |z_T| beside the error


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
class FlowPool:
    """Slots, each of which holds a flow and the state of its loop; all change in place.

    warm  the states, (N, width, n * n), and how often each was visited
    flow  (N,) int64, which training flow a slot holds
    code  (N,) int64, in which of its eight images (see `turned`)
    """

    warm: WarmPool
    flow: Tensor
    code: Tensor

    @classmethod
    def empty(cls, size: int, *, width: int, n: int, device: str | torch.device) -> FlowPool:
        """A pool of ``size`` slots for flows on n x n points, none of which was drawn yet."""
        state = parallel.zeros(size, width, n * n, device=device)
        visits, flow, code = (torch.zeros(size, dtype=torch.int64) for _ in range(3))
        return cls(WarmPool(state, visits), flow, code)

    @property
    def n(self) -> int:
        """Points per side."""
        return math.isqrt(self.warm.state.shape[2])

    def memory(self) -> dict[str, parallel.Rows]:
        """The tensors by name, as a training saves and restores them."""
        n = self.n
        return {
            f"z{n}": self.warm.state,
            f"flow{n}": self.flow,
            f"code{n}": self.code,
            f"visits{n}": self.warm.visits,
        }

    def renew(self, slots: Tensor, flows: int, generator: torch.Generator) -> None:
        """Give some of ``slots`` a new training flow and a new start, zero or noise."""
        drawn = slots[self.warm.draw_afresh(slots, _AFRESH, generator)]
        self.flow[drawn] = torch.randint(flows, (len(drawn),), generator=generator)
        self.code[drawn] = torch.randint(8, (len(drawn),), generator=generator)
        state = self.warm.state
        noise = torch.randn(len(drawn), *state.shape[1:], generator=generator)
        zero_or_one = torch.randint(2, (len(drawn), 1, 1), generator=generator)
        self.warm.begin(drawn, (noise * zero_or_one).to(state.device))


def pool_loss(
    model: ImplicitFNO,
    pool: FlowPool,
    x: Tensor,
    y: Tensor,
    slots: Tensor,
    generator: torch.Generator,
    *,
    free: tuple[int, int] = FREE,
) -> Tensor:
    """The loss of one visit to ``slots``: see the header of this module.

    x (N, 2, n, n) and y (N, n, n) are all training flows; ``free`` bounds the iterations without
    gradient. Changes the pool in place.
    """
    pool.renew(slots, len(y), generator)
    mine = parallel.rows(slots)
    flow = pool.flow[mine]
    inputs, label = turned(x[flow], y[flow], pool.code[mine])
    q = model.encode(inputs)
    steps = draw_int(free[0], free[1], generator)
    state = iterate_freely(model, parallel.rows(pool.warm.state[slots]), q, steps)
    before = state
    errors = []
    for after in graded_iterates(model, state, q, GRADED):
        before, state = state, after
        errors.append(relative_error(model.decode(state), label).mean())
    pool.warm.store(slots, parallel.whole(state))
    step = (state - before).flatten(1).norm(dim=1)
    moved = step / state.detach().flatten(1).norm(dim=1)
    loss: Tensor = torch.stack(errors).mean() + _PENALTY * moved.mean()
    return loss
