"""Theorems 2.4 and 2.5 on every target of `equilibria.problems.steep_targets`, and Fig. 1."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypedDict

import torch
from torch import Tensor

from equilibria import lipschitz, regularity, solve
from equilibria.operators.sufficiency import Relaxed, regular_operator
from equilibria.problems.steep_targets import TARGETS, Target, paper_step

__all__ = [
    "Conceptual",
    "Sufficiency",
    "constant_step",
    "measure_conceptual",
    "measure_sufficiency",
]

Step = Callable[[Tensor], Tensor]

# Every fourth distance, down to 2^-10, is audited: one per halving.
_AUDITED = slice(3, 40, 4)
_SIX_HALVINGS = 24  # distances, four per halving


class Conceptual(TypedDict):
    """Fig. 1: iterates of the target with two singularities, on three pieces."""

    x: Tensor
    piece: int  # points of each piece
    times: list[int]
    target: Tensor
    iterates: dict[str, list[Tensor]]  # by step ("paper", "automatic"), one entry per t
    step: dict[str, Tensor]  # eps(x), by step


class Necessity(TypedDict):
    """Theorem 2.5 at the audited distances from a target's first singularity."""

    bound: Tensor  # Lip_x(G)(y*) / (1 - mu)
    measured: Tensor  # |dy*/dx|
    worst_ratio: float  # the largest measured over bound, at all singularities
    worst_gap: float  # the largest |measured / slope of F - 1|, at all singularities


class OneTarget(TypedDict):
    """One target's steepness; one entry per distance, except where a comment says otherwise."""

    label: str
    operator: Tensor  # the largest Lip_x(G)(y) / (1 + |y|) down to here
    constant_step: Tensor  # the same, for the operator with a constant step
    target: Tensor  # the largest |dF/dx| down to here
    regular: bool  # whether the audit found G regular
    fixed_point_gap: float | None  # largest |y* - F| / (1 + |F|) there; None without a y*
    distance: Tensor  # the audited distances
    necessity: Necessity
    late_growth: dict[str, float]  # growth over the last six halvings, by curve


class Sufficiency(TypedDict):
    """Theorem 2.4 on every target."""

    distance: Tensor
    order: list[str]
    targets: dict[str, OneTarget]
    over_targets: dict[
        str, list[float] | list[float | None] | bool
    ]  # one entry per target, in `order`


def measure_conceptual(times: list[int], points: int, device: str = "cpu") -> Conceptual:
    """Fig. 1: y_t for the target with two singularities, by the paper's step and the automatic."""
    target = TARGETS["two_singularities"]
    # Midpoints of equal cells: never the end of a piece.
    part = (torch.arange(points, dtype=torch.float64, device=device)[:, None] + 0.5) / points
    pieces = [low + (high - low) * part for low, high in ((-2, 0), (0, 1), (1, 3))]
    x = torch.cat(pieces)
    steps: dict[str, Step] = {
        "paper": paper_step,
        "automatic": regular_operator(target.F, target.local_lipschitz).eps,
    }
    iterates: dict[str, list[Tensor]] = {}
    with torch.no_grad():
        for name, step in steps.items():
            G = Relaxed(target.F, step)
            iterates[name] = [G.iterate(x, t)[:, 0] for t in times]
        sizes = {name: step(x) for name, step in steps.items()}
    return {
        "x": x[:, 0],
        "piece": points,
        "times": times,
        "target": target.F(x)[:, 0],
        "iterates": iterates,
        "step": sizes,
    }


def constant_step(x: Tensor) -> Tensor:
    """The wrong step, eps = 0.5 everywhere: it breaks every claim about the right one. (B,)."""
    return x.new_full(x.shape[:1], 0.5)


