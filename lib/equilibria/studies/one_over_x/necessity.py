"""Theorem 2.5 where nobody arranged for its bound: a turning operator, and learned ones."""

from __future__ import annotations

from typing import TypedDict

import torch
from torch import Tensor

from equilibria import regularity
from equilibria.operators.reciprocal import TurningReciprocal
from equilibria.solvers.method import Operator
from equilibria.studies.one_over_x.grids import log_space
from equilibria.studies.one_over_x.networks import BOUNDS, NEAR, SEEDS, load

__all__ = ["BoundAndMeasured", "NotAttained", "measure_necessity"]

_ANGLES = (0.0, 0.03, 0.3)  # radians per step


class BoundAndMeasured(TypedDict):
    """One entry per x, or per network and x."""

    bound: list[float]  # Lip_x(G)(y*) / (1 - mu)
    measured: list[float]  # |dy*/dx|


class NotAttained(TypedDict):
    """The turning operator by its angle, the learned operators together, and the extreme ratios."""

    turning: dict[str, BoundAndMeasured]
    learned: BoundAndMeasured
    least_ratio: float  # the smallest measured over bound of all
    worst_ratio: float  # the largest


def measure_necessity(eta: float, points: int, seed: int) -> NotAttained:
    """Bound and measured |dy*/dx| of the turning operator and of the toy's implicit networks.

    eta     step of the turning operator
    points  of x, from 1e-3 to 1 for the turning operator, from 0.1 to 1 for the networks
    seed    of the audits' probes
    """
    x = log_space(1e-3, 1, points, "cpu")
    turning = {
        f"{angle:g}": _audited(TurningReciprocal(eta, angle), torch.zeros(points, 2).to(x), x, seed)
        for angle in _ANGLES
    }
    x = log_space(NEAR, 1, points, "cpu")
    networks = [load(f"implicit-{bound}", seed=seed)[0] for bound in BOUNDS for seed in SEEDS]
    single = [_audited(network.double(), torch.zeros_like(x), x, seed) for network in networks]
    learned: BoundAndMeasured = {
        "bound": [value for one in single for value in one["bound"]],
        "measured": [value for one in single for value in one["measured"]],
    }
    ratios = [
        measured / bound
        for one in (*turning.values(), learned)
        for measured, bound in zip(one["measured"], one["bound"], strict=True)
    ]
    return {
        "turning": turning,
        "learned": learned,
        "least_ratio": min(ratios),
        "worst_ratio": max(ratios),
    }


def _audited(G: Operator, y0: Tensor, x: Tensor, seed: int) -> BoundAndMeasured:
    """What the audit measures. Raises RuntimeError where it does not find G regular."""
    audit = regularity.audit(G, y0, x, seed=seed)
    if not audit.regular:
        raise RuntimeError(f"the operator is not regular: {audit.report}")
    return {"bound": audit.bound.tolist(), "measured": audit.measured.tolist()}
