"""The bounded pair: training under one bound on the slope in the forcing (paper, section 2).

Both networks pay where |dy/df| passes the bound, in the units that they see: the explicit one for
y = F(f), the implicit one for y = decode(G(z, encode(f))) at the states z of its visits, held
fixed, so that no scale can hide between encoder and decoder.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from equilibria.lipschitz import sample_norm
from equilibria.operators.fourier import ExplicitFNO, ImplicitFNO

__all__ = ["BOUND", "in_network_units", "slope_penalty"]

# L in network units; the physical map has a slope of about 2 there (training flows, nu = 0.01)
BOUND = 0.4
_AIM = 0.7  # share of the bound from which on a slope costs: the power iteration sees less than all
_POWER_STEPS = 4
_STEP = 0.02  # length of a move of the forcing relative to it
_WEIGHT = 10.0  # of the square of what a slope exceeds its share by, relative to the bound


def in_network_units(
    model: ExplicitFNO | ImplicitFNO, z: Tensor | None = None
) -> Callable[[Tensor], Tensor]:
    """x -> y in units of the network's scales; of one iteration at the state ``z`` if given."""

    def answer(x: Tensor) -> Tensor:
        physical = model.input_scale * x
        if isinstance(model, ExplicitFNO):
            y: Tensor = model(physical)
        else:
            y = model.decode(model(z, model.encode(physical)))
        return y / model.output_scale

    return answer


def slope_penalty(
    answer: Callable[[Tensor], Tensor], x: Tensor, generator: torch.Generator
) -> Tensor:
    """What the slopes of ``answer`` at x (B, 2, n, n) cost, a scalar that carries gradients.

    The steepest direction is sought by power iteration on J'J, with differences for J v.
    """
    x = x.detach()
    step = _STEP * sample_norm(x)
    direction = torch.randn(x.shape, generator=generator).to(x.device)
    for _ in range(_POWER_STEPS):
        v = (step / sample_norm(direction))[:, None, None, None] * direction
        moved = (x + v).requires_grad_()
        value = answer(moved)
        with torch.no_grad():
            change = value - answer(x)
        (direction,) = torch.autograd.grad(value, moved, change)
    v = (step / sample_norm(direction))[:, None, None, None] * direction
    slope = sample_norm(answer(x + v) - answer(x)) / step
    excess = (slope / BOUND - _AIM).clamp_min(0)
    return _WEIGHT * excess.square().mean()
