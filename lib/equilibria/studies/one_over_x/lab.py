"""Steps eps(x) of a reader's own: how steep they leave G on the way to a singularity."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypedDict

import torch
from torch import Tensor

from equilibria.operators.sufficiency import Relaxed

__all__ = ["Attempt", "measure_steps"]

Map = Callable[[Tensor], Tensor]


class Attempt(TypedDict):
    """One step; one entry per distance, halved from one to the next."""

    distance: Tensor
    steepness: Tensor  # Lip_x(G) / (1 + |y|) between neighbours, the largest over |y| = 0, 1, 10
    one_minus_mu: Tensor  # eps at the nearer point
    late_growth: float  # the last steepness over that of six halvings before


def measure_steps(
    F: Map, steps: Mapping[str, Map], *, levels: int, across: bool = False
) -> dict[str, Attempt]:
    """Difference ratios of G in x at distances 2^-1, ..., 2^-levels from 0, by the step's name.

    F       the target, (B, 1) -> (B, 1)
    steps   eps by name, (B, 1) -> (B,) with values in [0, 1]
    levels  halvings of the distance; at least 8
    across  compare x with -x instead of x with x / 2: for a target that jumps at 0

    Raises ValueError for fewer levels, or for a step that leaves [0, 1] or has another shape.
    """
    if levels < 8:
        raise ValueError(f"levels must be at least 8, got {levels}")
    distance = 2.0 ** -torch.arange(1.0, levels + 1, dtype=torch.float64)
    a = distance[:, None]
    b = -a if across else a / 2
    return {name: _attempt(name, F, step, a, b) for name, step in steps.items()}


def _attempt(name: str, F: Map, step: Map, a: Tensor, b: Tensor) -> Attempt:
    for x in (a, b):
        eps = step(x)
        if eps.shape != x.shape[:1] or not bool(((eps >= 0) & (eps <= 1)).all()):
            raise ValueError(f"step {name!r} must map (B, 1) to (B,) in [0, 1], got {eps}")
    G = Relaxed(F, step)
    sizes = (0.0, 1.0, 10.0)
    ratios = [_ratio(G, a, b, size) for size in sizes]
    steepness = torch.stack(ratios).amax(0)
    return {
        "distance": b[:, 0].abs(),
        "steepness": steepness,
        "one_minus_mu": step(b),
        "late_growth": float(steepness[-1] / steepness[-7]),
    }


def _ratio(G: Relaxed, a: Tensor, b: Tensor, size: float) -> Tensor:
    """|G(y, a) - G(y, b)| / |a - b| per unit of 1 + |y|, at y = size, (B,)."""
    y = torch.full_like(a, size)
    return ((G(y, a) - G(y, b)) / (a - b)).abs()[:, 0] / (1 + size)
