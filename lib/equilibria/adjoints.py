"""Equilibria with gradients: one solve, and a choice of how to differentiate it (paper, sections 3 to 5 and 7).

===============  ====================================================================================
``y*``           the solved state, y* = G(y*, x)
``J``            dG/dy at (y*, x), per sample
``g``            gradient of the loss with respect to y*
``u``            adjoint state; the gradient is u'(dG/dp) for a parameter p, u'(dG/dx) for the input
===============  ====================================================================================

`Implicit`, `Phantom` and `JacobianFree` solve without a graph and attach a fixed number of evaluations of G at y*, so
what they keep for the backward pass does not depend on the number of solver steps; gradients reach whatever G uses
(parameters, closures, x) through those evaluations, and not y0. They give first derivatives and refuse create_graph=True.
The adjoint changes the gradient only, never y.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from equilibria.solvers.loop import (
    Anderson,
    Method,
    NewtonKrylov,
    Picard,
    Solution,
    SolveError,
    _check,
    _image,
    _is_int,
    _is_real,
    _iterate,
    _require,
    solve,
)

__all__ = ["Implicit", "JacobianFree", "Phantom", "Unrolled", "equilibrium"]


class Adjoint:
    """Base of the gradient choices; settings are checked when built."""


@dataclass(frozen=True, kw_only=True)
class Implicit(Adjoint):
    """Implicit differentiation: u solves u = J'u + g, itself a fixed point (paper, section 3: 20 such iterations).

    method, max_steps, tol, throw mean what they mean in `solve`: with tol=None exactly max_steps vjps are spent; with
    a tol, a sample whose u is not found raises `SolveError` out of backward() or, with throw=False, warns
    (RuntimeWarning) and goes on with the u reached. `record`, if given, is called with the adjoint's `Solution`.
    Raises TypeError or ValueError for settings that cannot be right.
    """

    method: Method = Anderson()
    max_steps: int = 100
    tol: float | None = 1e-5
    throw: bool = True
    record: Callable[[Solution], Any] | None = None

    def __post_init__(self):
        usable = isinstance(self.method, Method) and not isinstance(
            self.method, NewtonKrylov
        )  # whose jvp would be a second derivative
        _require(usable, "method", self.method, "a Picard, Anderson or Broyden object", TypeError)
        _require(_is_int(self.max_steps), "max_steps", self.max_steps, "an int", TypeError)
        _require(self.max_steps >= 1, "max_steps", self.max_steps, "at least 1")
        if self.tol is not None:
            _require(_is_real(self.tol), "tol", self.tol, "a number or None", TypeError)
            _require(0 < self.tol < 1, "tol", self.tol, "in (0, 1)")
        _require(isinstance(self.throw, bool), "throw", self.throw, "a bool", TypeError)
        _require(
            self.record is None or callable(self.record),
            "record",
            self.record,
            "callable or None",
            TypeError,
        )


@dataclass(frozen=True, kw_only=True)
class Phantom(Adjoint):
    """Phantom gradient (Geng et al. 2021; paper, section 4: 3 steps, damping 0.8): backpropagation through
    y <- (1 - damping) y + damping G(y, x), `steps` times from y*.

    At a linear G this is u = damping sum_{k < steps} ((1 - damping) I + damping J')^k g.
    Raises TypeError or ValueError unless steps >= 1 and 0 < damping <= 1.
    """

    steps: int = 3
    damping: float = 0.8

    def __post_init__(self):
        _require(_is_int(self.steps), "steps", self.steps, "an int", TypeError)
        _require(self.steps >= 1, "steps", self.steps, "at least 1")
        _require(_is_real(self.damping), "damping", self.damping, "a number", TypeError)
        _require(0 < self.damping <= 1, "damping", self.damping, "in (0, 1]")


@dataclass(frozen=True, kw_only=True)
class JacobianFree(Adjoint):
    """Jacobian-free backpropagation (Fung et al. 2022; paper, section 7): u = g, as if J were zero."""


@dataclass(frozen=True, kw_only=True)
class Unrolled(Adjoint):
    """Backpropagation through every iteration of `Picard`; memory grows with their number (paper, section 7).

    Reaches y0 too, and can be differentiated again.
    """


def equilibrium(
    G: Callable,
    y0: Tensor,
    x: Any,
    *,
    method: Method = Anderson(),
    max_steps: int = 50,
    tol: float | None = None,
    adjoint: Adjoint = Implicit(),
    throw: bool = True,
) -> Solution:
    """`solve`, with a y that carries gradients to x and to everything that G uses.

    Arguments, result and errors as in `solve`; `adjoint` is an Implicit, Phantom, JacobianFree or Unrolled object. The
    evaluations attached for the gradient (one; Phantom: its steps) are not in `.steps`. Where throw=False lets a
    failed sample through, its gradient means nothing: mask it, or drop the step.

    Raises also ValueError for `Unrolled` with a method other than Picard, whose steps are not differentiable.

    >>> import torch
    >>> a = torch.tensor([[0.5]], dtype=torch.float64, requires_grad=True)
    >>> b = torch.ones(1, 1, dtype=torch.float64)
    >>> y = equilibrium(lambda y, x: a * y + x, torch.zeros_like(b), b, tol=1e-10).y  # y = b / (1 - a)
    >>> y.backward(); round(a.grad.item(), 6)  # b / (1 - a)^2
    4.0
    """
    _check(G, y0, x, method, max_steps, tol)
    _require(isinstance(throw, bool), "throw", throw, "a bool", TypeError)
    _require(
        isinstance(adjoint, Adjoint),
        "adjoint",
        adjoint,
        "an Implicit, Phantom, JacobianFree or Unrolled object",
        TypeError,
    )
    if isinstance(adjoint, Implicit) and adjoint.tol is not None:
        eps = torch.finfo(y0.dtype).eps
        _require(
            adjoint.tol >= eps,
            "adjoint.tol",
            adjoint.tol,
            f"at least {eps:.3g}, the resolution of {y0.dtype}",
        )
    if isinstance(adjoint, Unrolled):
        if not isinstance(method, Picard):
            raise ValueError(
                f"method must be Picard for adjoint=Unrolled(), got {method!r}: its steps are not differentiable"
            )
        solution = _iterate(G, y0, x, method, max_steps, tol)
        if throw and not bool(solution.success.all()):
            raise SolveError(solution)
        return solution
    solution = solve(G, y0, x, method=method, max_steps=max_steps, tol=tol, throw=throw)
    if not torch.is_grad_enabled():
        return solution
    attach = {
        Implicit: _attach_implicit,
        Phantom: _attach_phantom,
        JacobianFree: _attach_jacobian_free,
    }
    return replace(solution, y=attach[type(adjoint)](adjoint, G, solution.y, x))


def _attach_jacobian_free(adjoint: JacobianFree, G, y, x) -> Tensor:
    return _Attach.apply(_image(G(y, x), y), y, None)


def _attach_phantom(adjoint: Phantom, G, y, x) -> Tensor:
    z = y
    for _ in range(adjoint.steps):
        z = (1 - adjoint.damping) * z + adjoint.damping * _image(G(z, x), y)
    return _Attach.apply(z, y, None)


def _attach_implicit(adjoint: Implicit, G, y, x) -> Tensor:
    point = y.detach().requires_grad_()
    z = _image(G(point, x), y)

    def resolve(g: Tensor) -> Tensor:
        vjp = lambda u, g: (
            torch.autograd.grad(z, point, u, retain_graph=True, materialize_grads=True)[0] + g
        )
        solution = solve(
            vjp,
            g,
            g,
            method=adjoint.method,
            max_steps=adjoint.max_steps,
            tol=adjoint.tol,
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

    return _Attach.apply(z, y, resolve)


class _Attach(torch.autograd.Function):
    """The value y, with the gradient g of y handed to z = G(y, x) as resolve(g)."""

    @staticmethod
    def forward(ctx, z, y, resolve):
        ctx.resolve = resolve
        return y.clone()

    @staticmethod
    def backward(ctx, g):
        if (
            torch.is_grad_enabled()
        ):  # create_graph=True: what follows would be a wrong second derivative, silently
            raise RuntimeError(
                "this adjoint gives first derivatives only; a second backward needs adjoint=Unrolled()"
            )
        return (g if ctx.resolve is None else ctx.resolve(g)), None, None
