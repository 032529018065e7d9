"""Whether a training may compute in bfloat16: what rounding alone does to a residual."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from equilibria.solvers.method import Operator

__all__ = ["rounding_residual"]


@torch.no_grad()
def rounding_residual(G: Operator, y: Tensor, x: Any) -> Tensor:
    """|G_b(y, x) - G(y, x)| / |G(y, x)|, (B,), where G_b is G under autocast to bfloat16.

    At a fixed point y* of G this is the relative residual |G_b(y*, x) - y*| / |y*| that iterations
    in bfloat16 see there, so they cannot tell states apart that are closer to rest. Set
    ``Settings.precision`` to "bfloat16" where it is small beside the residuals that a training is
    to reach.
    """
    exact = G(y, x)
    with torch.autocast(y.device.type, torch.bfloat16):
        rounded = G(y, x).to(exact.dtype)
    sizes = exact.flatten(1).norm(dim=1)
    residual: Tensor = (rounded - exact).flatten(1).norm(dim=1) / sizes
    return residual