def measure_sufficiency(
    levels: int, seed: int, device: str = "cpu", *, step: Step | None = None
) -> Sufficiency:
    """Theorem 2.4 on every target, on a grid that comes within 2^-levels of its singularities.

    Measured are the steepest Lip_x(G)(y) per unit of 1 + |y|, the steepest slope of F, and
    Lip_x of the operator with a constant step. The audit probes the same operators.

    levels  halvings of the distance, with four points each; at least 7
    seed    of the audits' probes
    step    replaces the automatic eps(x), to break the claim on purpose
    """
    exponents = torch.arange(0.25, levels + 0.125, 0.25, dtype=torch.float64, device=device)
    distance = 2.0**-exponents
    targets = {name: _one_target(target, distance, seed, step) for name, target in TARGETS.items()}
    every = targets.values()
    return {
        "distance": distance,
        "order": list(TARGETS),
        "targets": targets,
        "over_targets": {
            "largest_operator": [float(one["operator"][-1]) for one in every],
            "late_growth_of_operator": [one["late_growth"]["operator"] for one in every],
            "late_growth_of_target": [one["late_growth"]["target"] for one in every],
            "measured_over_bound": [one["necessity"]["worst_ratio"] for one in every],
            "all_regular": all(one["regular"] for one in every),
            "fixed_point_gap": [one["fixed_point_gap"] for one in every],
        },
    }


def _one_target(target: Target, distance: Tensor, seed: int, step: Step | None) -> OneTarget:
    if step is None:
        G = regular_operator(target.F, target.local_lipschitz)
    else:
        G = Relaxed(target.F, step)
    audited = target.near(distance[_AUDITED])
    with torch.no_grad():
        report = regularity.audit(G, torch.zeros_like(target.F(audited)), audited, seed=seed)
    x = target.near(distance)
    sizes = [_per_state(G, target, x, size) for size in (0.0, 1.0, 10.0)]
    steepest = torch.stack(sizes).amax(0)
    broken = _per_state(Relaxed(target.F, constant_step), target, x, 1.0)
    count = len(distance)
    curves = {
        "operator": _worst_so_far(steepest, count),
        "constant_step": _worst_so_far(broken, count),
        "target": _worst_so_far(target.slope(x), count),
    }
    return {
        "label": target.label,
        "operator": curves["operator"],
        "constant_step": curves["constant_step"],
        "target": curves["target"],
        "regular": report.regular,
        "fixed_point_gap": _fixed_point_gap(G, target, audited),
        "distance": distance[_AUDITED],
        "necessity": _necessity(report, target, audited, len(distance[_AUDITED])),
        "late_growth": {name: _late_growth(curve) for name, curve in curves.items()},
    }


def _fixed_point_gap(G: Relaxed, target: Target, x: Tensor) -> float | None:
    """How far the fixed point that is found from y = 0 lies from F(x), relatively."""
    F = target.F(x)
    solution = solve(G, torch.zeros_like(F), x, max_steps=1000, tol=1e-10, throw=False)
    if not bool(solution.success.all()):
        return None
    return float(((solution.y - F).norm(dim=1) / (1 + F.norm(dim=1))).max())


def _per_state(G: Relaxed, target: Target, x: Tensor, size: float) -> Tensor:
    """Lip_x(G)(y) / (1 + |y|) at |y| = size, (B,)."""
    y = torch.zeros_like(target.F(x))
    y[:, 0] = size

    def image(x: Tensor) -> Tensor:
        return G(y, x)

    return lipschitz.local(image, x) / (1 + size)


def _worst_so_far(values: Tensor, count: int) -> Tensor:
    """The largest value over a target's singularities and all distances down to each, (count,)."""
    return values.reshape(-1, count).amax(0).cummax(0).values


def _late_growth(curve: Tensor) -> float:
    """The last value over that of six halvings of the distance before."""
    return float(curve[-1] / curve[-1 - _SIX_HALVINGS])


def _necessity(report: regularity.Audit, target: Target, x: Tensor, count: int) -> Necessity:
    return {
        "bound": report.bound[:count],
        "measured": report.measured[:count],
        "worst_ratio": float((report.measured / report.bound).max()),
        "worst_gap": float((report.measured / target.slope(x) - 1).abs().max()),
    }
