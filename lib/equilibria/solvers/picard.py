"""Picard's iteration: apply G again and again (paper, section 2)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from equilibria.checks import require_damping
from equilibria.solvers.method import Method, MethodState, Verdict

__all__ = ["Picard"]


@dataclass(frozen=True, kw_only=True)
class Picard(Method):
    """y_{t+1} = (1 - damping) y_t + damping G(y_t, x): the paper's iteration at damping 1.

    For a regular operator with contraction modulus mu it converges at rate mu (section 2).
    Raises TypeError or ValueError unless damping is a number in (0, 1].
    """

    damping: float = 1.0

    def __post_init__(self) -> None:
        require_damping(self.damping)

    def start(self, y: Tensor, *, sync_is_cheap: bool) -> tuple[MethodState, Verdict]:
        """See `Method.start`."""
        return PicardState(self.damping), Verdict(y)


@dataclass
class PicardState(MethodState):
    """Picard's iteration remembers nothing."""

    damping: float  # share of the residual that a step goes

    def step(self, y: Tensor, g: Tensor, r: Tensor, norm: Tensor) -> Verdict:
        """See `MethodState.step`."""
        # y + (g - y) rounds and g does not: without damping the iterates are exactly G's.
        if self.damping == 1:
            return Verdict(g)
        return Verdict(y + self.damping * r)
