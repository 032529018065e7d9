"""What a method of `solve` consists of.

A method is two objects. `Method` holds its settings, is frozen and is checked when it is built;
`MethodState` holds one solve in progress and knows the step. `equilibria.solvers.loop` evaluates,
records and stops for all of them.

========  ==============================================================================
``y``     (B, n) the point of the present evaluation, flat
``g``     (B, n) G(y, x)
``r``     (B, n) residual g - y
``norm``  (B,) |r|, in float32 at least
========  ==============================================================================
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

from torch import Tensor

__all__ = ["Method", "MethodState", "Operator", "Verdict"]

Operator: TypeAlias = Callable[[Tensor, Any], Tensor]  # G(y, x), of y's shape, dtype and device


@dataclass(slots=True)
class Verdict:
    """Where a method goes next, and how its samples fare.

    point       (B, n) where to evaluate G next
    decisive    (B,) bool: the next residual is that of the problem itself, and may pass tol;
                None: it is for every sample
    rejections  (B,) floating: how many points in a row were taken back; None: none was so far
    stuck       (B,) bool: the method gives the sample up; None: it leaves that to the loop, which
                watches for residuals that no longer fall
    """

    point: Tensor
    decisive: Tensor | None = None
    rejections: Tensor | None = None
    stuck: Tensor | None = None


class MethodState(ABC):
    """One solve in progress."""

    def evaluate(self, G: Operator, y: Tensor, x: Any) -> Tensor:
        """G(y, x) for y of the caller's shape (B, ...); counts as one evaluation."""
        return G(y, x)

    @abstractmethod
    def step(self, y: Tensor, g: Tensor, r: Tensor, norm: Tensor) -> Verdict:
        """Update the state by one evaluation, and say where to go."""

    def answer(self, y: Tensor) -> Tensor:
        """(B, n) for samples that are still going when the budget ends; ``y`` is the next point."""
        return y


class Method(ABC):
    """Settings of a method."""

    takes_back: ClassVar[bool] = False  # whether it recovers from a bad point by itself
    patience: ClassVar[int] = 40  # evaluations in which the best residual has to fall (`endings`)

    @abstractmethod
    def start(self, y: Tensor, *, sync_is_cheap: bool) -> tuple[MethodState, Verdict]:
        """The state for a start ``y`` (B, n), and the verdict that leads to the first evaluation.

        sync_is_cheap  whether the host may ask about tensors in each step, to skip work that is
                       not needed; on a GPU it must not, since it would wait for the device
        """
