"""Any locally Lipschitz F as the fixed point of a regular operator: Theorem 2.4, made executable.

==============  ===========================================================================
``F``           the target, (B, ...) -> (B, ...), batched on dimension 0
``L(x, rho)``   (B,), a bound on the Lipschitz constant of F on X within distance rho of x;
                infinite where there is none
``r(x)``        (B,), the largest rho <= 1 with rho |F(x)| + rho^2 L(x, rho) <= 1
``eps(x)``      (B,) = c r(x)^2, the adaptive step of G(y, x) = y + eps(x) (F(x) - y)
==============  ===========================================================================

Why this step makes G regular (Definition 2.3; section 2 of the paper), with a = r(x) >= b = r(x')
and F', eps' for the values at x':

1. A ball inside a ball has the smaller L, so r is 1-Lipschitz, and
   |eps - eps'| = c (a - b)(a + b) <= 2 c |x - x'|.
2. If |x - x'| < a, then |F - F'| <= L |x - x'|. So |eps F - eps' F'| is at most
   eps' |F - F'| + |eps - eps'| |F| <= c (a^2 L + 2 a |F|) |x - x'| <= 2 c |x - x'|.
3. Otherwise |eps F - eps' F'| <= c a + c b <= 2 c |x - x'|, because r |F| <= 1.

Nothing was asked of X, which may be unbounded, open or disconnected. Hence Lip(eps F) <= 2 c and
Lip(eps) <= 2 c, and x -> G(y, x) is 2 c (1 + |y|)-Lipschitz: G is regular for c < 1.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd import forward_ad

from equilibria.checks import is_real, require
from equilibria.operators.sampled_lipschitz import beside, sampled_lipschitz

__all__ = ["Relaxed", "SteepnessStep", "regular_operator"]

# Halvings of the bracket [0, 1] for r: more than float64 resolves, so r is exact to rounding.
_HALVINGS = 80


@dataclass(frozen=True)
class Relaxed:
    """G(y, x) = y + eps(x) (F(x) - y), with fixed point F(x) and modulus 1 - eps(x) (Theorem 2.4).

    F     (B, ...) -> (B, ...), the target
    eps   x -> (B,) in (0, 1], the step. `regular_operator` chooses one that makes G regular;
          a constant does not.

    >>> G = Relaxed(lambda x: 1 / x, lambda x: torch.full(x.shape[:1], 0.5))
    >>> G(torch.zeros(1, 1), torch.tensor([[0.25]]))
    tensor([[2.]])
    """

    F: Callable[[Tensor], Tensor]
    eps: Callable[[Tensor], Tensor]

    def __call__(self, y: Tensor, x: Tensor) -> Tensor:
        """One iteration, (B, ...)."""
        target = self.F(x)
        return y + beside(self.eps(x), target) * (target - y)

    def iterate(self, x: Tensor, t: int) -> Tensor:
        """y_t = (1 - (1 - eps(x))^t) F(x), the t-th iterate from y_0 = 0, (B, ...)."""
        target = self.F(x)
        step = beside(self.eps(x), target)
        return -torch.expm1(t * torch.log1p(-step)) * target

    def modulus(self, x: Tensor) -> Tensor:
        """The modulus mu(x) = 1 - eps(x), (B,)."""
        return 1 - self.eps(x)


@dataclass(frozen=True)
class SteepnessStep:
    """eps(x) = c r(x)^2, small where F is large or steep; r as in the module's header.

    `local_lipschitz` must be differentiable where it is finite and rise to infinity continuously
    at the edge of X: a jump to infinity leaves eps without a derivative. First derivatives of eps
    are exact, by implicit differentiation; second derivatives are not.

    The constructor raises ValueError for c outside (0, 1). Calling the step raises ValueError
    where F is not finite or where `local_lipschitz` does not return one number per sample.
    """

    F: Callable[[Tensor], Tensor]
    local_lipschitz: Callable[[Tensor, Tensor], Tensor]
    c: float = 0.5

    def __post_init__(self) -> None:
        require(is_real(self.c) and 0 < self.c < 1, "c", self.c, "a number in (0, 1)")

    def __call__(self, x: Tensor) -> Tensor:
        """eps(x), (B,)."""
        squared: Tensor = self.radius(x) ** 2
        return self.c * squared

    def radius(self, x: Tensor) -> Tensor:
        """r(x) = sup {rho <= 1: rho |F(x)| + rho^2 L(x, rho) <= 1}.

        Returns (B,), zero exactly where F has no local bound.
        """
        with torch.no_grad():
            self._check(x.detach())
            inside, root = self._bracket(x.detach())
        moves_with_x = ~inside & (root > 0)
        if not bool(moves_with_x.any()) or not _is_differentiated(x):
            return root
        return self._with_derivative(root, moves_with_x, x)

    def _bracket(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Whether rho = 1 satisfies the inequality, (B,) bool; and r(x) by bisection, (B,)."""
        low = torch.zeros_like(x.flatten(1)[:, 0])
        high = torch.ones_like(low)
        inside = self._steepness(x, high) <= 1
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            # The comparison is False for NaN too: a bound that is not a number is no bound.
            fits = self._steepness(x, middle) <= 1
            low = torch.where(fits, middle, low)
            high = torch.where(fits, high, middle)
        return inside, torch.where(inside, torch.ones_like(low), low)

    def _with_derivative(self, root: Tensor, moves: Tensor, x: Tensor) -> Tensor:
        """The value `root` (B,), which carries dr/dx for the samples `moves` (B,)."""
        # steepness(x, r(x)) = 1  =>  dr/dx = -(d steepness/dx) / (d steepness/d rho)
        with torch.enable_grad():
            rho = root[moves].requires_grad_()
            total = self._steepness(x.detach()[moves], rho).sum()
            (rate,) = torch.autograd.grad(total, rho)
        moving = self._steepness(x[moves], root[moves])
        # The difference is zero in value and not in derivative.
        change = (moving - moving.detach()) / rate
        return root - torch.zeros_like(root).index_put((moves,), change)

    def _steepness(self, x: Tensor, rho: Tensor) -> Tensor:
        # rho |F(x)| + rho^2 L(x, rho)
        size = self.F(x).flatten(1).norm(dim=1)
        steepness: Tensor = rho * size + rho**2 * self.local_lipschitz(x, rho)
        return steepness

    def _check(self, x: Tensor) -> None:
        if x.dim() < 2 or not x.is_floating_point():
            raise ValueError(
                "x must be a real floating tensor of shape (B, d), "
                f"got {x.dtype} of shape {tuple(x.shape)}"
            )
        value = self.F(x)
        if value.dim() < 2 or value.shape[0] != x.shape[0]:
            raise ValueError(
                f"F must map (B, ...) to (B, ...), got {tuple(value.shape)} "
                f"from x of shape {tuple(x.shape)}"
            )
        finite = torch.isfinite(value.flatten(1)).all(1)
        if not bool(finite.all()):
            samples = (~finite).nonzero().flatten().tolist()
            raise ValueError(
                f"F(x) is not finite for samples {samples[:8]}: "
                "x must lie in the domain of F, away from its singularities"
            )
        bound = self.local_lipschitz(x, x.new_full(x.shape[:1], 1e-3))
        if bound.shape != x.shape[:1]:
            raise ValueError(
                f"local_lipschitz must return one number per sample, {tuple(x.shape[:1])}, "
                f"got {tuple(bound.shape)}"
            )


