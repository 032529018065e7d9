"""How the implicit model is trained, so that an equilibrium is there to be iterated to.

A pool of flows keeps the latent states between visits (warm starts); a slot that is drawn afresh
begins at zero or at noise (path independence, Anil et al. 2022). A visit iterates some times
without gradient, then a few times with gradient, and pays for the errors of these and for how far
the last one still moved. So depth is random, from about ten iterations on.

Some states of a visit have a neighbour that is iterated beside them. Where a state has come to
rest, the neighbour has to come closer, at a rate below 1: a penalty on the spectral radius of
dG/dz, since after the free iterations their distance points where it shrinks most slowly.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from equilibria.operators.fourier import ImplicitFNO
from equilibria.studies.navier_stokes.measures import relative_error
from equilibria.studies.navier_stokes.training_flows import TrainingFlows
from equilibria.training import parallel
from equilibria.training.visits import WarmPool, draw_int, graded_iterates, iterate_freely

__all__ = ["FREE", "GRADED", "VISIT", "FlowPool", "pool_loss"]

FREE = (4, 12)  # iterations of a visit without gradient, at least and at most
GRADED = 3  # iterations of a visit with gradient
VISIT = (FREE[0] + GRADED, FREE[1] + GRADED)  # iterations of one visit, at least and at most
_AFRESH = 0.5  # chance that a visit begins on another flow: long-lived slots are learned by heart
_PENALTY = 0.1  # weight of |z_T - z_{T-1}| / |z_T| beside the error
_NEIGHBOURS = 3  # states of a visit that have a neighbour
_DISTANCE = 0.01  # of a neighbour, relative to the state
_AT_REST = 0.05  # relative move of the last iteration below which a state counts as at rest
_RATE = 0.9  # rate at which a neighbour of a state at rest may come closer without a penalty
_RATE_PENALTY = 1.0  # weight of the square of what the rate exceeds that by


@dataclass(frozen=True)
class FlowPool:
    """Slots, each of which holds a flow and the state of its loop; all change in place.

    warm   the states, (N, width, n * n), and how often each was visited
    flow   (N,) int64, which training flow a slot holds
    code   (N,) int64, in which of its eight images (see `turned`)
    speed  (N,) at which factor of its speed
    """

    warm: WarmPool
    flow: Tensor
    code: Tensor
    speed: Tensor

    @classmethod
    def empty(cls, size: int, *, width: int, n: int, device: str | torch.device) -> FlowPool:
        """A pool of ``size`` slots for flows on n x n points, none of which was drawn yet."""
        state = parallel.zeros(size, width, n * n, device=device)
        visits, flow, code = (torch.zeros(size, dtype=torch.int64) for _ in range(3))
        return cls(WarmPool(state, visits), flow, code, torch.ones(size))

    def memory(self, n: int) -> dict[str, parallel.Rows]:
        """The tensors by name, as a training on n x n points saves and restores them."""
        return {
            f"z{n}": self.warm.state,
            f"flow{n}": self.flow,
            f"code{n}": self.code,
            f"speed{n}": self.speed,
            f"visits{n}": self.warm.visits,
        }

    def renew(self, slots: Tensor, flows: TrainingFlows, generator: torch.Generator) -> None:
        """Give some of ``slots`` a new training flow and a new start, zero or noise."""
        drawn = slots[self.warm.draw_afresh(slots, _AFRESH, generator)]
        self.flow[drawn] = torch.randint(len(flows), (len(drawn),), generator=generator)
        self.code[drawn] = torch.randint(8, (len(drawn),), generator=generator)
        self.speed[drawn] = flows.draw_speeds(len(drawn), generator)
        state = self.warm.state
        noise = torch.randn(len(drawn), *state.shape[1:], generator=generator)
        zero_or_one = torch.randint(2, (len(drawn), 1, 1), generator=generator)
        self.warm.begin(drawn, (noise * zero_or_one).to(state.device))


def pool_loss(
    model: ImplicitFNO,
    pool: FlowPool,
    flows: TrainingFlows,
    slots: Tensor,
    generator: torch.Generator,
    *,
    free: tuple[int, int] = FREE,
) -> Tensor:
    """The loss of one visit to ``slots``: see the header of this module.

    ``free`` bounds the iterations without gradient. Changes the pool in place.
    """
    pool.renew(slots, flows, generator)
    mine = parallel.rows(slots)
    # The first states of the whole batch have neighbours; some of them are this process's.
    near = parallel.rows(torch.arange(len(slots)))
    near = near[near < _NEIGHBOURS]
    inputs, label = flows.images(pool.flow[mine], pool.speed[mine], pool.code[mine])
    count = len(mine)
    q = model.encode(inputs)
    q = torch.cat([q, q[: len(near)]])
    state = _with_neighbours(parallel.rows(pool.warm.state[slots]), near, generator)
    state = iterate_freely(model, state, q, draw_int(free[0], free[1], generator))
    apart = _distances(state, count)
    before = state
    errors = []
    for after in graded_iterates(model, state, q, GRADED):
        before, state = state, after
        errors.append(relative_error(model.decode(state[:count]), label).mean())
    pool.warm.store(slots, parallel.whole(state[:count]))

    step = (state[:count] - before[:count]).flatten(1).norm(dim=1)
    moved = step / state[:count].detach().flatten(1).norm(dim=1)
    rate = (_distances(state, count) / apart) ** (1 / GRADED)
    at_rest = moved[: len(rate)].detach() < _AT_REST
    excess = torch.where(at_rest, (rate - _RATE).clamp_min(0), 0.0).square()
    # the mean over the neighbours of all processes, which average their losses
    watched = excess.sum() * parallel.count() / min(_NEIGHBOURS, len(slots))
    loss: Tensor = torch.stack(errors).mean() + _PENALTY * moved.mean() + _RATE_PENALTY * watched
    return loss


def _with_neighbours(state: Tensor, near: Tensor, generator: torch.Generator) -> Tensor:
    """The states (B, width, n * n), followed by neighbours of the first ones.

    near  which of the batch's `_NEIGHBOURS` first states these are
    """
    own = state[: len(near)]
    noise = torch.randn(_NEIGHBOURS, *own.shape[1:], generator=generator)[near].to(own.device)
    # a state of zero has a size, too: that of the noise
    size = own.flatten(1).norm(dim=1).clamp_min(1.0) / noise.flatten(1).norm(dim=1)
    return torch.cat([state, own + _DISTANCE * size[:, None, None] * noise])


def _distances(state: Tensor, count: int) -> Tensor:
    """How far each neighbour behind the ``count`` states is from its own."""
    neighbours = state[count:]
    distance: Tensor = (neighbours - state[: len(neighbours)]).flatten(1).norm(dim=1)
    return distance
