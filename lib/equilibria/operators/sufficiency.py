"""Any locally Lipschitz F as the fixed point of a regular operator: Theorem 2.4, made executable (paper, section 2).

    F       (B, ...) -> (B, ...), the target, batched on dimension 0
    L(x, rho)   (B,), a bound on the Lipschitz constant of F on X within distance rho of x; inf where there is none
    r(x)    (B,), the largest rho <= 1 with rho |F(x)| + rho^2 L(x, rho) <= 1
    eps(x)  (B,) = c r(x)^2, the adaptive step of G(y, x) = y + eps(x) (F(x) - y)

Why this eps works, in three lines. (1) L(x', rho') <= L(x, rho) for a ball inside a ball, so r is 1-Lipschitz, and with
a = r(x) >= b = r(x') also eps is: |eps - eps'| = c (a - b)(a + b) <= 2 c |x - x'|. (2) If |x - x'| < a, then |F(x) - F(x')| <=
L |x - x'|, so |eps F - eps' F'| <= eps' |F - F'| + |eps - eps'| |F| <= c (a^2 L + 2 a |F|) |x - x'| <= 2 c |x - x'|. (3) Else
|eps F - eps' F'| <= c a + c b <= 2 c |x - x'|, because r |F| <= 1. Nothing was asked of X: neither bounded, closed nor connected.
Hence Lip(eps F) <= 2 c, Lip(eps) <= 2 c, and x -> G(y, x) is 2 c (1 + |y|)-Lipschitz: regular (Definition 2.3) for c < 1.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd import forward_ad

__all__ = ["Relaxed", "SteepnessStep", "regular_operator", "sampled_lipschitz"]

_HALVINGS = 80  # of the bracket [0, 1] for r; more than float64 resolves, so r is exact to rounding


@dataclass(frozen=True)
class Relaxed:
    """G(y, x) = y + eps(x) (F(x) - y): fixed point F(x), contraction modulus 1 - eps(x) (Theorem 2.4).

    F     (B, ...) -> (B, ...), the target
    eps   x -> (B,) in (0, 1], the step; `regular_operator` chooses one that makes G regular, a constant does not

    >>> G = Relaxed(lambda x: 1 / x, lambda x: torch.full(x.shape[:1], 0.5))
    >>> G(torch.zeros(1, 1), torch.tensor([[0.25]]))
    tensor([[2.]])
    """

    F: Callable[[Tensor], Tensor]
    eps: Callable[[Tensor], Tensor]

    def __call__(self, y: Tensor, x: Tensor) -> Tensor:
        target = self.F(x)
        return y + _beside(self.eps(x), target) * (target - y)

    def iterate(self, x: Tensor, t: int) -> Tensor:
        """y_t = (1 - (1 - eps(x))^t) F(x), from y_0 = 0 (after Theorem 2.4). (B, ...)"""
        target = self.F(x)
        return -torch.expm1(t * torch.log1p(-_beside(self.eps(x), target))) * target

    def modulus(self, x: Tensor) -> Tensor:
        """mu(x) = 1 - eps(x). (B,)"""
        return 1 - self.eps(x)


@dataclass(frozen=True)
class SteepnessStep:
    """eps(x) = c r(x)^2, small where F is large or steep; r as in the module's header.

    `local_lipschitz` must be differentiable where it is finite and rise to inf continuously at the edge of X (a jump to inf
    has no derivative to give). First derivatives of eps are exact, by implicit differentiation; second ones are not.
    Calling it raises ValueError where F is not finite, or where `local_lipschitz` does not return one number per sample.
    """

    F: Callable[[Tensor], Tensor]
    local_lipschitz: Callable[[Tensor, Tensor], Tensor]
    c: float = 0.5

    def __post_init__(self):
        if isinstance(self.c, bool) or not isinstance(self.c, int | float) or not 0 < self.c < 1:
            raise ValueError(f"c must be a number in (0, 1), got {self.c!r}")

    def __call__(self, x: Tensor) -> Tensor:
        return self.c * self.radius(x) ** 2

    def radius(self, x: Tensor) -> Tensor:
        """r(x) = sup {rho <= 1: rho |F(x)| + rho^2 L(x, rho) <= 1}. (B,), zero exactly where F has no local bound."""
        fixed = x.detach()
        with torch.no_grad():
            self._check(fixed)
            low, high = (
                torch.zeros_like(fixed.flatten(1)[:, 0]),
                torch.ones_like(fixed.flatten(1)[:, 0]),
            )
            inside = self._steepness(fixed, high) <= 1
            for _ in range(_HALVINGS):
                middle = (low + high) / 2
                fits = (
                    self._steepness(fixed, middle) <= 1
                )  # also False for NaN: a bound that is not a number is no bound
                low, high = torch.where(fits, middle, low), torch.where(fits, high, middle)
            root = torch.where(inside, torch.ones_like(low), low)
        free = ~inside & (root > 0)  # where r solves steepness = 1, and so moves with x
        if not bool(free.any()) or (
            not torch.is_grad_enabled() and forward_ad.unpack_dual(x).tangent is None
        ):
            return root
        # steepness(x, r(x)) = 1  =>  dr/dx = -(d steepness/dx) / (d steepness/d rho); the value stays `root`.
        with torch.enable_grad():
            rho = root[free].requires_grad_()
            (rate,) = torch.autograd.grad(self._steepness(fixed[free], rho).sum(), rho)
        moving = self._steepness(x[free], root[free])
        return root - torch.zeros_like(root).index_put((free,), (moving - moving.detach()) / rate)

    def _steepness(self, x: Tensor, rho: Tensor) -> Tensor:
        return rho * self.F(x).flatten(1).norm(dim=1) + rho**2 * self.local_lipschitz(x, rho)

    def _check(self, x: Tensor) -> None:
        if x.dim() < 2 or not x.is_floating_point():
            raise ValueError(
                f"x must be a real floating tensor of shape (B, d), got {x.dtype} of shape {tuple(x.shape)}"
            )
        value = self.F(x)
        if value.dim() < 2 or value.shape[0] != x.shape[0]:
            raise ValueError(
                f"F must map (B, ...) to (B, ...), got {tuple(value.shape)} from x of shape {tuple(x.shape)}"
            )
        if not bool(torch.isfinite(value).all()):
            bad = (~torch.isfinite(value.flatten(1)).all(1)).nonzero().flatten().tolist()
            raise ValueError(
                f"F(x) is not finite for samples {bad[:8]}: x lies outside of the domain of F"
            )
        bound = self.local_lipschitz(x, x.new_full(x.shape[:1], 1e-3))
        if bound.shape != x.shape[:1]:
            raise ValueError(
                f"local_lipschitz must return one number per sample, {tuple(x.shape[:1])}, got {tuple(bound.shape)}"
            )


def regular_operator(
    F: Callable[[Tensor], Tensor],
    local_lipschitz: Callable[[Tensor, Tensor], Tensor] | None = None,
    *,
    c: float = 0.5,
) -> Relaxed:
    """The regular operator whose fixed point is F, with eps found automatically (Theorem 2.4): x -> G(y, x) is
    2 c (1 + |y|)-Lipschitz however steep F is, and y -> G(y, x) contracts with modulus 1 - eps(x) < 1.

    F                 (B, d) -> (B, n), locally Lipschitz on its domain X
    local_lipschitz   (x, rho) -> (B,), a bound on F's Lipschitz constant on X within rho of x, inf where there is none.
                      None: `sampled_lipschitz(F)`, an estimate that proves nothing but needs no knowledge of F
    c                 in (0, 1), the largest step

    Raises ValueError for c outside (0, 1); the returned G raises it for an x at which F is not finite.

    >>> G = regular_operator(lambda x: 1 / x, lambda x, rho: (x[:, 0].abs() - rho).clamp(min=0) ** -2)
    >>> G.modulus(torch.tensor([[1.0], [0.01]], dtype=torch.float64)).numpy().round(6).tolist()
    [0.907481, 0.999991]
    """
    return Relaxed(F, SteepnessStep(F, local_lipschitz or sampled_lipschitz(F), c))


def sampled_lipschitz(
    F: Callable[[Tensor], Tensor], *, points: int = 33, safety: float = 2.0
) -> Callable[[Tensor, Tensor], Tensor]:
    """An estimate of the local Lipschitz bound where none is known. (x, rho) -> (B,)

    L(x, rho) = safety max(chords, slopes) over `points` places on each axis through x, from -rho to rho: a chord between neighbours
    sees a jump, a slope |dF/dx| (Frobenius norm) a derivative that blows up; inf where F is not finite at a place. The true constant
    may be larger between the places and off the axes, so this supports regularity without proving it. For d up to a few dozens.
    Where F ends at an edge with a finite slope the estimate jumps to inf, and eps has no derivative to give (see `SteepnessStep`).
    Raises ValueError for points or safety out of range.
    """
    if not isinstance(points, int) or points < 3 or points % 2 == 0:
        raise ValueError(f"points must be an odd integer >= 3, got {points!r}")
    if not safety >= 1:
        raise ValueError(f"safety must be at least 1, got {safety!r}")

    def bound(x: Tensor, rho: Tensor) -> Tensor:
        places = torch.linspace(-1, 1, points, dtype=x.dtype, device=x.device)
        d = x[0].numel()
        axes = torch.eye(d, dtype=x.dtype, device=x.device).reshape(-1, *x.shape[1:])
        offsets = places.reshape(-1, 1, *[1] * (x.dim() - 1)) * axes  # (points, d, ...)
        with torch.enable_grad():
            line = (x[:, None, None] + _beside(rho, x)[:, None, None] * offsets).flatten(
                0, 2
            )  # (B points d, ...)
            line = line if line.requires_grad else line.requires_grad_()
            value = F(line).flatten(1)  # (B points d, n)
            rows = [
                torch.autograd.grad(column.sum(), line, create_graph=True)[0].flatten(1)
                for column in value.unbind(1)
            ]
            slope = torch.cat(rows, 1).norm(dim=1).reshape(len(x), -1)
        value = value.reshape(len(x), points, d, -1)
        length = (rho * 2 / (points - 1)).clamp(min=torch.finfo(x.dtype).tiny)
        chord = value.diff(dim=1).norm(dim=3) / length[:, None, None]
        steepest = torch.maximum(chord.flatten(1).amax(1), slope.amax(1))
        return torch.where(torch.isfinite(value).flatten(1).all(1), safety * steepest, torch.inf)

    return bound


def _beside(a: Tensor, like: Tensor) -> Tensor:
    """(B,) -> (B, 1, ...), to be multiplied with `like` (B, ...)."""
    return a.reshape(-1, *[1] * (like.dim() - 1))
