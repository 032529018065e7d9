"""A steady flow followed from rest while the forcing grows (pseudo-arclength, Keller 1977).

The points (x, s) that solve the equation under the forcing s c form a curve, which begins at rest,
(0, 0). Steady flows for s <= 1 are bounded, so the curve may turn back but has to pass s = 1, and
that is where the answer lies. Plain growth of s fails where the curve turns; so the curve is
followed by its length: predict along the tangent, then correct by Newton's method on the equation
together with the plane across the tangent.

==============  ===================================================================================
``point``       (x, s), (2 R + 1,): unknowns of `Galerkin` and the share of the forcing
``tangent``     the direction of the curve, of length 1 in the metric
``metric``      weights of a squared length: x counts in units of the flow that c can drive
==============  ===================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from equilibria.operators.steady_flow.galerkin import Galerkin

__all__ = ["follow_from_rest"]

_SOLVES = 600  # linear systems that following one flow may take
_CORRECTIONS = 6  # evaluations of Newton's method after one step
_PRECISE = 1e-6  # relative residual of a point on the curve
_FIRST_LENGTH, _LEAST_LENGTH = 0.1, 1e-6
# Least cosine between the directions of two steps. A long step may leap to the way back: then all
# begins anew with the second one, which takes shorter steps.
_COSINES = (0.5, 0.9)


@dataclass(frozen=True)
class _Correction:
    point: Tensor  # where Newton's method ended
    tangent: Tensor  # the direction of the curve there
    residual: Tensor  # the last relative residual of the equation
    solves: int  # linear systems that it took

    @property
    def precise(self) -> bool:
        return bool(self.residual <= _PRECISE)


def follow_from_rest(space: Galerkin, c: Tensor) -> Tensor:
    """A steady x (2 R,) for c (2 R,).

    Where the budget ends before s = 1, the x of the last point, which is no solution for c.
    """
    # the scale of a viscous and of an inertial flow, whichever is smaller
    scale = torch.minimum((c / space.damping).norm(), c.norm().sqrt())
    if scale == 0:
        return torch.zeros_like(c)
    curve = _Curve(space, c, scale.item())
    for cosine in _COSINES:
        point, crossing = curve.walk(cosine)
        if crossing is not None:
            return space.newton(crossing[:-1], c)
    return point[:-1]


class _Curve:
    """The steady flows of one forcing, and the linear system of its corrections."""

    def __init__(self, space: Galerkin, c: Tensor, scale: float):
        m = len(c)
        self.space = space
        self.c = c
        self.metric = torch.cat([torch.full_like(c, 1 / scale**2), c.new_ones(1)])
        self.system = c.new_zeros(m + 1, m + 1)
        # two right sides: the error to correct, and (0, 1) for the tangent
        self.right = c.new_zeros(m + 1, 2)
        self.right[m, 1] = 1.0

    def walk(self, cosine: float) -> tuple[Tensor, Tensor | None]:
        """(the last point, where the way crossed s = 1 or None), from rest."""
        point = self.c.new_zeros(len(self.c) + 1)
        tangent = self._unit(torch.cat([self.c / self.space.damping, self.c.new_ones(1)]))
        length = _FIRST_LENGTH
        solves = 0
        while solves < _SOLVES and length > _LEAST_LENGTH:
            step = self._correct(point, tangent, length)
            solves += step.solves
            straight = bool((self.metric * step.tangent * tangent).sum() > cosine)
            forced = bool(step.point[-1] > 0)  # at s = 0 there is rest alone
            if not (step.precise and straight and forced):
                length *= 0.4
                continue
            if step.point[-1] >= 1:
                share = (1 - point[-1]) / (step.point[-1] - point[-1])
                return point, point + share * (step.point - point)
            point, tangent = step.point, step.tangent
            if step.solves <= 3:
                length *= 1.5
        return point, None

    def _unit(self, direction: Tensor) -> Tensor:
        return direction / (self.metric * direction**2).sum().sqrt()

    def _correct(self, point: Tensor, tangent: Tensor, length: float) -> _Correction:
        """Newton's method on the equation and on the plane ``length`` ahead of ``point``.

        It ends when the residual is small enough or grows; the first step alone may let it grow.
        """
        m = len(self.c)
        trial = point + length * tangent
        ahead = tangent
        before = torch.inf
        solves = 0
        for count in range(_CORRECTIONS):
            left, derivative = self.space.equation(trial[:m])
            self.right[:m, 0] = left - trial[m] * self.c
            off = self.right[:m, 0].norm() / self.c.norm()
            worse = not off < before
            if worse or (count > 0 and off <= _PRECISE):
                break
            if count > 0:
                before = off.item()
            # F(x) - s c = 0 and <tangent, (x, s) - point> = length, linearised:
            #   | F'(x)    -c | step = | F(x) - s c                      |
            #   |  tangent    |        | <tangent, trial - point> - length |
            self.right[m, 0] = (self.metric * tangent * (trial - point)).sum() - length
            self.system[:m, :m] = derivative
            self.system[:m, m] = -self.c
            self.system[m] = self.metric * tangent
            step, ahead = torch.linalg.solve(self.system, self.right).unbind(1)
            trial = trial - step
            solves += 1
        return _Correction(trial, self._unit(ahead), off, solves)
