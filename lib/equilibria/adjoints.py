"""Equilibria with gradients: one solve, and how to differentiate it (paper, sections 3 to 5 and 7).

===============  ====================================================================
``y*``           the solved state, y* = G(y*, x)
``J``            dG/dy at (y*, x), per sample
``g``            gradient of the loss with respect to y*
``u``            adjoint state; the gradient is u'(dG/dp) for a parameter p, u'(dG/dx)
                 for the input
===============  ====================================================================

`Implicit`, `Phantom` and `JacobianFree` solve without a graph and then attach a fixed number of
evaluations of G at y*. What they keep for the backward pass does not depend on the number of solver
steps. Through those evaluations gradients reach whatever G uses (parameters, closures, x), but not
y0. They give first derivatives only, and refuse create_graph=True. The choice of adjoint changes
the gradient, never y.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor

from equilibria.checks import is_real, require, require_damping, require_int
from equilibria.solvers.anderson import DEFAULT_METHOD
from equilibria.solvers.checks import check_solve_arguments, image_like
from equilibria.solvers.loop import iterate, solve
from equilibria.solvers.method import Method, Operator
from equilibria.solvers.newton_krylov import NewtonKrylov
from equilibria.solvers.picard import Picard
from equilibria.solvers.solution import Solution, SolveError

__all__ = ["Adjoint", "Implicit", "JacobianFree", "Phantom", "Unrolled", "equilibrium"]

TOL_OF_A_BUDGET = 1e-5  # of the adjoint solve, where the forward solve has no tol to follow
RESOLUTION = 10  # machine epsilons: an adjoint tol that follows the forward one stays above


class Adjoint:
    """Base of the ways to differentiate; settings are checked when they are built."""


@dataclass(frozen=True, kw_only=True)
class Implicit(Adjoint):
    """Implicit differentiation: u solves u = J'u + g (paper, section 3, which takes 20 iterations).

    method     a Picard, Anderson or Broyden object; Anderson() by default
    max_steps  most products with J'; with tol=None exactly this many are made
    tol        relative residual |J'u + g - u| / |J'u + g| at which a sample's u is good enough.
               "forward" follows the forward solve: its tol or, where that is None, 1e-5; but not
               below 10 machine epsilons of y0's dtype, which rounding need not let u reach.
    throw      whether `SolveError` is raised out of backward() for a sample whose u was not found;
               otherwise a RuntimeWarning says so, and the u reached is used
    record     called with the `Solution` of the adjoint solve, if given

    The error of a gradient is about |(1 - J)^-1| times the two tolerances.
    Raises TypeError or ValueError for settings that cannot be right.
    """

    method: Method = DEFAULT_METHOD
    max_steps: int = 100
    tol: float | Literal["forward"] | None = "forward"
    throw: bool = True
    record: Callable[[Solution], Any] | None = None

    def __post_init__(self) -> None:
        # the forward mode of NewtonKrylov would need a second derivative of G
        usable = isinstance(self.method, Method) and not isinstance(self.method, NewtonKrylov)
        require(usable, "method", self.method, "a Picard, Anderson or Broyden object", TypeError)
        require_int("max_steps", self.max_steps, least=1)
        if self.tol is not None and self.tol != "forward":
            a_tol = "a number, None or 'forward'"
            require(is_real(self.tol), "tol", self.tol, a_tol, TypeError)
            require(0 < self.tol < 1, "tol", self.tol, "in (0, 1)")
        require(isinstance(self.throw, bool), "throw", self.throw, "a bool", TypeError)
        callable_or_none = self.record is None or callable(self.record)
        require(callable_or_none, "record", self.record, "callable or None", TypeError)

    def tol_for(self, forward_tol: float | None, dtype: torch.dtype) -> float | None:
        """The tol of the adjoint solve that belongs to a forward solve with ``forward_tol``.

        Raises ValueError for a tol that was given and lies below the resolution of ``dtype``.
        """
        if self.tol is None:
            return None
        eps = torch.finfo(dtype).eps
        if self.tol == "forward":
            following = TOL_OF_A_BUDGET if forward_tol is None else forward_tol
            return max(following, RESOLUTION * eps)
        need = f"at least {eps:.3g}, the resolution of {dtype}"
        require(self.tol >= eps, "adjoint.tol", self.tol, need)
        return self.tol


@dataclass(frozen=True, kw_only=True)
class Phantom(Adjoint):
    """Phantom gradient: backpropagation through `steps` damped iterations from y*.

    They are y <- (1 - damping) y + damping G(y, x) (Geng et al. 2021; paper, section 4: 3 steps,
    damping 0.8). At a linear G this is u = damping sum_{k < steps} ((1 - damping) I + damping J')^k
    g. Raises TypeError or ValueError unless steps >= 1 and 0 < damping <= 1.
    """

    steps: int = 3
    damping: float = 0.8

    def __post_init__(self) -> None:
        require_int("steps", self.steps, least=1)
        require_damping(self.damping)


@dataclass(frozen=True, kw_only=True)
class JacobianFree(Adjoint):
    """Jacobian-free backpropagation: u = g, as if J were zero (Fung et al. 2022; section 7)."""


@dataclass(frozen=True, kw_only=True)
class Unrolled(Adjoint):
    """Backpropagation through every iteration of `Picard` (paper, section 7).

    Its memory grows with their number. It reaches y0 too, and can be differentiated again.
    """


def equilibrium(
    G: Operator,
    y0: Tensor,
    x: Any,
    *,
    method: Method = DEFAULT_METHOD,
    max_steps: int = 50,
    tol: float | None = None,
    adjoint: Adjoint = Implicit(),
    throw: bool = True,
) -> Solution:
    """`solve`, with a y that carries gradients to x and to everything that G uses.

    Arguments, result and errors are those of `solve`; `adjoint` is an Implicit, Phantom,
    JacobianFree or Unrolled object. The evaluations that are attached for the gradient (one;
    Phantom: its steps) do not count in `.steps`. Where throw=False lets a failed sample through,
    its gradient means nothing: mask it, or drop the step.

    Raises also ValueError for `Unrolled` with a method other than Picard, whose steps cannot be
    differentiated, and for an adjoint tol below the resolution of y0's dtype.

    >>> import torch
    >>> a = torch.tensor([[0.5]], dtype=torch.float64, requires_grad=True)
    >>> b = torch.ones(1, 1, dtype=torch.float64)
    >>> y = equilibrium(lambda y, x: a * y + x, torch.zeros_like(b), b, tol=1e-10).y  # b / (1 - a)
    >>> y.backward()
    >>> round(a.grad.item(), 6)  # b / (1 - a)^2
    4.0
    """
    check_solve_arguments(G, y0, x, method, max_steps, tol)
    require(isinstance(throw, bool), "throw", throw, "a bool", TypeError)
    if isinstance(adjoint, Unrolled):
        return _unrolled(G, y0, x, method, max_steps, tol, throw)
    attach = _attachment(adjoint, tol, y0.dtype)
    solution = solve(G, y0, x, method=method, max_steps=max_steps, tol=tol, throw=throw)
    if not torch.is_grad_enabled():
        return solution
    return replace(solution, y=attach(G, solution.y, x))


Attachment = Callable[[Operator, Tensor, Any], Tensor]  # (G, y*, x) -> y* with gradients


def _unrolled(
    G: Operator,
    y0: Tensor,
    x: Any,
    method: Method,
    max_steps: int,
    tol: float | None,
    throw: bool,
) -> Solution:
    if not isinstance(method, Picard):
        raise ValueError(
            f"method must be Picard for adjoint=Unrolled(), got {method!r}: "
            "its steps are not differentiable"
        )
    solution = iterate(G, y0, x, method, max_steps, tol)
    if throw and not bool(solution.success.all()):
        raise SolveError(solution)
    return solution


def _attachment(adjoint: Adjoint, forward_tol: float | None, dtype: torch.dtype) -> Attachment:
    """How ``adjoint`` gives y* its gradient."""
    if isinstance(adjoint, Implicit):
        adjoint_tol = adjoint.tol_for(forward_tol, dtype)
        return lambda G, y, x: _attach_implicit(adjoint, adjoint_tol, G, y, x)
    if isinstance(adjoint, Phantom):
        return lambda G, y, x: _attach_phantom(adjoint, G, y, x)
    if isinstance(adjoint, JacobianFree):
        return _attach_jacobian_free
    an_adjoint = "an Implicit, Phantom, JacobianFree or Unrolled object"
    raise TypeError(f"adjoint must be {an_adjoint}, got {adjoint!r}")


def _attach_jacobian_free(G: Operator, y: Tensor, x: Any) -> Tensor:
    return _hand_over(image_like(G(y, x), y), y, None)


def _attach_phantom(adjoint: Phantom, G: Operator, y: Tensor, x: Any) -> Tensor:
    z = y
    for _ in range(adjoint.steps):
        z = (1 - adjoint.damping) * z + adjoint.damping * image_like(G(z, x), y)
    return _hand_over(z, y, None)


def _attach_implicit(
    adjoint: Implicit, tol: float | None, G: Operator, y: Tensor, x: Any
) -> Tensor:
    point = y.detach().requires_grad_()
    z = image_like(G(point, x), y)

    def adjoint_operator(u: Tensor, g: Tensor) -> Tensor:
        """J'u + g, whose fixed point is the adjoint state."""
        (pulled,) = torch.autograd.grad(z, point, u, retain_graph=True, materialize_grads=True)
        return pulled + g

    def adjoint_state(g: Tensor) -> Tensor:
        solution = solve(
            adjoint_operator,
            g,
            g,
            method=adjoint.method,
            max_steps=adjoint.max_steps,
            tol=tol,
            throw=False,
        )
        if adjoint.record is not None:
            adjoint.record(solution)
        if not bool(solution.success.all()):
            failure = SolveError(solution, "adjoint solve")
            if adjoint.throw:
                raise failure
            warnings.warn(str(failure), RuntimeWarning, stacklevel=2)
        return solution.y

    return _hand_over(z, y, adjoint_state)


def _hand_over(z: Tensor, y: Tensor, resolve: Callable[[Tensor], Tensor] | None) -> Tensor:
    """The value y, with the gradient g of y handed to z = G(y, x) as resolve(g)."""
    attached: Tensor = _HandOver.apply(z, y, resolve)
    return attached


class _HandOver(torch.autograd.Function):
    """See `_hand_over`."""

    @staticmethod
    def forward(
        ctx: Any, z: Tensor, y: Tensor, resolve: Callable[[Tensor], Tensor] | None
    ) -> Tensor:
        ctx.resolve = resolve
        return y.clone()

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None]:
        # with create_graph=True, what follows would be a wrong second derivative, silently
        if torch.is_grad_enabled():
            raise RuntimeError(
                "this adjoint gives first derivatives only; "
                "a second backward needs adjoint=Unrolled()"
            )
        if ctx.resolve is not None:
            g = ctx.resolve(g)
        return g, None, None
