"""How steep is a map: difference ratios and local Lipschitz constants, per sample (paper, sections 2 to 5).

=================  ====================================================================================
``f(x)``           map of a batch, (B, ...) -> (B, ...), treating samples independently, e.g. x -> y_t(x)
``J``              Jacobian of one sample's f at its x
``|J|``            spectral norm: the local Lipschitz constant, sup over small dx of |f(x + dx) - f(x)| / |dx|
=================  ====================================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .fixed_point import pushforward

__all__ = ["NotConverged", "difference_ratio", "local"]


class NotConverged(RuntimeError):
    """Some spectral norms did not settle; `.estimate` (B,) holds lower bounds, `.converged` (B,) says which are good."""

    def __init__(self, estimate: Tensor, converged: Tensor, max_steps: int):
        self.estimate, self.converged = estimate, converged
        bad = (~converged).nonzero().flatten().tolist()
        super().__init__(
            f"spectral norm not settled after {max_steps} steps for samples {bad[:8]}{'...' if len(bad) > 8 else ''}: "
            "raise max_steps, loosen tol, or pass throw=False to accept the lower bounds in .estimate"
        )


def difference_ratio(f: Callable[[Tensor], Tensor], x: Tensor, dx: Tensor) -> Tensor:
    """|f(x + dx) - f(x)| / |dx| per sample, (B,): the paper's estimate L_t, a lower bound of the Lipschitz constant.

    x, dx  (B, ...), same shape and dtype; no dx may be zero.
    Raises TypeError or ValueError for tensors that do not fit, or a dx that is zero.

    >>> difference_ratio(lambda x: 3 * x, torch.ones(2, 4), torch.full((2, 4), 0.5)).tolist()
    [3.0, 3.0]
    """
    _check(f, x)
    if not isinstance(dx, Tensor) or dx.dtype != x.dtype:
        raise TypeError(
            f"dx must be a tensor of x's dtype {x.dtype}, got {getattr(dx, 'dtype', type(dx).__name__)}"
        )
    if dx.shape != x.shape:
        raise ValueError(f"dx must have x's shape {tuple(x.shape)}, got {tuple(dx.shape)}")
    size = _norm(dx)
    if not bool((size > 0).all()) or not bool(torch.isfinite(size).all()):
        raise ValueError(f"dx must be finite and not zero in any sample, got norms {size.tolist()}")
    with torch.no_grad():
        return _norm(f(x + dx) - f(x)) / size


def local(
    f: Callable[[Tensor], Tensor],
    x: Tensor,
    *,
    max_steps: int = 50,
    tol: float = 1e-3,
    throw: bool = True,
) -> Tensor:
    """Spectral norm of each sample's Jacobian of f at x, (B,): the local Lipschitz constant of f (paper, Thm 2.5).

    Power iteration on J'J, one jvp and one vjp a step, without throwing the earlier directions away (Lanczos:
    the largest Ritz value on the space that the power iteration spans, so never a worse estimate). A sample has converged when its residual
    |J'J v - s^2 v| is at most tol s^2 (s is then a singular value to relative tol / 2, and in general to about tol^2),
    or when the space is exhausted. Starts from a fixed random direction: results are repeatable.

    f    torch function of a batch of samples, (B, ...) -> (B, ...); evaluated once, under enabled gradients
    x    (B, ...) real floating
    Returns (B,) without gradients; with throw=False a lower bound where it did not converge, NaN where f(x) is.
    Raises `NotConverged` (a RuntimeError with the estimates) if throw, TypeError or ValueError for bad arguments.

    >>> local(lambda x: torch.stack([2 * x[:, 0], 5 * x[:, 1]], 1), torch.zeros(1, 2)).round(decimals=4).tolist()
    [5.0]
    """
    _check(f, x)
    if not isinstance(max_steps, int) or isinstance(max_steps, bool) or max_steps < 1:
        raise ValueError(f"max_steps must be an int of at least 1, got {max_steps!r}")
    if not isinstance(tol, (int, float)) or isinstance(tol, bool) or not 0 < tol < 1:
        raise ValueError(f"tol must be a number in (0, 1), got {tol!r}")
    jvp, vjp = linearise(f, x)
    if jvp is None:
        raise ValueError(
            "f(x) must depend on x differentiably, got a result without a graph: f is constant, or detaches (solve does; use trajectory)"
        )
    estimate, converged = largest_singular_value(jvp, vjp, x, max_steps=max_steps, tol=tol)
    if throw and not bool(converged.all()):
        raise NotConverged(estimate, converged, max_steps)
    return estimate


def linearise(
    f: Callable[[Tensor], Tensor], x: Tensor
) -> tuple[Callable, Callable] | tuple[None, None]:
    """(v -> J v, u -> J'u) of f at x; (None, None) where f(x) has no graph to x.

    f runs once; J v is the derivative of u -> J'u (which is linear) along v. Where an operation of f cannot be
    differentiated twice, J v runs f in forward mode instead.
    """
    with torch.enable_grad():
        point = x.detach().requires_grad_()
        value = f(point)
        if not isinstance(value, Tensor) or value.dim() < 1 or value.shape[0] != x.shape[0]:
            raise ValueError(
                f"f must return a tensor with batch size {x.shape[0]}, got {getattr(value, 'shape', type(value).__name__)}"
            )
        if not value.requires_grad:
            return None, None
        probe = torch.zeros_like(value, requires_grad=True)
        try:
            (pulled,) = torch.autograd.grad(
                value, point, probe, create_graph=True, materialize_grads=True
            )
        except RuntimeError:  # no second derivative somewhere in f
            pulled = None

    def vjp(u: Tensor) -> Tensor:
        return torch.autograd.grad(value, point, u, retain_graph=True, materialize_grads=True)[0]

    def jvp(v: Tensor) -> Tensor:
        pushed = None
        if pulled is not None and pulled.requires_grad:
            (pushed,) = torch.autograd.grad(pulled, probe, v, retain_graph=True, allow_unused=True)
        return pushforward(f, x, v)[1] if pushed is None else pushed

    return jvp, vjp


def largest_singular_value(
    jvp: Callable, vjp: Callable, like: Tensor, *, max_steps: int, tol: float
) -> tuple[Tensor, Tensor]:
    """(s (B,), converged (B,)) for v -> J v and u -> J'u, v shaped as `like` (B, ...): see `local`."""
    batch, n = like.shape[0], like[0].numel()
    start = torch.randn(n, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(like)
    v = (start / start.norm()).expand(batch, n)  # the same for every sample
    basis = like.new_zeros(batch, min(max_steps, n), n)
    projected = like.new_zeros(batch, basis.shape[1], basis.shape[1])  # basis J'J basis'
    s = like.new_zeros(batch)
    converged = torch.zeros(batch, dtype=torch.bool, device=like.device)
    for k in range(basis.shape[1]):
        basis[:, k] = v
        w = vjp(jvp(v.reshape(like.shape))).detach().reshape(batch, n)
        known = basis[:, : k + 1]
        for _ in range(2):  # twice is enough to be orthogonal to rounding
            h = torch.bmm(w.unsqueeze(1), known.mT)  # (B, 1, k + 1)
            w = w - torch.bmm(h, known).squeeze(1)
            projected[:, : k + 1, k] += h.squeeze(1)
        beta = torch.linalg.vector_norm(w, dim=1)
        square = projected[:, : k + 1, : k + 1]
        square = torch.triu(square) + torch.triu(square, 1).mT
        finite = torch.isfinite(square).flatten(1).all(dim=1)
        ritz, vectors = torch.linalg.eigh(torch.where(finite[:, None, None], square, 0.0))
        ritz = ritz[:, -1].clamp_min(0)
        s = torch.where(converged, s, torch.where(finite, ritz.sqrt(), torch.nan))
        converged = converged | (
            finite & ((beta * vectors[:, -1, -1].abs() <= tol * ritz) | (k + 1 == n))
        )
        if bool((converged | ~finite).all()):
            break
        v = torch.where(beta[:, None] > 0, w / beta[:, None], 0.0)
    return s, converged


def _norm(a: Tensor) -> Tensor:
    return torch.linalg.vector_norm(a.reshape(a.shape[0], -1), dim=1)


def _check(f: Any, x: Any) -> None:
    if not callable(f):
        raise TypeError(f"f must be callable, got {type(f).__name__}")
    if not isinstance(x, Tensor) or not x.is_floating_point():
        raise TypeError(
            f"x must be a real floating tensor, got {getattr(x, 'dtype', type(x).__name__)}"
        )
    if x.dim() < 1 or x.numel() == 0:
        raise ValueError(f"x must have shape (B, ...) and not be empty, got {tuple(x.shape)}")
