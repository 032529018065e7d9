"""Visits to a loop in training: iterate freely, then with gradient; and states that stay warm.

An implicit model is trained so that an equilibrium is there to be iterated to. Each training step
makes a *visit*: some iterations of ``y = G(y, x)`` without gradient, then a few with gradient,
which are graded. A `WarmPool` keeps the state of every slot between visits, so that later visits
begin near the fixed point; a slot that is drawn afresh begins at zero or at noise, so that no
start is special (path independence, Anil et al. 2022).

An equilibrium attracts the states near it if the spectral radius of dG/dy is below one there.
`separation` is what a training pays for so that it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from equilibria.solvers.method import Operator
from equilibria.training import parallel

__all__ = ["WarmPool", "draw_int", "graded_iterates", "iterate_freely", "separation"]


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


def separation(
    G: Operator,
    y: Tensor,
    x: Any,
    *,
    search: int,
    steps: int,
    generator: torch.Generator,
    size: float = 0.05,
) -> Tensor:
    """|y'_steps - y_steps| / |y'_0 - y_0| of two states that begin close to each other, (B,).

    y          (B, ...) a state near rest
    search     iterations without gradient, during which y' turns to where G damps least: a power
               iteration on differences of G, after each of which |y' - y| is brought back to its
               size
    steps      iterations with gradient, that carry both states on
    generator  of the first direction
    size       |y' - y| over |y|

    For small size, the result tends to rho^steps, where rho is the spectral radius of dG/dy, as
    both counts grow. It stays of use where the leading eigenvalues are a complex pair, which turns
    y' about y: one step could then grow, and many do not.
    """
    direction = parallel.drawn(torch.randn, y.shape, generator).to(y)
    with torch.no_grad():
        for _ in range(search):
            near = y + _scaled(direction, size * _norms(y))
            y, moved = G(y, x), G(near, x)
            direction = moved - y
        radius = size * _norms(y)
        near = y + _scaled(direction, radius)
    for _ in range(steps):
        y, near = G(y, x), G(near, x)
    return _norms(near - y) / radius


def _norms(y: Tensor) -> Tensor:
    norms: Tensor = torch.linalg.vector_norm(y.flatten(1), dim=1)
    return norms


def _scaled(direction: Tensor, norm: Tensor) -> Tensor:
    """``direction`` (B, ...) with the given norms (B,); zero stays zero."""
    factor = norm / _norms(direction).clamp_min(torch.finfo(direction.dtype).tiny)
    return direction * factor.view(-1, *[1] * (direction.dim() - 1))


@dataclass(frozen=True)
class WarmPool:
    """States of a loop that are kept between visits; both tensors change in place.

    state   (N, ...) the state of each slot, spread over the processes of a training
    visits  (N,) int64, on the CPU: visits since the slot was drawn afresh; 0 means never drawn
    """

    state: parallel.Rows
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
        self.state[slots] = state.detach().to(self.state.dtype)
        self.visits[slots] += 1
