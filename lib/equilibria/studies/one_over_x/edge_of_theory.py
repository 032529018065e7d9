"""Where the theory ends: sign x, which is not locally Lipschitz at 0."""

from __future__ import annotations

from typing import TypedDict

import torch
from torch import Tensor

from equilibria import lipschitz, regularity
from equilibria.operators.sufficiency import regular_operator
from equilibria.problems.steep_targets import SIGN, smooth_sign

__all__ = ["Limit", "measure_limit"]


class Approach(TypedDict):
    """sign x at the distances from 0."""

    one_minus_mu: Tensor
    allowed: Tensor  # the largest 1 - mu that necessity allows


class Smoothed(TypedDict):
    """tanh(x / w), one entry per width w."""

    one_minus_mu: list[float]  # the least over x
    allowed: list[float]  # the largest 1 - mu(0) that necessity allows
    mu: list[float]  # the largest over x


class AtZero(TypedDict):
    """What the audit says of sign x at x = 0."""

    mu: float
    regular: bool
    report: str


class Limit(TypedDict):
    """The modulus at the edge of the theory; `distance` also holds the widths w."""

    distance: Tensor
    approach: Approach
    smoothed: Smoothed
    at_zero: AtZero


def measure_limit(levels: int, seed: int, device: str = "cpu") -> Limit:
    """The modulus of sign x and of tanh(x / w), beside what every regular operator must obey.

    An operator that is K-Lipschitz in x at |y| = 1 and has the fixed point sign x obeys
    1 - mu(x) <= K |x|, because |y*(x) - y*(-x)| = 2. Here K = 2 c (1 + 1) = 2. The slope 1/w of
    tanh(x / w) at 0 asks for 1 - mu(0) <= Lip_x(G)(0) w.

    levels  halvings of the distance from 0 and of the width
    seed    of the audit's probes
    """
    exponents = torch.arange(1.0, levels + 1, dtype=torch.float64, device=device)
    distance = 2.0**-exponents
    G = regular_operator(SIGN.F, SIGN.local_lipschitz)
    with torch.no_grad():
        gap = 1 - G.modulus(distance[:, None])
    smoothed = Smoothed(one_minus_mu=[], allowed=[], mu=[])
    for width in distance.tolist():
        mu, allowed = _smoothed(width, distance)
        smoothed["mu"].append(float(mu))
        smoothed["one_minus_mu"].append(float(1 - mu))
        smoothed["allowed"].append(allowed)
    zero = torch.zeros(1, 1, dtype=torch.float64, device=device)
    audit = regularity.audit(G, zero, zero, seed=seed)
    return {
        "distance": distance,
        "approach": {"one_minus_mu": gap, "allowed": 2 * distance},
        "smoothed": smoothed,
        "at_zero": {"mu": float(audit.mu), "regular": audit.regular, "report": audit.report},
    }


def _smoothed(width: float, like: Tensor) -> tuple[Tensor, float]:
    """The largest modulus for tanh(x / width), and what necessity allows 1 - mu(0) to be."""
    target = smooth_sign(width)
    G = regular_operator(target.F, target.local_lipschitz)
    # x = 0, where the target is steepest, and points around one width from it.
    powers = torch.arange(-3.0, 3.0, dtype=like.dtype, device=like.device)
    x = torch.cat([torch.zeros_like(like[:1]), width * 2.0**powers])[:, None]

    def image(x: Tensor) -> Tensor:
        return G(torch.zeros_like(x), x)

    steepest = lipschitz.local(image, x)[0]
    with torch.no_grad():
        mu = G.modulus(x)
    return mu.max(), float(steepest) * width
