"""Products with derivatives, and the largest singular value found from them."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
from torch import Tensor
from torch.autograd import forward_ad

__all__ = ["largest_singular_value", "linearise", "pushforward", "tangent"]


def pushforward(f: Callable, y: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """(f(y), f'(y) v) in forward mode: one evaluation, no graph kept."""
    with torch.no_grad(), forward_ad.dual_level():
        with warnings.catch_warnings():  # torch's own, when forward mode is first used
            warnings.filterwarnings("ignore", message=".*torch.jit.script", category=FutureWarning)
            dual = forward_ad.make_dual(y, v)
        value, tangent = forward_ad.unpack_dual(f(dual))
        return value, torch.zeros_like(value) if tangent is None else tangent


def tangent(f: Callable, y: Tensor, v: Tensor, two_backwards: bool) -> tuple[Tensor, Tensor, bool]:
    """(f(y), f'(y) v, whether that took two backward passes)."""
    if not two_backwards:
        try:
            return *pushforward(f, y, v), False
        except (NotImplementedError, RuntimeError):  # an operation of f has no forward mode
            pass
    with torch.enable_grad():
        point = y.detach().requires_grad_()
        value = f(point)
        probe = torch.zeros_like(value, requires_grad=True)
        (pulled,) = torch.autograd.grad(
            value, point, probe, create_graph=True, materialize_grads=True
        )
    if not pulled.requires_grad:
        return value.detach(), torch.zeros_like(y), True
    (pushed,) = torch.autograd.grad(pulled, probe, v, allow_unused=True)
    if pushed is None:
        raise RuntimeError(
            "G has an operation with neither a forward mode nor a second derivative: NewtonKrylov needs one of them"
        )
    return value.detach(), pushed, True


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
