"""Products with Jacobians, and what is found from them without ever forming one.

====================  ======================================================================
``J v``               derivative along v, in forward mode; `pushforward`, `tangent`
``J'u``               derivative in reverse mode; `linearise` gives both
``Arnoldi``           Krylov spaces of a square J, for the least-squares problems of GMRES
====================  ======================================================================

`largest_singular_value` is a power iteration on J'J that keeps its directions (Lanczos).
All tensors are batched on dimension 0, and samples are independent.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.linalg import vector_norm

__all__ = [
    "Arnoldi",
    "Linearisation",
    "TensorMap",
    "largest_singular_value",
    "linearise",
    "orthogonalise",
    "pushforward",
    "tangent",
]

TensorMap = Callable[[Tensor], Tensor]


def pushforward(f: TensorMap, y: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """(f(y), f'(y) v) in forward mode: one evaluation, no graph kept."""
    with torch.no_grad(), forward_ad.dual_level():
        with warnings.catch_warnings():  # torch's own, when forward mode is first used
            warnings.filterwarnings("ignore", message=".*torch.jit.script", category=FutureWarning)
            dual = forward_ad.make_dual(y, v)  # type: ignore[no-untyped-call]  # torch's own
        image = f(dual)
        value, pushed = forward_ad.unpack_dual(image)  # type: ignore[no-untyped-call]  # likewise
        if pushed is None:  # f does not depend on y
            pushed = torch.zeros_like(value)
        return value, pushed


@dataclass(frozen=True)
class _Transpose:
    """The map u -> J'u at one point, with a graph.

    It is linear in u, and its derivative along v is J v.
    """

    u: Tensor
    pulled: Tensor  # J'u

    @classmethod
    def of(cls, value: Tensor, point: Tensor) -> _Transpose:
        """The transpose of the derivative of ``value`` with respect to ``point``.

        Raises RuntimeError where an operation between them cannot be differentiated twice.
        """
        u = torch.zeros_like(value, requires_grad=True)
        (pulled,) = torch.autograd.grad(value, point, u, create_graph=True, materialize_grads=True)
        return cls(u, pulled)

    def derivative_along(self, v: Tensor, *, retain_graph: bool) -> Tensor | None:
        """J v; None where no graph leads from J'u to u."""
        (pushed,) = torch.autograd.grad(
            self.pulled, self.u, v, retain_graph=retain_graph, allow_unused=True
        )
        return pushed


def tangent(f: TensorMap, y: Tensor, v: Tensor, two_backwards: bool) -> tuple[Tensor, Tensor, bool]:
    """(f(y), f'(y) v, whether that took two backward passes), for f(y) of y's shape.

    Forward mode is tried first, unless ``two_backwards`` says that f is known to have none. The
    other way is the derivative of u -> f'(y)' u, which is linear in u, along v.
    Raises RuntimeError where an operation of f has neither.
    """
    if not two_backwards:
        try:
            return *pushforward(f, y, v), False
        except (NotImplementedError, RuntimeError):  # an operation of f has no forward mode
            pass
    with torch.enable_grad():
        point = y.detach().requires_grad_()
        value = f(point)
        transpose = _Transpose.of(value, point)
    if not transpose.pulled.requires_grad:  # f does not depend on y
        return value.detach(), torch.zeros_like(y), True
    pushed = transpose.derivative_along(v, retain_graph=False)
    if pushed is None:
        raise RuntimeError(
            "G has an operation with neither a forward mode nor a second derivative: "
            "NewtonKrylov needs one of them"
        )
    return value.detach(), pushed, True


@dataclass(frozen=True)
class Linearisation:
    """The derivative J of a map at one point."""

    jvp: TensorMap  # v -> J v
    vjp: TensorMap  # u -> J'u


def linearise(f: TensorMap, x: Tensor) -> Linearisation | None:
    """The derivative of f at x; None where f(x) has no graph to x.

    f runs once; J v is the derivative of u -> J'u (which is linear) along v. Where an operation of
    f cannot be differentiated twice, each J v runs f in forward mode instead.
    Raises ValueError for an f(x) that is no tensor with x's batch size.
    """
    with torch.enable_grad():
        point = x.detach().requires_grad_()
        value = f(point)
        if not isinstance(value, Tensor) or value.dim() < 1 or value.shape[0] != x.shape[0]:
            got = getattr(value, "shape", type(value).__name__)
            raise ValueError(f"f must return a tensor with batch size {x.shape[0]}, got {got}")
        if not value.requires_grad:
            return None
        transpose: _Transpose | None
        try:
            transpose = _Transpose.of(value, point)
        except RuntimeError:  # no second derivative somewhere in f
            transpose = None

    def vjp(u: Tensor) -> Tensor:
        return torch.autograd.grad(value, point, u, retain_graph=True, materialize_grads=True)[0]

    def jvp(v: Tensor) -> Tensor:
        pushed = None
        if transpose is not None and transpose.pulled.requires_grad:
            pushed = transpose.derivative_along(v, retain_graph=True)
        if pushed is None:
            return pushforward(f, x, v)[1]
        return pushed

    return Linearisation(jvp, vjp)


def orthogonalise(w: Tensor, basis: Tensor) -> tuple[Tensor, Tensor]:
    """(w less its components along orthonormal rows of ``basis``, those components).

    w (B, n) and basis (B, k, n) give (B, n) and (B, k). One pass of Gram-Schmidt leaves an error of
    rounding times |w|, which may be much larger than what is left of w; a second pass removes it,
    and a third would change nothing ("twice is enough", Giraud et al. 2005).
    """
    components = w.new_zeros(basis.shape[0], basis.shape[1])
    for _ in range(2):
        h = torch.bmm(w.unsqueeze(1), basis.mT)  # (B, 1, k); products with a row are the quick ones
        w = w - torch.bmm(h, basis).squeeze(1)
        components = components + h.squeeze(1)
    return w, components


def largest_singular_value(
    derivative: Linearisation, like: Tensor, *, max_steps: int, tol: float
) -> tuple[Tensor, Tensor]:
    """The spectral norm s of J per sample, (B,), and whether it converged, (B,) bool.

    derivative  J, whose argument v is shaped as ``like`` (B, ...)
    tol         stops at |J'J v - s^2 v| <= tol s^2; see `lipschitz.local`
    """
    batch, n = like.shape[0], like[0].numel()
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(n, generator=generator, dtype=torch.float64).to(like)
    v = (start / start.norm()).expand(batch, n)  # the same for every sample
    steps = min(max_steps, n)
    basis = like.new_zeros(batch, steps, n)  # orthonormal rows V
    projected = like.new_zeros(batch, steps, steps)  # V J'J V'
    s = like.new_zeros(batch)
    converged = torch.zeros(batch, dtype=torch.bool, device=like.device)
    for k in range(steps):
        basis[:, k] = v
        w = derivative.vjp(derivative.jvp(v.reshape(like.shape))).detach().reshape(batch, n)
        w, components = orthogonalise(w, basis[:, : k + 1])
        projected[:, : k + 1, k] = components
        beta = vector_norm(w, dim=1)
        # s^2 is the largest eigenvalue of V J'J V', beta |last entry of its vector| the residual
        square = projected[:, : k + 1, : k + 1]
        square = torch.triu(square) + torch.triu(square, 1).mT
        finite = torch.isfinite(square).flatten(1).all(dim=1)
        ritz, vectors = torch.linalg.eigh(torch.where(finite[:, None, None], square, 0.0))
        ritz = ritz[:, -1].clamp_min(0)
        s = torch.where(converged, s, torch.where(finite, ritz.sqrt(), torch.nan))
        settled = (beta * vectors[:, -1, -1].abs() <= tol * ritz) | (k + 1 == n)
        converged = converged | (finite & settled)
        if bool((converged | ~finite).all()):
            break
        v = torch.where(beta[:, None] > 0, w / beta[:, None], 0.0)
    return s, converged


@dataclass
class Arnoldi:
    """Krylov spaces of one square map A per sample, each of which grows at its own pace.

    After k products, A V_k = V_{k+1} H_k, where the columns of V are orthonormal and H_k is upper
    Hessenberg. Every method computes for the whole batch and keeps the result where it applies, so
    that the host need not know how far a sample is.
    """

    basis: Tensor  # (B, m + 1, n): V, its columns as rows; zero where not reached
    hessenberg: Tensor  # (B, m + 1, m): H
    column: Tensor  # (B,) int64: k, the products taken in
    unused: Tensor  # (m + 1, m): H before any product; ones below the diagonal
    sample: Tensor  # (B,) int64: 0, ..., B - 1, to index with

    @classmethod
    def empty(cls, y: Tensor, size: int) -> Arnoldi:
        """Spaces of at most ``size`` = m directions for vectors like ``y`` (B, n)."""
        batch, n = y.shape
        # columns that are not reached yet are orthogonal to the others and to the right-hand side:
        # they get coefficients of zero in a least-squares problem of fixed size
        unused = torch.diag(y.new_ones(size), -1)[:, :size].contiguous()
        return cls(
            basis=y.new_zeros(batch, size + 1, n),
            hessenberg=unused.repeat(batch, 1, 1),
            column=torch.zeros(batch, dtype=torch.long, device=y.device),
            unused=unused,
            sample=torch.arange(batch, device=y.device),
        )

    def restart(self, samples: Tensor, r: Tensor, norm: Tensor) -> None:
        """Begin anew for ``samples`` (B,) bool, from r (B, n) of length ``norm`` (B,)."""
        fresh = samples[:, None, None]
        self.basis.masked_fill_(fresh, 0.0)
        first = r / torch.where(norm > 0, norm, 1.0)[:, None]
        self.basis[:, 0] = torch.where(samples[:, None], first, self.basis[:, 0])
        self.hessenberg = torch.where(fresh, self.unused, self.hessenberg)
        self.column = torch.where(samples, 0, self.column)

    def newest(self) -> Tensor:
        """The vector v (B, n) of each sample whose product A v is due."""
        return self.basis[self.sample, self.column]

    def extend(self, product: Tensor, active: Tensor) -> Tensor:
        """Take in ``product`` = A v (B, n) for ``active`` samples (B,) bool.

        Returns which spaces cannot grow further, because they are full or invariant, (B,) bool.
        """
        size = self.hessenberg.shape[2]
        column = self.column.clamp_max(size - 1)
        w, entries = orthogonalise(product, self.basis)
        length: Tensor = vector_norm(w, dim=1)
        entries[self.sample, column + 1] = length
        before = self.hessenberg[self.sample, :, column]
        self.hessenberg[self.sample, :, column] = torch.where(active[:, None], entries, before)
        following = torch.where(length[:, None] > 0, w / length[:, None], 0.0)
        before = self.basis[self.sample, column + 1]
        self.basis[self.sample, column + 1] = torch.where(active[:, None], following, before)
        self.column = torch.where(active, column + 1, self.column)
        return (column + 1 == size) | (length == 0)

    def least_squares(self, norm: Tensor) -> tuple[Tensor, Tensor]:
        """(c, |r - A V c|) for the c (B, m, 1) that makes it least, where r = norm V e_1.

        |r - A V c| = |norm e_1 - H c|, a small problem. QR solves it: the normal equations would
        square a condition number that is large when GMRES has almost finished.
        """
        rhs = self.hessenberg.new_zeros(self.hessenberg.shape[:2])  # (B, m + 1)
        rhs[:, 0] = norm
        q, triangle = torch.linalg.qr(self.hessenberg)
        c = torch.linalg.solve_triangular(triangle, q.mT @ rhs[:, :, None], upper=True)
        c = c.nan_to_num(0.0, 0.0, 0.0)
        left: Tensor = vector_norm(rhs - (self.hessenberg @ c)[:, :, 0], dim=1)
        return c, left

    def combine(self, c: Tensor) -> Tensor:
        """V c (B, n) for coefficients ``c`` (B, m, 1)."""
        return torch.bmm(c.mT, self.basis[:, :-1]).squeeze(1)
