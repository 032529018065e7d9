"""Visits to a loop in training: iterate freely, then with gradient; and states that stay warm.

An implicit model is trained so that an equilibrium is there to be iterated to. Each training step
makes a *visit*: some iterations of ``y = G(y, x)`` without gradient, then a few with gradient,
which are graded. A `WarmPool` keeps the state of every slot between visits, so that later visits
begin near the fixed point; a slot that is drawn afresh begins at zero or at noise, so that no
start is special (path independence, Anil et al. 2022).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from equilibria.solvers.method import Operator

__all__ = ["WarmPool", "draw_int", "graded_iterates", "iterate_freely"]


def draw_int(least: int, most: int, generator: torch.Generator) -> int:
    """A random whole number from ``least`` to ``most``, both included."""
    return int(torch.randint(least, most + 1, (), generator=generator))


def iterate_freely(G: Operator, y: Tensor, x: Any, steps: int) -> Tensor:
    """y after ``steps`` iterations y <- G(y, x) without gradient."""
    with torch.no_grad():
        for _ in range(steps):
            y = G(y, x)
    return y


def graded_iterates(G: Operator, y: Tensor, x: Any, steps: int) -> Iterator[Tensor]:
    """The next ``steps`` iterates y <- G(y, x), each of which carries gradients."""
    for _ in range(steps):
        y = G(y, x)
        yield y


@dataclass(frozen=True)
class WarmPool:
    """States of a loop that are kept between visits; both tensors change in place.

    state   (N, ...) the state of each slot
    visits  (N,) int64, on the CPU: visits since the slot was drawn afresh; 0 means never drawn
    """

    state: Tensor
    visits: Tensor

    def draw_afresh(
        self, slots: Tensor, chance: float | Tensor, generator: torch.Generator
    ) -> Tensor:
        """Which of ``slots`` (B,) begin anew, (B,) bool on the CPU.

        A slot begins anew with probability ``chance`` (a number, or one per slot), when it was
        never drawn, and when its state is not finite.
        """
        lost = ~torch.isfinite(self.state[slots]).flatten(1).all(1).cpu()
        chosen = torch.rand(len(slots), generator=generator) < chance
        return chosen | (self.visits[slots] == 0) | lost

    def begin(self, slots: Tensor, state: Tensor) -> None:
        """Give ``slots`` a new state, which no visit has changed yet."""
        self.state[slots] = state
        self.visits[slots] = 0

    def store(self, slots: Tensor, state: Tensor) -> None:
        """Keep the ``state`` in which a visit left ``slots``, and count the visit."""
        self.state[slots] = state.detach()
        self.visits[slots] += 1
