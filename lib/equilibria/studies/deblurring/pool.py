"""How the implicit models are trained, so that there is an equilibrium to iterate to.

A pool of photographs keeps each state y between visits, so that most gradients are taken near y*,
after tens to hundreds of iterations. A slot that is drawn afresh starts from 0, from x or from
noise (path independence, Anil et al. 2022).

Each visit first iterates a few times without gradient. What follows depends on the slot:

young half  drawn afresh often and seldom near y*: a few iterations with gradient are graded
old half    near y*: graded at the equilibrium by the implicit adjoint, the only one to see what a
            small change does to a slow mode after hundreds of iterations

The old half also pays for a G that stretches some direction by more than `Visits.modulus`. The
direction is the state of a power iteration, which also lives in the pool. PGD needs more of all
this than HQS, because its data step contracts nothing where the blur removes a frequency.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from equilibria.adjoints import Implicit, equilibrium
from equilibria.operators.blur import Blur
from equilibria.operators.deblurring import DeblurringOperator
from equilibria.problems import images
from equilibria.solvers import Anderson, Picard, solve
from equilibria.training import parallel
from equilibria.training.visits import WarmPool, draw_int, graded_iterates, iterate_freely

__all__ = ["VISITS", "PhotographPool", "Visits", "mean_square", "pool_loss"]

_ADJOINT = Implicit(method=Anderson(), max_steps=8, tol=None, throw=False)
_GRADED_STEPS = 2  # iterations of a young slot with gradient
_JUMP_STEPS = 12  # evaluations of Anderson's method that bring a fresh old slot near its y*
# Step of the difference quotient, as root mean square over the pixels: large enough to reach
# over the kinks of H, too small to be seen.
_PERTURBATION = 1e-2


@dataclass(frozen=True, kw_only=True)
class Visits:
    """How the pool of an implicit model is visited."""

    free: int  # largest number of iterations of a visit without gradient; the smallest is 0
    young_afresh: float  # chance that a visited slot of the young half is drawn afresh
    old_afresh: float  # the same for the old half
    modulus: float  # the largest stretch that costs nothing
    penalty: float  # weight of the squared excess over it


VISITS = {
    "pgd": Visits(free=16, young_afresh=1.0, old_afresh=0.05, modulus=0.95, penalty=0.1),
    "hqs": Visits(free=6, young_afresh=1.0, old_afresh=0.34, modulus=0.97, penalty=0.02),
}


@dataclass(frozen=True)
class PhotographPool:
    """Photographs and what training keeps of each between visits; all tensors change in place.

    truth, x   (N, 3, H, W) photograph and measurement in each slot
    direction  (N, 3, H, W) state of the power iteration on dG/dy; only the old half uses it
    warm       the states y, (N, 3, H, W), and the number of visits to each slot

    The first half of the slots is the young half, the second half the old one.
    """

    truth: parallel.Rows
    x: parallel.Rows
    direction: parallel.Rows
    warm: WarmPool

    @classmethod
    def empty(
        cls, slots: int, side: int, *, device: str, dtype: torch.dtype = torch.float32
    ) -> PhotographPool:
        """A pool of ``slots`` crops of ``side`` x ``side`` pixels, none of which was drawn yet."""
        truth, x, direction, y = (
            parallel.zeros(slots, 3, side, side, dtype=dtype, device=device) for _ in range(4)
        )
        return cls(truth, x, direction, WarmPool(y, torch.zeros(slots, dtype=torch.int64)))

    def memory(self) -> dict[str, parallel.Rows]:
        """All tensors by name, for a training that is interrupted and resumed."""
        return {
            "truth": self.truth,
            "x": self.x,
            "y": self.warm.state,
            "direction": self.direction,
            "visits": self.warm.visits,
        }

    def is_old(self, slots: Tensor) -> Tensor:
        """Which of ``slots`` (B,) belong to the old half, (B,) bool."""
        return slots >= len(self.truth) // 2

    def begin(
        self, slots: Tensor, photographs: list[Tensor], blur: Blur, generator: torch.Generator
    ) -> None:
        """Put a new photograph, measurement, start and direction into each of ``slots``."""
        device = self.x.device
        side = self.x.shape[-1]
        truth = images.draw(photographs, len(slots), size=side, generator=generator).to(device)
        x = images.measure(truth, blur, generator=generator)
        start = torch.randint(3, (len(slots),), generator=generator).to(device)
        start = start[:, None, None, None]
        noise = torch.rand(truth.shape, generator=generator).to(device)
        x_or_noise = torch.where(start == 1, x, noise)
        self.truth[slots] = truth
        self.x[slots] = x
        self.warm.begin(slots, torch.where(start == 0, torch.zeros_like(x), x_or_noise))
        self.direction[slots] = torch.randn(truth.shape, generator=generator).to(device)


def pool_loss(
    model: DeblurringOperator,
    pool: PhotographPool,
    photographs: list[Tensor],
    slots: Tensor,
    generator: torch.Generator,
    *,
    visits: Visits,
) -> Tensor:
    """The loss of one visit to ``slots`` (B,), half of which are young and half old; a scalar.

    Half the mean squared error of the young states, half that of the old ones, plus
    penalty * mean (|dG/dy v| - modulus)_+^2 over the old ones. Changes the pool in place.
    """
    old = pool.is_old(slots)
    chance = torch.where(old, visits.old_afresh, visits.young_afresh)
    afresh = pool.warm.draw_afresh(slots, chance, generator)
    if bool(afresh.any()):
        pool.begin(slots[afresh], photographs, model.blur, generator)
    x, truth, y = (parallel.rows(t[slots]) for t in (pool.x, pool.truth, pool.warm.state))

    y = iterate_freely(model, y, x, draw_int(0, visits.free, generator))
    old_slots = slots[old]
    old, jump = parallel.rows(old), parallel.rows(old & afresh)
    if bool(jump.any()):
        y[jump] = _near_equilibrium(model, y[jump], x[jump])

    settled = equilibrium(
        model, y[old], x[old], method=Picard(), max_steps=1, adjoint=_ADJOINT, throw=False
    ).y
    young_errors = []
    for young in graded_iterates(model, y[~old], x[~old], _GRADED_STEPS):
        young_errors.append(mean_square(young - truth[~old]))
    old_error = mean_square(settled - truth[old])
    loss = 0.5 * old_error + 0.5 * torch.stack(young_errors).mean()

    y[old] = settled.detach()
    y[~old] = young.detach()
    pool.warm.store(slots, parallel.whole(y))
    if visits.penalty:
        stretch = _stretch(model, pool, old_slots)
        excess = (stretch - visits.modulus).clamp(min=0)
        loss = loss + visits.penalty * excess.square().mean()
    return loss


def _near_equilibrium(model: DeblurringOperator, y: Tensor, x: Tensor) -> Tensor:
    with torch.no_grad():
        return solve(model, y, x, method=Anderson(), max_steps=_JUMP_STEPS, throw=False).y


def mean_square(error: Tensor) -> Tensor:
    """The mean of the squared entries, a scalar."""
    return error.square().mean()


def _stretch(model: DeblurringOperator, pool: PhotographPool, slots: Tensor) -> Tensor:
    """|J v| with J = dG/dy at the states of ``slots``, one number per slot, with gradient.

    v is each slot's direction, scaled to norm 1. The pool keeps J^T J v as the next direction,
    so that over many visits v turns to the direction that G stretches most.
    """
    v = parallel.rows(pool.direction[slots])
    v = v / v.flatten(1).norm(dim=1)[:, None, None, None].clamp(min=1e-12)
    y = parallel.rows(pool.warm.state[slots]).requires_grad_()
    x = parallel.rows(pool.x[slots])
    # J v = (G(y + h v, x) - G(y, x)) / h
    h = _PERTURBATION * v[0].numel() ** 0.5
    with torch.no_grad():
        here = model(y, x)
    Jv = (model(y + h * v, x) - here) / h
    # J^T J v, taken at y + h v
    (next_direction,) = torch.autograd.grad(Jv, y, Jv.detach(), retain_graph=True)
    pool.direction[slots] = parallel.whole(next_direction)
    norms: Tensor = Jv.flatten(1).norm(dim=1)
    return norms