def _is_differentiated(x: Tensor) -> bool:
    """Whether derivatives are being recorded, backward or forward."""
    if torch.is_grad_enabled():
        return True
    dual = forward_ad.unpack_dual(x)  # type: ignore[no-untyped-call]  # torch does not annotate it
    return dual.tangent is not None


def regular_operator(
    F: Callable[[Tensor], Tensor],
    local_lipschitz: Callable[[Tensor, Tensor], Tensor] | None = None,
    *,
    c: float = 0.5,
) -> Relaxed:
    """The regular operator whose fixed point is F, with the step eps chosen for it (Theorem 2.4).

    x -> G(y, x) is 2 c (1 + |y|)-Lipschitz however steep F is, and y -> G(y, x) contracts with
    modulus 1 - eps(x) < 1.

    F                (B, d) -> (B, n), locally Lipschitz on its domain X
    local_lipschitz  (x, rho) -> (B,), a bound on the Lipschitz constant of F on X within rho of x,
                     infinite where there is none. None stands for `sampled_lipschitz(F)`, an
                     estimate that proves nothing but asks for no knowledge of F.
    c                the largest step, in (0, 1)

    Raises ValueError for c outside (0, 1). The returned G raises it for an x at which F is not
    finite.

    >>> def bound(x, rho):
    ...     return (x[:, 0].abs() - rho).clamp(min=0) ** -2
    >>> G = regular_operator(lambda x: 1 / x, bound)
    >>> G.modulus(torch.tensor([[1.0], [0.01]], dtype=torch.float64)).numpy().round(6).tolist()
    [0.907481, 0.999991]
    """
    bound = sampled_lipschitz(F) if local_lipschitz is None else local_lipschitz
    return Relaxed(F, SteepnessStep(F, bound, c))
